/** Wires the parts to the address. */

import { showFacets } from "./facets.js";
import { showGrid } from "./grid.js";
import { showProduct } from "./product.js";
import { follow } from "./route.js";
import { showQuery } from "./search.js";

document.querySelector("#skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address holds the state, not a place on the page
  document.querySelector("#results").focus();
});

follow((state) => {
  if (!state.product) document.title = state.q ? `${state.q} | samestyle` : "samestyle"; // else the product's
  showQuery(state);
  showFacets(state);
  showGrid(state);
  showProduct(state);
});

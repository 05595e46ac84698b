/** Wires the parts to the address. */

import { showFacets } from "./facets.js";
import { showGrid } from "./grid.js";
import { showPanel } from "./panel.js";
import { showProduct } from "./product.js";
import { isSearch, nameOfSearch } from "./query.js";
import { follow } from "./route.js";
import { showWords } from "./search.js";
import { showSteps } from "./steps.js";

document.querySelector("#skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address holds the state, not a place on the page
  document.querySelector("#results").focus();
});

document.querySelector(".bar").hidden = false; // by now it says what is shown
follow((state, replaced) => {
  const name = isSearch(state) ? `${nameOfSearch(state)} | samestyle` : "samestyle";
  if (!state.product) document.title = name; // else it is the product's
  showWords(state);
  showPanel(state);
  showSteps(state, replaced);
  showFacets(state);
  showGrid(state);
  showProduct(state);
});

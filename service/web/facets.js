/** Category pills, supplier, stock and sort. Each choice counts the products under all the other choices. */

import * as api from "./api.js";
import { h, latest } from "./dom.js";
import { photoNamed } from "./photos.js";
import { go, link } from "./route.js";

const LEVEL = " > ";
const nav = document.querySelector("#categories");
const supplier = document.querySelector("#supplier");
const sort = document.querySelector("#sort");
const stock = document.querySelector("#stock");
const { run } = latest();

let counted = null;

supplier.addEventListener("change", () => go({ supplier: supplier.value }));
sort.addEventListener("change", () => go({ sort: sort.value }));
stock.addEventListener("change", () => go({ stock: stock.checked ? "1" : null }));

export function showFacets(state) {
  const searching = Boolean(state.q || photoNamed(state.photo));
  sort.hidden = searching; // an answer is in order of likeness
  sort.value = state.sort;
  stock.checked = state.stock === "1";
  supplier.value = state.supplier;
  const { product, tab, sort: _, ...rest } = state;
  const key = JSON.stringify(rest);
  if (key === counted) return;
  counted = key;
  const { category, supplier: only } = state;
  const filters = { inStock: state.stock === "1", limit: 1 };
  run(
    (signal) =>
      Promise.all([api.browse({ ...filters, supplier: only }, signal), api.browse({ ...filters, category }, signal)]),
    {
      done([byCategory, bySupplier]) {
        showCategories(byCategory.facets.category, category, searching);
        showSuppliers(bySupplier.facets.supplier, only, searching);
      },
      failed() {
        counted = null; // the grid says what is wrong
      },
    },
  );
}

/** One row of pills per level, down to the children of the chosen category. */
function showCategories(facet, chosen, searching) {
  const rows = [];
  let parent = "";
  for (;;) {
    const options = childrenOf(facet, parent);
    const [only] = options.keys();
    if (options.size === 0) break;
    if (options.size > 1) rows.push(row(rows.length > 0 ? parent : "", options, chosen, searching));
    else if (rows.length > 0) break;
    const next = options.size === 1 ? only : [...options.keys()].find((option) => isWithin(chosen, option));
    if (next === undefined) break;
    parent = next;
  }
  nav.replaceChildren(...rows);
}

const isWithin = (category, ancestor) => category === ancestor || category.startsWith(ancestor + LEVEL);

/** The categories one level below `parent` with their counts, the fullest first. */
function childrenOf(facet, parent) {
  const counts = new Map();
  const depth = parent ? parent.split(LEVEL).length : 0;
  for (const { value, count } of facet) {
    if (!value || value === parent || (parent && !isWithin(value, parent))) continue;
    const child = value.split(LEVEL).slice(0, depth + 1).join(LEVEL);
    counts.set(child, (counts.get(child) ?? 0) + count);
  }
  return new Map([...counts].sort(([, a], [, b]) => b - a));
}

function row(all, options, chosen, searching) {
  const pill = (category, label, count) => {
    const current = chosen === category || (category !== all && isWithin(chosen, category));
    const number = count && !searching && h("span", { class: "number" }, count.toLocaleString());
    return h("li", {}, h("a", { href: link({ category }), "aria-current": current && "true" }, label, number));
  };
  const pills = [...options].map(([category, count]) => pill(category, category.split(LEVEL).at(-1), count));
  return h("ul", { class: "pills" }, pill(all, "All"), pills);
}

function showSuppliers(facet, chosen, searching) {
  const options = facet
    .filter(({ value }) => value)
    .map(({ value, count }) => h("option", { value }, searching ? value : `${value} (${count.toLocaleString()})`));
  if (chosen && !facet.some(({ value }) => value === chosen)) options.push(h("option", { value: chosen }, chosen));
  supplier.replaceChildren(h("option", { value: "" }, "All suppliers"), ...options);
  supplier.value = chosen;
}

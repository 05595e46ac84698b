/** Category pills, supplier, price, currency, stock and sort. Each choice counts the products under all the others. */

import * as api from "./api.js";
import { money } from "./card.js";
import { h, latest, redraw } from "./dom.js";
import { barcodeOf, filtersOf, isSearch } from "./query.js";
import { FILTERS, go, link, read } from "./route.js";

const LEVEL = " > ";
const COUNTED = ["category", "supplier", "price", "currency"]; // keys of the state, and names of facets
const ALWAYS = ["in_stock"]; // whatever is chosen
const nav = document.querySelector("#categories");
const supplier = document.querySelector("#supplier");
const price = document.querySelector("#price");
const currency = document.querySelector("#currency");
const sort = document.querySelector("#sort");
const stock = document.querySelector("#stock");
const mixed = document.querySelector("#mixed-prices");
const { run } = latest();

let counted = null;
let currencies = 0; // how many there are under all other filters

for (const select of [supplier, price, sort]) {
  select.addEventListener("change", () => go({ [select.id]: select.value }));
}
// a range of prices is one of a currency
currency.addEventListener("change", () => go({ currency: currency.value, price: null }));
stock.addEventListener("change", () => go({ stock: stock.checked ? "1" : null }));

export function showFacets(state) {
  const searching = isSearch(state);
  sort.hidden = searching; // an answer is in order of likeness
  sort.value = state.sort;
  stock.checked = state.stock === "1";
  showCurrencies(state, searching);
  for (const pill of nav.querySelectorAll("a")) pill.href = within(pill.dataset.category); // else they undo what was chosen since
  const key = JSON.stringify([searching, ...FILTERS.map((name) => state[name]), searching ? state.q : barcodeOf(state)]);
  if (key === counted) return;
  counted = key;
  run((signal) => countAll(state, signal), {
    done(facets) {
      showCategories(facets.category, state.category, searching);
      const number = (count) => (searching ? "" : ` (${count.toLocaleString()})`);
      showOptions(supplier, "All suppliers", facets.supplier, state.supplier, (value, count) => isolated(value) + number(count));
      supplier.hidden = supplier.options.length < 2; // who has no suppliers needs no choice of them
      stock.parentElement.hidden = !state.stock && !facets.in_stock.some(({ value }) => value === "true");
      showOptions(currency, "All currencies", facets.currency, state.currency, (value) => value);
      currencies = facets.currency.filter(({ value }) => value).length;
      showCurrencies(read(), searching);
      const range = (value, count) => rangeOf(value, state.currency) + number(count);
      showOptions(price, "Any price", facets.price, state.price, range);
    },
    failed() {
      counted = null; // the grid says what is wrong
    },
  });
}

/** Text that keeps its own direction of writing where there can be no elements, between U+2068 and U+2069. */
const isolated = (text) => `\u2068${text}\u2069`;

/** Amounts of several currencies cannot be compared: there are no ranges of them, and sorting says what it does. */
function showCurrencies(state, searching) {
  const several = currencies > 1 && !state.currency;
  currency.hidden = currencies < 2 && !state.currency;
  price.hidden = several && !state.price;
  const compares = state.price || (!searching && state.sort.endsWith("price"));
  mixed.textContent = `Prices are in ${currencies} currencies, compared by their amounts alone. Choose a currency.`;
  mixed.hidden = !(several && compares);
}

/** One request for the facets nothing is chosen of, and one for each other, without its own choice. */
async function countAll(state, signal) {
  const open = COUNTED.filter((name) => !state[name]);
  const apart = COUNTED.filter((name) => state[name]).map((name) => ({ facets: [name], without: { [name]: "" } }));
  const asked = [{ facets: [...open, ...ALWAYS], without: {} }, ...apart];
  const answers = await Promise.all(
    asked.map(({ facets, without }) =>
      api.browse({ filters: filtersOf({ ...state, ...without }), facets, limit: 1 }, signal),
    ),
  );
  return Object.assign({}, ...answers.map((answer) => answer.facets));
}

function rangeOf(range, inCurrency) {
  const [low, high] = range.split("..").map((end) => (end === "" ? null : money(Number(end), inCurrency)));
  if (low === null) return `Up to ${high}`;
  if (high === null) return `From ${low}`;
  return low === high ? low : `${low} – ${high}`;
}

function showOptions(select, all, facet, chosen, label) {
  const named = facet.filter(({ value }) => value);
  const options = named.map(({ value, count }) => h("option", { value }, label(value, count)));
  if (chosen && !named.some(({ value }) => value === chosen)) {
    options.push(h("option", { value: chosen }, label(chosen, 0)));
  }
  select.replaceChildren(h("option", { value: "" }, all), ...options);
  select.value = chosen;
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
  const scrolled = [...nav.children].map((before) => before.scrollLeft);
  redraw(nav, ...rows);
  rows.forEach((drawn, at) => (drawn.scrollLeft = scrolled[at] ?? 0));
}

/** The address of what is shown, in a category. */
const within = (category) => link({ category, product: null, tab: null, by: null });

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
    return h("li", {}, h("a", { href: within(category), "data-category": category, "aria-current": current && "true" }, h("bdi", {}, label), number));
  };
  const pills = [...options].map(([category, count]) => pill(category, category.split(LEVEL).at(-1), count));
  return h("ul", { class: "pills" }, pill(all, "All"), pills);
}

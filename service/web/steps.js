/** The steps of the present search in this tab, each a link back to it. */

import { h, redraw } from "./dom.js";
import { isSearch, lessOf, mixOf, nameOfSearch } from "./query.js";
import { QUERY, link } from "./route.js";

const MOST = 12;
const STORED = "steps";
const nav = document.querySelector("#steps");

let steps = remembered(); // as { key, query, changed, label }
let inSearch = false; // the last state was a search, rather than the catalogue
let at = -1;

/** Take note of a state; `replaced` says that it took the place of the one before. */
export function showSteps(state, replaced) {
  const query = Object.fromEntries(QUERY.map((key) => [key, state[key]]));
  if (!isSearch(state)) {
    inSearch = false;
    nav.hidden = true;
    return;
  }
  const key = JSON.stringify(query);
  const known = steps.findIndex((step) => step.key === key);
  if (known >= 0) at = known;
  else if (!inSearch) [steps, at] = [[{ key, query, label: nameOfSearch(state) }], 0];
  else {
    const changed = whatChanged(steps[at].query, state);
    const goesOn = at > 0 && (replaced || (isFine(changed) && steps[at].changed === changed));
    const kept = steps.slice(0, goesOn ? at : at + 1); // a step back and another way on forgets the first way
    const last = kept.at(-1).query;
    steps = [...kept, { key, query, changed, label: labelOf(last, state) }].slice(-MOST);
    at = steps.length - 1;
  }
  inSearch = true;
  draw();
}

function draw() {
  nav.hidden = steps.length < 2;
  const items = steps.map(({ query, label }, position) =>
    h("li", {}, h("a", { href: link(query), "aria-current": position === at && "step" }, label)),
  );
  redraw(nav.querySelector("ol"), ...items);
  remember();
}

/** They last as long as the tab: a reload does not lose them. */
function remember() {
  try {
    sessionStorage.setItem(STORED, JSON.stringify(steps));
  } catch {
    // full, or not allowed
  }
}

function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(STORED)) ?? [];
  } catch {
    return [];
  }
}

/** The part of a search that is another one. */
const whatChanged = (last, state) => ORDER.find((name) => state[name] !== last[name]);
const ORDER = ["photo", "like", "q", "crop", "less", "mix"];

/** Changes of which several in a row are one step: the crop and the balance are felt for. */
const isFine = (changed) => changed === "crop" || changed === "mix";

/** What is different in a search, in a few words. */
function labelOf(last, state) {
  switch (whatChanged(last, state)) {
    case "photo":
      return state.photo ? "your photo" : "no photo";
    case "like":
      return state.like ? "like a product" : "no product";
    case "q":
      return state.q ? `“${state.q}”` : "no words";
    case "crop":
      return state.crop ? "part of the photo" : "the whole photo";
    case "less":
      return lessOf(state).length > lessOf(last).length ? "less like one" : "avoid fewer";
    default:
      return balanceOf(mixOf(state));
  }
}

function balanceOf(mix) {
  if (mix === 0) return "both together";
  return mix < 0 ? `photo +${-mix} %` : `words +${mix} %`;
}

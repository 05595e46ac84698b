/** The grid: the catalogue page by page, or the answer to a search. */

import * as api from "./api.js";
import { choosePhoto } from "./camera.js";
import { card } from "./card.js";
import { latest, note, skeletons } from "./dom.js";
import * as events from "./events.js";
import { showFacets } from "./facets.js";
import { barcodeOf, filtersOf, hasBoth, isSearch, lacksPhoto, lessOf, mixOf, nameOfSearch } from "./query.js";
import { FILTERS, QUERY, go, read, without } from "./route.js";
import { isBadPhoto, trouble } from "./trouble.js";
import { find } from "./turns.js";
import { reason, tellApart } from "./why.js";

const PAGE = 48;

const grid = document.querySelector("#grid");
const heading = document.querySelector("#heading");
const count = document.querySelector("#count");
const place = document.querySelector("#note");
const more = document.querySelector("#more");
const why = document.querySelector("#why");
const { run, stop } = latest();

let shown = null; // the part of the state that the grid depends on
let isAnswer = false; // the grid shows an answer to a search, rather than the catalogue
let cursor = null;

why.addEventListener("change", () => go({ why: why.checked ? "1" : null }, { replace: true }));

export function showGrid(state) {
  const { product, tab, by, ...mine } = state;
  why.checked = state.why === "1";
  why.parentElement.hidden = !isSearch(state);
  if (!isSearch(state)) mine.why = "";
  const key = JSON.stringify(mine);
  if (key === shown) return;
  shown = key;
  load(mine);
}

/** A photo that could not even be searched with. */
export function showProblem(error) {
  place.replaceChildren(trouble(error, null, { action: "Choose another photo", onaction: choosePhoto }));
  place.scrollIntoView({ block: "nearest" });
}

function load(state) {
  const searching = isSearch(state);
  const refined = searching && isAnswer && grid.children.length > 0;
  heading.textContent = headingOf(state);
  more.hidden = true;
  more.disabled = false; // a page that was still to come never will
  place.replaceChildren();
  grid.setAttribute("aria-busy", "true");
  if (!refined) {
    count.textContent = "Loading…";
    grid.replaceChildren(...skeletons(12));
  }
  if (lacksPhoto(state)) {
    stop();
    missPhoto();
  } else if (searching) loadHits(state);
  else loadPage(state);
}

function headingOf(state) {
  if (isSearch(state)) return nameOfSearch(state);
  if (barcodeOf(state)) return `Barcode ${barcodeOf(state)}`;
  return state.category ? state.category.split(" > ").at(-1) : "All products";
}

function loadHits(state) {
  const explain = state.why === "1";
  run((signal) => find(state, { k: PAGE, explain }, signal), {
    done(answer, signal) {
      isAnswer = true;
      const unlike = lessOf(state);
      const add = (page, current) => {
        const cards = append(page, explain);
        if (explain && hasBoth(state)) tellApart(answer.refine_cursor, page.hits, unlike, grid, current);
        return cards;
      };
      const byKeyboard = grid.querySelector(":focus-visible");
      grid.replaceChildren();
      const [best] = add(answer, signal);
      if (byKeyboard) best?.querySelector("h3 a").focus(); // its place is gone with the card
      continueHits(answer, add);
      if (answer.hits.length === 0) nothing(state);
    },
    failed: (error) => fail(error, state),
  });
}

function append(answer, explain) {
  grid.removeAttribute("aria-busy");
  const cards = answer.hits.map((hit, at) =>
    card(hit, { requestId: answer.request_id, position: at + 1, refine: true, extra: explain && reason(hit) }),
  );
  grid.append(...cards);
  events.shown(answer.request_id, answer.hits);
  return cards;
}

function continueHits(answer, add) {
  cursor = answer.next_cursor;
  const number = grid.children.length;
  const order = number > 1 ? ", best match first" : "";
  const all = `${number} ${number === 1 ? "product" : "products"}${order}`;
  count.textContent = cursor ? `The best ${number} matches` : all;
  more.hidden = cursor === null;
  more.onclick = () =>
    loadMore((signal) => api.nextPage(cursor, PAGE, signal), (next, signal) => {
      const cards = add(next, signal);
      continueHits(next, add);
      return cards;
    });
}

function loadPage(state) {
  const page = { filters: filtersOf(state), sort: state.sort, limit: PAGE };
  run((signal) => api.browse(page, signal), {
    done(answer) {
      isAnswer = false;
      grid.removeAttribute("aria-busy");
      grid.replaceChildren(...answer.products.map((product) => card(product)));
      if (answer.total === 0) nothing(state);
      continuePage(answer, page);
    },
    failed: (error) => fail(error, state),
  });
}

function continuePage(answer, page) {
  const { total } = answer;
  cursor = answer.next_cursor;
  const part = grid.children.length < total ? `${grid.children.length} of ` : "";
  count.textContent = `${part}${total.toLocaleString()} ${total === 1 ? "product" : "products"}`;
  more.hidden = cursor === null;
  more.onclick = () =>
    loadMore((signal) => api.browse({ ...page, cursor }, signal), (next) => {
      const cards = next.products.map((product) => card(product));
      grid.append(...cards);
      continuePage(next, page);
      return cards;
    });
}

/** Ask for the next page and hand it to `add`, which returns the new cards. */
function loadMore(task, add) {
  more.disabled = true;
  place.replaceChildren();
  run(task, {
    done(answer, signal) {
      const cards = add(answer, signal);
      more.disabled = false;
      cards[0]?.querySelector("h3 a").focus({ preventScroll: true });
    },
    failed(error) {
      more.disabled = false;
      const stale = error.status === 400 || error.status === 410; // the catalogue has changed since the first page
      const again = stale ? () => location.reload() : () => loadMore(task, add);
      place.replaceChildren(trouble(error, again));
    },
  });
}

/** Nothing was found, or there is nothing to be found. */
function nothing(state) {
  if (FILTERS.some((key) => state[key])) {
    const clear = { action: "Clear the filters", onaction: () => go(without(FILTERS)) };
    place.replaceChildren(note("No product matches. Try other words, or fewer filters.", clear));
  } else if (barcodeOf(state)) {
    place.replaceChildren(note("No product has this barcode.", all));
  } else if (isSearch(state)) {
    place.replaceChildren(note("No product matches. Try other words, or another photo.", all));
  } else {
    const again = { action: "Look again", onaction: () => load(state) };
    place.replaceChildren(note("There is nothing in this shop yet. Come back soon: new products appear at once.", again));
  }
}

const all = { action: "See all products", onaction: () => go(without([...QUERY, ...FILTERS])) };

function missPhoto() {
  clear();
  const text = "This search started from a photo that is not on this device any more. Choose the photo again, or start anew.";
  place.replaceChildren(note(text, { action: "Choose the photo", onaction: choosePhoto }));
}

function clear() {
  grid.removeAttribute("aria-busy");
  grid.replaceChildren();
  isAnswer = false;
  count.textContent = "";
}

function fail(error, state) {
  clear();
  place.replaceChildren(trouble(...remedy(error, state)));
}

/** The failure in words, how to try again, and what to do instead where that cannot help. */
function remedy(error, state) {
  const again = () => {
    load(state);
    showFacets(read()); // which may have failed, too
  };
  if (state.photo && isBadPhoto(error)) {
    return [error, again, { action: "Choose another photo", onaction: choosePhoto }];
  }
  if (state.like && error.status === 404) {
    const gone = new api.Problem("The product this search starts from is no longer in the catalogue.");
    const others = { action: "Search with the words alone", onaction: () => go({ like: null, crop: null, mix: null }) };
    return [gone, again, state.q ? others : all];
  }
  if (state.like && error.status === 400 && mixOf(state) < 0) {
    const none = new api.Problem("This product has no photo that could count more than the words.");
    return [none, again, { action: "Let both count", onaction: () => go({ mix: null }) }];
  }
  return [error, again];
}

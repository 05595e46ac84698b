/** The grid: the catalogue page by page, or the answer to a search. */

import * as api from "./api.js";
import { card } from "./card.js";
import { latest, note, skeletons } from "./dom.js";
import { photoNamed } from "./photos.js";
import { go, link } from "./route.js";
import { choosePhoto } from "./search.js";

const PAGE = 48;
const HITS = 60;

const grid = document.querySelector("#grid");
const heading = document.querySelector("#heading");
const count = document.querySelector("#count");
const place = document.querySelector("#note");
const more = document.querySelector("#more");
const { run } = latest();

let shown = null; // the part of the state that the grid depends on
let cursor = null;
let total = 0;

export function showGrid(state) {
  const { product, tab, ...mine } = state;
  const key = JSON.stringify(mine);
  if (key === shown) return;
  shown = key;
  load(mine);
}

function load(state) {
  const photo = photoNamed(state.photo);
  const query = {
    category: state.category,
    supplier: state.supplier,
    inStock: state.stock === "1",
    words: state.q,
    photo: photo?.file,
  };
  const searching = Boolean(photo || state.q);
  heading.textContent = headingOf(state, photo);
  count.textContent = "Loading…";
  more.hidden = true;
  place.replaceChildren();
  grid.replaceChildren(...skeletons(12));
  grid.setAttribute("aria-busy", "true");
  run(
    (signal) => (searching ? api.search({ ...query, k: HITS }, signal) : page({ ...query, sort: state.sort }, signal)),
    {
      done: (answer) => (searching ? showHits(answer.hits) : showPage(answer, { ...query, sort: state.sort })),
      failed: (error) => fail(error, () => load(state)),
    },
  );
}

const page = (query, signal) => api.browse({ ...query, limit: PAGE }, signal);

function headingOf(state, photo) {
  if (photo) return state.q ? `Like your photo: “${state.q}”` : "Like your photo";
  if (state.q) return `Results for “${state.q}”`;
  return state.category ? state.category.split(" > ").at(-1) : "All products";
}

function showHits(hits) {
  settle(hits);
  count.textContent = `${hits.length} ${hits.length === 1 ? "product" : "products"}, best match first`;
}

function showPage(answer, query) {
  settle(answer.products);
  total = answer.total;
  continueFrom(answer, query);
}

function settle(products) {
  grid.removeAttribute("aria-busy");
  grid.replaceChildren(...products.map(card));
  if (products.length === 0) {
    const clear = { category: null, supplier: null, stock: null };
    const filtered = link(clear) !== link({});
    const action = filtered ? { action: "Clear the filters", onaction: () => go(clear) } : {};
    place.replaceChildren(note("No product matches. Try other words, or fewer filters.", action));
  }
}

function continueFrom(answer, query) {
  cursor = answer.next_cursor;
  const part = grid.children.length < total ? `${grid.children.length} of ` : "";
  count.textContent = `${part}${total.toLocaleString()} ${total === 1 ? "product" : "products"}`;
  more.hidden = cursor === null;
  more.onclick = () => loadMore(query);
}

function loadMore(query) {
  more.disabled = true;
  place.replaceChildren();
  run((signal) => page({ ...query, cursor }, signal), {
    done(answer) {
      const cards = answer.products.map(card);
      grid.append(...cards);
      continueFrom(answer, query);
      more.disabled = false;
      cards[0]?.querySelector("a").focus({ preventScroll: true });
    },
    failed(error) {
      more.disabled = false;
      const stale = error.status === 400 || error.status === 410; // the catalogue has changed since the first page
      const again = stale ? () => location.reload() : () => loadMore(query);
      place.replaceChildren(note(error.message, { error: true, action: "Try again", onaction: again }));
    },
  });
}

function fail(error, retry) {
  grid.removeAttribute("aria-busy");
  grid.replaceChildren();
  count.textContent = "";
  const badPhoto = [413, 415, 422].includes(error.status);
  const next = badPhoto ? ["Choose another photo", choosePhoto] : ["Try again", retry];
  place.replaceChildren(note(error.message, { error: true, action: next[0], onaction: next[1] }));
}

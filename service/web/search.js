/** The search box: words, a photo, or both. */

import { onPhoto } from "./camera.js";
import { showProblem } from "./grid.js";
import { keep } from "./photos.js";
import { FILTERS, gesture, go, read, without } from "./route.js";
import { isSearch } from "./query.js";

const form = document.querySelector("#search");
const words = document.querySelector("#words");
const typing = gesture(400);

let asked = null; // the words of the state, as far as the box shows them
let newest = 0;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (matchMedia("(pointer: coarse)").matches) words.blur(); // puts the screen keyboard away
  typing.drop();
  search({ q: words.value.trim() });
});
words.addEventListener("input", () => {
  const { photo, like, product } = read();
  if ((photo || like) && !product) typing.change({ q: (asked = words.value.trim()) }); // refined while it is typed
});
words.addEventListener("change", () => typing.end());

onPhoto(async (file) => {
  const turn = ++newest;
  try {
    const photo = await keep(file);
    if (turn === newest) search({ photo, like: null, crop: null, mix: null, less: null });
  } catch (error) {
    if (turn === newest) showProblem(error);
  }
});

/** A first search is over the whole shop; refining it keeps the filters. */
function search(changes) {
  const state = read();
  const whole = isSearch(state) ? {} : without([...FILTERS, "less"]);
  const left = isSearch({ ...state, ...changes }) ? {} : without(["less"]); // nothing to be unlike among
  go({ ...whole, ...left, ...changes, product: null, tab: null, by: null });
  scrollTo({ top: 0 }); // the best match comes first
}

export function showWords(state) {
  if (state.q !== asked) words.value = asked = state.q; // and never over words still being typed
  words.placeholder = state.photo || state.like ? "Add words, like “but white”" : "What are you looking for?";
}

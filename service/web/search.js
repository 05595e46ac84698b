/** The search box: words, a photo, or both; the chips show what is searched for. */

import { h, icon } from "./dom.js";
import { keep, photoNamed } from "./photos.js";
import { go, read } from "./route.js";

const form = document.querySelector("#search");
const words = document.querySelector("#words");
const file = document.querySelector("#photo");
const chips = document.querySelector("#chips");
const drop = document.querySelector("#drop");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (matchMedia("(pointer: coarse)").matches) words.blur(); // puts the screen keyboard away
  search({ q: words.value.trim() });
});
file.addEventListener("change", () => {
  const [photo] = file.files;
  if (photo) search({ photo: keep(photo) });
  file.value = ""; // so that the same file can be chosen again
});
addEventListener("paste", (event) => takeFrom(event, event.clipboardData));
addEventListener("drop", (event) => {
  drop.classList.remove("shown");
  takeFrom(event, event.dataTransfer);
});
addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  drop.classList.add("shown");
});
addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) drop.classList.remove("shown");
});

function takeFrom(event, data) {
  const [photo] = data?.files ?? [];
  if (!photo) return;
  event.preventDefault();
  search({ photo: keep(photo) });
}

/** Open the file picker; only in answer to a click. */
export const choosePhoto = () => file.click();

/** A first search is over the whole shop; refining it keeps the filters. */
function search(changes) {
  const { q, photo } = read();
  const whole = q || photoNamed(photo) ? {} : { category: null, supplier: null, stock: null };
  go({ ...whole, ...changes, product: null, tab: null });
}

let asked = null;

export function showQuery(state) {
  const photo = photoNamed(state.photo);
  if (state.q !== asked) words.value = asked = state.q; // and never over words still being typed
  words.placeholder = photo ? "Add words, like “but white”" : "What are you looking for?";
  const list = [];
  if (photo) list.push(chip([thumbnail(photo.url), "Your photo"], "Remove the photo", { photo: null }));
  if (state.q) list.push(chip([`“${state.q}”`], "Remove the words", { q: null }));
  chips.replaceChildren(...list);
  chips.hidden = list.length === 0;
}

function chip(content, label, without) {
  const clear = () => {
    words.focus();
    go(without);
  };
  const button = h("button", { type: "button", "aria-label": label, onclick: clear }, icon("close"));
  return h("li", {}, content, button);
}

function thumbnail(url) {
  const broken = () => image.replaceWith(icon("photo"));
  const image = h("img", { src: url, alt: "The photo you search with", onerror: broken });
  return image;
}

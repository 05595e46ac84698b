/** What is searched for, to look at and to change: the photo or product, words, their balance, and what to be unlike. */

import * as api from "./api.js";
import { choosePhoto } from "./camera.js";
import { nameOf, photo as photoOf } from "./card.js";
import { cropper } from "./crop.js";
import { h, icon, latest } from "./dom.js";
import { photoNamed } from "./photos.js";
import { cropOf, isSearch, lacksPhoto, lessOf, mixOf } from "./query.js";
import { gesture, go, link, read } from "./route.js";

const panel = document.querySelector("#panel");
const base = document.querySelector("#base");
const chips = document.querySelector("#chips");
const balance = document.querySelector("#balance");
const mix = document.querySelector("#mix");
const mixed = document.querySelector("#mixed");
const words = document.querySelector("#words");
const cropping = gesture(250);
const mixing = gesture(200);

let drawn = ""; // what the photo or product is that `base` shows
let crop = null; // its cropper

mix.addEventListener("input", () => {
  const near = Math.abs(Number(mix.value)) < 8 ? 0 : Number(mix.value); // half way is easily met
  mixed.textContent = mix.ariaValueText = balanceOf(near);
  mixing.change({ mix: near ? String(near) : null });
});
mix.addEventListener("change", () => mixing.end());

export function showPanel(state) {
  panel.hidden = !isSearch(state);
  if (panel.hidden) return;
  showBase(state);
  showChips(state);
  showBalance(state);
  document.querySelector("#balance-base").textContent = state.photo ? "Photo" : "Product photo";
  if (document.activeElement !== mix) mix.value = String(mixOf(state));
  mixed.textContent = mix.ariaValueText = balanceOf(mixOf(state));
}

/** Between photo and words, where there are both. */
function showBalance(state) {
  balance.hidden = !(state.q && (state.photo || (state.like && !photoless.has(state.like))));
}

function balanceOf(mix) {
  if (mix === 0) return "Both together";
  if (Math.abs(mix) === 100) return mix < 0 ? "The photo alone" : "The words alone";
  return `${Math.abs(mix)} % towards the ${mix < 0 ? "photo" : "words"}`;
}

function showBase(state) {
  const name = state.photo ? `photo ${state.photo}` : state.like && `like ${state.like}`;
  panel.classList.toggle("with-base", Boolean(name));
  if (name !== drawn) {
    drawn = name;
    crop = null;
    cropping.drop();
    loading.stop();
    base.replaceChildren();
    if (state.photo) showPhoto(state);
    else if (state.like) showProduct(state.like);
  }
  showCrop(state);
}

function showCrop(state) {
  crop?.show(cropOf(state));
  const cropped = String(cropOf(state) !== null);
  for (const part of base.querySelectorAll("[data-cropped]")) part.hidden = part.dataset.cropped !== cropped;
}

function showPhoto(state) {
  if (lacksPhoto(state)) {
    const choose = h("button", { type: "button", class: "plain", onclick: choosePhoto }, "Choose the photo again");
    base.replaceChildren(h("div", { class: "photo" }, h("span", { class: "no-photo" }, icon("photo"))), choose);
    return;
  }
  showCropper(photoNamed(state.photo).url, "Your photo");
}

function showCropper(url, name) {
  crop = cropper(url, {
    name,
    onchange: (box) => cropping.change({ crop: box?.join(",") ?? null }),
    onend: () => cropping.end(),
    onbroken: () => base.replaceChildren(h("div", { class: "photo" }, h("span", { class: "no-photo" }, icon("photo")))),
  });
  const onclick = () => {
    go({ crop: null });
    crop.element.querySelector("button").focus({ preventScroll: true }); // the button is gone
  };
  const reset = { type: "button", class: "plain", "data-cropped": "true", onclick };
  const whole = h("button", reset, "Whole photo");
  const hint = h("p", { class: "hint", "data-cropped": "false" }, "Drag the corners to the part that counts.");
  base.replaceChildren(crop.element, hint, whole);
}

const names = new Map(); // of products, by id
const photoless = new Set();
const loading = latest();

function showProduct(productId) {
  base.replaceChildren(h("div", { class: "photo" }));
  loading.run((signal) => api.product(productId, signal), {
    done(product) {
      names.set(productId, nameOf(product));
      if (!product.image_url) photoless.add(productId);
      const ours = product.image_url?.startsWith("/"); // the service may have no copy of a foreign one
      if (ours) showCropper(`${product.image_url}&w=640`, "The product’s photo");
      else base.replaceChildren(photoOf(product, { width: 320, lazy: false }));
      showCrop(read());
      showBalance(read());
      showChips(read());
    },
    failed() {
      drawn = null; // asked for again with the next change; the grid says what is wrong
      base.replaceChildren();
    },
  });
}

function showChips(state) {
  const list = [];
  if (state.photo) {
    const picture = photoNamed(state.photo);
    const thumbnail = picture ? h("img", { src: picture.url, alt: "", onerror: (event) => event.target.remove() }) : null;
    list.push(chip([thumbnail, "Your photo"], "Remove the photo", { photo: null, crop: null, mix: null, less: state.q ? state.less : null }));
  } else if (state.like) {
    const without = { like: null, crop: null, mix: null, less: state.q ? state.less : null };
    const open = h("a", { href: link({ product: state.like, tab: null }), title: "Open this product" }, named(state.like));
    list.push(chip(["Like ", open], "Remove the product", without));
  }
  if (state.q) {
    const kept = state.photo || state.like ? state.less : null;
    list.push(chip([h("span", { dir: "auto" }, `“${state.q}”`)], "Remove the words", { q: null, mix: null, less: kept }));
  }
  const less = lessOf(state);
  for (const productId of less) {
    const rest = less.filter((other) => other !== productId).join("\n");
    list.push(chip(["Less like ", named(productId)], `Do not avoid what is like ${nameNow(productId)}`, { less: rest }));
  }
  chips.replaceChildren(...list);
}

function chip(content, label, changes) {
  const clear = () => {
    words.focus({ preventScroll: true });
    go(changes);
  };
  const button = h("button", { type: "button", "aria-label": label, onclick: clear }, icon("close"));
  return h("li", {}, h("span", { class: "chip-text" }, content), button);
}

const nameNow = (productId) => names.get(productId) ?? productId;

/** A product's name, as soon as it is known. */
function named(productId) {
  const text = h("span", { "data-of": productId, dir: "auto" }, nameNow(productId));
  if (!names.has(productId)) {
    names.set(productId, productId); // asked for once
    api.product(productId).then(
      (product) => {
        names.set(productId, nameOf(product));
        for (const span of chips.querySelectorAll("[data-of]")) span.textContent = nameNow(span.dataset.of); // drawn anew since
      },
      () => {}, // it was deleted; its id is all there is
    );
  }
  return text;
}

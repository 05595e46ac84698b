/** One product in a dialog, with the same from more suppliers and what is similar. */

import * as api from "./api.js";
import { card, nameOf, photo, priceOf } from "./card.js";
import { h, latest, note, skeletons } from "./dom.js";
import { go, read } from "./route.js";

const HITS = 24;
const TABS = [
  {
    id: "same",
    label: "From more suppliers",
    load: api.sameStyle,
    none: "No offer from another supplier was found.",
    instead: { action: "See similar products", onaction: () => go({ tab: "similar" }, { replace: true }) },
  },
  { id: "similar", label: "Similar products", load: api.similar, none: "Nothing similar in the catalogue." },
];

const dialog = document.querySelector("#product");
const body = document.querySelector("#product-body");
const { run, stop } = latest();

let shown = "";

document.querySelector("#close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // the backdrop
dialog.addEventListener("close", () => {
  if (!dialog.open && read().product) go({ product: null, tab: null }); // closed by the shopper, not by the address
});

export function showProduct(state) {
  if (!state.product) {
    shown = "";
    stop();
    if (dialog.open) dialog.close();
    return;
  }
  if (state.product !== shown) {
    shown = state.product;
    load(state.product);
  }
  selectTab(state.tab);
  if (!dialog.open) dialog.showModal();
}

function load(productId) {
  body.replaceChildren(h("div", { class: "product loading", "aria-busy": "true" }, h("div", { class: "photo" })));
  body.scrollTop = 0;
  run((signal) => api.product(productId, signal), {
    done(product, signal) {
      document.title = `${nameOf(product)} | samestyle`;
      body.replaceChildren(about(product), ...tabs(productId, signal));
      selectTab(read().tab);
      body.querySelector("h2").focus({ preventScroll: true });
    },
    failed(error) {
      const title = h("h2", { id: "product-title", tabindex: "-1" }, "This product cannot be shown");
      const again = { error: true, action: "Try again", onaction: () => load(productId) };
      body.replaceChildren(h("div", { class: "failed" }, title, note(error.message, again)));
    },
  });
}

function about(product) {
  const facts = Object.entries(product.attributes).map(([name, value]) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, value)),
  );
  const listing = isWebAddress(product.url) && { href: product.url, target: "_blank", rel: "noopener noreferrer" };
  return h(
    "article",
    { class: "product" },
    photo(product, { width: 640, lazy: false }),
    h(
      "div",
      { class: "about" },
      product.category && h("p", { class: "path" }, product.category.split(" > ").join(" › ")),
      h("h2", { id: "product-title", tabindex: "-1" }, nameOf(product)),
      h("p", { class: "offer" }, h("strong", { class: "price" }, priceOf(product)), stockOf(product)),
      product.supplier_id && h("p", { class: "supplier" }, "Sold by ", h("b", {}, product.supplier_id)),
      facts.length > 0 && h("dl", {}, facts),
      product.description && h("p", { class: "description" }, product.description),
      listing && h("p", {}, h("a", listing, "Open the supplier’s page")),
    ),
  );
}

function stockOf(product) {
  if (product.in_stock === null) return null;
  const [style, words] = product.in_stock ? ["stock", "In stock"] : ["sold-out", "Out of stock"];
  return h("span", { class: style }, words);
}

function isWebAddress(address) {
  return Boolean(address) && URL.canParse(address) && ["http:", "https:"].includes(new URL(address).protocol);
}

function tabs(productId, signal) {
  const buttons = TABS.map(({ id, label }) =>
    h(
      "button",
      {
        type: "button",
        role: "tab",
        id: `tab-${id}`,
        "aria-controls": `panel-${id}`,
        onclick: () => go({ tab: id }, { replace: true }),
        onkeydown: moveBetweenTabs,
      },
      label,
    ),
  );
  const panels = TABS.map((tab, position) => {
    const panel = h("section", { role: "tabpanel", id: `panel-${tab.id}`, "aria-labelledby": `tab-${tab.id}` });
    fill(panel, buttons[position], tab, productId, signal);
    return panel;
  });
  return [h("div", { role: "tablist", "aria-label": "Related products" }, buttons), ...panels];
}

async function fill(panel, button, tab, productId, signal) {
  panel.replaceChildren(h("ul", { class: "grid small", "aria-busy": "true" }, skeletons(5)));
  try {
    const { hits } = await tab.load(productId, HITS, signal);
    const cards = h("ul", { class: "grid small" }, hits.map(card));
    panel.replaceChildren(hits.length > 0 ? cards : note(tab.none, tab.instead));
    button.replaceChildren(tab.label, h("span", { class: "number" }, String(hits.length)));
  } catch (error) {
    if (signal.aborted) return;
    const again = () => fill(panel, button, tab, productId, signal);
    panel.replaceChildren(note(error.message, { error: true, action: "Try again", onaction: again }));
  }
}

function selectTab(wanted) {
  const chosen = TABS.some(({ id }) => id === wanted) ? wanted : TABS[0].id;
  for (const { id } of TABS) {
    const button = body.querySelector(`#tab-${id}`);
    if (!button) return; // the product is still loading
    button.setAttribute("aria-selected", String(id === chosen));
    button.tabIndex = id === chosen ? 0 : -1;
    body.querySelector(`#panel-${id}`).hidden = id !== chosen;
  }
}

function moveBetweenTabs(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const buttons = [...event.currentTarget.parentElement.children];
  const next = buttons.at((buttons.indexOf(event.currentTarget) + step) % buttons.length);
  next.click();
  next.focus();
}

/** One product in a dialog, with the same from more suppliers and what is similar. */

import * as api from "./api.js";
import { nameOf, photo, priceOf } from "./card.js";
import { h, latest } from "./dom.js";
import { likeThis } from "./like.js";
import { go, read } from "./route.js";
import { selectTab, tabs } from "./tabs.js";
import { trouble } from "./trouble.js";

const dialog = document.querySelector("#product");
const body = document.querySelector("#product-body");
const { run, stop } = latest();

let shown = "";

document.querySelector("#close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // the backdrop
dialog.addEventListener("close", () => {
  // closed by the shopper, not by the address
  if (!dialog.open && read().product) go({ product: null, tab: null, by: null });
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
  selectTab(body, state);
  if (!dialog.open) dialog.showModal();
}

function load(productId) {
  body.replaceChildren(h("div", { class: "product loading", "aria-busy": "true" }, h("div", { class: "photo" })));
  body.scrollTop = 0;
  run((signal) => api.product(productId, signal), {
    done(product, signal) {
      document.title = `${nameOf(product)} | samestyle`;
      body.replaceChildren(about(product), ...tabs(product, signal));
      const state = read();
      selectTab(body, state);
      body.querySelector("h2").focus({ preventScroll: true });
      if (state.tab) body.querySelector("[role=tablist]").scrollIntoView({ block: "start" }); // what was asked for
    },
    failed(error) {
      const title = h("h2", { id: "product-title", tabindex: "-1" }, "This product cannot be shown");
      body.replaceChildren(h("div", { class: "failed" }, title, trouble(...remedy(error, productId))));
      title.focus({ preventScroll: true });
    },
  });
}

function remedy(error, productId) {
  const again = () => load(productId);
  if (error.status !== 404) return [error, again];
  const gone = new api.Problem(`The product ${productId} is not in the catalogue any more.`);
  return [gone, again, { action: "Back to the other products", onaction: () => dialog.close() }];
}

function about(product) {
  const facts = Object.entries(product.attributes).map(([name, value]) =>
    h("div", {}, h("dt", { dir: "auto" }, name), h("dd", { dir: "auto" }, value)),
  );
  const listing = isWebAddress(product.url) && { href: product.url, target: "_blank", rel: "noopener noreferrer" };
  return h(
    "article",
    { class: "product" },
    photo(product, { width: 640, lazy: false }),
    h(
      "div",
      { class: "about" },
      product.category && h("p", { class: "path" }, pathOf(product.category)),
      h("h2", { id: "product-title", tabindex: "-1", dir: "auto" }, nameOf(product)),
      h("p", { class: "offer" }, h("strong", { class: "price" }, priceOf(product)), stockOf(product)),
      product.supplier_id && h("p", { class: "supplier" }, "Sold by ", h("b", { dir: "auto" }, product.supplier_id)),
      facts.length > 0 && h("dl", { tabindex: facts.length > 12 && "0" }, facts), // many are scrolled
      product.description && h("p", { class: "description", tabindex: "0", dir: "auto" }, product.description),
      listing && h("p", {}, h("a", listing, "Open the supplier’s page")),
      but(product),
    ),
  );
}

/** Each level in its own direction of writing. */
const pathOf = (category) => category.split(" > ").flatMap((level, at) => [at > 0 && " › ", h("bdi", {}, level)]);

/** "Like this, but …", with words at once. */
function but(product) {
  const words = h("input", {
    type: "text",
    id: "but",
    dir: "auto",
    maxlength: 200,
    autocomplete: "off",
    enterkeyhint: "search",
    placeholder: "white, with a frog, larger, …",
  });
  const onsubmit = (event) => {
    event.preventDefault();
    likeThis(product.product_id, words.value.trim());
  };
  const find = h("button", { type: "submit" }, "Find");
  return h("form", { class: "but", onsubmit }, h("label", { for: "but" }, "Like this, but …"), words, find);
}

function stockOf(product) {
  if (product.in_stock === null) return null;
  const [style, words] = product.in_stock ? ["stock", "In stock"] : ["sold-out", "Out of stock"];
  return h("span", { class: style }, words);
}

function isWebAddress(address) {
  return Boolean(address) && URL.canParse(address) && ["http:", "https:"].includes(new URL(address).protocol);
}

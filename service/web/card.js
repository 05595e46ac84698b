/** A product as a card, and the ways its parts are written. */

import { h, icon } from "./dom.js";
import { link } from "./route.js";

export const nameOf = (product) => product.title || product.product_id;

export function priceOf({ price, currency }) {
  if (price === null) return "Price on request";
  try {
    return new Intl.NumberFormat(undefined, currency ? { style: "currency", currency } : {}).format(price);
  } catch {
    return `${price} ${currency}`; // not an ISO 4217 code
  }
}

/** The photo in a frame: our copy in a fitting width, a foreign one as it is, a placeholder without one. */
export function photo(product, { width = 320, lazy = true } = {}) {
  const missing = () =>
    h("span", { class: "no-photo", role: "img", "aria-label": `No photo of ${nameOf(product)}` }, icon("photo"));
  const address = product.image_url;
  if (!address) return h("div", { class: "photo" }, missing());
  const sized = (pixels) => `${address}${address.includes("?") ? "&" : "?"}w=${pixels}`;
  const own = address.startsWith("/");
  const image = h("img", {
    alt: nameOf(product),
    loading: lazy && "lazy",
    decoding: "async",
    srcset: own && `${sized(width)} 1x, ${sized(width * 2)} 2x`,
    src: own ? sized(width) : address,
    onerror: () => image.replaceWith(missing()),
  });
  return h("div", { class: "photo" }, image);
}

export function card(product) {
  const soldOut = product.in_stock === false && h("span", { class: "sold-out" }, "Out of stock");
  return h(
    "li",
    { class: "card" },
    photo(product),
    h("h3", {}, h("a", { href: link({ product: product.product_id, tab: null }) }, nameOf(product))),
    h("p", { class: "supplier" }, product.supplier_id),
    h("p", { class: "price" }, priceOf(product), soldOut),
  );
}

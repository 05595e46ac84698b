/** A product as a card, and the ways its parts are written. */

import { h, icon } from "./dom.js";
import { clicked } from "./events.js";
import { go, link, read } from "./route.js";
import { lessOf } from "./query.js";
import { likeThis } from "./like.js";

export const nameOf = (product) => product.title || product.product_id;

export function priceOf({ price, currency }) {
  if (price === null) return "Price on request";
  return money(price, currency);
}

export function money(amount, currency) {
  try {
    if (currency) return new Intl.NumberFormat(undefined, { style: "currency", currency }).format(amount);
  } catch {
    // not an ISO 4217 code
  }
  const minimumFractionDigits = Number.isInteger(amount) ? 0 : 2;
  const number = new Intl.NumberFormat(undefined, { minimumFractionDigits }).format(amount);
  return currency ? `${number} ${currency}` : number;
}

/** The photo in a frame: our copy in a fitting width, a foreign one as it is, a placeholder without one. */
export function photo(product, { width = 320, lazy = true } = {}) {
  const missing = () =>
    h("span", { class: "no-photo", role: "img", "aria-label": `No photo of ${nameOf(product)}` }, icon("photo"));
  const address = product.image_url;
  if (!address) return h("div", { class: "photo" }, missing());
  const sized = (pixels) => `${address}${address.includes("?") ? "&" : "?"}w=${pixels}`;
  const own = address.startsWith("/");
  const frame = h("div", { class: "photo" });
  const failed = () => {
    frame.replaceChildren(missing());
    if (!navigator.onLine) addEventListener("online", () => frame.isConnected && draw(), { once: true });
  };
  const draw = () =>
    frame.replaceChildren(
      h("img", {
        alt: nameOf(product),
        loading: lazy && "lazy",
        decoding: "async",
        srcset: own && `${sized(width)} 1x, ${sized(width * 2)} 2x`,
        src: own ? sized(width) : address,
        onerror: failed,
      }),
    );
  draw();
  return frame;
}

/**
 * A product in a list. `requestId` and `position`, from 1, say which hit of which answer it is; `refine` adds what only a search
 * can do with it, and `extra` goes below its price.
 */
export function card(product, { requestId = null, position = 0, refine = false, extra = null } = {}) {
  const name = nameOf(product);
  const soldOut = product.in_stock === false && h("span", { class: "sold-out" }, "Out of stock");
  const onclick = () => clicked(requestId, product.product_id, position);
  const open = (tab) => link({ product: product.product_id, tab, by: null });
  return h(
    "li",
    { class: "card", "data-id": product.product_id },
    photo(product),
    h("h3", {}, h("a", { href: open(null), dir: "auto", onclick }, name)),
    h("p", { class: "supplier" }, h("bdi", {}, product.supplier_id), alsoOf(product)),
    h("p", { class: "price" }, priceOf(product), soldOut),
    extra,
    h(
      "div",
      { class: "actions" },
      h("a", { class: "spot", href: open("same"), onclick, title: "Spot alike", "aria-label": `Spot alike: ${name}` }, icon("alike")),
      action("like", "Like this, but …", name, () => likeThis(product.product_id)),
      refine && action("less", "Less like this", name, () => lessLike(product.product_id)),
    ),
  );
}

/** Near-identical listings of the supplier, which stand once in a tab. */
const alsoOf = ({ group }) => (group?.size > 1 ? ` · ${group.size} listings` : null);

function action(drawing, label, name, onclick) {
  const properties = { type: "button", class: drawing, title: label, "aria-label": `${label}: ${name}`, onclick };
  return h("button", properties, icon(drawing));
}

const MOST_NEGATIVES = 16; // what a search takes

function lessLike(productId) {
  const others = lessOf(read()).filter((other) => other !== productId);
  go({ less: [...others, productId].slice(-MOST_NEGATIVES).join("\n") });
}

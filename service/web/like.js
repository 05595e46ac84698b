/** "Like this, but …": a search that starts from a product. */

import { FILTERS, QUERY, go, without } from "./route.js";

/** Search from a product, with words where there are some already; else the search box waits for them. */
export function likeThis(productId, words = "") {
  go({ ...without([...QUERY, ...FILTERS]), like: productId, q: words, product: null, tab: null, by: null });
  scrollTo({ top: 0 });
  if (!words) document.querySelector("#words").focus();
}

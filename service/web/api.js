/** The service's HTTP API; every failure becomes a Problem with words for the shopper. */

import { userKey } from "./visitor.js";

export class Problem extends Error {
  /** `retryAfter` in seconds, where the service said when to come back; `offline` where it was not reached. */
  constructor(detail, { status = 0, retryAfter = null, offline = false } = {}) {
    super(detail);
    Object.assign(this, { status, retryAfter, offline });
  }
}

const MAX_UPLOAD_BYTES = 19_900_000; // the service takes 20 MB, the form around the photo included
const UNREACHABLE = "The shop cannot be reached. Check your connection and try again.";
const TOO_LARGE = "This photo is over 20 MB. Choose a smaller one, or take a screenshot of it.";

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, options);
    if (response.ok) return await response.json();
  } catch (error) {
    throw error.name === "AbortError" ? error : new Problem(UNREACHABLE, { offline: true });
  }
  throw await problemOf(response);
}

async function problemOf(response) {
  const { status } = response;
  const body = await response.json().catch(() => null);
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  const retryAfter = status === 429 || status === 503 ? Math.min(Math.max(seconds || 5, 1), 60) : null;
  if (status === 429) return new Problem("Many people are asking right now.", { status, retryAfter });
  const fallback = `The shop answered with an error (${status}). Try again in a moment.`;
  return new Problem(body?.detail || fallback, { status, retryAfter });
}

const inPath = (productId) => `/v1/products/${encodeURIComponent(productId)}`;

/** Browse the catalogue; `filters` as of `filtersOf`, `facets` a list of names. */
export function browse({ filters = {}, sort, limit, cursor, facets }, signal) {
  const query = new URLSearchParams({ limit });
  const { attributes = {}, currency, ...rest } = filters;
  const written = Object.entries(attributes).map(([name, values]) => `${name}=${values.join(",")}`);
  if (currency) written.push(`currency=${JSON.stringify(currency)}`);
  if (written.length > 0) query.set("filter", written.join(" "));
  for (const [name, value] of Object.entries(rest)) {
    if (name === "suppliers") for (const supplier of value) query.append("supplier", supplier);
    else query.set(name, String(value));
  }
  for (const facet of facets ?? []) query.append("facets", facet);
  if (sort) query.set("sort", sort);
  if (cursor) query.set("cursor", cursor);
  return request(`/v1/products?${query}`, { signal });
}

/** Search; `photo` is a file, everything else as in the API. */
export function search({ photo, ...fields }, signal) {
  const asked = { ...fields, user_key: userKey() };
  return photo ? upload(photo, asked, signal) : post("/v1/search", asked, signal);
}

/** The same search as before, but different: a turn of the shopper's. */
export const refine = (change, signal) => post("/v1/search/refine", { ...change, user_key: userKey() }, signal);

/** The same, asked by the page itself: by the arm that answered before, but counted as nobody's. */
export const lookAgain = (change, signal) => post("/v1/search/refine", change, signal);

/** The next page of a search. */
export const nextPage = (cursor, k, signal) => post("/v1/search", { cursor, k, user_key: userKey() }, signal);

function post(path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  return request(path, { method: "POST", headers, body: JSON.stringify(body), signal });
}

async function upload(photo, { text, user_key, ...fields }, signal) {
  if (photo.size > MAX_UPLOAD_BYTES) throw new Problem(TOO_LARGE, { status: 413 });
  const form = new FormData();
  form.set("image", photo);
  if (text) form.set("text", text);
  if (user_key) form.set("user_key", user_key);
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) form.set(name, JSON.stringify(value));
  }
  return request("/v1/search/upload", { method: "POST", body: form, signal });
}

export const product = (productId, signal) => request(inPath(productId), { signal });

/** A tab of a product: "same-style", which can be sorted, or "similar". Without a `key` it counts as nobody's. */
export function related(tab, productId, { k, cursor, sort, key = userKey() }, signal) {
  const query = new URLSearchParams({ k });
  if (sort) query.set("sort", sort);
  if (cursor) query.set("cursor", cursor);
  if (key) query.set("user_key", key);
  return request(`${inPath(productId)}/${tab}?${query}`, { signal });
}

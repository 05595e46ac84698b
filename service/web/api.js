/** The service's HTTP API; every failure becomes a Problem with words for the shopper. */

export class Problem extends Error {
  constructor(detail, status = 0) {
    super(detail);
    this.status = status;
  }
}

const MAX_UPLOAD_BYTES = 19_900_000; // the service takes 20 MB, the form around the photo included
const UNREACHABLE = "The shop cannot be reached. Check your connection and try again.";

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    throw error.name === "AbortError" ? error : new Problem(UNREACHABLE);
  }
  if (!response.ok) throw await problemOf(response);
  return response.json();
}

async function problemOf(response) {
  const fallback = `The shop answered with an error (${response.status}). Try again in a moment.`;
  const body = await response.json().catch(() => null);
  return new Problem(body?.detail || fallback, response.status);
}

const inPath = (productId) => `/v1/products/${encodeURIComponent(productId)}`;

export function browse({ category, supplier, inStock, sort, limit, cursor }, signal) {
  const query = new URLSearchParams({ limit });
  if (category) query.set("category", category);
  if (supplier) query.set("supplier", supplier);
  if (inStock) query.set("in_stock", "true");
  if (sort) query.set("sort", sort);
  if (cursor) query.set("cursor", cursor);
  return request(`/v1/products?${query}`, { signal });
}

export function search({ words, photo, category, supplier, inStock, k }, signal) {
  const filters = {};
  if (category) filters.category = category;
  if (supplier) filters.suppliers = [supplier];
  if (inStock) filters.in_stock = true;
  return photo ? searchByPhoto(photo, words, filters, k, signal) : searchByWords(words, filters, k, signal);
}

function searchByWords(text, filters, k, signal) {
  const body = JSON.stringify({ text, filters, k });
  return request("/v1/search", { method: "POST", headers: { "Content-Type": "application/json" }, body, signal });
}

async function searchByPhoto(photo, words, filters, k, signal) {
  if (photo.size > MAX_UPLOAD_BYTES) throw new Problem("This photo is over 20 MB. Choose a smaller one.", 413);
  const form = new FormData();
  form.set("image", photo);
  if (words) form.set("text", words);
  form.set("filters", JSON.stringify(filters));
  form.set("k", String(k));
  return request("/v1/search/upload", { method: "POST", body: form, signal });
}

export const product = (productId, signal) => request(inPath(productId), { signal });

export const sameStyle = (productId, k, signal) => request(`${inPath(productId)}/same-style?k=${k}`, { signal });

export const similar = (productId, k, signal) => request(`${inPath(productId)}/similar?k=${k}`, { signal });

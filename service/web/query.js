/** What is searched for, out of the state: the body of a search, its filters, and its name in words. */

import { photoNamed } from "./photos.js";

/** The digits of a barcode that stands alone in the search box, as scanners type it; "" where there is none. */
export function barcodeOf({ q, like, photo }) {
  const digits = /^\d[\d -]*$/.test(q) && !like && !photo ? q.replace(/\D/g, "") : "";
  return [8, 11, 12, 13, 14].includes(digits.length) ? digits : "";
}

/** Whether the state asks for a search at all, rather than for the catalogue or what has a barcode. */
export const isSearch = (state) => Boolean(state.q || state.like || state.photo) && !barcodeOf(state);

/** The state's photo was chosen on another device or in another tab. */
export const lacksPhoto = (state) => Boolean(state.photo) && !photoNamed(state.photo);

/** The negatives, as product ids. */
export const lessOf = (state) => state.less.split("\n").filter(Boolean);

/** -100 the photo alone … 100 the words alone; 0 where there are not both. */
export function mixOf(state) {
  const mix = Number.parseInt(state.mix, 10) || 0;
  return state.q && (state.photo || state.like) ? Math.min(100, Math.max(-100, mix)) : 0;
}

/** The part of the photo that counts as [x0, y0, x1, y1] in 0..1, or null for all of it. */
export function cropOf(state) {
  const box = state.crop.split(",").map(Number);
  const [x0, y0, x1, y1] = box;
  const holds = box.length === 4 && box.every((side) => side >= 0 && side <= 1) && x0 < x1 && y0 < y1;
  return holds ? box : null;
}

/** The conditions of the state as the API takes them. */
export function filtersOf(state) {
  const { category, supplier, price, currency, stock } = state;
  const filters = {};
  if (barcodeOf(state)) filters.attributes = { gtin: [barcodeOf(state)] };
  if (category) filters.category = category;
  if (supplier) filters.suppliers = [supplier];
  if (currency) filters.currency = currency;
  if (stock === "1") filters.in_stock = true;
  const [low, high] = price.split("..").map((end) => (end === "" ? Number.NaN : Number(end)));
  if (low >= 0) filters.min_price = low;
  if (high >= 0) filters.max_price = high;
  return filters;
}

/** Half way both count together, as the model takes a photo with words; from there on, more and more one alone. */
export function weightsOf(state) {
  const mix = mixOf(state);
  if (mix === 0) return undefined;
  const share = Math.abs(mix) / 100;
  return { fused: 1 - share, [mix < 0 ? "image" : "text"]: share };
}

/** Whether there are a photo and words to tell apart; a product has both, a part of its photo no words. */
export const hasBoth = (state) => (state.q ? Boolean(state.photo || state.like) : Boolean(state.like && !cropOf(state)));

const isFromPhoto = (state) => Boolean(state.photo || state.like);

/** What a search starts from, as a key: as long as it stays the same, a change is a turn of that search. */
export const startOf = ({ photo, like, crop, q }) => JSON.stringify(photo || like ? [photo, like, crop] : [q]);

/** The fields of a search; `photo` is a file. */
export function searchOf(state) {
  const base = state.photo ? { photo: photoNamed(state.photo)?.file } : { product_id: state.like || undefined };
  const less = lessOf(state);
  return {
    ...base,
    crop: (isFromPhoto(state) && cropOf(state)) || undefined,
    text: state.q || undefined,
    weights: weightsOf(state),
    negatives: less.length > 0 ? less : undefined,
    filters: filtersOf(state),
  };
}

/** A search in a few words, for headings, titles and steps. */
export function nameOfSearch(state) {
  if (state.photo) return state.q ? `Like your photo: “${state.q}”` : "Like your photo";
  if (state.like) return state.q ? `Like this, but “${state.q}”` : "Like this product";
  return `Results for “${state.q}”`;
}

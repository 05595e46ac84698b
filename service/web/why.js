/** Why a hit is there: its score, what each part of the search added to it, and how near photo and words are alone. */

import * as api from "./api.js";
import { h } from "./dom.js";

const TERMS = { query: "Everything together", fused: "Photo and words together", image: "Photo", text: "Words" };

/** The lines about one hit; `tellApart` adds to them. */
export function reason(hit) {
  const parts = Object.entries(hit.explain ?? {}).filter(([name]) => name !== "query");
  const negative = parts.filter(([name]) => name.startsWith("negative"));
  const positive = parts.filter(([name]) => !name.startsWith("negative"));
  const rows = positive.length + negative.length > 1 ? positive.map(([name, value]) => row(TERMS[name] ?? name, value)) : [];
  if (negative.length > 0) rows.push(row("Less like", negative.reduce((sum, [, value]) => sum + value, 0)));
  return h(
    "div",
    { class: "why", "data-why": hit.product_id },
    h("p", { class: "score" }, "Score ", h("b", {}, hit.score.toFixed(2))),
    rows.length > 0 && h("dl", {}, rows),
  );
}

const row = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, signed(value)));
const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;

/**
 * How near each hit is to the photo alone and to the words alone, added to what `reason` made of it inside `area`.
 * `search` holds the fields of the search; where it has only one of the two, there is nothing to tell apart.
 */
export async function tellApart(search, hits, area, signal) {
  if (hits.length === 0) return;
  const { weights: _, negatives, filters, ...query } = search;
  const alone = async (name) => {
    const ids = hits.map(({ product_id }) => product_id);
    const weights = { fused: 0, [name]: 1 };
    const answer = await api.search({ ...query, weights, filters: { ids }, k: hits.length }, signal);
    return new Map(answer.hits.map(({ product_id, score }) => [product_id, score]));
  };
  let nearness;
  try {
    nearness = await Promise.all([alone("image"), alone("text")]);
  } catch {
    return; // there is only a photo, or only words; or no answer, and then the score has to do
  }
  if (signal.aborted) return;
  const [byPhoto, byWords] = nearness;
  for (const lines of area.querySelectorAll("[data-why]")) {
    const id = lines.dataset.why;
    if (byPhoto.has(id) && byWords.has(id) && !lines.querySelector(".apart")) {
      lines.append(apart(byPhoto.get(id), byWords.get(id)));
    }
  }
}

function apart(photo, words) {
  const line = (label, score) =>
    h("div", {}, h("dt", {}, label), h("dd", {}, h("meter", { min: 0, max: 1, value: Math.max(0, score), "aria-label": label }), score.toFixed(2)));
  return h("dl", { class: "apart" }, line("By photo", photo), line("By words", words));
}

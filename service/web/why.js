/** Why a hit was found: its score, what each part of the search added to it, and how near photo and words are alone. */

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
    h("p", { class: "score" }, "Score ", h("b", {}, hit.score.toFixed(2)), said(hit.words_said)),
    rows.length > 0 && h("dl", {}, rows),
  );
}

const said = (share) => (share === null || share === undefined ? "" : `, says ${Math.round(100 * share)} % of the words`);
const row = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, signed(value)));
const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;

/**
 * How near each hit is to the photo alone and to the words alone, added to what `reason` made of it inside `area`.
 * `cursor` is that of the search, which has both, and `unlike` what it avoids.
 */
export async function tellApart(cursor, hits, unlike, area, signal) {
  if (hits.length === 0) return;
  const ids = hits.map(({ product_id }) => product_id);
  const asked = { cursor, remove_negatives: unlike, filters: { ids }, k: hits.length, explain: false };
  const alone = async (name) => {
    const answer = await api.lookAgain({ ...asked, weights: { fused: 0, [name]: 1 } }, signal);
    return new Map(answer.hits.map(({ product_id, score }) => [product_id, score]));
  };
  let nearness;
  try {
    nearness = await Promise.all([alone("image"), alone("text")]);
  } catch {
    return; // no answer, or a product without a photo or words: the score has to do
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

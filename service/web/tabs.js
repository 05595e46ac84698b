/** The two tabs of a product: the same from more suppliers, and what is similar; by likeness or by price. */

import * as api from "./api.js";
import { card } from "./card.js";
import { h, note, skeletons } from "./dom.js";
import * as events from "./events.js";
import { go, read } from "./route.js";
import { trouble } from "./trouble.js";
import { reason, tellApart } from "./why.js";

const PAGE = 24;
const TABS = [
  {
    id: "same",
    label: "From more suppliers",
    route: "same-style",
    none: "No offer from another supplier was found.",
    instead: { action: "See similar products", onaction: () => go({ tab: "similar" }, { replace: true }) },
  },
  { id: "similar", label: "Similar products", route: "similar", none: "Nothing similar in the catalogue." },
];

/** The tabs of a product, which fill themselves until `signal` aborts. */
export function tabs(product, signal) {
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
    new Tab(tab, product, panel, buttons[position], signal).load();
    return panel;
  });
  return [h("div", { role: "tablist", "aria-label": "Related products" }, buttons), order(), ...panels];
}

/** By likeness or price, and whether to say why. */
function order() {
  const by = h(
    "select",
    { id: "by", "aria-label": "Sort offers by", onchange: () => go({ by: by.value }, { replace: true }) },
    h("option", { value: "" }, "Best match"),
    h("option", { value: "price" }, "Price, lowest first"),
  );
  const why = h("input", {
    type: "checkbox",
    id: "tab-why",
    onchange: () => go({ why: why.checked ? "1" : null }, { replace: true }),
  });
  return h("div", { class: "controls" }, by, h("label", { class: "check" }, why, " Why these?"));
}

/** Show what the state says: which tab, in which order, with reasons or without. */
export function selectTab(body, state) {
  const chosen = TABS.some(({ id }) => id === state.tab) ? state.tab : TABS[0].id;
  for (const { id } of TABS) {
    const button = body.querySelector(`#tab-${id}`);
    if (!button) return; // the product is still loading
    button.setAttribute("aria-selected", String(id === chosen));
    button.tabIndex = id === chosen ? 0 : -1;
    const panel = body.querySelector(`#panel-${id}`);
    panel.hidden = id !== chosen;
    panel.dispatchEvent(new CustomEvent("state"));
  }
  body.querySelector("#by").value = state.by;
  body.querySelector("#tab-why").checked = state.why === "1";
}

class Tab {
  #hits = []; // with the request each is of, and its position there
  #cursor = null;
  #refine = null; // the cursor to ask again by
  #answered = false;
  #drawn = null; // the order and reasons that the panel shows

  constructor(tab, product, panel, button, signal) {
    Object.assign(this, { tab, product, panel, button, signal });
    panel.addEventListener("state", () => this.#draw());
  }

  async load() {
    const isFirst = this.#hits.length === 0;
    if (isFirst) this.panel.replaceChildren(h("ul", { class: "grid small", "aria-busy": "true" }, skeletons(5)));
    try {
      const page = { k: PAGE, cursor: this.#cursor };
      const answer = await api.related(this.tab.route, this.product.product_id, page, this.signal);
      const first = this.#hits.length;
      this.#hits.push(...answer.hits.map((hit, at) => ({ hit, requestId: answer.request_id, position: at + 1 })));
      this.#cursor = answer.next_cursor;
      this.#refine ??= answer.refine_cursor;
      this.#answered = true;
      events.shown(answer.request_id, answer.hits);
      this.#drawn = null;
      this.#draw();
      if (!isFirst) this.panel.querySelectorAll("h3 a")[first]?.focus({ preventScroll: true });
    } catch (error) {
      if (this.signal.aborted) return;
      this.panel.querySelector(".more")?.remove();
      const failed = trouble(error, () => this.load());
      if (isFirst) this.panel.replaceChildren(failed);
      else this.panel.append(failed);
    }
  }

  #draw() {
    const { by, why } = read();
    const key = `${by} ${why}`;
    if (!this.#answered || key === this.#drawn) return;
    this.#drawn = key;
    const number = `${this.#hits.length}${this.#cursor ? "+" : ""}`;
    this.button.replaceChildren(this.tab.label, h("span", { class: "number" }, number));
    if (this.#hits.length === 0) {
      this.panel.replaceChildren(note(this.tab.none, this.tab.instead));
      return;
    }
    const explain = why === "1";
    const cards = this.#sorted(by).map(({ hit, requestId, position }) =>
      card(hit, { requestId, position, extra: explain && reason(hit) }),
    );
    const more = this.#cursor && h("p", { class: "more" }, h("button", { type: "button", onclick: () => this.load() }, "Show more"));
    const part = by === "price" && more && h("p", { class: "hint part" }, `The ${cards.length} best matches by price; “Show more” adds others.`);
    this.panel.replaceChildren(part || "", h("ul", { class: "grid small" }, cards), more || "");
    if (explain) {
      const hits = this.#hits.map(({ hit }) => hit);
      tellApart(this.#refine, hits, [], this.panel, this.signal);
    }
  }

  /** By price: the product's own currency first, as amounts of two currencies cannot be compared. */
  #sorted(by) {
    if (by !== "price") return this.#hits;
    const own = this.product.currency;
    const rank = ({ price, currency }) => (price === null ? 2 : currency === own ? 0 : 1);
    return [...this.#hits].sort(({ hit: a }, { hit: b }) => {
      const byCurrency = rank(a) - rank(b) || (a.currency ?? "").localeCompare(b.currency ?? "");
      return byCurrency || (a.price ?? 0) - (b.price ?? 0);
    });
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

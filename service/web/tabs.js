/** The two tabs of a product: the same from more suppliers, and what is similar; by likeness or by price. */

import * as api from "./api.js";
import { card, money } from "./card.js";
import { h, latest, note, skeletons } from "./dom.js";
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
    isOffers: true, // the service counts them, and sorts them by price
    part: (number) => `The ${number} cheapest, each currency by itself; “Show more” adds others.`,
    none: "No offer from another supplier was found.",
    instead: { action: "See similar products", onaction: showSimilar },
  },
  {
    id: "similar",
    label: "Similar products",
    route: "similar",
    part: (number) => `The ${number} best matches by price; “Show more” adds others.`,
    none: "Nothing similar in the catalogue.",
  },
];

function showSimilar() {
  const button = document.querySelector("#tab-similar");
  button.click();
  button.focus();
}

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
    const panel = h("section", { role: "tabpanel", tabindex: "-1", id: `panel-${tab.id}`, "aria-labelledby": `tab-${tab.id}` });
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
  #total = null; // of all pages, where the service says it
  #isExact = true; // else there are at least so many
  #cursor = null;
  #refine = null; // the cursor to ask again by
  #sort = null; // what the service was asked to sort by
  #answered = false;
  #drawn = null; // the order and reasons that the panel shows
  #asking = latest();

  constructor(tab, product, panel, button, signal) {
    this.offers = tab.isOffers && h("p", { class: "offers", role: "status" });
    this.list = h("div");
    Object.assign(this, { tab, product, button, signal });
    panel.append(...[this.offers, this.list].filter(Boolean));
    panel.addEventListener("state", () => (this.#order() === this.#sort ? this.#draw() : this.load()));
    signal.addEventListener("abort", this.#asking.stop);
  }

  /** The first page in the order that is chosen now, or the next one; what is there stays until it comes. */
  load(cursor = null) {
    this.#sort = this.#order();
    if (!cursor) this.#begin();
    const page = { k: PAGE, cursor, sort: this.#sort };
    this.#asking.run((signal) => api.related(this.tab.route, this.product.product_id, page, signal), {
      done: (answer) => this.#add(answer, cursor),
      failed: (error) => this.#fail(error, cursor),
    });
  }

  /** Offers are sorted by the service, over all pages; what is similar, here. */
  #order() {
    return this.tab.isOffers && read().by === "price" ? "price" : null;
  }

  #begin() {
    this.#answered = false;
    const before = this.list.querySelector(".grid");
    if (before) before.setAttribute("aria-busy", "true");
    else this.list.replaceChildren(h("ul", { class: "grid small", "aria-busy": "true" }, skeletons(5)));
  }

  #add(answer, cursor) {
    const first = cursor ? this.#hits.length : 0;
    const hits = answer.hits.map((hit, at) => ({ hit, requestId: answer.request_id, position: at + 1 }));
    this.#hits = cursor ? [...this.#hits, ...hits] : hits;
    this.#total = answer.total ?? null;
    this.#isExact = answer.total_is_exact !== false;
    this.#cursor = answer.next_cursor;
    this.#refine ??= answer.refine_cursor;
    this.#answered = true;
    events.shown(answer.request_id, answer.hits);
    this.#drawn = null;
    this.#draw();
    if (cursor) this.list.querySelectorAll("h3 a")[first]?.focus({ preventScroll: true });
    else if (this.#total) this.#sumUp();
  }

  #fail(error, cursor) {
    this.list.querySelector(".more")?.remove();
    const failed = trouble(error, () => this.load(cursor));
    if (cursor) this.list.append(failed);
    else this.list.replaceChildren(failed);
  }

  /** How many offers there are, and what the cheapest costs. */
  async #sumUp() {
    const from = lowest(await this.#cheapest(), this.product.currency);
    const offers = `${this.#number()} ${this.#total === 1 ? "offer" : "offers"}`;
    this.offers.replaceChildren(h("b", {}, offers), from && ` from ${from}`);
  }

  /** Offers with the cheapest of each currency: those that are there, unless there are more or one stands for several. */
  async #cheapest() {
    const here = this.#hits.map(({ hit }) => hit);
    if (this.#sort === "price" || (!this.#cursor && !here.some(({ group }) => group))) return here;
    const asked = { k: PAGE, sort: "price", key: null };
    const answer = await api.related(this.tab.route, this.product.product_id, asked, this.signal).catch(() => null);
    return answer?.hits ?? [];
  }

  #draw() {
    const { by, why } = read();
    const key = `${by} ${why}`;
    if (!this.#answered || key === this.#drawn) return;
    this.#drawn = key;
    this.button.replaceChildren(this.tab.label, h("span", { class: "number" }, this.#number()));
    if (this.#hits.length === 0) {
      this.list.replaceChildren(note(this.tab.none, this.tab.instead));
      return;
    }
    const explain = why === "1";
    const cards = sorted(this.#hits, by, this.product.currency).map(({ hit, requestId, position }) =>
      card(hit, { requestId, position, extra: explain && reason(hit) }),
    );
    const onclick = () => this.load(this.#cursor);
    const more = this.#cursor && h("p", { class: "more" }, h("button", { type: "button", onclick }, "Show more"));
    const part = by === "price" && more && h("p", { class: "hint part" }, this.tab.part(cards.length));
    this.list.replaceChildren(part || "", h("ul", { class: "grid small" }, cards), more || "");
    if (explain) {
      const hits = this.#hits.map(({ hit }) => hit);
      tellApart(this.#refine, hits, [], this.list, this.signal);
    }
  }

  #number() {
    if (this.#total === null) return `${this.#hits.length}${this.#cursor ? "+" : ""}`;
    return `${this.#total.toLocaleString()}${this.#isExact ? "" : "+"}`;
  }
}

/** By price: the product's own currency first, as amounts of two currencies cannot be compared. */
function sorted(hits, by, own) {
  if (by !== "price") return hits;
  const rank = ({ price, currency }) => (price === null ? 2 : currency === own ? 0 : 1);
  return [...hits].sort(({ hit: a }, { hit: b }) => {
    const byCurrency = rank(a) - rank(b) || (a.currency ?? "").localeCompare(b.currency ?? "");
    return byCurrency || (a.price ?? 0) - (b.price ?? 0);
  });
}

/** The lowest price in each currency, `own` first, of what is not sold out; "" where there is none. */
function lowest(hits, own) {
  const prices = new Map();
  for (const { price, currency, in_stock: inStock } of hits) {
    if (price !== null && inStock !== false) prices.set(currency, Math.min(price, prices.get(currency) ?? Infinity));
  }
  const currencies = [...prices.keys()].sort((a, b) => (b === own) - (a === own) || (a ?? "").localeCompare(b ?? ""));
  const amounts = currencies.map((currency) => money(prices.get(currency), currency));
  return new Intl.ListFormat("en-GB", { type: "disjunction" }).format(amounts);
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

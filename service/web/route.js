/** What the page shows, kept in the address: links, reload and the back button all go through here. */

const KEYS = [
  "q", // words
  "photo", // the name of a photo of this tab
  "like", // a product to start from
  "crop", // x0,y0,x1,y1 of the photo, in 0..1
  "mix", // -100 the photo alone … 100 the words alone
  "less", // product ids to be unlike, one a line
  "category",
  "supplier",
  "price", // lowest..highest
  "currency",
  "stock",
  "sort",
  "why", // show scores and reasons
  "product", // open in the dialog
  "tab",
  "by", // how the tabs are sorted
];
export const QUERY = ["q", "photo", "like", "crop", "mix", "less"];
export const FILTERS = ["category", "supplier", "price", "currency", "stock"];

/** Changes that unset some keys. */
export const without = (keys) => Object.fromEntries(keys.map((key) => [key, null]));

/** The state as an object of strings, "" where something is not set. */
export function read() {
  const params = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(KEYS.map((key) => [key, params.get(key) ?? ""]));
}

/** The address of the present state with some changes; null or "" unsets. */
export function link(changes) {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries({ ...read(), ...changes })) {
    if (value) params.set(key, value);
  }
  return `#${params}`;
}

/** Change the state; `replace` leaves no step for the back button. */
export function go(changes, { replace = false } = {}) {
  const address = link(changes);
  if (address === (location.hash || "#")) return;
  // history rather than location.hash, which would scroll to the top when nothing is left of the state
  history[replace ? "replaceState" : "pushState"](null, "", address === "#" ? location.pathname : address);
  tell(replace);
}

const listeners = [];

/** Call `listener` with the state, now and after every change, and with whether it took the place of the one before. */
export function follow(listener) {
  listeners.push(listener);
  listener(read(), false);
}

const tell = (replaced) => listeners.forEach((listener) => listener(read(), replaced));

addEventListener("hashchange", () => tell(false));

/**
 * Changes that follow each other while something is dragged or typed: the page follows once it rests for `wait` ms, and
 * all of them are one step for the back button.
 */
export function gesture(wait) {
  let timer = 0;
  let began = false;
  let last = null;
  const flush = () => {
    clearTimeout(timer);
    if (last === null) return;
    const changes = last;
    last = null;
    go(changes, { replace: began });
    began = true;
  };
  return {
    /** The state is to be changed like this. */
    change(changes) {
      last = changes;
      clearTimeout(timer);
      timer = setTimeout(flush, wait);
    },
    /** The gesture is over; what comes next is another step. */
    end() {
      flush();
      began = false;
    },
    /** Forget what has not been followed yet. */
    drop() {
      clearTimeout(timer);
      last = null;
      began = false;
    },
  };
}

/** What the page shows, kept in the address: links, reload and the back button all go through here. */

const KEYS = ["q", "photo", "category", "supplier", "stock", "sort", "product", "tab"];

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
  listeners.forEach((listener) => listener(read()));
}

const listeners = [];

/** Call `listener` with the state, now and after every change. */
export function follow(listener) {
  listeners.push(listener);
  listener(read());
}

addEventListener("hashchange", () => listeners.forEach((listener) => listener(read())));

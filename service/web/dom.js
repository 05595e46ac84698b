/** Building blocks. Data goes in as text and attributes only, never as markup. */

/** An element; `on…` properties are listeners, and null, undefined and false are left out everywhere. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** One of the icons drawn in index.html. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** A message in place of what was asked for, with what the shopper can do next. */
export function note(text, { error = false, action, onaction } = {}) {
  const onclick = ({ currentTarget }) => {
    const area = currentTarget.closest("main, [role=tabpanel]");
    onaction();
    if (!currentTarget.isConnected && document.activeElement === document.body) area?.focus({ preventScroll: true });
  };
  const button = action && h("button", { type: "button", onclick }, action);
  return h("div", { class: error ? "note error" : "note", role: error ? "alert" : "status" }, h("p", {}, text), button);
}

/** Put `children` in place of what `parent` has; the keyboard stays on the link that is as far from its start. */
export function redraw(parent, ...children) {
  const held = [...parent.querySelectorAll("a")].indexOf(document.activeElement);
  parent.replaceChildren(...children);
  if (held >= 0) parent.querySelectorAll("a")[held]?.focus({ preventScroll: true });
}

/** Grey cards while the real ones are on their way. */
export function skeletons(count) {
  const bones = () => [h("div", { class: "photo" }), h("div", { class: "bone" }), h("div", { class: "bone short" })];
  return Array.from({ length: count }, () => h("li", { class: "card skeleton", "aria-hidden": "true" }, bones()));
}

/** Run one task at a time: each call aborts the one before, whose outcome is then dropped; `stop` only aborts. */
export function latest() {
  let controller = null;
  const stop = () => controller?.abort();
  async function run(task, { done, failed }) {
    stop();
    const { signal } = (controller = new AbortController());
    try {
      const result = await task(signal);
      if (!signal.aborted) done(result, signal);
    } catch (error) {
      if (!signal.aborted) failed(error);
    }
  }
  return { run, stop };
}

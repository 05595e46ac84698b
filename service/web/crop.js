/** A photo with a box that says which part of it counts: moved and resized by mouse, finger or keys. */

import { h } from "./dom.js";

const WHOLE = [0, 0, 1, 1];
const SMALLEST = 0.08;
const STEP = 0.02;
const CORNERS = [
  { corner: "top left", sides: [0, 1], style: "nw" },
  { corner: "top right", sides: [2, 1], style: "ne" },
  { corner: "bottom left", sides: [0, 3], style: "sw" },
  { corner: "bottom right", sides: [2, 3], style: "se" },
];
const ARROWS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
const HELP = "Arrow keys move it.";

/**
 * The photo at `url`, called `name`. `onchange` gets the box, [x0, y0, x1, y1] in 0..1 or null for the whole photo,
 * while it moves; `onend` says that it rests. `show` of what is returned sets the box from outside.
 */
export function cropper(url, { name, onchange, onend, onbroken }) {
  let box = WHOLE;
  let held = false;
  const onload = () => element.classList.remove("waiting");
  const image = h("img", { src: url, alt: "The photo you search with", draggable: "false", onload, onerror: () => onbroken() });
  const frame = h("button", { type: "button", class: "crop-box", "aria-label": `The part of the photo to search with. ${HELP}` });
  const handles = CORNERS.map(({ corner, style }) =>
    h("button", { type: "button", class: `crop-handle ${style}`, "aria-label": `Its ${corner} corner. ${HELP}` }),
  );
  const element = h("div", { class: "crop waiting", role: "group", "aria-label": name }, image, frame, handles);

  const draw = () => {
    const names = ["--x0", "--y0", "--x1", "--y1"];
    names.forEach((name, side) => element.style.setProperty(name, String(box[side])));
  };
  const change = (next) => {
    box = next.map((side) => Math.round(side * 1000) / 1000);
    draw();
    onchange(isWhole(box) ? null : box);
  };
  const hand = { hold: () => (held = true), release: () => (held = false), change, end: onend };
  movable(frame, element, () => box, moved, hand);
  CORNERS.forEach(({ sides }, at) => {
    movable(handles[at], element, () => box, (from, dx, dy) => resized(from, sides, dx, dy), hand);
  });
  draw();
  return {
    element,
    show(wanted) {
      if (held) return; // the hand on it knows better
      box = wanted ?? WHOLE;
      draw();
    },
  };
}

const isWhole = (box) => box.every((side, at) => side === WHOLE[at]);
const within = (value, low, high) => Math.min(high, Math.max(low, value));

function moved([x0, y0, x1, y1], dx, dy) {
  const x = within(dx, -x0, 1 - x1);
  const y = within(dy, -y0, 1 - y1);
  return [x0 + x, y0 + y, x1 + x, y1 + y];
}

function resized(from, sides, dx, dy) {
  const next = [...from];
  for (const [side, by] of [[sides[0], dx], [sides[1], dy]]) {
    const isStart = side < 2;
    const opposite = from[(side + 2) % 4];
    next[side] = isStart ? within(from[side] + by, 0, opposite - SMALLEST) : within(from[side] + by, opposite + SMALLEST, 1);
  }
  return next;
}

/** Lets `control` be dragged, and moved with arrow keys; `place` makes of a box and a way another box. */
function movable(control, area, boxNow, place, { change, end, hold, release }) {
  control.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    control.focus({ preventScroll: true });
    control.setPointerCapture(event.pointerId);
    hold();
    const from = boxNow();
    const { width, height } = area.getBoundingClientRect();
    const move = ({ clientX, clientY }) =>
      change(place(from, (clientX - event.clientX) / width, (clientY - event.clientY) / height));
    const stop = () => {
      control.removeEventListener("pointermove", move);
      control.removeEventListener("lostpointercapture", stop);
      release();
      end();
    };
    control.addEventListener("pointermove", move);
    control.addEventListener("lostpointercapture", stop); // released, or taken away by the browser
  });
  control.addEventListener("keydown", (event) => {
    const way = ARROWS[event.key];
    if (!way) return;
    event.preventDefault();
    const times = event.shiftKey ? 5 : 1;
    hold();
    change(place(boxNow(), way[0] * times, way[1] * times));
  });
  control.addEventListener("keyup", release);
  control.addEventListener("blur", () => {
    release();
    end(); // any number of key presses are one step back
  });
}

/** What shoppers see and open, told to the service: how good its answers are is measured on that. */

import { newId, userKey } from "./visitor.js";

const ROUTE = "/v1/events";
const MOST = 100; // events a request
const WAIT_MS = 2_000;

let waiting = [];
let timer = 0;
let wanted = true; // until the service says that it takes no events

/** Each hit of an answer was shown. */
export function shown(requestId, hits) {
  hits.forEach((hit, at) => add("impression", requestId, hit.product_id, at + 1));
}

/** One of them was opened; `position` is its place in that answer, from 1. */
export function clicked(requestId, productId, position) {
  add("click", requestId, productId, position);
  flush();
}

function add(type, requestId, productId, position) {
  if (!wanted || !requestId) return;
  waiting.push({
    event_id: newId(),
    type,
    request_id: requestId,
    product_id: productId,
    position,
    time: new Date().toISOString(),
    user_key: userKey(),
  });
  if (waiting.length >= MOST) flush();
  else timer ||= setTimeout(flush, WAIT_MS);
}

function flush() {
  clearTimeout(timer);
  timer = 0;
  const events = waiting;
  waiting = [];
  if (events.length > 0) send(events);
}

/** Sent once; what gets lost is lost, as a shopper must never wait or be told about it. */
async function send(events) {
  const headers = { "Content-Type": "application/json" };
  try {
    const answer = await fetch(ROUTE, { method: "POST", keepalive: true, headers, body: JSON.stringify({ events }) });
    await answer.text(); // read to its end, so that the connection is free again
    if (answer.status === 404 || answer.status === 405) wanted = false;
  } catch {
    // offline
  }
}

addEventListener("visibilitychange", () => document.visibilityState === "hidden" && flush());
addEventListener("pagehide", flush);

/** What a failure looks like: what happened, what to do, and another try by itself where that is likely to help. */

import { note } from "./dom.js";

const BAD_PHOTO = [413, 415, 422];

/** Whether another photo would help. */
export const isBadPhoto = (error) => BAD_PHOTO.includes(error.status);

/**
 * A note about a failure. `retry` tries again; `instead`, as { action, onaction }, is offered where that cannot help.
 * An overloaded service is asked again when it said, an unreachable one as soon as there is a connection.
 */
export function trouble(error, retry, instead = null) {
  const again = instead ?? { action: "Try again", onaction: retry };
  const shown = note(error.message, { error: true, ...again });
  if (instead) return shown;
  const retryIfShown = () => shown.isConnected && retry();
  if (error.offline) addEventListener("online", retryIfShown, { once: true });
  if (error.retryAfter) countDown(shown, error, retryIfShown);
  return shown;
}

function countDown(shown, error, retry) {
  const words = shown.querySelector("p");
  const until = Date.now() + error.retryAfter * 1000;
  words.textContent = `${error.message} Trying again in ${seconds(error.retryAfter)}.`;
  const timer = setInterval(() => {
    if (!shown.isConnected) clearInterval(timer);
    else if (Date.now() >= until) {
      clearInterval(timer);
      retry();
    }
  }, 250);
}

const seconds = (count) => (count === 1 ? "a second" : `${count} seconds`);

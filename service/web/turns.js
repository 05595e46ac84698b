/**
 * The turns of a search. Whatever goes on from the same photo, product or words sends the cursor of an answer before with
 * what is different now: the photo goes over the wire once, and the service reads it once.
 */

import * as api from "./api.js";
import { filtersOf, lessOf, searchOf, startOf, weightsOf } from "./query.js";

const MOST = 8;
const answered = new Map(); // by where a search starts: the newest cursor from there, and what it is unlike

/** The answer to the search of a state. */
export async function find(state, { k, explain }, signal) {
  const start = startOf(state);
  const before = answered.get(start);
  let answer = before && (await turn(before, state, { k, explain }, signal));
  if (!answer) answer = await api.search({ ...searchOf(state), k, explain }, signal);
  answered.delete(start); // to be the newest
  answered.set(start, { cursor: answer.refine_cursor, less: lessOf(state) });
  if (answered.size > MOST) answered.delete(answered.keys().next().value);
  return answer;
}

/** The answer to a search that goes on, or null where it has to be asked as a whole: another model serves by now. */
async function turn({ cursor, less }, state, { k, explain }, signal) {
  const wanted = lessOf(state);
  const change = {
    cursor,
    text: state.q || null,
    weights: weightsOf(state) ?? null,
    add_negatives: wanted.filter((id) => !less.includes(id)),
    remove_negatives: less.filter((id) => !wanted.includes(id)),
    filters: filtersOf(state),
    k,
    explain,
  };
  try {
    return await api.refine(change, signal);
  } catch (error) {
    if (error.status === 410 || error.status === 400) return null; // 400: the service begins anew, with another secret
    throw error;
  }
}

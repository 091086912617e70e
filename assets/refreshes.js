/* Requests what is new, once per interval. Dash's renderer is left out, since for each value that a store, an interval or
   a callback changes it asks every component of the page whether that is its own: a refresh of seven symbols took 56 ms
   of the main thread, most of them for that. */
import { requests } from "./requests.js";

let held = () => null; // what the page holds, by the names of the callback's states; null while nothing is drawn
let take = () => {};
let count = 0,
  waits = false;

/** Request what is new, and pass it to `take`; without an answer, the page requests nothing more until `giveUp`. */
async function now() {
  const states = held();
  if (!states || waits) return;
  const number = ++count;
  waits = true;
  const answer = await requests.ask("delta.data", { "refresh.data": number }, states);
  if (!answer || number !== count) return;
  waits = false;
  take(answer);
}

/** Wait for the answer no longer: the next request follows after an interval. */
function giveUp() {
  waits = false;
}

function begin(seconds, page) {
  ({ held, take } = page);
  setInterval(now, 1000 * seconds);
}

export const refreshes = { begin, now, giveUp };

/* The time axis: which moments have a label, and the text of each label. Times are in ms of a wall clock. */
import { hours } from "./hours.js";
import { words } from "./words.js";

const SECOND = 1000,
  MINUTE = 60 * SECOND,
  HOUR = 60 * MINUTE,
  DAY = 24 * HOUR;
const STEPS = [
  1,
  2,
  5,
  10,
  20,
  50,
  100,
  200,
  500,
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 7, 14, 28, 91, 182, 364].map((n) => n * DAY),
];
const APART_PX = 92;

/** The second line of a label: a part of the date. */
const date = (ms) => words.day(ms).split(",")[0];

/** Moments in the time range, far enough apart for labels, with their labels; the first label of a day names the day.
    With `trading`, closed hours take no space. */
function ticks([from, to], px, trading = hours.isTrading()) {
  const place = trading ? hours.place : (at) => at,
    length = place(to) - place(from),
    shift = words.shown(from) - from;
  const wanted = length / Math.max(1, px / APART_PX),
    step = STEPS.find((each) => each >= wanted) ?? Math.ceil(wanted / (364 * DAY)) * 364 * DAY;
  const tickvals = [],
    ticktext = [];
  let day = null;
  let before = -Infinity;
  for (const at of moments(from, to, step, shift, trading)) {
    if (trading && (!hours.isOpen(at) || place(at) - before < 0.8 * wanted)) continue;
    before = place(at);
    const today = Math.floor(words.shown(at) / DAY);
    tickvals.push(at);
    ticktext.push(step >= DAY ? date(at) : `${clock(at, step)}${today === day ? "" : `<br>${date(at)}`}`);
    day = today;
  }
  return { tickvals, ticktext };
}

/** Round times in the shown zone; if closed hours take no space, also the times at which sessions open. */
function* moments(from, to, step, shift, trading) {
  const found = [];
  if (trading) for (const [, open] of hours.sessions()) if (open >= from && open <= to) found.push(open);
  if (!trading || step < DAY)
    for (let at = Math.ceil((from + shift) / step) * step - shift; at <= to && found.length < 5_000; at += step)
      found.push(at);
  yield* found.sort((a, b) => a - b);
}

function clock(at, step) {
  const time = words.time(at);
  if (step < SECOND)
    return `${time}.${String(at % SECOND)
      .padStart(3, "0")
      .slice(0, 3)}`;
  return step < MINUTE ? time : time.slice(0, 5);
}

export const timeline = { ticks, DAY };

/* The axis of time: which moments bear a label, and what it says. Times are a wall clock's, in ms. */
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

/** The part of a date that a label has under it. */
const date = (ms) => words.day(ms).split(",")[0];

/** Moments in the part of time, far enough apart for labels, and the labels; the first one of a day names it. */
function ticks([from, to], px) {
  const wanted = (to - from) / Math.max(1, px / APART_PX),
    step = STEPS.find((each) => each >= wanted) ?? Math.ceil(wanted / (364 * DAY)) * 364 * DAY;
  const tickvals = [],
    ticktext = [];
  let day = null;
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    const today = Math.floor(at / DAY);
    tickvals.push(at);
    ticktext.push(step >= DAY ? date(at) : `${clock(at, step)}${today === day ? "" : `<br>${date(at)}`}`);
    day = today;
  }
  return { tickvals, ticktext };
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

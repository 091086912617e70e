/*
 * Keyboard access to the chart: a cursor moves from row to row or from anomaly to anomaly, and its row is described to
 * screen readers.
 */
import { chart } from "./chart.js";
import { frame } from "./frame.js";
import { health } from "./health.js";
import { levels } from "./levels.js";
import { tape } from "./tape.js";
import { words } from "./words.js";

const LEAP = 10; // how many rows a step with Shift moves
const ZOOM = 1.5;
let at = null; // the moment of the cursor's row

const place = () => document.getElementById("chart");

/** The row under the cursor; before the first key press, the last visible row. */
function row() {
  const { picture, range } = chart.view;
  if (at === null) return Math.max(0, frame.below(picture.x, range[1]) - 1);
  return Math.min(picture.x.length - 1, frame.below(picture.x, at));
}

function moveTo(next, said = "") {
  const { picture, range } = chart.view,
    to = Math.max(0, Math.min(picture.x.length - 1, next));
  at = picture.x[to];
  const wide = picture.kind === "ticks" ? 0 : picture.width_ms;
  if (at < range[0] || at + wide > range[1]) {
    const by =
      at < range[0] ? at - range[0] - 0.1 * (range[1] - range[0]) : at - range[1] + 0.1 * (range[1] - range[0]);
    chart.see(range[0] + by, range[1] + by);
  }
  const { price } = chart.values(to);
  if (tape.on()) tape.end({ ms: at, price });
  chart.hold(at);
  const measured = tape.said(picture);
  health.write("cursor-said", [said || words_(to), ...(measured ?? [])].join(", "));
}

function words_(i) {
  const values = chart.values(i),
    parts = [words.time(values.wall)];
  if (values.candle) {
    const [open, high, low, close] = values.candle.map(words.price);
    parts.push(`open ${open}`, `high ${high}`, `low ${low}`, `close ${close}`);
  } else parts.push(`price ${words.price(values.price)}`);
  parts.push(`volume ${words.volume(values.volume)}`);
  if (anomalous(i)) {
    const { evidence } = values;
    parts.push(evidence ? `anomaly, ${evidence.high ? "high" : "low"}, z ${words.fixed(evidence.z, 2)}` : "anomaly");
  }
  return parts.join(", ");
}

function anomalous(i) {
  const { picture } = chart.view;
  if (picture.kind === "columns") return picture.y.anomalies[i] > 0;
  return picture.marks.x.includes(picture.x[i]);
}

/** Move to the next anomaly after the cursor, or to the one before it. */
function leap(by) {
  const { picture } = chart.view;
  for (let i = row() + by; i >= 0 && i < picture.x.length; i += by) {
    if (anomalous(i)) {
      moveTo(i);
      return;
    }
  }
  health.write("cursor-said", by > 0 ? "No later anomaly is loaded." : "No earlier anomaly is loaded.");
}

function zoom(factor) {
  const [from, to] = chart.view.range,
    middle = at ?? (from + to) / 2;
  chart.see(middle - (middle - from) * factor, middle + (to - middle) * factor);
}

function pan(by) {
  const [from, to] = chart.view.range;
  chart.see(from + by * (to - from), to + by * (to - from));
}

const inSight = () => {
  const { picture, range } = chart.view;
  return [frame.below(picture.x, range[0]), frame.below(picture.x, range[1]) - 1];
};

/** Start a measurement at the cursor; its other end follows the cursor. */
function measure() {
  const i = row();
  tape.begin({ ms: chart.view.picture.x[i], price: chart.values(i).price });
  moveTo(i, "Measuring from here");
}

/** Put a line at the price under the cursor. */
function level() {
  const { price } = chart.values(row());
  levels.add(price);
  health.write("cursor-said", `A line at ${words.price(price)}`);
}

function drop() {
  at = null;
  tape.drop();
  chart.hold(null);
  health.write("cursor-said", "");
}

const KEYS = {
  ArrowLeft: ({ shiftKey }) => moveTo(row() - (at === null ? 0 : shiftKey ? LEAP : 1)),
  ArrowRight: ({ shiftKey }) => moveTo(row() + (at === null ? 0 : shiftKey ? LEAP : 1)),
  Home: () => moveTo(inSight()[0]),
  End: () => moveTo(inSight()[1]),
  n: () => leap(1),
  N: () => leap(-1),
  b: () => leap(-1),
  s: measure,
  h: level,
  "+": () => zoom(1 / ZOOM),
  "=": () => zoom(1 / ZOOM),
  "-": () => zoom(ZOOM),
  PageUp: () => pan(-0.5),
  PageDown: () => pan(0.5),
  Escape: drop,
};

document.addEventListener(
  "keydown",
  (event) => {
    const { picture, range } = chart.view;
    if (event.target !== place() || !picture?.x.length || !range) return;
    if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    KEYS[event.key](event);
  },
  true,
);
document.addEventListener("focusout", ({ target }) => target === place() && drop());

export const cursor = { at: () => at };

/* Helpers of charts: colours from the style sheet, bounds and labels of axes, and lookups in sorted columns. */
import { words } from "./words.js";

/** How the reader wants prices to be drawn, in the large chart and in the small ones. */
const view = { hidden: new Set(), log: false, percent: false, base: null };

const forced = window.matchMedia("(forced-colors: active)");

/** A system colour, resolved to a form that Plotly understands. */
function resolved(color) {
  const probe = document.createElement("i");
  probe.style.cssText = `color: ${color}; forced-color-adjust: none`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function painter() {
  const style = getComputedStyle(document.documentElement),
    known = new Map();
  const token = (name) => {
    if (!known.has(name)) {
      const color = style.getPropertyValue(name).trim();
      known.set(name, forced.matches ? resolved(color) : color);
    }
    return known.get(name);
  };
  const paint = (part) => {
    if (typeof part === "string") return part.startsWith("--") ? token(part) : part;
    if (Array.isArray(part)) return part.map(paint);
    if (part === null || typeof part !== "object") return part;
    return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, paint(value)]));
  };
  return paint;
}

const last = (values) => values[values.length - 1];

/** The number of items in the sorted array `x` that are below the bound. */
function below(x, bound) {
  let low = 0,
    high = x.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x[middle] < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The indexes (from, before) of the items of sorted `x` in the range, and of one more item on either side, so that
    lines reach the edges. */
function seen(x, [from, to]) {
  return [Math.max(0, below(x, from) - 1), Math.min(x.length, below(x, to) + 1)];
}

function extremes(values, from, to, extent = [Infinity, -Infinity]) {
  for (let i = from; i < to; i++) {
    const value = values[i];
    if (value === null || value === undefined) continue;
    if (value < extent[0]) extent[0] = value;
    if (value > extent[1]) extent[1] = value;
  }
  return extent;
}

function step(span) {
  const power = 10 ** Math.floor(Math.log10(span));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= span);
}

const MOST_NAMED = 5;

/** The distinct names of the sources; `sources` has pairs of a start time and a name. At most `MOST_NAMED` names are
    listed, followed by the number of all others, including the `leftOut` names that the server did not send. */
function named(sources, leftOut = 0) {
  const names = [...new Set(sources.map(([, name]) => words.source(name)))],
    more = Math.max(0, names.length - MOST_NAMED) + leftOut;
  return names.slice(0, MOST_NAMED).join(", ") + (more ? ` and ${words.fixed(more, 0)} more` : "");
}

/** The source of the row at x. */
const sourceAt = (sources, x) => sources.findLast(([from]) => from <= x)?.[1] ?? "";

/** An upper bound slightly above a value that is not negative. It changes in steps, so that the axis does not move with
    every tick. */
const ceiling = (value) => (value > 0 ? Math.ceil((value * 1.08) / step(value / 8)) * step(value / 8) : 1);

/** Bounds around the visible prices. They change in steps; on a logarithmic axis the margins are logarithmic too. */
function bounds([low, high]) {
  if (view.log && low > 0) {
    const room = 0.06 * Math.log(high / low) || 0.002;
    return [low * Math.exp(-room), high * Math.exp(room)];
  }
  const span = high - low || Math.abs(high) * 0.002 || 1,
    unit = step(span / 12);
  return [Math.floor((low - 0.06 * span) / unit) * unit, Math.ceil((high + 0.08 * span) / unit) * unit];
}

/** The price axis: linear or logarithmic, with labels in prices or in percent since the first visible price. */
function scale(axis, low, high, base, ticks = 8) {
  const log = view.log && low > 0;
  axis.type = log ? "log" : "linear";
  axis.range = log ? [Math.log10(low), Math.log10(high)] : [low, high];
  axis.tickmode = "array";
  Object.assign(axis, view.percent && base ? percents(low, high, base, ticks) : prices(low, high, ticks, log));
}

function percents(low, high, base, ticks) {
  const share = base / 100,
    unit = step((high - low) / share / ticks),
    places = Math.max(0, Math.min(6, -Math.floor(Math.log10(unit))));
  const tickvals = [],
    ticktext = [];
  for (let n = Math.ceil((low - base) / share / unit - 1e-9); n * unit * share + base <= high * (1 + 1e-12); n++) {
    const at = n * unit;
    tickvals.push(at * share + base);
    ticktext.push(`${at > unit / 2 ? "+" : at < -unit / 2 ? "−" : ""}${words.fixed(Math.abs(at), places)} %`);
  }
  return { tickvals, ticktext };
}

/** Tick values and labels of a price axis: round numbers between two bounds, with just enough digits to tell
    neighbouring labels apart. */
function prices(low, high, ticks, log) {
  const tickvals = log && high / low > 3 ? roundLogarithms(low, high, ticks) : roundNumbers(low, high, ticks);
  const apart = tickvals.length > 1 ? Math.min(...tickvals.slice(1).map((at, i) => at - tickvals[i])) : high - low;
  return { tickvals, ticktext: tickvals.map((at) => words.label(at, apart)) };
}

function roundNumbers(low, high, ticks) {
  const unit = step((high - low) / ticks),
    found = [];
  for (let n = Math.ceil(low / unit - 1e-9); n * unit <= high * (1 + 1e-12); n++) found.push(n * unit);
  return found;
}

/** The 1, 2 and 5 of each decade, or only powers of ten if these are too many. */
function roundLogarithms(low, high, ticks) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const factor of [1, 2, 5]) {
      const at = factor * 10 ** power;
      if (at >= low && at <= high) found.push(at);
    }
  }
  const every = Math.ceil(found.length / (2 * ticks));
  return found.filter((_, i) => i % every === 0);
}

const signed = (percent) => `${percent < 0 ? "−" : "+"}${words.fixed(Math.abs(percent), 2)} %`;

export const frame = {
  view,
  painter,
  bounds,
  ceiling,
  scale,
  signed,
  named,
  sourceAt,
  seen,
  extremes,
  below,
  last,
  step,
};

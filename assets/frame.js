/* The frame of the chart: colours from the style sheet, panel ranges, and the labels that depend on them. */
import { facts } from "./facts.js";
import { words } from "./words.js";

const fieldOf = (name) => facts.chart.fields.find((field) => field.name === name);
const trace = (name) => fieldOf(name).trace;
const AVERAGES = facts.chart.fields.filter(
  ({ panel, name, trace }) => panel === "y" && name !== "price" && trace !== null,
);
const PRICE = trace("price"),
  MA = AVERAGES.map((field) => field.trace),
  VOLATILITY = trace("volatility"),
  Z = trace("z_score"),
  VOLUME_AVERAGES = [trace("vol_avg_10"), trace("vol_avg_5")],
  MARKS = facts.chart.marks,
  STEMS = facts.chart.stems,
  BAND = facts.chart.band,
  CANDLES = facts.chart.candles;
const TOKENS = AVERAGES.map(({ color }) => color);
const DAY = 86_400_000,
  MAX_SESSIONS = 12;
const PRICE_PANEL = 0.54; // the panel's share of the height, as in figures.py
const view = {
  key: null,
  zoomed: false,
  hidden: new Set(),
  drawn: null,
  raw: null,
  log: false,
  percent: false,
  low: 0,
  high: 1,
  base: null,
  evidence: new Map(),
};

function painter() {
  const style = getComputedStyle(document.documentElement);
  const paint = (part) => {
    if (typeof part === "string") return part.startsWith("--") ? style.getPropertyValue(part).trim() : part;
    if (Array.isArray(part)) return part.map(paint);
    if (part === null || typeof part !== "object") return part;
    return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, paint(value)]));
  };
  return paint;
}

const shown = (trace) =>
  !view.hidden.has(trace.name.split(",")[0]) && !(trace.name === "Price" && view.raw.data.length > CANDLES);

const last = (values) => values[values.length - 1];

/** The number of items of sorted `x` below the bound. */
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

/** The items of sorted `x` in the range, and one more on either side, so that lines reach the edges. */
function seen(x, [from, to]) {
  return [Math.max(0, below(x, from) - 1), Math.min(x.length, below(x, to) + 1)];
}

function extremes(values, from, to, extent = [Infinity, -Infinity]) {
  for (let i = from; i < to; i++) {
    const value = values[i];
    if (value === null) continue;
    if (value < extent[0]) extent[0] = value;
    if (value > extent[1]) extent[1] = value;
  }
  return extent;
}

function step(span) {
  const power = 10 ** Math.floor(Math.log10(span));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= span);
}

/** The names of the rows' sources, each once; `sources` has pairs of a start time and a name. */
const named = (sources) => [...new Set(sources.map(([, name]) => words.source(name)))].join(", ");

/** The source of the row at x. */
const sourceAt = (sources, x) => sources.findLast(([from]) => from <= x)?.[1] ?? "";

const ceiling = (value) => (value > 0 ? Math.ceil((value * 1.08) / step(value / 8)) * step(value / 8) : 1);

/** Panel ranges that fit the visible rows, changing in steps, and the labels that depend on them. */
function fit(data, layout, paint) {
  const x = data[PRICE].x;
  const [from, to] = seen(x, layout.xaxis.range);
  const extent = extremes(data[PRICE].y, from, to);
  [...MA, ...BAND].filter((i) => shown(data[i])).forEach((i) => extremes(data[i].y, from, to, extent));
  if (extent[0] > extent[1]) return;
  const span = extent[1] - extent[0] || Math.abs(extent[1]) * 0.002;
  const unit = step(span / 12);
  const low = Math.floor((extent[0] - 0.06 * span) / unit) * unit;
  const high = Math.ceil((extent[1] + 0.08 * span) / unit) * unit;
  scale(layout.yaxis, low, high, data[PRICE].y[from]);
  const traded = STEMS.map((i) => extremes(data[i].y, 3 * from, 3 * to)[1]);
  VOLUME_AVERAGES.forEach((i) => traded.push(extremes(data[i].y, from, to)[1]));
  layout.yaxis2.range = [0, ceiling(Math.max(...traded))];
  layout.yaxis3.range = [0, ceiling(extremes(data[VOLATILITY].y, from, to)[1])];
  layout.yaxis4.range = [0, Math.max(3, extremes(data[Z].y, from, to)[1])];
  layout.yaxis4.tickvals = [0, 1, 2];
  const places = words.digits(extent[1]);
  layout.yaxis2.tickformat = "~s";
  layout.yaxis3.tickformat = `.${words.digits(layout.yaxis3.range[1])}~f`;
  const width = Math.max(1, Math.min(5, (0.55 * (plotWidth() || 800)) / Math.max(1, to - from)));
  STEMS.forEach((i) => (data[i].line = { ...data[i].line, width }));
  label(data, layout, paint, places);
}

/** The price axis: linear or logarithmic, in prices or in percent since the first visible price. */
function scale(axis, low, high, base, ticks = 8) {
  view.low = low;
  view.high = high;
  view.base = base;
  const log = view.log && low > 0;
  axis.type = log ? "log" : "linear";
  axis.range = log ? [Math.log10(low), Math.log10(high)] : [low, high];
  const share = view.percent && base ? base / 100 : 1,
    zero = view.percent && base ? base : 0;
  const unit = step((high - low) / share / ticks);
  const places = view.percent ? Math.max(0, Math.min(6, -Math.floor(Math.log10(unit)))) : words.digits(high);
  axis.tickmode = "array";
  axis.tickvals = [];
  axis.ticktext = [];
  for (
    let at = Math.ceil((low - zero) / share / unit - 1e-9) * unit;
    at * share + zero <= high * (1 + 1e-12);
    at += unit
  ) {
    axis.tickvals.push(at * share + zero);
    axis.ticktext.push(
      view.percent
        ? `${at > unit / 2 ? "+" : at < -unit / 2 ? "−" : ""}${words.fixed(Math.abs(at), places)} %`
        : words.fixed(at, places),
    );
  }
}

const onAxis = (layout, price) => (layout.yaxis.type === "log" ? Math.log10(price) : price);

const plotWidth = () => (document.getElementById("chart")?.clientWidth || 0) - 80;
const plotHeight = () => (document.getElementById("chart")?.clientHeight || 560) - 40;

function label(data, layout, paint, places) {
  const { low, high } = view;
  const price = last(data[PRICE].y);
  const side = {
    xref: "paper",
    x: 1,
    xanchor: "left",
    yref: "y",
    showarrow: false,
    bgcolor: paint("--paper"),
    borderpad: 1,
    align: "left",
  };
  const ends = MA.filter((i) => shown(data[i]) && last(data[i].y) !== null)
    .map((i) => ({ y: last(data[i].y), text: data[i].name, color: TOKENS[i - 1] }))
    .sort((a, b) => a.y - b.y);
  const gap = (15 * (high - low)) / (PRICE_PANEL * plotHeight());
  const tag = (17 * (high - low)) / (PRICE_PANEL * plotHeight());
  spread(ends, price, gap, tag);
  const labels = ends
    .filter(({ y }) => y >= low && y <= high)
    .map(({ y, text, color }) => ({
      ...side,
      y: onAxis(layout, y),
      text,
      xshift: 2,
      width: 44,
      font: { size: 11, color: paint(color) },
    }));
  // A number of the axis that a label would cover in part is hidden.
  layout.yaxis.ticktext = layout.yaxis.ticktext.map((text, i) =>
    ends.some(({ y }) => Math.abs(y - layout.yaxis.tickvals[i]) < gap) ? "" : text,
  );
  const inside = price >= low && price <= high;
  if (inside) {
    labels.push({
      ...side,
      y: onAxis(layout, price),
      text: `<b>${view.percent && view.base ? signed(100 * (price / view.base - 1)) : words.fixed(price, places)}</b>`,
      xshift: 2,
      borderpad: 3,
      bgcolor: paint("--price"),
      font: { size: 12, color: paint("--paper") },
    });
  }
  const title = { xref: "paper", x: 0, xanchor: "left", yref: "paper", yanchor: "bottom", yshift: 0, showarrow: false };
  const threshold = layout.meta.threshold;
  for (const [panel, text] of [
    ["yaxis2", "Volume, averages of 5 (line) and 10 (dashes)"],
    ["yaxis3", "Volatility, 10 ticks"],
    ["yaxis4", `|z|, anomaly above ${threshold}`],
  ]) {
    labels.push({ ...title, y: layout[panel].domain[1], text, font: { size: 11, color: paint("--muted") } });
  }
  labels.push({
    ...title,
    x: 1,
    xanchor: "right",
    y: 0,
    yanchor: "top",
    yshift: -18,
    text: `${named(layout.meta.sources)} · New York time (ET)`,
    font: { size: 10, color: paint("--muted") },
  });
  const days = sessions(data[PRICE].x, layout.xaxis.range);
  for (const { at, day } of days) {
    labels.push({
      ...title,
      xref: "x",
      x: at,
      y: 1,
      yanchor: "top",
      xshift: 3,
      text: day,
      bgcolor: paint("--paper"),
      font: { size: 11, color: paint("--muted") },
    });
  }
  layout.annotations = labels;
  layout.shapes = [
    layout.shapes[0],
    ...(inside
      ? [
          {
            type: "line",
            xref: "paper",
            x0: 0,
            x1: 1,
            yref: "y",
            y0: price,
            y1: price,
            line: { color: paint("--price"), width: 1, dash: "1px,3px" },
          },
        ]
      : []),
    ...days.map(({ at }) => ({
      type: "line",
      xref: "x",
      x0: at,
      x1: at,
      yref: "paper",
      y0: 0,
      y1: 1,
      layer: "below",
      line: { color: paint("--muted"), width: 1, dash: "4px,4px" },
    })),
  ];
}

/** Where a new session begins: the first visible tick of each day of the exchange; empty if there are too many. */
function sessions(x, range) {
  const [from, to] = seen(x, range),
    found = [];
  for (let i = Math.max(1, from); i < to && found.length <= MAX_SESSIONS; i++) {
    if (Math.floor(x[i] / DAY) !== Math.floor(x[i - 1] / DAY) && x[i] >= range[0] && x[i] <= range[1])
      found.push({ at: x[i], day: words.day(x[i]).split(",")[0] });
  }
  return found.length > MAX_SESSIONS ? [] : found;
}

const signed = (percent) => `${percent < 0 ? "−" : "+"}${words.fixed(Math.abs(percent), 2)} %`;

/** Push the labels (sorted upwards) apart, away from the tag of the last price. */
function spread(ends, price, gap, tag) {
  const below = ends.filter((end) => end.y < price),
    above = ends.filter((end) => end.y >= price);
  let limit = price - tag;
  for (const end of below.reverse()) {
    end.y = Math.min(end.y, limit);
    limit = end.y - gap;
  }
  limit = price + tag;
  for (const end of above) {
    end.y = Math.max(end.y, limit);
    limit = end.y + gap;
  }
}

const TRACES = { PRICE, MA, VOLATILITY, Z, VOLUME_AVERAGES, MARKS, STEMS, BAND, CANDLES };
export const frame = {
  TRACES,
  view,
  painter,
  shown,
  fit,
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

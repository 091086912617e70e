/* The view of the chart: which figure and which time range show, and how new ticks extend them. */
import { facts } from "./facts.js";
import { frame } from "./frame.js";
import { plots } from "./plots.js";
import { words } from "./words.js";

const { view, painter, shown, fit, below, last } = frame;
const { PRICE, MA, VOLATILITY, Z, MARKS, STEMS, CANDLES } = frame.TRACES;

const LINES = facts.chart.fields.filter(({ trace }) => trace !== null);
const NEAR_PX = 6;
const INDICES = [...Array(CANDLES).keys()]; // the browser extends candles itself

const graph = () => plots.drawing("chart");

/** A whole figure: the raw one in the present colours, with the values of `data`, showing `range` if given. */
function figure(data, range) {
  const paint = painter();
  const traces = view.raw.data.map((raw, i) => {
    const { x, y, open, high, low, close, ...style } = raw;
    const values =
      i === CANDLES ? pick(data[i], ["x", "open", "high", "low", "close"]) : { x: data[i].x, y: data[i].y };
    return { ...paint(style), ...values, visible: shown(raw) };
  });
  const layout = paint(view.raw.layout);
  layout.xaxis.range = range || live(traces[PRICE].x, null);
  fit(traces, layout, paint);
  return { data: traces, layout };
}

const pick = (from, keys) => Object.fromEntries(keys.map((key) => [key, from[key]]));

/** New ticks change the last candle or start another one. */
function carry(candles, extend) {
  const width = view.drawn.candle_ms,
    { x, open, high, low, close } = candles;
  extend.x[PRICE].forEach((at, i) => {
    const price = extend.y[PRICE][i],
      end = x.length - 1;
    // Steps start at multiples of their width in UTC, as in the store.
    const offset = view.drawn.offsets.at(-1)[1],
      step = Math.floor((at - offset) / width) * width + offset;
    if (end >= 0 && step <= x[end]) {
      high[end] = Math.max(high[end], price);
      low[end] = Math.min(low[end], price);
      close[end] = price;
    } else {
      x.push(step);
      for (const side of [open, high, low, close]) side.push(price);
    }
  });
}

const draw = (figure) => plots.draw("chart", figure);

/** Draw a figure from the server; zoom and hidden lines stay while symbol and range are the same. */
function show(raw, drawn) {
  const gd = graph();
  const same = view.key === raw.layout.uirevision && view.zoomed && gd?.layout.xaxis;
  if (!same) view.zoomed = false;
  Object.assign(view, { key: raw.layout.uirevision, drawn, raw, evidence: new Map() });
  learn(raw.layout.meta.evidence);
  draw(figure(raw.data, same ? gd.layout.xaxis.range.map(ms) : null));
}

/** Draw the present figure again: after a change of theme or lines, or to return to the newest tick. */
function again(range = null) {
  if (!view.raw) return;
  const gd = graph();
  if (range) view.zoomed = true;
  draw(figure(gd ? gd.data : view.raw.data, range || (view.zoomed && gd ? gd.layout.xaxis.range.map(ms) : null)));
}

/** A time range around this moment, or `null` if nothing is drawn there. */
function place(moment) {
  const x = graph()?.data?.[PRICE]?.x;
  if (!x?.length || moment < x[0] || moment > last(x)) return null;
  const half = Math.min(150_000, Math.max(15_000, (last(x) - x[0]) / 4));
  return [moment - half, moment + half];
}

/** Draw new rows too: one drawing shows them, the ranges and the labels. How many rows there are now comes back,
    `null` where there is no drawing yet that they could be added to. */
function follow(extend, drawn) {
  const gd = graph();
  if (!gd) return null;
  view.drawn = drawn;
  const next = gd.data
    .slice(0, CANDLES)
    .map((trace, i) => ({ ...trace, x: trace.x.concat(extend.x[i]), y: trace.y.concat(extend.y[i]) }));
  if (gd.data.length > CANDLES) {
    for (const side of ["x", "open", "high", "low", "close"]) gd.data[CANDLES][side] = [...gd.data[CANDLES][side]];
    carry(gd.data[CANDLES], extend);
  }
  const before = last(gd.data[PRICE].x),
    now = last(next[PRICE].x);
  let range = gd.layout.xaxis.range.map(ms);
  if (!view.zoomed) range = live(next[PRICE].x, range);
  else if (before <= range[1] && now > range[1]) {
    const step = now - range[1] + 0.1 * (range[1] - range[0]);
    range = [range[0] + step, range[1] + step];
  }
  gd.layout.xaxis.range = range;
  fit(next, gd.layout, painter());
  STEMS.forEach((i) => (gd.data[i].line.width = next[i].line.width));
  const most = kept(next, gd.data[CANDLES]);
  plots.extend("chart", extend, INDICES, most && { x: most, y: most });
  return gd.data[PRICE].x.length;
}

/** An open page drops rows older than the range by a quarter of it, unless the reader looks at another range. */
function kept(data, candles) {
  const { range_ms, rows, total } = view.drawn;
  if (view.zoomed || !range_ms || rows !== total) return null; // a thinned range is drawn again anyway
  const from = last(data[PRICE].x) - 1.25 * range_ms;
  const gone = candles ? below(candles.x, from) : 0;
  if (gone) for (const side of ["x", "open", "high", "low", "close"]) candles[side].splice(0, gone);
  const lengths = data.map(({ x }) => x.length - below(x, from));
  return lengths[PRICE] < data[PRICE].x.length ? lengths : null;
}

/** The reader moved the chart. */
function moved(change) {
  if (!Object.keys(change).some((key) => key.startsWith("xaxis.range"))) return;
  view.zoomed = true;
  refit();
}

/** Draw the same time range with panels and labels that fit it and the present size. */
function refit() {
  const gd = graph(),
    layout = { ...gd.layout, xaxis: { ...gd.layout.xaxis, range: gd.layout.xaxis.range.map(ms) } };
  for (const panel of ["yaxis", "yaxis2", "yaxis3", "yaxis4"]) layout[panel] = { ...layout[panel] };
  fit(gd.data, layout, painter());
  draw({ data: gd.data, layout });
}

/** A bound of the axis in ms: after a zoom Plotly returns it as text. */
function ms(bound) {
  return typeof bound === "number"
    ? bound
    : Date.parse(`${bound.replace(" ", "T")}${bound.includes(":") ? "" : "T00:00"}Z`);
}

/** The live time range: back from the newest tick, with a small margin, moving in steps. */
function live(x, current) {
  if (!x.length) return [0, 1];
  const first = x[0],
    now = last(x),
    wanted = view.drawn.range_ms;
  if (current && now <= current[1] && current[1] - now < 0.3 * (current[1] - current[0])) return current;
  const there = Math.max(now - first, 10_000);
  if (view.drawn.period) return view.drawn.period.slice();
  if (wanted === null || there < wanted) return [first - 0.01 * there, first + 1.12 * there];
  return [now - wanted, now + 0.05 * wanted];
}

/** The values of a row, by default of the newest. */
function values(row = null) {
  const gd = graph();
  if (!gd || !view.raw || !gd.data?.length || !gd.data[PRICE].x.length) return null;
  const data = gd.data,
    i = row === null || row >= data[PRICE].x.length ? data[PRICE].x.length - 1 : row;
  const at = (trace) => data[trace].y[i];
  return {
    newest: i === data[PRICE].x.length - 1,
    wall: data[PRICE].x[i],
    price: at(PRICE),
    ma: MA.map(at),
    volatility: at(VOLATILITY),
    z: at(Z),
    of: Object.fromEntries(LINES.map(({ name, trace }) => [name, at(trace)])),
    candle: candleAt(data[CANDLES], data[PRICE].x[i]),
    evidence: view.evidence.get(data[PRICE].x[i]) ?? null,
    volume: data[STEMS[0]].y[3 * i + 1] ?? data[STEMS[1]].y[3 * i + 1],
  };
}

/** Open, high, low and close of the candle at this moment. */
function candleAt(candles, moment) {
  const i = candles ? below(candles.x, moment + 1) - 1 : -1;
  return i < 0 ? null : ["open", "high", "low", "close"].map((side) => candles[side][i]);
}

/** Keep the evidence of anomalies, which their marks cannot show, by moment. */
function learn(evidence) {
  for (const [wall, partition, offset, times] of evidence || []) view.evidence.set(wall, { partition, offset, times });
}

/** How many anomalies are in sight. */
function marked() {
  const gd = graph();
  if (!gd?.layout?.xaxis?.range || !view.raw) return 0;
  const [from, to] = gd.layout.xaxis.range.map(ms);
  return MARKS.reduce((sum, i) => sum + gd.data[i].x.filter((x) => x >= from && x <= to).length, 0);
}

/** The visible rows, under a header row; in a thinned range, the rows that are drawn. */
function rowsInSight() {
  const gd = graph(),
    range = seenNow();
  if (!gd?.data?.length || !range) return null;
  const marked = new Set(MARKS.flatMap((i) => [...gd.data[i].x]));
  const lines = [facts.chart.csv];
  gd.data[PRICE].x.forEach((x, i) => {
    if (x < range[0] || x > range[1]) return;
    const row = {
      time_utc: words.iso(words.utc(x, view.drawn.offsets)),
      symbol: view.drawn.symbol,
      volume: gd.data[STEMS[0]].y[3 * i + 1] ?? gd.data[STEMS[1]].y[3 * i + 1],
      is_anomaly: marked.has(x),
      source: frame.sourceAt(view.raw.layout.meta.sources, x),
    };
    for (const { name, trace } of LINES) row[name] = gd.data[trace].y[i];
    lines.push(facts.chart.csv.map((name) => (Number.isNaN(row[name]) ? "" : (row[name] ?? ""))));
  });
  return lines;
}

/** The visible time range, in ms of the wall clock. */
const seenNow = () => graph()?.layout?.xaxis?.range?.map(ms) ?? null;

/** The row under the pointer; the mark of a nearby anomaly attracts the pointer. */
function rowOf(hover) {
  const point = hover?.points?.find(({ curveNumber }) => curveNumber < LINES.length);
  const gd = graph();
  if (!point || !gd?.layout?.xaxis?.range) return null;
  const x = gd.data[PRICE].x,
    range = gd.layout.xaxis.range.map(ms);
  const reach = (NEAR_PX * (range[1] - range[0])) / (gd._fullLayout?.xaxis?._length || 800);
  const marks = MARKS.flatMap((i) => [...gd.data[i].x]).filter((at) => Math.abs(at - x[point.pointNumber]) <= reach);
  if (!marks.length) return point.pointNumber;
  const away = (at) => Math.abs(at - x[point.pointNumber]);
  return below(
    x,
    marks.reduce((best, at) => (away(at) < away(best) ? at : best)),
  );
}

export const chart = {
  view,
  show,
  again,
  place,
  follow,
  moved,
  values,
  marked,
  learn,
  seenNow,
  rowsInSight,
  rowOf,
  refit,
};

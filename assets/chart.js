/* The chart of one symbol: the visible part of its picture, how new ticks extend the picture, and what has to be
   requested from the store for a time range. Plotly draws the frame. Everything that depends on data or on the time range
   is painted on a canvas over it (`brush.js`, `axes.js`), so that a refresh or a step of the wheel costs a few
   milliseconds instead of a hundred. */
import { axes } from "./axes.js";
import { brush } from "./brush.js";
import { changed } from "./changed.js";
import { facts } from "./facts.js";
import { frame } from "./frame.js";
import { gestures } from "./gestures.js";
import { hours } from "./hours.js";
import { plots } from "./plots.js";
import { tape } from "./tape.js";
import { timeline } from "./timeline.js";
import { words } from "./words.js";

const { painter, below, last, seen, extremes, ceiling } = frame;
const view = Object.assign(frame.view, {
  drawn: null,
  picture: null,
  range: null,
  zoomed: false,
  stretch: 1,
  ring: null,
});
const FIELDS = facts.chart.fields;
const AVERAGES = FIELDS.filter(({ panel, trace, name }) => panel === "y" && trace !== null && name !== "price");
const MEASURES = FIELDS.filter(({ trace, name }) => trace !== null && name !== "price");
const HEIGHTS = { y: 54, y2: 12, y3: 11, y4: 11.5 }; // relative heights of the panels, from the top
const TITLE_PX = 18; // the gap between two panels
const MARGIN = { left: 12, top: 6, bottom: 34, least: 56, most: 150 };
const MAX_MARKS = 60,
  MARK_APART_PX = 14,
  NEAR_PX = 6,
  MAX_TICKS = 2_000,
  LEAST_MS = 40,
  REST_MS = 40,
  PAUSE_MS = 300;
const GAP_MS = 300_000,
  GAP_TIMES = 10;
let asked = () => {}; // requests a time range from the server; `page.js` sets it
let shape = null; // the positions of the panels
let scales = null; // the labels of the axes, by axis
let framed = ""; // the frame that Plotly drew last, as text
let waiting = null; // the requested animation frame for the next drawing
let resting = null; // the timer that requests data when a gesture rests
let settling = null; // the timer that ends a gesture
let movedAt = 0; // when the picture was last moved
let pointer = null; // where the pointer is, in px
let loading = null; // the time range that was requested
let latest = ""; // the last request: its time range and width, as text
let answered = ""; // the last request that was answered, with the newest tick of the answer, as text

const overs = []; // painters registered by other modules
const place = () => document.getElementById("chart");

/** Register a painter that runs after the prices: `paint(context, shape, color, labelOf)`. */
const over = (paint) => overs.push(paint);

/** Register `panels()`, which returns further panels, and `extent(range)`, which returns the bounds of further prices
    that must stay visible. */
let more = { panels: () => [], extent: () => [Infinity, -Infinity] };
const extend = (given) => (more = given);

/** Register `asked(range, width)`, which requests a time range, and `pointed(row)`, which receives the row under the
    pointer. */
let pointed = () => {};
function on(events) {
  asked = events.asked;
  pointed = events.pointed;
  const there = place();
  if (!there || there.dataset.listening) return;
  there.dataset.listening = "yes";
  gestures.listen(there, {
    zoom,
    pan,
    stretch,
    rest,
    measure: measured,
    measures: tape.armed,
    inside: (x) => !shape || x <= shape.right,
    size,
    point: hover,
  });
  new ResizeObserver(() => view.picture && soon()).observe(there);
}

/* ---- what is drawn ---- */

/** Show a whole picture from the server. The zoom is kept if symbol, range and period have not changed. */
function show(picture, drawn) {
  const key = `${drawn.symbol} ${drawn.range} ${drawn.period}`;
  if (view.key !== key) Object.assign(view, { stretch: 1, ring: null });
  const times = `${drawn.range} ${drawn.period}`;
  if (view.times !== times) view.zoomed = false; // for another symbol over the same times, the zoom is kept
  view.times = times;
  take(picture, drawn);
  view.key = key;
  loading = null;
  answered = "";
  if (!view.zoomed) view.range = live(null);
  paint();
  refine();
}

/** Take the picture of the time range that the reader zoomed or panned to. */
function refined(picture, drawn) {
  answered = `${latest} ${drawn.newest_us}`;
  loading = null;
  take(picture, drawn);
  paint();
  refine();
}

function take(picture, drawn) {
  hours.know(picture.hours, Boolean(drawn.trading));
  words.know({ offsets: drawn.offsets });
  picture = hours.within(picture);
  view.drawn = drawn;
  view.picture = picture;
  picture.breaks = breaksOf(picture);
}

/** For each row, whether lines are interrupted before it: at a new day, and after a gap far longer than usual. */
function breaksOf({ x, kind, width_ms }) {
  const gaps = x.slice(1).map((at, i) => at - x[i]),
    usual = gaps.length ? [...gaps].sort((a, b) => a - b)[gaps.length >> 1] : 0,
    limit = Math.max(GAP_TIMES * usual, GAP_MS, kind === "ticks" ? 0 : 3 * width_ms);
  return x.map(
    (at, i) => i > 0 && (at - x[i - 1] > limit || (gaps[i - 1] > 3_600_000 && dayOf(at) !== dayOf(x[i - 1]))),
  );
}

const dayOf = (ms) => Math.floor(ms / timeline.DAY);

/** Append new rows, or changed columns, to the picture. Returns whether that was possible. */
function follow(tail, drawn) {
  const { picture } = view;
  if (!picture || picture.kind !== tail.kind) return false;
  tail = hours.within(tail);
  if (!tail.x.length) {
    view.drawn = { ...drawn, rows: picture.x.length };
    return true;
  }
  const from = tail.kind === "ticks" ? picture.x.length : below(picture.x, tail.x[0]);
  const joined = (before, after) => before.slice(0, from).concat(after);
  picture.x = joined(picture.x, tail.x);
  for (const name of Object.keys(picture.y)) picture.y[name] = joined(picture.y[name], tail.y[name]);
  addMarks(picture.marks, tail);
  picture.breaks = breaksOf(picture);
  const before = view.drawn.newest_us;
  view.drawn = { ...drawn, rows: picture.x.length };
  if (tail.kind === "ticks") drop(picture);
  const moved = (view.drawn.newest_us - before) / 1000,
    newest = newestAt();
  if (!view.zoomed) view.range = live(view.range);
  else if (newest - moved <= view.range[1] && newest > view.range[1]) {
    const step = newest - view.range[1] + 0.1 * (view.range[1] - view.range[0]);
    view.range = view.range.map((bound) => bound + step);
  }
  paint();
  refine();
  return true;
}

function addMarks(marks, { kind, marks: more }) {
  const known = new Set(marks.x);
  const fresh = more.x.map((_, i) => i).filter((i) => kind === "candles" || !known.has(more.x[i]));
  for (const name of Object.keys(marks)) marks[name] = marks[name].concat(fresh.map((i) => more[name][i]));
}

/** Drop the ticks that lie far before the visible range, since a page may stay open for a long time. */
function drop(picture) {
  const { range_ms } = view.drawn;
  if (view.zoomed || !range_ms) return;
  const gone = below(picture.x, last(picture.x) - 1.25 * range_ms);
  if (!gone) return;
  picture.x.splice(0, gone);
  for (const values of Object.values(picture.y)) values.splice(0, gone);
  picture.breaks.splice(0, gone);
  const old = below(picture.marks.x, picture.x[0]);
  for (const values of Object.values(picture.marks)) values.splice(0, old);
  view.drawn.total = view.drawn.rows = picture.x.length;
}

/** The newest moment that is drawn, in ms of the wall clock. */
function newestAt() {
  const { drawn, picture } = view;
  const newest = drawn.newest_us / 1000 + (last(drawn.offsets)?.[1] ?? 0);
  return drawn.follows || !picture.x.length ? newest : last(picture.x);
}

/** The live time range: it ends at the newest tick, plus a small margin, and moves in steps. */
function live(current) {
  const { drawn, picture } = view;
  if (drawn.period) return drawn.period.slice();
  const now = newestAt(),
    first = Math.min(now, drawn.begin_us ? beginning() : (picture.x[0] ?? now)),
    wanted = drawn.range_ms;
  if (current && now <= current[1] && current[1] - now < 0.3 * (current[1] - current[0])) return current;
  const there = Math.max(now - first, 10_000);
  if (wanted === null || there < wanted) return [first - 0.01 * there, first + 1.12 * there];
  return [now - wanted, now + 0.05 * wanted];
}

/* ---- moving ---- */

const size = () => ({
  width: shape ? shape.right - shape.left : 800,
  height: shape ? shape.panels.y.bottom - shape.panels.y.top : 400,
});

/** Show this time range (ms of the wall clock), and request the parts of it that are not drawn yet. */
function see(from, to) {
  if (!view.picture) return;
  const middle = (from + to) / 2,
    half = Math.max(LEAST_MS, to - from) / 2;
  view.range = [middle - half, middle + half];
  view.zoomed = true;
  soon();
  rest();
}

function zoom(factor, x) {
  const [from, to] = view.range,
    share = (x - shape.left) / (shape.right - shape.left),
    [begin, end] = [from, to].map(hours.place),
    at = begin + share * (end - begin);
  see(hours.moment(at - (at - begin) * factor), hours.moment(at + (end - at) * factor));
}

function pan(by) {
  const [from, to] = view.range.map(hours.place);
  see(hours.moment(from + by * (to - from)), hours.moment(to + by * (to - from)));
}

/** Zoom the price axis around its middle. */
function stretch(factor) {
  view.stretch = Math.max(0.05, Math.min(50, view.stretch * factor));
  soon();
}

/** The picture was moved: request missing data, at the first step of a gesture and once it rests. The address waits until
    the gesture is over: each change of it costs the browser more than a millisecond. */
function rest() {
  const now = performance.now();
  if (now - movedAt > PAUSE_MS) refine();
  movedAt = now;
  clearTimeout(resting);
  clearTimeout(settling);
  resting = setTimeout(refine, REST_MS);
  settling = setTimeout(changed.tell, PAUSE_MS);
}

/** Return to the live range. Returns whether the picture covers it. */
function goLive() {
  view.zoomed = false;
  view.stretch = 1;
  view.ring = null;
  const whole = !view.drawn?.sight && view.drawn?.follows;
  if (view.picture && whole) {
    view.range = live(null);
    paint();
  }
  return Boolean(whole);
}

/** Request the visible time range if the picture lacks a part of it, or shows it too coarsely or too
    finely. */
function refine() {
  const { picture, range, drawn } = view;
  if (!picture || !range || !shape) return;
  const [first, end] = picture.covers,
    begin = beginning(),
    width = size().width,
    stored = drawn.newest_us / 1000 + (last(drawn.offsets)?.[1] ?? 0);
  const lacks = Math.max(range[0], begin) < first - 1 || (!drawn.follows && Math.min(range[1], stored) > end + 1);
  const column = (hours.place(range[1]) - hours.place(range[0])) / width;
  let unfit = false;
  if (picture.kind === "columns") unfit = column < 0.7 * picture.width_ms || column > 3 * picture.width_ms;
  else if (picture.kind === "ticks") unfit = below(picture.x, range[1]) - below(picture.x, range[0]) > 1.5 * MAX_TICKS;
  else unfit = drawn.candles === "auto" && !fits((range[1] - range[0]) / picture.width_ms);
  if (picture.kind === "columns" && picture.finest) unfit = unfit && column > 3 * picture.width_ms;
  if (!lacks && !unfit) return;
  const wanted = range.map(Math.round);
  if (String(wanted) === String(loading)) return;
  const request = `${wanted} ${Math.round(width)}`;
  if (`${request} ${drawn.newest_us}` === answered) return; // the store has no more than that
  if (range[1] < begin && !lacks) return;
  loading = wanted;
  latest = request;
  asked(view.zoomed ? wanted : null, Math.round(width));
}

const fits = (candles) => candles > 50 && candles < 400;

/** The time of the symbol's first stored tick, in ms of the wall clock. */
const beginning = () => view.drawn.begin_us / 1000 + (view.drawn.offsets[0]?.[1] ?? 0);

/* ---- drawing ---- */

function soon() {
  if (waiting) return;
  waiting = requestAnimationFrame(() => {
    waiting = null;
    paint();
  });
}

/** Draw again: after the theme, the shown lines or the time range have changed. */
function again(range = null) {
  if (!view.picture) return;
  if (range) see(range[0], range[1]);
  else if (!view.zoomed && view.drawn) view.range = live(view.range);
  paint();
}

const visible = (field) => !view.hidden.has(field.label);
const bound = (picture, name, side) => picture.y[`${name}_${side}`] ?? picture.y[name];

/** The bounds of the four panels for the visible data. */
function boundsOf(picture, sight) {
  const [from, to] = sight,
    prices = extremes(picture.y.low ?? picture.y.price, from, to);
  if (picture.y.high) extremes(picture.y.high, from, to, prices);
  for (const field of AVERAGES.filter(visible)) {
    extremes(bound(picture, field.name, "low"), from, to, prices);
    extremes(bound(picture, field.name, "high"), from, to, prices);
  }
  if (banded(picture)) for (const side of bandOf(picture, sight)) extremes(side, from, to, prices);
  const further = more.extent(view.range);
  if (further[0] <= further[1]) extremes(further, 0, 2, prices);
  if (prices[0] > prices[1]) return null;
  let [low, high] = frame.bounds(prices);
  if (view.stretch !== 1) {
    const middle = (low + high) / 2,
      half = ((high - low) / 2) * view.stretch;
    [low, high] = [view.log ? Math.max(middle - half, low / 100) : middle - half, middle + half];
  }
  const most = (panel) =>
    Math.max(
      0,
      ...MEASURES.filter((field) => field.panel === panel).map(
        ({ name }) => extremes(bound(picture, name, "high"), from, to)[1],
      ),
    );
  return {
    y: [low, high],
    y2: [0, ceiling(Math.max(extremes(picture.y.volume, from, to)[1], most("y2")))],
    y3: [0, ceiling(most("y3"))],
    y4: [0, Math.max(3, Math.ceil(most("y4")))],
    ...Object.fromEntries(more.panels().map(({ panel, axis }) => [panel, axis(view.range).range])),
  };
}

const banded = (picture) => !view.hidden.has("Band") && picture.kind !== "columns";

function bandOf({ y }, [from, to]) {
  const lows = [],
    highs = [];
  for (let i = from; i < to; i++) {
    const away = view.drawn.threshold * y.volatility[i];
    lows[i] = y.ma_10[i] === null || y.volatility[i] === null ? null : y.ma_10[i] - away;
    highs[i] = lows[i] === null ? null : y.ma_10[i] + away;
  }
  return [lows, highs];
}

/** The axis of each panel: its range, and the values that have a label. */
function axesOf(bounds, sight) {
  const layout = { yaxis: {} };
  const priced = view.picture.y.price ?? view.picture.y.close;
  view.base = priced[sight[0]] ?? null;
  frame.scale(layout.yaxis, bounds.y[0], bounds.y[1], view.base);
  for (const panel of ["y2", "y3"]) {
    const high = bounds[panel][1],
      vals = [0, high / 2, high];
    layout[`yaxis${panel.slice(1)}`] = {
      range: bounds[panel],
      tickvals: vals,
      ticktext: vals.map((at) => (panel === "y2" ? words.volume(at) : at ? words.label(at, high / 2) : "0")),
    };
  }
  layout.yaxis4 = { range: bounds.y4, tickvals: [0, 1, 2], ticktext: ["0", "1", "2"] };
  for (const { panel, axis } of more.panels()) layout[`yaxis${panel.slice(1)}`] = axis(view.range);
  return layout;
}

/** Draw the visible part. Plotly is called only if the frame changed. */
function paint() {
  const { picture, range } = view,
    there = place();
  if (!picture || !range || !there?.clientHeight || document.body.dataset.charts === "several") return;
  const sight = seen(picture.x, range),
    bounds = boundsOf(picture, sight) ?? {
      y: view.bounds?.y ?? [0, 1],
      y2: [0, 1],
      y3: [0, 1],
      y4: [0, 3],
      ...Object.fromEntries(more.panels().map(({ panel }) => [panel, [0, 1]])),
    };
  view.bounds = bounds;
  const context = brush.canvasOf(there, "brush-data"),
    paintOf = painter(),
    layout = axesOf(bounds, sight),
    right = marginOf(context, layout);
  shape = shapeOf(there, right, bounds, range);
  const ends = endsOf(picture, sight);
  clear(layout, ends);
  layout.xaxis = timeline.ticks(range, (shape.right - shape.left) / brush.em());
  scales = layout;
  surround(right, paintOf);
  picturePaint(context, picture, sight, ends, paintOf);
  cross();
}

/** The margin that the widest axis label needs, so that no label is cut off. */
function marginOf(context, layout) {
  context.font = `600 ${12 * brush.em()}px system-ui, sans-serif`;
  const texts = ["yaxis", "yaxis2", "yaxis3"].flatMap((name) => layout[name].ticktext);
  texts.push(priceLabel(view.drawn.price), ...AVERAGES.filter(visible).map(({ label }) => label));
  const widest = Math.max(...texts.map((each) => context.measureText(each).width));
  return Math.max(MARGIN.least, Math.min(MARGIN.most * brush.em(), 4 * Math.ceil((widest + 14) / 4)));
}

function priceLabel(price) {
  if (view.percent && view.base) return frame.signed(100 * (price / view.base - 1));
  const size = Math.abs(price);
  return size >= 1e7 || (size < 1e-4 && size > 0) ? words.short(price, 6) : words.price(price);
}

/** The position of each panel from the bottom, as a fraction of the height. */
function sharesOf(height) {
  const heights = { ...HEIGHTS, ...Object.fromEntries(more.panels().map(({ panel, height: one }) => [panel, one])) },
    names = Object.keys(heights),
    gap = Math.max(0.035, (TITLE_PX * brush.em()) / Math.max(1, height)),
    whole = Object.values(heights).reduce((sum, one) => sum + one),
    unit = Math.max(0.2, 1 - gap * (names.length - 1)) / whole,
    shares = {};
  let top = 1;
  for (const name of names) {
    shares[name] = [Math.max(0, top - heights[name] * unit), top];
    top -= heights[name] * unit + gap;
  }
  return shares;
}

/** The position of each panel, and the functions that convert its values to px. */
function shapeOf(there, margin, bounds, [from, to]) {
  const left = MARGIN.left,
    right = there.clientWidth - margin,
    height = there.clientHeight - MARGIN.top - MARGIN.bottom * brush.em(),
    begin = hours.place(from),
    span = Math.max(1e-3, hours.place(to) - begin),
    wide = (ms) => (ms / span) * (right - left),
    x = (ms) => left + wide(hours.place(ms) - begin),
    panels = {};
  for (const [name, [low, high]] of Object.entries(sharesOf(height))) {
    const top = MARGIN.top + (1 - high) * height,
      bottom = MARGIN.top + (1 - low) * height,
      log = name === "y" && view.log && bounds.y[0] > 0,
      [begin, end] = log ? bounds[name].map(Math.log10) : bounds[name],
      y = (value) => bottom - (((log ? Math.log10(value) : value) - begin) / (end - begin)) * (bottom - top),
      value = (px) => {
        const at = begin + ((bottom - px) / (bottom - top)) * (end - begin);
        return log ? 10 ** at : at;
      };
    panels[name] = { left, right, top, bottom, x, y, value, wide };
  }
  const bottom = Math.max(...Object.values(panels).map((panel) => panel.bottom));
  return { left, right, bottom, panels, ms: (px) => hours.moment(begin + ((px - left) / (right - left)) * span) };
}

/** The labels next to the last values: the tag of the price, and the names of the averages, moved apart so that none
    overlap. */
function endsOf(picture, [from, to]) {
  const panel = shape.panels.y,
    newest = view.drawn.price,
    tag = panel.y(newest),
    ends = [];
  for (const field of AVERAGES.filter(visible)) {
    const value = picture.y[field.name]
      ? lastKnown(picture.y[field.name], from, to)
      : lastKnown(bound(picture, field.name, "high"), from, to);
    if (value !== null) ends.push({ y: panel.y(value), text: field.label, color: field.color });
  }
  ends.sort((a, b) => a.y - b.y);
  const apart = 14 * brush.em(),
    far = 17 * brush.em();
  let limit = tag + far;
  for (const end of ends.filter(({ y }) => y >= tag)) {
    end.y = Math.max(end.y, limit);
    limit = end.y + apart;
  }
  limit = tag - far;
  for (const end of ends.filter(({ y }) => y < tag).reverse()) {
    end.y = Math.min(end.y, limit);
    limit = end.y - apart;
  }
  const inside = ({ y }) => y > panel.top && y < panel.bottom;
  return { labels: ends.filter(inside), tag: inside({ y: tag }) ? tag : null };
}

function lastKnown(values, from, to) {
  for (let i = to - 1; i >= from; i--) if (values[i] !== null) return values[i];
  return null;
}

/** Remove the axis labels that a label of `endsOf` would cover. */
function clear({ yaxis }, { labels, tag }) {
  const taken = [...labels.map(({ y }) => [y, 12]), ...(tag === null ? [] : [[tag, 16]])];
  yaxis.ticktext = yaxis.ticktext.map((text, i) =>
    taken.some(([y, near]) => Math.abs(y - shape.panels.y.y(yaxis.tickvals[i])) < near) ? "" : text,
  );
}

/** Draw the frame with Plotly. */
function surround(right, paintOf) {
  const there = place(),
    panels = sharesOf(there.clientHeight - MARGIN.top - MARGIN.bottom * brush.em()),
    margin = { l: MARGIN.left, r: right, t: MARGIN.top, b: MARGIN.bottom * brush.em() },
    colors = { paper: paintOf("--paper"), line: paintOf("--line") },
    wanted = JSON.stringify([panels, margin, colors, there.clientWidth, there.clientHeight]);
  if (wanted === framed && plots.drawing("chart")) return;
  framed = wanted;
  plots.frame("chart", { panels, margin, colors });
}

function picturePaint(context, picture, sight, { labels, tag }, paintOf) {
  const { panels } = shape,
    { x, y, kind, width_ms, breaks } = picture,
    half = kind === "ticks" ? 0 : width_ms / 2,
    color = {
      muted: paintOf("--muted"),
      paper: paintOf("--paper"),
      price: paintOf("--price"),
      anomaly: paintOf("--anomaly"),
      up: paintOf("--up"),
      down: paintOf("--down"),
    };
  axes.grid(context, shape, scales, paintOf("--grid"));
  axes.labels(context, shape, scales, place().clientWidth, color.muted);
  shades(context, color);
  voids(context, color);
  days(context, color);
  brush.within(context, panels.y, () => {
    if (banded(picture)) {
      const [lows, highs] = bandOf(picture, sight);
      brush.band(context, panels.y, x, lows, highs, sight, paintOf("--band"));
    }
    for (const field of AVERAGES.filter(visible)) measure(context, picture, sight, field, paintOf);
    if (kind === "ticks")
      brush.line(context, panels.y, x, y.price, sight, { color: color.price, width: 1.6, breaks, step: true });
    else if (kind === "candles") brush.candles(context, panels.y, x, y, sight, { ...color, wide: width_ms });
    else brush.columns(context, panels.y, x, y, sight, { color: color.price, width: 1.2, breaks, half });
    if (tag !== null) {
      context.beginPath();
      context.moveTo(shape.left, tag);
      context.lineTo(shape.right, tag);
      brush.stroke(context, color.price, 1, "1px,3px");
    }
  });
  for (const paintOver of overs)
    paintOver(context, shape, { ...color, level: paintOf("--level") }, priceLabel, paintOf);
  marksPaint(context, picture, color);
  const volumes = Array.from(y.volume);
  volumes.signs = y.direction ?? y.close.map((price, i) => (price >= y.open[i] ? 1 : -1));
  const per = (shape.right - shape.left) / Math.max(1, sight[1] - sight[0]),
    wide = kind === "candles" ? Math.max(1, 0.6 * panels.y2.wide(width_ms)) : Math.max(1, Math.min(5, 0.55 * per));
  brush.within(context, panels.y2, () => {
    brush.bars(context, panels.y2, x, volumes, sight, { colors: { 1: color.up, "-1": color.down }, width: wide, half });
  });
  for (const field of MEASURES.filter(({ panel }) => panel !== "y")) {
    brush.within(context, panels[field.panel], () => measure(context, picture, sight, field, paintOf));
  }
  threshold(context, color);
  titles(context, color, kind);
  for (const { y: at, text, color: token } of labels) {
    brush.text(context, text, shape.right + 4, at, { color: paintOf(token), paper: color.paper });
  }
  if (tag !== null)
    brush.text(context, priceLabel(view.drawn.price), shape.right + 6, tag, {
      color: color.paper,
      paper: color.price,
      bold: true,
      size: 12,
      pad: 4,
    });
  const foot = `${frame.named(picture.sources, picture.sources_left_out)} · ${words.longZone()}`;
  brush.text(
    context,
    foot,
    shape.right + 60 > place().clientWidth ? shape.right : shape.right,
    place().clientHeight - 3,
    { color: color.muted, align: "right", baseline: "bottom", size: 10, paper: color.paper },
  );
}

function measure(context, picture, sight, field, paintOf) {
  const { x, y, kind, breaks, width_ms } = picture,
    panel = shape.panels[field.panel],
    style = {
      color: paintOf(field.color),
      width: field.width ?? 1.25,
      dash: field.dash,
      breaks,
      half: kind === "ticks" ? 0 : width_ms / 2,
    };
  if (y[field.name]) {
    const at = kind === "ticks" ? x : x.map((ms) => ms + width_ms / 2);
    brush.line(context, panel, at, y[field.name], sight, style);
  } else if (field.unit === "deviations") {
    const tone = { color: style.color, over: paintOf("--anomaly") };
    brush.peaks(context, panel, peaksOf(picture, sight, field), view.drawn.threshold, tone);
  } else
    brush.ranges(context, panel, x, y[`${field.name}_low`], y[`${field.name}_high`], sight, { ...style, width: 1 });
}

/**
 * By pixel, the highest value of a measure and the share of the ticks that are anomalies. Nearly every column of a busy
 * day has a |z| near 0 and one near its maximum: a line through both would fill the panel.
 */
function peaksOf({ x, y, width_ms }, [from, to], { name, panel: where }) {
  const panel = shape.panels[where],
    highs = y[`${name}_high`],
    found = new Map();
  for (let i = from; i < to; i++) {
    if (highs[i] === null) continue;
    const begin = Math.round(panel.x(x[i])),
      end = Math.max(begin + 1, Math.round(panel.x(x[i] + width_ms)));
    for (let px = begin; px < end; px++) {
      const { high = 0, ticks = 0, anomalies = 0 } = found.get(px) ?? {};
      found.set(px, {
        high: Math.max(high, highs[i]),
        ticks: ticks + y.ticks[i],
        anomalies: anomalies + y.anomalies[i],
      });
    }
  }
  for (const top of found.values()) top.share = top.anomalies / top.ticks;
  return found;
}

/** Paint the visible anomalies: the strongest as marks that do not overlap, and all of them as a lane that shows their
    density. */
function marksPaint(context, picture, color) {
  if (view.hidden.has("Anomaly")) return;
  const panel = shape.panels.y,
    chosen = marksInSight();
  brush.within(context, { ...panel, left: panel.left - 6, right: panel.right + 6 }, () => {
    for (const mark of chosen) brush.mark(context, panel, mark, color.anomaly, mark.x === view.ring);
    const { kind, x, y, marks, width_ms } = picture;
    const places =
      kind === "columns"
        ? x.map((at, i) => [at + width_ms / 2, y.anomalies[i]]).filter(([, count]) => count)
        : marks.x.map((at) => [at, 1]);
    if (
      kind === "columns" ||
      chosen.length < places.filter(([at]) => at >= view.range[0] && at <= view.range[1]).length
    )
      brush.lane(context, panel, places, color.anomaly);
  });
}

/** The marks that are drawn: at most 60, the strongest first, without overlaps; the requested one is always included.
 */
function marksInSight() {
  const { marks } = view.picture,
    [from, to] = view.range,
    panel = shape.panels.y,
    chosen = [];
  const order = marks.x.map((_, i) => i).filter((i) => marks.x[i] >= from && marks.x[i] <= to);
  order.sort(
    (a, b) =>
      (marks.x[b] === view.ring) - (marks.x[a] === view.ring) ||
      marks.strength[b] - marks.strength[a] ||
      marks.x[a] - marks.x[b],
  );
  for (const i of order) {
    if (chosen.length >= MAX_MARKS) break;
    const px = panel.x(marks.x[i]);
    if (chosen.every((other) => Math.abs(other.px - px) >= MARK_APART_PX)) chosen.push({ px, ...markAt(i) });
  }
  return chosen;
}

function markAt(i) {
  const { marks } = view.picture;
  return {
    x: marks.x[i],
    price: marks.price[i],
    high: marks.price[i] >= marks.ma_10[i],
    ma: marks.ma_10[i],
    volatility: marks.volatility[i],
    z: marks.z_score[i],
    times: marks.times?.[i] ?? null,
    partition: marks.partition?.[i],
    offset: marks.offset?.[i],
  };
}

/** The hatched parts: before the first stored tick, and where data is still loading. */
function voids(context, color) {
  const begin = beginning(),
    [from, to] = view.range,
    panel = shape.panels.y;
  if (from < begin)
    brush.void(
      context,
      panel,
      shape.left,
      panel.x(begin),
      color.muted,
      `nothing before ${words.time(begin)} on ${words.day(begin).split(",")[0]}`,
    );
  const [first, end] = view.picture.covers;
  if (!loading) return;
  const label = (a, b) => `loading ${words.time(a).slice(0, 5)} – ${words.time(b).slice(0, 5)}`;
  if (from < first && first > begin)
    brush.void(
      context,
      panel,
      panel.x(Math.max(from, begin)),
      panel.x(first),
      color.muted,
      label(Math.max(from, begin), first),
    );
  const newest = newestAt();
  if (to > end && newest > end)
    brush.void(
      context,
      panel,
      panel.x(end),
      panel.x(Math.min(to, newest)),
      color.muted,
      label(end, Math.min(to, newest)),
    );
}

/** Shade the hours in which the exchange is closed; they are darker than the hours before and after its session. */
function shades(context, color) {
  const { panels } = shape;
  context.fillStyle = color.muted;
  for (const { from, to, isNear } of hours.closed(view.range)) {
    const left = panels.y.x(from);
    context.globalAlpha = isNear ? 0.06 : 0.12;
    context.fillRect(left, panels.y.top, panels.y.x(to) - left, panels.y4.bottom - panels.y.top);
  }
  context.globalAlpha = 1;
  levels(context, color);
}

/** Paint the previous close, and the session's high, low and average price, as short lines with their names on the
    left. */
function levels(context, color) {
  const day = view.drawn.day,
    panel = shape.panels.y;
  if (!day) return;
  const found = { "Prev. close": day.previous, High: day.high, Low: day.low, VWAP: vwap(day) };
  for (const [name, value] of Object.entries(found)) {
    const at = value === null ? NaN : panel.y(value);
    if (!(at > panel.top + 6 && at < panel.bottom - 6)) continue;
    context.beginPath();
    context.moveTo(shape.left, at);
    context.lineTo(shape.left + 44, at);
    brush.stroke(context, color.muted, 1, name === "VWAP" ? "6px,3px" : "2px,2px");
    brush.text(context, name, shape.left + 2, at - 3, { color: color.muted, baseline: "bottom", size: 10 });
  }
}

const vwap = ({ value, volume }) => (volume > 0 ? value / volume : null);

/** Whether a window of `window_` ticks or candles that ends at a row began before a night. */
function isOverNight(row, window_) {
  const { picture } = view;
  let count = 0;
  for (let i = row; i > 0; i--) {
    count += picture.kind === "columns" ? picture.y.ticks[i] : 1;
    if (count >= window_) return false;
    if (hours.isNight(picture.x[i - 1], picture.x[i])) return true;
  }
  return false;
}

/** The positions at which new days begin; empty if there are too many days. */
function days(context, color) {
  const { panels } = shape,
    found = sessions();
  for (const { at, day } of found) {
    const x = panels.y.x(at);
    context.beginPath();
    context.moveTo(x, panels.y.top);
    context.lineTo(x, shape.bottom);
    brush.stroke(context, color.muted, 1, "4px,4px");
    brush.text(context, day, x + 4, panels.y.top + 8, { color: color.muted, paper: color.paper, baseline: "top" });
  }
}

/** The days that begin in the visible range, at their first tick. */
function sessions() {
  const { x } = view.picture,
    [from, to] = seen(x, view.range),
    found = [];
  for (let i = Math.max(1, from); i < to && found.length <= 12; i++) {
    if (dayOf(x[i]) !== dayOf(x[i - 1]) && x[i] >= view.range[0] && x[i] <= view.range[1])
      found.push({ at: x[i], day: words.day(x[i]).split(",")[0] });
  }
  return found.length > 12 ? [] : found;
}

function threshold(context, color) {
  const panel = shape.panels.y4,
    at = panel.y(view.drawn.threshold);
  context.beginPath();
  context.moveTo(shape.left, at);
  context.lineTo(shape.right, at);
  brush.stroke(context, color.anomaly, 1, "4px,3px");
}

function titles(context, color, kind) {
  const each = kind === "candles" ? `candles of ${words.span(view.picture.width_ms / 1000)}` : "ticks";
  const peaks = kind === "columns" ? "highest of each pixel; " : "";
  const texts = {
    y2: `Volume, averages of 5 (line) and 10 (dashes) ${each}`,
    y3: `Volatility, 10 ${each}`,
    y4: `|z|, 10 ${each}, ${peaks}anomaly above ${view.drawn.threshold}`,
  };
  for (const [panel, words_] of Object.entries(texts)) {
    brush.text(context, words_, shape.left, shape.panels[panel].top - 3, { color: color.muted, baseline: "bottom" });
  }
}

/* ---- under the pointer ---- */

function hover(x, y) {
  pointer = x === null || !shape || x > shape.right ? null : { x, y };
  cross();
  pointed(pointer ? rowAt(pointer.x) : null);
}

/** The time and the price at a position in the chart. */
function at(x, y) {
  return shape && { ms: shape.ms(x), price: shape.panels.y.value(y) };
}

function measured(step, x, y) {
  if (!shape) return;
  if (step === "begin") tape.begin(at(x, y));
  if (step === "end" || step === "over") tape.end(at(x, y));
  if (step === "over") tape.arm(false);
  if (step === "drop") tape.drop();
  cross();
}

/** Keep the pointer on a moment (for the keyboard), even when the picture moves; `null` releases it. */
function hold(moment) {
  pointer = moment === null ? null : { moment };
  cross();
  pointed(pointer && rowOf(pointer));
}

const rowOf = ({ x, moment }) =>
  moment === undefined ? rowAt(x) : Math.min(view.picture.x.length - 1, below(view.picture.x, moment));

/** The row nearest to a position or, if a mark is close to the position, the row of that mark. */
function rowAt(px) {
  const { picture } = view;
  if (!picture?.x.length) return null;
  const near = marksNear(px),
    half = picture.kind === "ticks" ? 0 : picture.width_ms / 2,
    at = near && picture.kind === "ticks" ? near.x : shape.ms(px) - half;
  const i = below(picture.x, at);
  if (i >= picture.x.length) return picture.x.length - 1;
  return i > 0 && at - picture.x[i - 1] < picture.x[i] - at ? i - 1 : i;
}

function marksNear(px) {
  if (!view.picture || view.hidden.has("Anomaly")) return null;
  const found = marksInSight().filter((mark) => Math.abs(mark.px - px) <= NEAR_PX);
  return found.sort((a, b) => Math.abs(a.px - px) - Math.abs(b.px - px))[0] ?? null;
}

/** Lines through the pointer, with the price and the moment on the axes. */
function cross() {
  const there = place();
  if (!there || !shape) return;
  const context = brush.canvasOf(there, "brush-cross");
  if (tape.on() && view.picture) {
    const color = { price: painter()("--price"), paper: painter()("--paper") };
    tape.paint(context, shape.panels.y, view.picture, color);
  }
  if (!pointer) return;
  const paintOf = painter(),
    muted = paintOf("--muted"),
    tag = { color: paintOf("--paper"), paper: muted, pad: 3 },
    row = rowOf(pointer),
    picture = view.picture,
    x =
      row === null
        ? pointer.x
        : Math.min(
            shape.right,
            Math.max(
              shape.left,
              shape.panels.y.x(picture.x[row] + (picture.kind === "ticks" ? 0 : picture.width_ms / 2)),
            ),
          );
  context.beginPath();
  context.moveTo(x, shape.panels.y.top);
  context.lineTo(x, shape.bottom);
  const { y } = shape.panels;
  const at = pointer.y ?? y.y((picture.y.price ?? picture.y.close)[row]),
    inPrices = at >= y.top && at <= y.bottom;
  if (inPrices) {
    context.moveTo(shape.left, at);
    context.lineTo(shape.right, at);
  }
  brush.stroke(context, muted, 1);
  if (inPrices)
    brush.text(context, priceLabel(y.value(at)), shape.right + 6, at, { ...tag, pad: 4, size: 12, bold: true });
  const words_ = words.time(shape.ms(x));
  brush.text(context, words_, Math.max(shape.left + 26, Math.min(shape.right - 26, x)), shape.bottom + 4, {
    ...tag,
    align: "center",
    baseline: "top",
  });
}

/* ---- for other modules ---- */

/** Show a time range that has this moment in its middle. */
function around(moment) {
  const length = view.range ? view.range[1] - view.range[0] : 300_000,
    half = Math.min(150_000, Math.max(15_000, length / 4));
  return [moment - half, moment + half];
}

/** Ring the anomaly at this moment, and show its evidence until Escape. */
function ring(moment) {
  view.ring = moment;
  soon();
}

/** The values at a row, by default the newest tick's. */
function values(row = null) {
  const { picture, drawn } = view;
  if (!picture || !drawn?.symbol) return null;
  const newest = row === null || row >= picture.x.length;
  if (newest && !drawn.period) return ofLast(drawn);
  const i = newest ? picture.x.length - 1 : row;
  if (i < 0) return null;
  const at = (name) => picture.y[name]?.[i] ?? null;
  const between = (name) => (picture.kind === "columns" ? [at(`${name}_low`), at(`${name}_high`)] : at(name));
  const found = picture.marks.x.findIndex((x) =>
    picture.kind === "columns" ? x >= picture.x[i] && x < picture.x[i] + picture.width_ms : x === picture.x[i],
  );
  return {
    newest: i === picture.x.length - 1 && Boolean(drawn.follows || drawn.period),
    wall: picture.x[i],
    price: at("price") ?? at("close"),
    measures: Object.fromEntries(MEASURES.map(({ name }) => [name, between(name)])),
    candle: picture.kind === "ticks" ? null : ["open", "high", "low", "close"].map(at),
    count: picture.kind === "candles" ? picture.x.length : drawn.count,
    volume: at("volume"),
    ticks: at("ticks"),
    evidence: found < 0 ? ringed() : markAt(found),
    isOverNight: (window_) => isOverNight(i, window_),
  };
}

function ringed() {
  const found = view.ring === null ? -1 : view.picture.marks.x.indexOf(view.ring);
  return found < 0 ? null : markAt(found);
}

function ofLast(drawn) {
  const { picture } = view,
    i = picture.x.length - 1,
    isCandle = picture.kind === "candles" && i >= 0,
    at = (name) => picture.y[name]?.[i] ?? null;
  return {
    newest: true,
    wall: drawn.newest_us / 1000 + (last(drawn.offsets)?.[1] ?? 0),
    price: drawn.price,
    measures: isCandle ? Object.fromEntries(MEASURES.map(({ name }) => [name, at(name)])) : drawn.last,
    candle: isCandle ? ["open", "high", "low", "close"].map(at) : null,
    count: isCandle ? picture.x.length : drawn.count,
    volume: isCandle ? at("volume") : drawn.last.volume,
    ticks: null,
    evidence: ringed(),
    isOverNight: (window_) => isOverNight(i, window_),
  };
}

/** The number of visible anomalies. */
function marked() {
  const { picture, range } = view;
  if (!picture || !range) return 0;
  if (picture.kind !== "columns") return picture.marks.x.filter((x) => x >= range[0] && x <= range[1]).length;
  const [from, to] = [below(picture.x, range[0]), below(picture.x, range[1])];
  return picture.y.anomalies.slice(from, to).reduce((sum, count) => sum + count, 0);
}

/** The number of visible ticks. */
function ticksInSight() {
  const { picture, range } = view;
  if (!picture || !range) return 0;
  const [from, to] = [below(picture.x, range[0]), below(picture.x, range[1])];
  return picture.kind === "ticks" ? to - from : picture.y.ticks.slice(from, to).reduce((sum, count) => sum + count, 0);
}

const seenNow = () => view.range?.slice() ?? null;

/** For tests and the console, what is drawn: the picture, the time range, the positions of the panels, their axes, the marks. */
const looks = () => ({
  picture: view.picture,
  range: view.range,
  shape,
  axes: scales,
  marks: view.picture && shape ? marksInSight() : [],
  loading,
  pointer,
  days: view.picture && shape ? sessions() : [],
});

/** The server did not answer: allow the same request again. */
function unanswered() {
  loading = null;
}

export const chart = {
  view,
  on,
  show,
  refined,
  follow,
  again,
  see,
  goLive,
  around,
  ring,
  values,
  marked,
  ticksInSight,
  seenNow,
  looks,
  refine,
  vwap,
  rest,
  hold,
  at,
  over,
  extend,
  cross,
  unanswered,
  refit: () => soon(),
};

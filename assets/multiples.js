/* Small multiples: the prices of several symbols, each in a small chart, on a common time axis. The server sends rows;
   this module decides the layout and the visible time range. */
import { chart } from "./chart.js";
import { crosshair } from "./crosshair.js";
import { frame } from "./frame.js";
import { health } from "./health.js";
import { overlay } from "./overlay.js";
import { plots } from "./plots.js";
import { timeline } from "./timeline.js";
import { watch } from "./watch.js";
import { words } from "./words.js";

const { painter, seen, last, extremes } = frame;
const HEAD_PX = 22,
  GAP_PX = 26,
  FOOT_PX = 42,
  SIDE_PX = 62,
  LEAST_PX = 150,
  MAX_MARKS = 60, // across all charts; the lane above each chart shows how many anomalies there are
  LANE_STEPS = 120;
const series = new Map(); // the charts by symbol
let drawn = null;
let range = null; // the range that the reader zoomed to
let followed = null; // the live range
let cells = []; // the positions of the charts, and their contents
let pointed = null; // the moment under the pointer
let notes = ""; // by symbol, the word (live, stale, …) that its chart shows now

const graph = () => plots.drawing("multiples");
const on = () => document.body.dataset.charts === "several";

/** Show a new drawing of the server: the rows of each symbol, in the order of the charts. */
function show(rows, now) {
  const same =
    drawn &&
    rows &&
    String(drawn.symbols) === String(now.symbols) &&
    drawn.range === now.range &&
    String(drawn.period) === String(now.period);
  drawn = now;
  if (rows) words.know({ offsets: now.offsets });
  series.clear();
  if (!same) range = null;
  followed = null;
  for (const { symbol, ...rest } of rows || []) series.set(symbol, { ...rest, seen: 0 });
  learn(now.multiples);
  draw();
}

/** Store, for each symbol, the time of its newest row and the interval between its ticks. */
function learn(known) {
  for (const each of known) if (series.has(each.symbol)) series.get(each.symbol).known = each;
}

/** Append new rows at the right end of their charts. */
function follow(rows, known) {
  learn(known);
  for (const { symbol, x, y, marks, sources } of rows) {
    const one = series.get(symbol);
    if (!one) continue;
    one.x = one.x.concat(x);
    one.y = one.y.concat(y);
    one.marks = one.marks.concat(marks);
    for (const each of sources) if (each[1] !== last(one.sources)?.[1]) one.sources.push(each);
    one.seen = performance.now();
  }
  draw();
}

/** The live time range of all charts: it ends at their newest tick, and moves in steps. */
function live() {
  const all = [...series.values()].filter(({ x }) => x.length);
  if (!all.length) return [0, 1];
  const now = Math.max(...all.map(({ x }) => last(x))),
    first = Math.min(...all.map(({ x }) => x[0]));
  if (followed && now <= followed[1] && followed[1] - now < 0.3 * (followed[1] - followed[0])) return followed;
  const there = Math.max(now - first, 10_000);
  if (drawn.period) followed = drawn.period.slice();
  else if (drawn.range_ms === null || there < drawn.range_ms) followed = [first - 0.01 * there, first + 1.12 * there];
  else followed = [now - drawn.range_ms, now + 0.05 * drawn.range_ms];
  return followed;
}

/** The lowest and the highest visible price; optionally in percent since the first visible price. */
function extent({ x, y }, sight) {
  const [from, to] = seen(x, sight),
    found = extremes(y, from, to);
  return found[0] > found[1] ? null : { base: y[from], low: found[0], high: found[1] };
}

function draw() {
  const place = document.getElementById("multiples");
  if (!on() || !place || !series.size || !drawn) return;
  const paint = painter(),
    sight = range || live(),
    percent = chart.view.percent;
  const names = [...series.keys()],
    width = place.clientWidth || 800;
  const columns = Math.min(names.length, width < 560 ? 1 : names.length <= 4 ? 2 : 3),
    lines = Math.ceil(names.length / columns);
  const height = Math.max(place.parentElement.clientHeight, lines * LEAST_PX);
  place.style.height = `${height}px`;
  const extents = new Map(names.map((name) => [name, extent(series.get(name), sight)]));
  const shares = [...extents.values()].filter(Boolean).map(({ base, low, high }) => [low / base, high / base]);
  const common = [Math.min(...shares.map(([low]) => low)), Math.max(...shares.map(([, high]) => high))];
  const across = chart.view.overlay ? 1 : columns,
    layout = plain(paint, sight, width / across - SIDE_PX),
    data = [],
    pulses = pulsesOf();
  notes = String(pulses.map(health.note));
  cells = [];
  if (chart.view.overlay) {
    sourced(layout, paint);
    const whole = place.parentElement.clientHeight;
    place.style.height = `${whole}px`;
    cells = [
      {
        ...overlay.draw("multiples", series, sight, layout, paint, {
          width,
          height: whole,
          foot: FOOT_PX,
          bases: new Map(names.map((name) => [name, baseOf(name)])),
          since: since(names),
        }),
        sight,
      },
    ];
    tell(names);
    cross();
    return;
  }
  names.forEach((name, i) => {
    const { x, y, marks } = series.get(name),
      id = i ? i + 1 : "",
      column = i % columns,
      line = Math.floor(i / columns);
    const left = (column * width) / columns + 12,
      right = ((column + 1) * width) / columns - SIDE_PX;
    const cell = (height - FOOT_PX + GAP_PX) / lines,
      top = line * cell + HEAD_PX,
      bottom = (line + 1) * cell - GAP_PX;
    const bottommost = i + columns >= names.length;
    layout[`xaxis${id}`] = {
      ...layout.xaxis,
      anchor: `y${id}`,
      domain: [left / width, right / width],
      matches: i ? "x" : undefined,
      showticklabels: bottommost,
    };
    const axis = {
      anchor: `x${id}`,
      domain: [1 - bottom / height, 1 - top / height],
      side: "right",
      fixedrange: true,
      gridcolor: paint("--grid"),
      zeroline: false,
      tickfont: { color: paint("--muted"), size: 11 },
    };
    layout[`yaxis${id}`] = axis;
    const bounds = extents.get(name),
      pulse = pulses.find(({ symbol }) => symbol === name);
    cells.push({ name, left, right, top, bottom, sight, base: percent && bounds?.base });
    if (bounds) {
      const { base } = bounds,
        [low, high] = percent ? common.map((share) => share * base) : [bounds.low, bounds.high];
      const span = high - low || Math.abs(high) * 0.002;
      frame.scale(axis, low - 0.08 * span, high + 0.08 * span, base, 4);
    } else Object.assign(axis, { range: [0, 1], showticklabels: false, showgrid: false });
    data.push({
      type: "scatter",
      mode: "lines",
      name,
      x,
      y,
      xaxis: `x${id}`,
      yaxis: `y${id}`,
      line: { color: paint("--price"), width: 1.5, shape: "hv" },
      showlegend: false,
      opacity: pulse?.kind === "stale" ? 0.5 : 1,
      hoverinfo: "none",
    });
    const inSight = marks.filter(([at]) => at >= sight[0] && at <= sight[1]);
    const shown = spread(inSight, Math.max(2, Math.floor(MAX_MARKS / names.length)));
    const lane = density(inSight, sight);
    const flags = { type: "scatter", mode: "markers", xaxis: `x${id}`, showlegend: false, hoverinfo: "skip" };
    data.push({
      ...flags,
      name: `${name} anomalies`,
      x: shown.map(([at]) => at),
      y: shown.map(([, price]) => price),
      yaxis: `y${id}`,
      marker: { symbol: "circle-open", size: 7, color: paint("--anomaly"), line: { width: 1.5 } },
    });
    data.push({
      ...flags,
      name: `${name} how many`,
      x: lane.map(([at]) => at),
      y: lane.map(() => axis.range[1]),
      yaxis: `y${id}`,
      marker: {
        symbol: "line-ns-open",
        size: 5,
        color: paint("--anomaly"),
        opacity: lane.map(([, share]) => 0.25 + 0.75 * share),
        line: { width: 2 },
      },
    });
    const price = last(y);
    const note = pulse && health.note(pulse) ? ` · ${health.note(pulse)}` : "";
    const text = x.length
      ? `<b>${name}</b>  ${words.price(price)}  ${changeOf(name) ?? ""}${note}`
      : `<b>${name}</b>  no tick in this range${note}`;
    layout.annotations.push({
      xref: "paper",
      yref: "paper",
      x: left / width,
      y: 1 - top / height,
      xanchor: "left",
      yanchor: "bottom",
      showarrow: false,
      text,
      font: { size: 12, color: paint("--price") },
    });
  });
  sourced(layout, paint);
  plots.draw("multiples", { data, layout });
  tell(names);
  cross();
}

/** At most `most` of the marks, spread over time: the highest and the lowest mark of each of several equal steps. */
function spread(marks, most) {
  if (marks.length <= most) return marks;
  const [first, end] = [marks[0][0], last(marks)[0]],
    steps = new Map();
  for (const mark of marks) {
    const step = Math.floor(((mark[0] - first) / (end - first + 1)) * (most / 2)),
      [low, high] = steps.get(step) ?? [mark, mark];
    steps.set(step, [mark[1] < low[1] ? mark : low, mark[1] > high[1] ? mark : high]);
  }
  return [...new Set([...steps.values()].flat())];
}

/** The density of the marks: the visible range is divided into `LANE_STEPS` parts, and each part with marks gives [its
    middle, its number of marks as a share of the largest number]. */
function density(marks, [from, to]) {
  const wide = (to - from) / LANE_STEPS,
    counts = new Map();
  for (const [at] of marks) {
    const step = Math.min(LANE_STEPS - 1, Math.floor((at - from) / wide));
    counts.set(step, (counts.get(step) ?? 0) + 1);
  }
  const most = Math.max(...counts.values());
  return [...counts].map(([step, count]) => [from + (step + 0.5) * wide, count / most]);
}

function named() {
  const all = [...series.values()];
  return frame.named(
    all.flatMap(({ sources }) => sources),
    all.reduce((sum, { sources_left_out: leftOut = 0 }) => sum + leftOut, 0),
  );
}

/** Write the sources of the ticks into the footer. */
function sourced(layout, paint) {
  layout.annotations.push({
    xref: "paper",
    yref: "paper",
    x: 1,
    y: 0,
    xanchor: "right",
    yanchor: "bottom",
    showarrow: false,
    text: `${named()} · ${words.longZone()}`,
    font: { size: 10, color: paint("--muted") },
  });
}

function pulsesOf() {
  if (!health.heard.state || health.heard.state.down) return [];
  const all = [...series.entries()].filter(([, { known, x }]) => known && x.length);
  const quickest = Math.min(...all.map(([, { known }]) => known.gap_s || 0));
  return all.map(([symbol, { known, seen }]) => health.pulse({ ...known, symbol }, seen, quickest));
}

/** Whether any chart has data. */
const any = () => on() && [...series.values()].some(({ x }) => x.length);

/** The symbol whose tick is newest among the charts; none if they are empty. */
const youngest = () => (on() ? pulsesOf().sort((a, b) => (a.age ?? Infinity) - (b.age ?? Infinity))[0] : null);

/** Once per second: write the advice about silent symbols above the charts, and the word of each chart; return the
    advice. */
function advise(quiet) {
  const pulses = on() && !quiet ? pulsesOf() : [],
    advice = health.advise(pulses);
  health.write("advice-several", advice);
  if (on() && !quiet && String(pulses.map(health.note)) !== notes) draw();
  return advice;
}

/** The line through all charts at the moment under the pointer; the price is that of the last tick before it. */
function cross() {
  const place = document.getElementById("multiples");
  if (pointed === null || !cells.length || pointed < cells[0].sight[0] || pointed > cells[0].sight[1]) {
    crosshair.hide(place);
    return;
  }
  crosshair.show(
    place,
    cells.map(({ name, base, at: text, sight: [from, to], ...box }) => {
      const x_ = box.left + ((pointed - from) / (to - from)) * (box.right - box.left);
      if (text) return { ...box, x: x_, text: text(pointed) };
      const { x, y } = series.get(name),
        at = frame.below(x, pointed + 1) - 1;
      const price = at < 0 ? words.NONE : base ? frame.signed(100 * (y[at] / base - 1)) : words.price(y[at]);
      return {
        ...box,
        x: x_,
        text: at < 0 ? price : `${words.time(x[at])} · ${price}`,
      };
    }),
  );
}

function point(event) {
  const under = event?.points?.find(({ data }) => data.mode === "lines");
  pointed = under ? under.data.x[under.pointNumber] : null;
  cross();
}

/* The time axis is linear: a date axis of Plotly would show a number of milliseconds in the browser's own zone. */
function plain(paint, sight, px) {
  return {
    paper_bgcolor: paint("--paper"),
    plot_bgcolor: paint("--paper"),
    font: { family: "system-ui, sans-serif", color: paint("--muted"), size: 11 },
    margin: { l: 0, r: 0, t: 0, b: 0 },
    showlegend: false,
    hovermode: "x",
    hoverdistance: -1,
    dragmode: "pan",
    separators: ".,",
    annotations: [],
    xaxis: {
      type: "linear",
      autorange: false,
      gridcolor: paint("--grid"),
      linecolor: paint("--line"),
      zeroline: false,
      showspikes: true,
      spikemode: "across",
      spikesnap: "hovered data",
      spikethickness: 1,
      spikedash: "solid",
      spikecolor: paint("--muted"),
      range: sight.slice(),
      tickmode: "array",
      ...timeline.ticks(sight, px, false),
    },
  };
}

/** A symbol's change as text: the change in the watch list. */
function changeOf(name) {
  const row = watch.rows.get(name);
  return row && words.change(row.change);
}

/** The price since which a symbol's change counts: that of the watch list or, while it is unknown, the first price. */
function baseOf(name) {
  const row = watch.rows.get(name);
  return typeof row?.change === "number" ? row.price / (1 + row.change / 100) : series.get(name).y[0];
}

/** The start from which changes count, in words. */
function since(names) {
  if (drawn.period) return "since the start of the period";
  const closes = names.filter((name) => watch.rows.get(name)?.since === "close").length;
  if (closes === names.length) return "since the previous close";
  return closes ? "since the previous close or, without one, the start of the range" : "since the start of the range";
}

/** The charts in words, for screen readers. */
function tell(names) {
  const parts = names.map((name) => {
    const { x, y } = series.get(name);
    return x.length
      ? `${name} last price ${words.price(last(y))}, change ${changeOf(name) ?? "unknown"}`
      : `${name} no tick`;
  });
  const place = document.getElementById("multiples-summary");
  if (place) place.textContent = `Small charts, ${words.stretch(drawn)}: ${parts.join("; ")}.`;
}

/** Called when the reader has moved the charts. */
function moved(change) {
  if (!Object.keys(change).some((key) => /^xaxis\d*\.range/.test(key))) return;
  range = graph().layout.xaxis.range.slice();
  draw();
}

function goLive() {
  range = null;
  followed = null;
}

const seenNow = () => range || followed;

/** The visible rows, with a row of headings in front. */
function rowsInSight() {
  const sight = seenNow();
  if (!sight) return null;
  const lines = [["time_utc", "symbol", "price", "source"]];
  for (const [symbol, { x, y, sources }] of series) {
    x.forEach((at, i) => {
      if (at >= sight[0] && at <= sight[1])
        lines.push([words.iso(words.utc(at, drawn.offsets)), symbol, y[i], frame.sourceAt(sources, at)]);
    });
  }
  return lines;
}

/** The content of the table: the change of each symbol in the visible range. */
function tableInSight() {
  const sight = seenNow() ?? live(),
    names = [...series.keys()];
  const row = (i) => {
    const { x, y } = series.get(names[i]),
      [from, to] = [frame.below(x, sight[0]), frame.below(x, sight[1])],
      [low, high] = extremes(y, from, to);
    if (from === to) return [names[i], ...Array(5).fill(words.NONE)];
    const change = words.change(100 * (y[to - 1] / y[from] - 1));
    return [names[i], ...[y[from], high, low, y[to - 1]].map(words.price), change];
  };
  return { head: ["Symbol", "First", "High", "Low", "Last", "Change"], count: names.length, row };
}

plots.on("multiples", { moved, resized: draw, hovered: point, left: () => point(null) });

export const multiples = {
  show,
  follow,
  draw,
  advise,
  any,
  youngest,
  goLive,
  seenNow,
  rowsInSight,
  tableInSight,
  zoomed: () => range !== null,
  looks: () => ({ cells, series }),
};

/* Draws several symbols in one chart: each as a line, with a label, in percent since a common start. */
import { frame } from "./frame.js";
import { plots } from "./plots.js";
import { words } from "./words.js";

const COLORS = 6;
const DASHES = ["solid", "dash"];
const APART_PX = 15;

/**
 * The first visible moment at which every symbol with prices has had at least one, and each symbol's price at that
 * moment.
 */
function start(series, sight) {
  const firsts = [...series.values()]
    .map(({ x }) => (x.length ? Math.max(sight[0], x[0]) : null))
    .filter((at) => at !== null && at <= sight[1]);
  const at = firsts.length ? Math.max(...firsts) : sight[0],
    bases = new Map();
  for (const [name, { x, y }] of series) {
    const i = frame.below(x, at + 0.01) - 1;
    if (i >= 0) bases.set(name, y[i]);
  }
  return { at, bases };
}

/** Percent since the start, beginning at the start. */
function percents({ x, y }, { at, bases }, name) {
  const base = bases.get(name),
    from = Math.max(0, frame.below(x, at + 0.01) - 1);
  if (base === undefined) return { x: [], y: [] };
  return { x: [at, ...x.slice(from + 1)], y: [0, ...y.slice(from + 1).map((price) => 100 * (price / base - 1))] };
}

/** Draw the lines; return the area of the chart, for the crosshair. */
function draw(id, series, sight, layout, paint, { width, height, foot }) {
  const common = start(series, sight),
    names = [...series.keys()],
    lines = names.map((name) => percents(series.get(name), common, name));
  const extent = [0, 0];
  for (const { x, y } of lines) frame.extremes(y, ...frame.seen(x, sight), extent);
  const room = 0.08 * (extent[1] - extent[0] || 1),
    box = { left: 12, right: width - 166, top: 10, bottom: height - foot },
    [low, high] = [extent[0] - room, extent[1] + room],
    px = (value) => box.bottom - ((value - low) / (high - low)) * (box.bottom - box.top);
  Object.assign(layout.xaxis, { anchor: "y", domain: [box.left / width, box.right / width] });
  layout.yaxis = {
    anchor: "x",
    domain: [1 - box.bottom / height, 1 - box.top / height],
    side: "right",
    fixedrange: true,
    range: [low, high],
    nticks: 7,
    ticksuffix: " %",
    gridcolor: paint("--grid"),
    zerolinecolor: paint("--line"),
    tickfont: { color: paint("--muted"), size: 11 },
  };
  const ends = [];
  const data = names.map((name, i) => {
    const { x, y } = lines[i],
      color = paint(`--s${(i % COLORS) + 1}`),
      in_ = frame.below(x, sight[1] + 1) - 1;
    if (in_ >= 0) ends.push({ name, color, value: y[in_], y: px(y[in_]) });
    const line = { color, width: 1.75, dash: DASHES[Math.floor(i / COLORS) % 2], shape: "hv" };
    return { type: "scatter", mode: "lines", name, x, y, line, hoverinfo: "none", showlegend: false };
  });
  ends.sort((a, b) => a.y - b.y);
  ends.forEach((end, i) => {
    if (i) end.y = Math.max(end.y, ends[i - 1].y + APART_PX);
  });
  layout.annotations.push(
    ...ends.map(({ name, color, value, y }) => ({
      xref: "paper",
      yref: "paper",
      x: (box.right + 42) / width,
      y: 1 - y / height,
      xanchor: "left",
      yanchor: "middle",
      showarrow: false,
      text: `<b>${name}</b> ${frame.signed(value)}`,
      font: { size: 11, color },
    })),
  );
  plots.draw(id, { data, layout });
  const at = (moment) =>
    names
      .map((name, i) => [name, lines[i], frame.below(lines[i].x, moment + 1) - 1])
      .filter(([, , row]) => row >= 0)
      .map(([name, { y }, row]) => `${name} ${frame.signed(y[row])}`);
  return { ...box, at: (moment) => `${words.time(moment)} · ${at(moment).join(" · ")}`, common, lines };
}

export const overlay = { draw, start, percents };

/* Draws several symbols in one chart: each as a line, with a label, in percent since the moment from which the watch
   list counts. */
import { frame } from "./frame.js";
import { plots } from "./plots.js";
import { words } from "./words.js";

const COLORS = 6;
const DASHES = ["solid", "dash"];
const APART_PX = 15;

/** Draw the lines, each in percent since its price in `bases`, which `since` names; return the area of the chart, for the
    crosshair. */
function draw(id, series, sight, layout, paint, { width, height, foot, bases, since }) {
  const names = [...series.keys()],
    lines = names.map((name) => {
      const { x, y } = series.get(name);
      return { x, y: y.map((price) => 100 * (price / bases.get(name) - 1)) };
    });
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
  layout.annotations.push({
    xref: "paper",
    yref: "paper",
    x: box.left / width,
    y: 1 - box.top / height,
    xanchor: "left",
    yanchor: "top",
    showarrow: false,
    text: `in percent ${since}`,
    font: { size: 11, color: paint("--muted") },
  });
  plots.draw(id, { data, layout });
  const at = (moment) =>
    names
      .map((name, i) => [name, lines[i], frame.below(lines[i].x, moment + 1) - 1])
      .filter(([, , row]) => row >= 0)
      .map(([name, { y }, row]) => `${name} ${frame.signed(y[row])}`);
  return { ...box, at: (moment) => `${words.time(moment)} · ${at(moment).join(" · ")}`, bases, lines };
}

export const overlay = { draw };

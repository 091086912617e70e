/* The grid and the labels of a chart's axes, painted on its canvas. Plotly draws only the frame: when a label or a range
   changes it draws all axes again, which takes about 40 ms of the main thread, and 26 without any label. Painting them
   takes less than 1 ms. */
import { brush } from "./brush.js";

const FONT_PX = 11,
  LABEL_PX = 1, // between the picture and its labels
  BELOW_EM = 1.2, // from there to the baseline of a time
  LINE_EM = 1.3;

/** Whether a position lies inside a panel's bounds, which may be rounded. */
const within = (px, from, to) => px > from - 0.1 && px < to + 0.1;

/** Paint the grid of each panel in `shape`. `axes` has `tickvals` and `ticktext` by name: `xaxis`, `yaxis`, `yaxis2`, … */
function grid(context, shape, axes, color) {
  context.fillStyle = color;
  const hair = (x, y, width, height) => context.fillRect(Math.floor(x), Math.floor(y), width, height);
  for (const [name, panel] of Object.entries(shape.panels)) {
    const top = Math.round(panel.top),
      height = Math.round(panel.bottom) - top;
    for (const at of axes.xaxis.tickvals) {
      const x = panel.x(at);
      if (x > panel.left + 1 && x < panel.right - 1) hair(x, top, 1, height);
    }
    for (const value of axes[`yaxis${name.slice(1)}`].tickvals) {
      const y = panel.y(value);
      if (y > panel.top + 1 && y < panel.bottom - 1) hair(panel.left, y, panel.right - panel.left, 1);
    }
  }
}

/** Paint the labels: those of the prices on the right, those of the time below the lowest panel, as far as they fit
    into `width`. */
function labels(context, shape, axes, width, color) {
  const size = FONT_PX * brush.em();
  context.font = `${size}px system-ui, sans-serif`;
  context.fillStyle = color;
  context.textBaseline = "alphabetic";
  context.textAlign = "left";
  for (const [name, panel] of Object.entries(shape.panels)) {
    const { tickvals, ticktext } = axes[`yaxis${name.slice(1)}`];
    tickvals.forEach((value, i) => {
      const y = panel.y(value);
      if (within(y, panel.top, panel.bottom)) context.fillText(ticktext[i], shape.right + LABEL_PX, y + 0.35 * size);
    });
  }
  context.textAlign = "center";
  const { tickvals, ticktext } = axes.xaxis;
  tickvals.forEach((at, i) => {
    const x = shape.panels.y.x(at),
      lines = ticktext[i].split("<br>"),
      half = Math.max(...lines.map((text) => context.measureText(text).width)) / 2;
    if (!within(x, shape.left, shape.right) || x < half || x > width - half) return;
    const y = shape.bottom + LABEL_PX + BELOW_EM * size;
    lines.forEach((text, line) => context.fillText(text, x, y + line * LINE_EM * size));
  });
}

export const axes = { grid, labels };

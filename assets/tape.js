/* Measures between two points of the chart: by a drag with Shift, by a drag after the button Measure, or by keys. */
import { brush } from "./brush.js";
import { frame } from "./frame.js";
import { words } from "./words.js";

let from = null; // the two ends, `from` and `to`, each as { ms, price }
let to = null;
let armed = false; // whether the next drag measures

const element = () => document.getElementById("measure");

function arm(whether) {
  armed = whether;
  element()?.setAttribute("aria-pressed", String(armed));
}

function begin(point) {
  from = to = point;
}

function end(point) {
  to = point;
}

function drop() {
  from = to = null;
}

/** The values between two points: the difference of the prices, the time, and the volume traded. */
function between(picture, one, other) {
  const [first, last] = [Math.min(one.ms, other.ms), Math.max(one.ms, other.ms)],
    [begin, stop] = [frame.below(picture.x, first), frame.below(picture.x, last + 1)],
    volumes = picture.y.volume.slice(begin, stop),
    ticks = picture.kind === "ticks" ? stop - begin : picture.y.ticks.slice(begin, stop).reduce((a, b) => a + b, 0);
  return {
    delta: other.price - one.price,
    percent: 100 * (other.price / one.price - 1),
    ms: last - first,
    volume: volumes.reduce((sum, each) => sum + each, 0),
    ticks,
  };
}

/** The measured values in words, or null. */
function said(picture) {
  if (!from || !picture) return null;
  const { delta, percent, ms, volume, ticks } = between(picture, from, to),
    places = words.digits(to.price),
    sign = delta < 0 ? "−" : "+",
    time = ms < 10_000 ? `${words.fixed(ms / 1000, 2)} s` : words.long(ms / 1000);
  return [
    `Δ ${sign}${words.fixed(Math.abs(delta), places)} (${frame.signed(percent)})`,
    time,
    `volume ${words.volume(volume)} in ${words.fixed(ticks, 0)} ticks`,
  ];
}

function paint(context, panel, picture, color) {
  if (!from) return;
  const [x0, x1, y0, y1] = [panel.x(from.ms), panel.x(to.ms), panel.y(from.price), panel.y(to.price)];
  brush.within(context, panel, () => {
    context.globalAlpha = 0.1;
    context.fillStyle = color.price;
    context.fillRect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
    context.globalAlpha = 1;
    context.beginPath();
    context.rect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
    brush.stroke(context, color.price, 1);
  });
  const above = Math.min(y0, y1) - 10 - 3 * 16 > panel.top,
    middle = Math.max(panel.left + 90, Math.min(panel.right - 90, (x0 + x1) / 2));
  said(picture).forEach((text, i) => {
    const y = above ? Math.min(y0, y1) - 10 - (2 - i) * 17 * brush.em() : Math.max(y0, y1) + 12 + i * 17 * brush.em();
    brush.text(context, text, middle, y, { color: color.paper, paper: color.price, align: "center", size: 12, pad: 3 });
  });
}

document.addEventListener("click", (event) => event.target.closest?.("#measure") && arm(!armed));

export const tape = { arm, armed: () => armed, begin, end, drop, between, said, paint, on: () => from !== null };

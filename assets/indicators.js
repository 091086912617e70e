/* Indicators that the reader chooses from a menu: the server computes them from candles, and they are drawn over the
   prices or in separate panels. */
import { brush } from "./brush.js";
import { chart } from "./chart.js";
import { facts } from "./facts.js";
import { frame } from "./frame.js";
import { options } from "./options.js";
import { words } from "./words.js";

const setProps = (id, props) => window.dash_clientside.set_props(id, props);
const KNOWN = facts.indicators; // the indicators by name, each with label, length, panel and lines
const AGAIN_MS = 2_000; // the shortest time between two requests that new ticks cause
const WAIT_MS = 150;
const PANEL_HEIGHT = 13;
const COLORS = ["--s2", "--s3", "--s5", "--s6", "--s4"];
let found = null; // the server's last answer
let asked = { key: "", at: 0, newest: 0 };
let waiting = null;
let later = null;

const chosen = () => options.state.indicators ?? [];
const parts = (name) => {
  const [kind, length] = name.split(".");
  return { name, kind, ...KNOWN[kind], length: Number(length) || KNOWN[kind].length };
};
const label = ({ label: text, length }) => (length ? `${text}${length}` : text);

/** Request the indicators that the chart needs but does not have. */
function want() {
  const { drawn, range } = chart.view,
    names = chosen();
  if (!names.length || !drawn?.symbol || !range) return;
  const now = performance.now(),
    span = range[1] - range[0],
    covered = found?.symbol === drawn.symbol && found.covers[0] <= range[0] && found.covers[1] >= range[1],
    fits = found && found.asked.names === String(names) && found.asked.candles === drawn.candles,
    near = found && span > found.asked.span / 1.9 && span < found.asked.span * 1.9,
    fresh = asked.newest === drawn.newest_us || range[1] < words.wall(asked.newest / 1000, drawn.offsets);
  if (covered && fits && near && fresh) return;
  if (covered && fits && near && now - asked.at < AGAIN_MS) {
    clearTimeout(later);
    later = setTimeout(chart.refit, AGAIN_MS);
    return;
  }
  const key = `${drawn.symbol} ${names} ${drawn.candles} ${range.map(Math.round)} ${drawn.newest_us}`;
  if (key === asked.key) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    asked = { key, at: now, newest: drawn.newest_us, names: String(names), candles: drawn.candles, span };
    const data = { symbol: drawn.symbol, sight: range.slice(), candles: drawn.candles, names, n: now };
    setProps("indicate", { data });
  }, WAIT_MS);
}

/** Store the server's answer, and draw it. */
function take(answer) {
  if (!answer?.lines || answer.n !== asked.at) return;
  found = { ...answer, asked };
  // A candle's value is known at its end, and a drawn candle is centred on its middle.
  const half = chart.view.picture?.kind === "candles" ? answer.width_ms / 2 : answer.width_ms;
  found.at = Array.from(answer.x, (ms) => ms + half);
  chart.refit();
}

const shown = () =>
  found && found.symbol === chart.view.drawn?.symbol ? chosen().filter((one) => found.lines[one]) : [];
const seen = (range) => frame.seen(found.at, range);

/** The range of values of the indicators that are drawn over the prices. */
function extent(range) {
  const bounds = [Infinity, -Infinity];
  for (const name of shown()) {
    if (parts(name).panel !== "y") continue;
    for (const values of Object.values(found.lines[name])) frame.extremes(values, ...seen(range), bounds);
  }
  return bounds;
}

/** The panels of indicators, below the other panels, in the order in which they were chosen. */
function panels() {
  return chosen()
    .map(parts)
    .filter(({ panel }) => panel !== "y")
    .map((one, i) => ({ ...one, panel: `y${5 + i}`, height: PANEL_HEIGHT, axis: (range) => axis(one, range) }));
}

function axis(one, range) {
  if (one.kind === "rsi") return { range: [0, 100], tickvals: [30, 50, 70], ticktext: ["30", "50", "70"] };
  const bounds = [Infinity, -Infinity],
    lines = found?.lines[one.name];
  if (lines && shown().length)
    for (const values of Object.values(lines)) frame.extremes(values, ...seen(range), bounds);
  let [low, high] = bounds[0] > bounds[1] ? [0, 1] : bounds;
  if (one.kind === "macd") high = Math.max(Math.abs(low), Math.abs(high), 1e-12);
  low = one.kind === "macd" ? -high : 0;
  const tickvals = one.kind === "macd" ? [low, 0, high] : [0, high / 2, high];
  return {
    range: [low * 1.1, high * 1.1 || 1],
    tickvals,
    ticktext: tickvals.map((at) => (at ? words.label(at, high / 2) : "0")),
  };
}

function paint(context, shape, color, _label, paintOf) {
  want();
  const range = chart.view.range,
    rows = new Map(panels().map((one) => [one.name, shape.panels[one.panel]]));
  let n = 0;
  for (const name of shown()) {
    const one = parts(name),
      panel = one.panel === "y" ? shape.panels.y : rows.get(name),
      lines = found.lines[name],
      tone = paintOf(COLORS[n++ % COLORS.length]);
    if (!panel) continue;
    brush.within(context, panel, () => {
      if (one.kind === "rsi") ground(context, panel, [30, 70], color);
      if (one.kind === "macd") {
        ground(context, panel, [0], color);
        bars(context, panel, lines.histogram, seen(range), color);
      }
      for (const [line, values] of Object.entries(lines)) {
        if (line === "histogram") continue;
        const dash = line === "line" ? "solid" : "4px,3px";
        brush.line(context, panel, found.at, values, seen(range), { color: tone, width: 1.4, dash });
      }
    });
    if (one.panel !== "y") {
      const title = `${label(one)}, candles of ${words.span(found.width_ms / 1000)}`;
      brush.text(context, title, shape.left, panel.top - 3, { color: color.muted, baseline: "bottom" });
    }
  }
  legend(context, shape, color, paintOf);
}

/** Names and values of the indicators over the prices, at the foot of the panel. */
function legend(context, shape, color, paintOf) {
  let x = shape.left + 4,
    n = 0;
  for (const name of shown()) {
    const one = parts(name),
      tone = paintOf(COLORS[n++ % COLORS.length]);
    if (one.panel !== "y") continue;
    const values = found.lines[name].line,
      at = Math.min(values.length - 1, frame.below(found.at, chart.view.range[1]) - 1),
      text = `${label(one)} ${at >= 0 && values[at] !== null ? words.price(values[at]) : words.NONE}`;
    brush.text(context, text, x, shape.panels.y.bottom - 10, { color: tone, paper: color.paper, bold: true });
    x += context.measureText(text).width + 14;
  }
}

function ground(context, panel, levels, color) {
  context.beginPath();
  for (const level of levels) {
    context.moveTo(panel.left, panel.y(level));
    context.lineTo(panel.right, panel.y(level));
  }
  brush.stroke(context, color.muted, 1, "3px,3px");
}

function bars(context, panel, values, [from, to], color) {
  const wide = Math.max(1, 0.6 * (panel.x(found.at[0] + found.width_ms) - panel.x(found.at[0])));
  for (let i = from; i < to; i++) {
    if (values[i] === null) continue;
    const top = panel.y(Math.max(0, values[i])),
      bottom = panel.y(Math.min(0, values[i]));
    context.fillStyle = values[i] < 0 ? color.down : color.up;
    context.globalAlpha = 0.55;
    context.fillRect(panel.x(found.at[i]) - wide / 2, top, wide, Math.max(1, bottom - top));
    context.globalAlpha = 1;
  }
}

/* ---- the menu ---- */

const dialog = () => document.getElementById("indicators");

function build() {
  const list = document.createElement("div");
  list.className = "indicator-list";
  list.innerHTML = Object.entries(KNOWN)
    .map(
      ([name, { label: text, length }]) =>
        `<label class="indicator"><input type="checkbox" value="${name}"> ${text}</label>${
          length
            ? `<input type="number" min="2" max="${facts.max_indicator_length}" value="${length}" data-of="${name}" aria-label="Candles of ${text}">`
            : "<span></span>"
        }`,
    )
    .join("");
  list.onchange = choose;
  dialog().innerHTML = `<h2 class="heading">Indicators</h2><div class="place"></div><p class="level-hint">They are computed over candles: of the chosen width, or of one that fits.</p><div class="period-buttons"><button type="button" class="plain">Close</button></div>`;
  dialog().querySelector(".place").replaceWith(list);
  dialog().querySelector(".plain").onclick = () => dialog().close();
}

function choose() {
  const names = [...dialog().querySelectorAll("input[type=checkbox]:checked")].map(({ value }) => {
    const input = dialog().querySelector(`[data-of="${value}"]`),
      length = Math.min(facts.max_indicator_length, Math.max(2, Math.round(Number(input?.value)) || 0));
    return input && length !== KNOWN[value].length ? `${value}.${length}` : value;
  });
  options.set({ indicators: names.length ? names : null });
}

document.addEventListener("click", (event) => {
  if (event.target.id === "indicators") event.target.close();
  if (!event.target.closest?.("#show-indicators")) return;
  if (!dialog().childElementCount) build();
  const now = chosen().map(parts);
  for (const box of dialog().querySelectorAll("input[type=checkbox]")) {
    const one = now.find(({ kind }) => kind === box.value),
      input = dialog().querySelector(`[data-of="${box.value}"]`);
    box.checked = Boolean(one);
    if (input) input.value = one?.length ?? KNOWN[box.value].length;
  }
  dialog().showModal();
});

chart.over(paint);
chart.extend({ panels, extent });

export const indicators = { take, looks: () => found };

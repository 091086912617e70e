/* The chart as a picture to keep or to print, with text that says what it shows, for which period, from which sources,
   and when it was made. */
import { brush } from "./brush.js";
import { chart } from "./chart.js";
import { download } from "./download.js";
import { frame } from "./frame.js";
import { multiples } from "./multiples.js";
import { plots } from "./plots.js";
import { theme } from "./theme.js";
import { words } from "./words.js";

const SHARPNESS = 2; // device pixels per CSS px
const PAPER = { width: 1040, height: 700, texts: 120 }; // A4 in landscape without margins, in px; `texts`: the height of the texts
const FONT = "system-ui, sans-serif";

const several = () => document.body.dataset.charts === "several";
const element = (id) => document.getElementById(id);

/** What the chart shows: a title, and a line with the period, the sources and the time of the export. */
function about(now = Date.now()) {
  const { drawn, range: sight, picture } = chart.view,
    series = several() ? multiples.looks().series : null,
    names = series ? [...series.keys()] : [drawn?.symbol],
    range = series ? multiples.seenNow() : sight,
    shown = series ? [...series.values()] : [picture],
    sources = shown.flatMap((each) => each?.sources ?? []),
    leftOut = shown.reduce((sum, each) => sum + (each?.sources_left_out ?? 0), 0);
  if (!range || !shown[0] || !names[0]) return null;
  const change = series ? "" : `  ${element("headline-price").textContent}  ${element("headline-change").textContent}`;
  return {
    title: `${names.join(", ")}${change}`,
    line: [
      words.period(range),
      drawn?.period ? "" : `range ${drawn?.range}`,
      `source ${frame.named(sources, leftOut)}`,
      `exported ${words.universal(now)}`,
    ]
      .filter(Boolean)
      .join(" · "),
    file: `${names.length > 3 ? "compare" : names.join("-")}-${words.iso(range[0]).slice(0, 16).replace("T", "-").replace(":", "")}.png`,
  };
}

/** Break text into lines of at most `most` px. */
function lines(context, text, most) {
  const found = [""];
  for (const word of text.split(" ")) {
    const longer = found.at(-1) ? `${found.at(-1)} ${word}` : word;
    if (context.measureText(longer).width <= most || !found.at(-1)) found[found.length - 1] = longer;
    else found.push(word);
  }
  return found;
}

function loaded(address) {
  const image = new Image();
  image.src = address;
  return image.decode().then(() => image);
}

/** The chart's canvas, painted with more pixels; after that the canvas on the screen is painted again. */
function painted() {
  const copy = document.createElement("canvas");
  brush.sharply(SHARPNESS, () => {
    chart.again();
    const canvas = document.querySelector("#chart .brush-data");
    Object.assign(copy, { width: canvas.width, height: canvas.height });
    copy.getContext("2d").drawImage(canvas, 0, 0);
  });
  chart.again();
  return copy;
}

/** A canvas with the text, and the chart below it. */
async function drawn(now) {
  const told = about(now),
    id = several() ? "multiples" : "chart",
    gd = plots.drawing(id);
  if (!told || !gd) return null;
  const { width, height } = gd._fullLayout,
    paint = frame.painter(),
    canvas = document.createElement("canvas"),
    context = canvas.getContext("2d"),
    small = `12px ${FONT}`,
    large = `600 16px ${FONT}`,
    side = 12;
  context.font = large;
  const titles = lines(context, told.title, width - 2 * side);
  context.font = small;
  const rest = lines(context, told.line, width - 2 * side),
    top = 10 + 22 * titles.length + 17 * rest.length + 8;
  canvas.width = width * SHARPNESS;
  canvas.height = (top + height) * SHARPNESS;
  context.scale(SHARPNESS, SHARPNESS);
  context.fillStyle = paint("--paper");
  context.fillRect(0, 0, width, top + height);
  let y = 10;
  const write = (text, font, color, step) => {
    Object.assign(context, { font, fillStyle: paint(color), textBaseline: "top" });
    context.fillText(text, side, y);
    y += step;
  };
  for (const text of titles) write(text, large, "--price", 22);
  for (const text of rest) write(text, small, "--muted", 17);
  const layer = id === "chart" ? painted() : null,
    axes = await loaded(await window.Plotly.toImage(gd, { format: "png", width, height, scale: SHARPNESS }));
  context.drawImage(axes, 0, top, width, height);
  if (layer) context.drawImage(layer, 0, top, width, height);
  return { canvas, file: told.file };
}

async function save() {
  const found = await drawn(Date.now());
  if (found) download(found.file, await new Promise((done) => found.canvas.toBlob(done, "image/png")));
}

/* Printing: the chart keeps its size on the screen, is scaled to the paper, and has light colours. */
let printing = false;

function begin() {
  const figure = [...document.querySelectorAll(".figure")].find((each) => each.offsetParent);
  if (printing || !figure) return;
  printing = true;
  const { offsetWidth: width, offsetHeight: height } = figure,
    told = about();
  element("caption").textContent = told ? `${told.title.split("  ")[0]} · ${told.line}` : "";
  const put = (name, value) => document.body.style.setProperty(name, value);
  put("--print-width", `${width}px`);
  put("--print-height", `${height}px`);
  put("--print-zoom", Math.min(1, PAPER.width / width, PAPER.height / (height + PAPER.texts)));
  theme.set("light");
  chart.again();
  multiples.draw();
}

function end() {
  if (!printing) return;
  printing = false;
  for (const name of ["--print-width", "--print-height", "--print-zoom"]) document.body.style.removeProperty(name);
  theme.set(theme.saved());
  chart.again();
  multiples.draw();
}

window.addEventListener("beforeprint", begin);
window.addEventListener("afterprint", end);
document.addEventListener("click", (event) => {
  if (event.target.closest?.("#png")) save();
});

export const picture = { about, drawn };

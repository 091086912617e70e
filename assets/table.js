/* The visible part of the chart as a table in a dialog, one page at a time. */
import { chart } from "./chart.js";
import { facts } from "./facts.js";
import { frame } from "./frame.js";
import { multiples } from "./multiples.js";
import { words } from "./words.js";

const PAGE = 100;
const MEASURES = facts.chart.fields.filter(({ trace, name }) => trace !== null && name !== "price");
let first = 0;
let shown = null;

const dialog = () => document.getElementById("table");

/** The headings, and a row of cells, as text, for each visible tick, column or candle. */
function inSight() {
  if (document.body.dataset.charts === "several") return { title: "Prices in sight", ...multiples.tableInSight() };
  const { picture, range, drawn } = chart.view;
  if (!picture || !range) return null;
  const [from, to] = [frame.below(picture.x, range[0]), frame.below(picture.x, range[1])],
    ticks = picture.kind === "ticks",
    marked = new Set(picture.marks.x),
    head = ticks
      ? [
          "Time",
          "Price",
          "Volume",
          ...MEASURES.filter(({ name }) => name !== "volume").map(({ label }) => label),
          "Anomaly",
        ]
      : ["From", "Open", "High", "Low", "Close", "Volume", "Ticks", "Anomalies"];
  const row = (i) => {
    const { y } = picture;
    if (!ticks)
      return [
        words.time(picture.x[i]),
        ...["open", "high", "low", "close"].map((name) => words.price(y[name][i])),
        words.fixed(y.volume[i], 0),
        words.fixed(y.ticks[i], 0),
        y.anomalies ? words.fixed(y.anomalies[i], 0) : marked.has(picture.x[i]) ? "yes" : "",
      ];
    const places = words.digits(y.price[i]);
    return [
      words.time(picture.x[i]),
      words.fixed(y.price[i], places),
      words.fixed(y.volume[i], 0),
      ...MEASURES.filter(({ name }) => name !== "volume").map((field) =>
        words.fixed(y[field.name]?.[i], field.unit === "price" ? places + field.digits : field.digits),
      ),
      marked.has(picture.x[i]) ? "yes" : "",
    ];
  };
  return { title: `${drawn.symbol}, ${words.period(range)}`, head, count: to - from, row: (i) => row(from + i) };
}

function make(tag, text, more = {}) {
  return Object.assign(document.createElement(tag), { textContent: text }, more);
}

function open() {
  shown = inSight();
  if (!shown) return;
  first = 0;
  fill();
  dialog().showModal();
}

function fill() {
  const last = Math.min(shown.count, first + PAGE),
    table = document.createElement("table"),
    head = document.createElement("tr"),
    place = make("div", "", { className: "table-scroll", tabIndex: 0 });
  table.append(
    make("caption", `${shown.title}: rows ${shown.count ? first + 1 : 0} to ${last} of ${words.fixed(shown.count, 0)}`),
  );
  head.append(...shown.head.map((text) => make("th", text, { scope: "col" })));
  table.append(head);
  for (let i = first; i < last; i++) {
    const [name, ...values] = shown.row(i),
      line = document.createElement("tr");
    line.append(make("th", name, { scope: "row" }), ...values.map((text) => make("td", text)));
    table.append(line);
  }
  place.setAttribute("role", "region");
  place.setAttribute("aria-label", "Table of what is in sight");
  place.append(table);
  const buttons = make("div", "", { className: "period-buttons" });
  const turn = (text, to, off) =>
    make("button", text, {
      type: "button",
      className: "plain",
      disabled: off,
      onclick: () => {
        first = to;
        fill();
      },
    });
  buttons.append(
    turn("Earlier", Math.max(0, first - PAGE), first === 0),
    turn("Later", first + PAGE, last >= shown.count),
    make("button", "Close", { type: "button", className: "plain", onclick: () => dialog().close() }),
  );
  dialog().replaceChildren(place, buttons);
  place.focus();
}

document.addEventListener("click", (event) => {
  if (event.target.closest?.("#show-table")) open();
  if (event.target.id === "table") event.target.close(); // a click outside the dialog
});

export const table = { open };

/* The keyboard, full screen, and CSV. */
import { chart } from "./chart.js";
import { csv } from "./csv.js";
import { download } from "./download.js";
import { facts } from "./facts.js";
import { grid } from "./grid.js";
import { multiples } from "./multiples.js";
import { options } from "./options.js";
import { table } from "./table.js";
import { visits } from "./visits.js";
import { watch } from "./watch.js";
import { words } from "./words.js";

const setProps = (id, props) => window.dash_clientside.set_props(id, props);
const element = (id) => document.getElementById(id);
const RANGES = Object.keys(facts.ranges_ms);
const KEYS = [
  ["↑ ↓", "the symbol before or after"],
  [`1 … ${RANGES.length}`, `range: ${RANGES.join(", ")}`],
  ["L", "live: go to the newest tick"],
  ["P", "pause, or resume"],
  ["/", "search a symbol"],
  ["*", "star the chosen symbol, or take its star away"],
  ["Alt ↑ ↓", "move a starred symbol up or down, as a drag of its row does"],
  ["O", "overview of all symbols, or back"],
  ["C", "candles or line"],
  ["M", "several symbols, a small chart each, or one"],
  ["W", "hide or show the watch list and the alerts"],
  ["F", "chart on the full screen, or back"],
  ["T", "what is in sight, as a table"],
  ["?", "these keys"],
  ["← →", "in the chart: from value to value, with Shift ten at a time; Home, End"],
  ["N B", "in the chart: the next anomaly, the one before"],
  ["S H", "in the chart: measure from the cursor on; a line at its price"],
  ["Shift", "and a drag: measure; Alt and a click: a line at that price"],
  ["+ −", "in the chart: zoom; Page up and Page down move"],
];

const AIM_MS = 2_000;
let aim = { symbol: null, at: -AIM_MS };

function step(by) {
  const names = watch.inSight();
  // A repeated key continues from the target of the previous key press, which may not be drawn yet.
  const at = names.indexOf(performance.now() - aim.at < AIM_MS ? aim.symbol : visits.at.symbol);
  const next = names[Math.min(names.length - 1, Math.max(0, at + by))];
  if (!next) return;
  aim = { symbol: next, at: performance.now() };
  setProps("symbol", { value: next });
}

/* After a symbol is chosen in any other way, keys start from that symbol. */
const forget = () => (aim = { symbol: null, at: -AIM_MS });
document.addEventListener("pointerdown", forget, true);

function help() {
  const dialog = element("keys");
  if (dialog.open) {
    dialog.close();
    return;
  }
  if (!dialog.childElementCount) {
    const rows = KEYS.map(([key, what]) => `<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`).join("");
    dialog.innerHTML = `<form method="dialog"><h2 class="heading">Keys</h2><dl class="keys">${rows}</dl><div class="period-buttons"><button class="plain">Close</button></div></form>`;
  }
  dialog.showModal();
}

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else element("chart-section")?.requestFullscreen?.();
}

/* The symbol of the list's row that has the focus, or else the chosen symbol. */
const rowOf = (target) => target.closest?.("#watch .ag-row")?.getAttribute("row-id") ?? visits.at.symbol;

const typed = (target) => target.closest?.("input, textarea, select, dialog[open], [role=radiogroup], [role=listbox]");

document.addEventListener("keydown", (event) => {
  if (event.target.id === "symbol" && ["Enter", "Escape"].includes(event.key)) {
    event.target.blur(); // return the focus, so that the keys work again
    forget();
  }
  const arrow = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (event.ctrlKey || event.metaKey || typed(event.target)) return;
  if (event.altKey) {
    if (arrow) watch.moveStar(rowOf(event.target), arrow);
    if (arrow) event.preventDefault();
    return;
  }
  const inList = event.target.closest?.(".ag-root, .alerts-list, #table");
  const act = {
    "/": () => {
      element("symbol").focus();
      element("symbol").select();
    },
    "?": help,
    "*": () => watch.star(rowOf(event.target)),
    l: () => visits.goLive(),
    p: () => element("pause").click(),
    o: () => element("overview").click(),
    c: () => document.querySelector("[data-option=candles]").click(),
    m: () => element("compare").click(),
    w: () => element("side").click(),
    f: fullScreen,
    t: table.open,
  }[event.key.toLowerCase()];
  if (arrow && !inList) step(arrow);
  else if (RANGES[event.key - 1]) {
    if (options.state.period) options.set({ period: null });
    setProps("range", { value: RANGES[event.key - 1] });
  } else if (act) act();
  else return;
  event.preventDefault();
});

/* The visible rows as CSV or, in the overview, its rows as they are filtered and sorted. */
const EXPORTED = ["symbol", "price", "change", ...facts.chart.overview, "volume_ratio", "anomalies", "source"];

async function saveRows() {
  if (document.body.dataset.view === "overview") save(await overviewRows(), "overview");
  else if (document.body.dataset.charts === "several") save(multiples.rowsInSight(), "compare");
  else allTicks();
}

/* Download every stored tick of the visible range, which the server streams. */
function allTicks() {
  const sight = chart.seenNow();
  if (!sight || !chart.view.drawn?.symbol) return;
  const query = new URLSearchParams({
    symbol: chart.view.drawn.symbol,
    from: Math.max(1, Math.floor(sight[0])),
    to: Math.ceil(sight[1]),
  });
  const link = document.createElement("a");
  link.href = `ticks.csv?${query}`;
  link.download = "";
  link.click();
}

function save(lines, name) {
  if (lines) download(`tickflow-${name}.csv`, new Blob([csv(lines)], { type: "text/csv" }));
}

async function overviewRows() {
  const list = await grid.api(),
    { period, offsets } = chart.view.drawn ?? {},
    end = period ? words.utc(period[1], offsets) : Infinity; // prices and changes are those at the end of a period
  const lines = [["time_utc", ...EXPORTED]];
  list.forEachNodeAfterFilterAndSort(({ data }) => {
    lines.push([words.iso(Math.min(end, data.event_us / 1000)), ...EXPORTED.map((key) => data[key] ?? "")]);
  });
  return lines;
}

document.addEventListener("click", (event) => {
  if (event.target.closest?.("#csv, #csv-overview")) saveRows();
  if (event.target.closest?.("#full-screen")) fullScreen();
  if (event.target.closest?.("#show-keys")) help();
  if (event.target.matches?.("#keys, #period")) event.target.close(); // a click outside the dialog
});

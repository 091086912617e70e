/* The watch list: its rows in the grid or, on a narrow screen, as cards in a strip. */
import { changed } from "./changed.js";
import { facts } from "./facts.js";
import { grid } from "./grid.js";
import { stars } from "./stars.js";
import { words } from "./words.js";

const STRIP_LENGTH = 60;
const SIDE_PX = 319, // the width of the list beside the chart
  PRICE_PX = 84,
  CHANGE_PX = 106,
  TREND_PX = [36, 50], // minimum and maximum
  BESIDE_NAME_PX = 40, // the star and the padding beside the name
  HOLD_MS = 10_000;
const narrow = window.matchMedia("(max-width: 47.99em)");
const rows = new Map(); // the rows by symbol
const setProps = (id, props) => window.dash_clientside.set_props(id, props);

/* Offer the symbols to choose from: those in the list, and the chosen symbol if it has no ticks. */
function offer(more = null) {
  const known = [...rows.keys()];
  if (more && !rows.has(more)) known.unshift(more);
  setProps("symbol", { data: known });
}

const cards = () => [...document.querySelectorAll("#strip .card")];

/* Highlight the row of the chosen symbol; also for rows that arrive later. */
let marked = null;
function mark(symbol) {
  marked = symbol;
  if (ready && rows.has(symbol)) setProps("watch", { selectedRows: { ids: [symbol] } });
  for (const card of cards()) {
    const chosen = card.dataset.symbol === symbol;
    if (chosen && card.getAttribute("aria-pressed") !== "true")
      card.scrollIntoView({ block: "nearest", inline: "nearest" });
    card.setAttribute("aria-pressed", String(chosen));
  }
}

let stepUs = 1;
const STEPS = 24;

/* A row with its trend continued: the last point moves, and each step adds another point. The trend of a period is
   already complete. */
function carried(row) {
  const known = rows.get(row.symbol);
  const ended_us = row.trend || !known ? row.event_us : known.ended_us;
  if (row.trend || !known) return { ...row, trend: row.trend?.length ? row.trend : [row.price], ended_us };
  if (row.since === "period") return { ...known, ...row };
  const further = row.event_us - ended_us >= stepUs;
  const trend = [...(further ? known.trend.slice(1 - STEPS) : known.trend.slice(0, -1)), row.price];
  return { ...known, ...row, trend, ended_us: further ? row.event_us : ended_us };
}

/* All columns at full width, or four of them beside the chart. */
const FURTHER = [...facts.chart.overview, "volatility_share", "volume_ratio", "anomalies", "event_us", "source"];
function widen(overview) {
  document.body.dataset.view = overview ? "overview" : "chart";
  const button = document.getElementById("overview");
  if (button) button.textContent = overview ? "Back to the chart" : "All columns";
  grid.api().then((grid) => {
    grid.setColumnsVisible(FURTHER, overview);
    // on a narrow screen the names stay in place while the other columns scroll sideways
    grid.setColumnsPinned(["symbol"], overview && narrow.matches ? "left" : null);
    grid.refreshCells({ columns: ["price"], force: true });
    measure(grid, overview);
  });
}

/* Fit rows and columns to the size of the reader's text and to the longest name, so that no name is cut. A long name
   takes space from the trend; if that is not enough, the list becomes wider. */
function measure(grid, overview = document.body.dataset.view === "overview") {
  const em = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16,
    name = Math.max(88, Math.ceil(longest / em) + BESIDE_NAME_PX),
    least = name + PRICE_PX + CHANGE_PX,
    trend = Math.min(TREND_PX[1], Math.max(SIDE_PX, least) - least),
    widths =
      overview && narrow.matches
        ? { trend: TREND_PX[1], symbol: name, change: CHANGE_PX }
        : overview
          ? { trend: 170, symbol: Math.max(120, name), change: 130 }
          : { trend, symbol: name, change: CHANGE_PX };
  const state = Object.entries(widths).map(([colId, px]) => ({ colId, width: Math.round(px * em) }));
  for (const each of state) if (each.colId === "trend") each.hide = widths.trend < TREND_PX[0];
  document.body.style.setProperty("--watch-width", `${(Math.max(SIDE_PX, least) + 1) * em}px`);
  // the price column takes the remaining width
  grid.applyColumnState({ state: [...state, { colId: "price", flex: 1 }] });
  grid.updateGridOptions({ rowHeight: Math.round(38 * em), headerHeight: Math.round(30 * em) });
}

/* The width of the longest name, in px. */
let longest = 0,
  pen = null;
function lengthen(names) {
  pen ??= document.createElement("canvas").getContext("2d");
  const { fontSize } = getComputedStyle(document.body);
  pen.font = `600 ${fontSize} system-ui, sans-serif`;
  const before = longest;
  for (const name of names) longest = Math.max(longest, pen.measureText(name).width);
  if (longest > before && ready) measure(window.dash_ag_grid.getApi("watch"));
}

/* Show how many symbols do not fit into the list: `more`, or -1 while their number is unknown. */
function tellMore(more = 0) {
  const place = document.getElementById("more");
  if (!place) return;
  place.hidden = !more;
  place.textContent = more ? `and ${more > 0 ? words.fixed(more, 0) : "many"} more` : "";
}

/* The symbols in the order in which the list shows them. */
function inSight() {
  const names = [];
  if (ready) window.dash_ag_grid.getApi("watch").forEachNodeAfterFilterAndSort(({ data }) => names.push(data.symbol));
  return names.length ? names : [...rows.keys()].sort();
}

/** Whether the reader's last click or key was in the list. */
let inUse = false;
const isInUse = () => inUse;
for (const kind of ["pointerdown", "keydown", "click"])
  document.addEventListener(kind, ({ target }) => (inUse = Boolean(target.closest?.("#watch"))), true);

let typed = "";
function filter(text) {
  typed = text || "";
  changed.tell();
  grid.api().then((grid) => grid.setGridOption("quickFilterText", text || ""));
}

/** The column by which the list is sorted, and the direction, such as "price:desc"; null if the list is not sorted. */
let wanted = null; // the sort order to apply once the grid is ready
function sorted() {
  if (!ready) return wanted;
  const found = window.dash_ag_grid
    .getApi("watch")
    .getColumnState()
    .find(({ sort }) => sort);
  return found ? `${found.colId}:${found.sort}` : null;
}

function sort(text) {
  wanted = text;
  if (!ready || text === sorted()) return;
  const [colId, way] = (text || "").split(":"),
    state = ["asc", "desc"].includes(way) ? [{ colId, sort: way }] : [];
  window.dash_ag_grid.getApi("watch").applyColumnState({ state, defaultState: { sort: null } });
}

/* A transaction before the grid is ready would be lost, so the grid receives all rows once it is ready. */
let ready = false,
  begun = false;
function begin() {
  if (begun) return;
  begun = true;
  grid.api().then(() => {
    ready = true;
    window.dash_ag_grid.getApi("watch").addEventListener("sortChanged", changed.tell);
    measure(window.dash_ag_grid.getApi("watch"));
    if (wanted) sort(wanted);
    arrange();
    document.querySelector("#watch [role=grid], #watch [role=treegrid]")?.setAttribute("aria-label", "Watch list");
    setProps("watch", { rowTransaction: { add: [...rows.values()], update: [], async: false } });
    setTimeout(() => mark(marked), 100);
  });
}

/* Write rows into the cards of the strip; the first rows and the starred ones have a card. */
function fillStrip(news) {
  const known = new Map(cards().map((card) => [card.dataset.symbol, card]));
  for (const row of news) {
    let card = known.get(row.symbol);
    if (!card && (known.size < STRIP_LENGTH || stars.has(row.symbol))) {
      card = document.createElement("button");
      card.type = "button";
      card.className = "card";
      card.dataset.symbol = row.symbol;
      card.append(
        ...["card-symbol", "card-price", "card-change"].map((name) => {
          const part = document.createElement("span");
          part.className = name;
          return part;
        }),
      );
      known.set(row.symbol, card);
    }
    if (!card) continue;
    const [name, price, change] = card.children;
    name.textContent = row.symbol;
    price.textContent = words.price(row.price);
    change.textContent = words.change(row.change);
    change.className = `card-change ${words.side(row.change)}`;
  }
  const wanted = stars.first([...known.values()], (card) => card.dataset.symbol),
    shown = cards();
  if (wanted.some((card, i) => card !== shown[i])) document.getElementById("strip").append(...wanted);
  for (const card of wanted) card.hidden = isLeftOut(card.dataset.symbol);
}

/* The numbers of rising and falling symbols, by the changes that the list shows. */
function count() {
  const place = document.getElementById("breadth");
  if (!place) return;
  const numbers = { up: 0, down: 0, "": 0 };
  for (const { change } of rows.values()) numbers[words.side(change)]++;
  const [up, down, same] = Object.values(numbers).map((number) => words.fixed(number, 0));
  place.querySelector(".up").textContent = `▲ ${up}`;
  place.querySelector(".down").textContent = `▼ ${down}`;
  place.title = `${up} rising, ${down} falling, ${same} unchanged`;
  place.querySelector(".unseen").textContent = place.title;
}

/* Stars: the starred symbols come first, and the list may be limited to them. */
let starredOnly = false;
const isLimited = () => starredOnly && stars.all().length > 0;
const isLeftOut = (symbol) => isLimited() && !stars.has(symbol);

/* Apply the stars to the list, the strip, and the button that limits both to them. */
function arrange() {
  const button = document.getElementById("starred");
  if (button) button.hidden = !stars.all().length;
  fillStrip(stars.all().flatMap((symbol) => rows.get(symbol) ?? []));
  if (!ready) return;
  const grid = window.dash_ag_grid.getApi("watch");
  grid.refreshCells({ columns: ["symbol"], force: true });
  grid.onFilterChanged();
  grid.refreshClientSideRowModel("sort");
}

function star(symbol) {
  if (!symbol) return;
  stars.toggle(symbol);
  arrange();
}

function moveStar(symbol, by) {
  if (stars.move(symbol, by)) arrange();
}

function putStar(symbol, before) {
  stars.put(symbol, before);
  arrange();
}

function limit(only) {
  const changes = only !== starredOnly;
  starredOnly = only;
  if (changes) arrange();
}

// Handled before the grid receives the event, so that a click on a star neither chooses the row nor moves the focus.
for (const kind of ["mousedown", "click"])
  document.addEventListener(
    kind,
    (event) => {
      const button = event.target.closest?.("[data-star]");
      if (!button) return;
      event.stopPropagation();
      if (kind === "click") star(button.dataset.star);
      else event.preventDefault();
    },
    true,
  );

/* Sorted rows keep their places while the pointer is over them, unless it has not moved for a while. */
let pointedAt = -HOLD_MS,
  isHeld = false;
const isPointed = () => performance.now() - pointedAt < HOLD_MS;
document.addEventListener("pointermove", ({ target, pointerType }) => {
  if (pointerType !== "touch" && target.closest?.("#watch .ag-row")) pointedAt = performance.now();
  else release();
});
document.documentElement.addEventListener("pointerleave", () => release());
function release() {
  pointedAt = -HOLD_MS;
  if (isHeld) reorder(window.dash_ag_grid.getApi("watch"));
}

/* Take new rows of the watch list: for the grid, for the strip on a narrow screen, and for the choice of symbols. */
function take(news, symbol, step_us = null) {
  if (step_us) stepUs = step_us;
  news = news.map(carried);
  const add = news.filter((row) => !rows.has(row.symbol)),
    update = news.filter((row) => rows.has(row.symbol));
  news.forEach((row) => rows.set(row.symbol, row));
  if (add.length) {
    lengthen(add.map((row) => row.symbol));
    offer(symbol);
    document.body.style.setProperty("--watch-rows", rows.size);
  }
  fillStrip(news);
  count();
  if (add.length) setTimeout(() => mark(marked), 100); // once the grid has the rows
  if (!ready) begin();
  else if (add.length) setProps("watch", { rowTransaction: { add, update, async: false } });
  else refill(update);
}

/** Remove all rows except those of these symbols. */
function keep(symbols) {
  const kept = new Set(symbols),
    gone = [...rows.values()].filter((row) => !kept.has(row.symbol));
  if (!gone.length) return;
  for (const { symbol } of gone) rows.delete(symbol);
  for (const card of cards()) if (!kept.has(card.dataset.symbol)) card.remove();
  if (ready) setProps("watch", { rowTransaction: { remove: gone, add: [], update: [], async: false } });
  document.body.style.setProperty("--watch-rows", rows.size);
  offer(marked);
  count();
}

/* Even with `refill`, each new value leaves an update in every cell whose text does not change: React keeps the update
   until the cell is drawn for a different reason. So all cells are rebuilt now and then, unless one of them has the
   focus or the pointer. */
const FILLS = 200;
let fills = 0;
function freshen(grid) {
  if (++fills < FILLS || document.querySelector("#watch :focus, #watch:hover")) return;
  fills = 0;
  grid.redrawRows();
}

/* Give rows their new values and, if the grid is sorted or filtered, their new positions. Transactions are used only
   for added rows: each one leaves updates in the grid's components that nothing removes, and costs the browser several
   times as much. */
function refill(update) {
  const grid = window.dash_ag_grid.getApi("watch");
  for (const row of update) grid.getRowNode(row.symbol)?.updateData(row);
  if (isPointed()) isHeld = true;
  else reorder(grid);
  freshen(grid);
}

function reorder(grid) {
  isHeld = false;
  if (grid.isAnyFilterPresent()) grid.refreshClientSideRowModel("filter");
  else if (grid.getColumnState().some(({ sort }) => sort)) grid.refreshClientSideRowModel("sort");
}

export const watch = {
  rows,
  offer,
  mark,
  isInUse,
  inSight,
  take,
  keep,
  tellMore,
  widen,
  filter,
  filtered: () => typed,
  star,
  moveStar,
  putStar,
  limit,
  isLeftOut,
  isLimited,
  isNarrow: () => narrow.matches,
  sorted,
  sort,
};

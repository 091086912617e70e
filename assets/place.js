/* Each view is a place: the address names the view, Back and Forward move between places, and an address without a view
   opens the view that this browser showed last. */
import { alerts } from "./alerts.js";
import { changed } from "./changed.js";
import { chart } from "./chart.js";
import { facts } from "./facts.js";
import { levels } from "./levels.js";
import { options } from "./options.js";
import { visits } from "./visits.js";
import { watch } from "./watch.js";
import { words } from "./words.js";

const LAST = "tickflow-view";
const LISTS = ["today", "new", "all"];
const STEP_MS = 1_000; // steps that follow one another faster than this count as one place
const setProps = (id, props) => window.dash_clientside.set_props(id, props);
let going = null; // the symbol and the range of the requested place
let coming = null; // the parts of the requested place to apply once its symbol is drawn
let pushed = -STEP_MS;

function saved() {
  try {
    return window.localStorage.getItem(LAST) || "";
  } catch {
    return ""; // the browser has no storage
  }
}

function save(text) {
  try {
    window.localStorage.setItem(LAST, text);
  } catch {
    /* without storage, only the address holds the view */
  }
}

/** The address with which the page loads or, if it names no symbol, the address of the last view. The theme is always
    the reader's own. */
function first() {
  const asked = new URLSearchParams(window.location.search);
  if (![...asked.keys()].some((key) => key !== "theme") && saved()) {
    const theme = asked.get("theme");
    for (const [key, value] of new URLSearchParams(saved())) if (key !== "theme") asked.set(key, value);
    if (theme) asked.set("theme", theme);
    window.history.replaceState(window.history.state, "", `?${asked}`);
  }
  coming = rest(asked);
  return asked;
}

/** The parts of a place that `options` does not have: the visible time range, or the moment (ms since 1970) of the link
    in a message about an alert, and how the lists are shown. */
function rest(query) {
  const at = Number(query.get("at"));
  const zoom = (query.get("zoom") || "").split("_").map((text) => Date.parse(`${text}Z`));
  return {
    zoom: zoom.length === 2 && zoom[0] < zoom[1] ? zoom : null,
    at: at > 0 && at < facts.last_wall_ms ? at : null,
    paused: query.get("paused") === "1",
    alerts: { filter: LISTS.includes(query.get("alerts")) ? query.get("alerts") : "", only: query.get("only") === "1" },
    sort: query.get("sort"),
    filter: query.get("filter") || "",
    lines: query.get("lines"),
  };
}

const stamp = (ms) => new Date(Math.round(ms)).toISOString().slice(0, 23);

/** Write the view into the address; with `another`, as a new place, unless the last one is too recent. */
function write(another = false) {
  if (going || !visits.at.symbol) return;
  const query = new URLSearchParams(window.location.search),
    put = (key, value) => (value ? query.set(key, value) : query.delete(key)),
    { filter, only } = alerts.filters();
  query.set("symbol", visits.at.symbol);
  query.set("range", visits.at.range);
  options.write(query);
  if (!coming) {
    query.delete("at"); // from here on, `zoom` holds the moment
    put("zoom", chart.view.zoomed && chart.view.range?.map(stamp).join("_"));
    put("paused", visits.at.paused && "1");
    put("lines", levels.text(visits.at.symbol));
    put("sort", watch.sorted());
    put("filter", watch.filtered());
    put("alerts", filter);
    put("only", only && "1");
  }
  const text = `?${query}`;
  if (text === window.location.search) return;
  const now = performance.now(),
    push = another && now - pushed > STEP_MS;
  if (another) pushed = now;
  window.history[push ? "pushState" : "replaceState"](null, "", text);
  save(text);
}

/** Go to the place in the address. */
function go() {
  const query = new URLSearchParams(window.location.search),
    symbol = query.get("symbol"),
    range = query.get("range");
  coming = rest(query);
  going = { symbol: words.isSymbol(symbol) ? symbol : visits.at.symbol, range: range || visits.at.range };
  setProps("options", { data: options.read(query) });
  setProps("range", { value: going.range });
  setProps("symbol", { value: going.symbol });
}

/** Call this when a view was chosen. Returns whether the reader chose it, as opposed to going back to it. */
function reached() {
  if (going && (going.symbol !== visits.at.symbol || going.range !== visits.at.range)) return false;
  const back = Boolean(going);
  going = null;
  return !back;
}

/** The view is drawn: move to the moment in the address. */
function arrive() {
  if (!coming || going) return;
  const { zoom, at, paused, sort, filter, lines, alerts: filters } = coming;
  coming = null;
  levels.read(visits.at.symbol, lines);
  if (zoom) {
    chart.see(...zoom);
  } else if (at) {
    visits.goTo({ symbol: visits.at.symbol, wall: words.exchange(at) });
  } else if (chart.view.zoomed) visits.goLive();
  alerts.show(filters);
  watch.sort(sort);
  if (filter !== watch.filtered()) setProps("filter", { value: filter });
  visits.pause(paused);
  write();
}

window.addEventListener("popstate", () => {
  go();
});
changed.on(() => write());

/** Go to an address that was saved earlier. */
function open(query) {
  window.history.pushState(null, "", `?${query}`);
  go();
}

export const place = { first, write, reached, arrive, open, going: () => Boolean(going) };

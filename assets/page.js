/* The callbacks in the browser (declared in `callbacks.py`): the URL, the answers, the clock, the pointer. */
import { alerts } from "./alerts.js";
import { backtests } from "./backtests.js";
import "./cells.js";
import { chart } from "./chart.js";
import "./cursor.js";
import "./dragging.js";
import { facts } from "./facts.js";
import { grid } from "./grid.js";
import { health } from "./health.js";
import { hours } from "./hours.js";
import { indicators } from "./indicators.js";
import "./keys.js";
import { layouts } from "./layouts.js";
import { levels } from "./levels.js";
import { lines } from "./lines.js";
import { multiples } from "./multiples.js";
import { options } from "./options.js";
import { picture } from "./picture.js";
import "./roving.js";
import { place } from "./place.js";
import { refreshes } from "./refreshes.js";
import { replay } from "./replay.js";
import { requests } from "./requests.js";
import { rules } from "./rules.js";
import { session } from "./session.js";
import { states } from "./states.js";
import { tape } from "./tape.js";
import { theme } from "./theme.js";
import { visits } from "./visits.js";
import { watch } from "./watch.js";
import { words } from "./words.js";

const { ANSWER_MS, heard, write, hidden, freshness, emptiness, truth } = health;
const { rows } = watch;
const ASK_AGAIN_MS = 10_000;
const FRAMES_MS = 50; // a pause in which the browser shows what was drawn
const CLOCK_MS = 1_000;
const LATEST_MS = 5_000; // the grid is loaded at this time at the latest, even if the store does not answer
let currentView = null;
/* What the next refresh tells the server: what is drawn (`null` before the first drawing), and up to where the watch list
   and the alerts are known. */
const held = { drawn: null, watched: null, alerted: null };
let asked = { id: null, at: 0, wait: ASK_AGAIN_MS }; // the last request for a new drawing
const element = (id) => document.getElementById(id);
const same = () => window.dash_clientside.no_update;
const setProps = (id, props) => window.dash_clientside.set_props(id, props);
const by = () => window.dash_clientside.callback_context.triggered.map(({ prop_id }) => prop_id.split(".")[0]);

/* The view in the URL. */
function first() {
  const asked = place.first(),
    symbol = asked.get("symbol"),
    range = asked.get("range");
  return {
    symbol: words.isSymbol(symbol) ? symbol : null,
    range: range in facts.ranges_ms ? range : facts.default_range,
    chosen: options.read(asked),
  };
}

/* When the page loads, apply the view in the URL, and the theme that this reader chose before. */
function boot(refresh) {
  heard.refresh = refresh;
  session.ask();
  heard.at = performance.now();
  setTimeout(grid.mount, LATEST_MS);
  refreshes.begin(refresh, {
    held: () => held.drawn && { "drawn.data": held.drawn, "watched.data": held.watched, "alerted.data": held.alerted },
    take: (answer) => take(answer, false),
  });
  setInterval(tell, CLOCK_MS);
  return [opened.symbol, opened.range, theme.saved(), opened.chosen];
}

/* What to request for a symbol and a range, with the reader's other choices. */
function chosenView(symbol, range) {
  if (symbol) options.add(symbol);
  const { period, candles, overview, symbols, trading } = options.state;
  return {
    symbol: symbol || null,
    range,
    period,
    candles,
    overview: Boolean(overview),
    symbols: symbols || [],
    trading: Boolean(trading),
  };
}

const viewOf = ({ symbol, range, period, candles, overview, symbols, trading }) =>
  JSON.stringify([symbol, range, period, candles, overview, symbols, Boolean(trading)]);

function view(symbol, range, _chosen, before) {
  const { drawn } = held;
  if (currentView && range !== visits.at.range) options.state.period = null; // choosing another range ends the pause
  visits.at.symbol = symbol || null;
  visits.at.range = range;
  const next = chosenView(symbol, range);
  if (symbol) {
    if (!rows.has(symbol)) watch.offer(symbol);
    watch.mark(symbol);
    alerts.chosen(symbol);
  }
  options.show();
  if (by().includes("options")) redraw();
  if (next.overview) grid.mount();
  if (next.overview !== (document.body.dataset.view === "overview")) watch.widen(next.overview);
  setProps("range-narrow", { value: range });
  currentView = next;
  const own = place.reached(); // whether the reader chose it, rather than going Back or Forward
  if (before && viewOf(before) === viewOf(currentView)) {
    place.write();
    if (!own && drawn && viewOf(drawn) === viewOf(currentView)) place.arrive();
    return same();
  }
  place.write(own && Boolean(before?.symbol));
  if (before && drawn && viewOf(drawn) === viewOf(currentView)) return same();
  visits.pause(false);
  if (!shown(currentView)) element("chart-section")?.classList.add("waiting");
  heard.wanted = performance.now();
  return currentView;
}

/* Whether the chart shows this view already. */
const shown = (view) => Boolean(chart.view.drawn) && viewOf(chart.view.drawn) === viewOf(view);

/* Draw the chart of the first answer as soon as its place is in the page. Dash's renderer runs its callbacks first,
   which took another 0.4 s; its `apply` then takes the rest of the same answer. */
function foreshow(answer) {
  const draw = (drawing) => {
    if (held.drawn || !drawing?.picture) return;
    options.show();
    drawChart(drawing);
  };
  const watching = new MutationObserver(() => {
    if (!element("chart")) return;
    watching.disconnect();
    answer.then(draw);
  });
  watching.observe(document.body, { childList: true, subtree: true });
}

function drawChart({ drawn, picture, multiples: small }) {
  const any = drawn.rows || small?.some(({ x }) => x.length);
  element("chart-section").classList.toggle("is-empty", !any); // an empty element has no height to draw in
  if (!picture) Object.assign(chart.view, { drawn, picture: null, range: null });
  else if (chart.view.drawn?.id !== drawn.id) chart.show(picture, drawn);
  else chart.refine();
}

/* Dash keeps every change of a component for undo as long as the page is open; this removes them. */
const forget = () => window.store?.getState().history?.past?.splice(0);

/* Apply an answer of the server: a drawing (everything) or what is new. */
function take(answer, whole) {
  if (!answer?.state) return;
  takeIn(answer, whole);
  tell();
}

function apply(drawing) {
  forget();
  take(drawing, true);
}

/* Request the picture of the time range that the reader zoomed or panned to, and apply it, unless a different view or
   time range was requested meanwhile. Dash's renderer is left out: it would take most of the time. */
let looks = 0;
async function look(sight, width) {
  if (!held.drawn) {
    chart.unanswered(); // the first answer is not taken in yet; `drawChart` asks again
    return;
  }
  const number = ++looks,
    looked = await requests.ask("looked.data", { "look.data": { ...currentView, sight, width, n: number } });
  if (number !== looks) return;
  chart.unanswered();
  const { drawn } = held;
  if (!looked?.drawn || !drawn || looked.drawn.symbol !== drawn.symbol || looked.drawn.range !== drawn.range) return;
  if (!looked.picture) return;
  const { rows, multiples: small, ...rest } = looked.drawn,
    next = { ...drawn, ...rest, rows, multiples: drawn.multiples, paused: visits.at.paused };
  chart.refined(looked.picture, next);
  held.drawn = next;
}

function takeIn(answer, whole) {
  const { drawn } = held;
  heard.state = answer.state;
  heard.at = performance.now();
  replay.take(answer.state.replay);
  const turned = turn(answer.state.replay, whole);
  if (whole) {
    const wanted = answer.drawn.symbol;
    heard.seen = 0;
    held.drawn = answer.drawn;
    element("chart-section").classList.remove("waiting");
    drawChart(answer);
    visits.arrive(wanted);
    if (wanted && viewOf(answer.drawn) === viewOf(currentView)) place.arrive();
    if (wanted && !visits.at.symbol) setProps("symbol", { value: wanted });
  } else {
    if (answer.of !== drawn.id) return;
    const other = visits.at.symbol && viewOf(drawn) !== viewOf(currentView);
    const overdue = other && performance.now() - heard.wanted > ANSWER_MS; // the request had no answer
    if (answer.rebuild || overdue || turned) rebuild(drawn.id);
    if (Boolean(drawn.paused) !== visits.at.paused) held.drawn = { ...drawn, paused: visits.at.paused };
    const next = answer.tail && !visits.at.paused ? { ...drawn, ...answer.drawn, paused: visits.at.paused } : null;
    const followed = next && chart.follow(answer.tail, next);
    if (followed) {
      // without this, the next refresh would send the same rows again
      heard.seen = performance.now();
      held.drawn = chart.view.drawn;
    }
  }
  if (!answer.state.down) alerts.unread(answer.trouble || "");
  if (answer.alerts) {
    held.alerted = answer.alerts.stamp;
    alerts.take(answer.alerts);
  }
  if (answer.watch) {
    held.watched = answer.watch.cursors;
    watch.tellMore(answer.watch.more);
    if (whole && turned) watch.keep(answer.watch.rows.map((row) => row.symbol));
    if (answer.watch.rows.length) watch.take(answer.watch.rows, held.drawn.symbol || null, answer.watch.step_us);
  }
  if (whole) {
    multiples.show(answer.multiples, answer.drawn);
    setTimeout(grid.mount, FRAMES_MS);
  } else if (answer.multiples && !visits.at.paused) {
    held.drawn = { ...held.drawn, paused: visits.at.paused, multiples: answer.multiples.drawn };
    multiples.follow(answer.multiples.rows, answer.multiples.drawn);
  }
}

/* Whether a steered replay has been moved back since the last whole answer: what is drawn must then be drawn again. */
function turn(state, whole) {
  const now = state?.turn ?? heard.turn,
    turned = now !== heard.turn && !(heard.turn === null && now.endsWith(":0"));
  if (whole || !turned) heard.turn = now;
  return turned;
}

/* Request a new drawing in place of the drawing `id`, which cannot be extended; `null` if none has arrived yet. Without
   an answer, ask again after a wait that doubles each time, since a new request discards the answer to the one before.
*/
function rebuild(id) {
  const now = performance.now(),
    again = asked.id === id;
  if (again && now - asked.at < asked.wait) return;
  asked = { id, at: now, wait: again ? Math.min(2 * asked.wait, 60_000) : ASK_AGAIN_MS };
  setProps("rebuild", { data: asked });
}

/* The list also reports rows that the page itself has marked, sometimes after the reader has already moved on. */
function select(chosen) {
  const symbol = chosen?.[0]?.symbol;
  if (symbol && watch.isInUse() && symbol !== visits.at.symbol) setProps("symbol", { value: symbol });
}

const narrowRange = (range) => (range && range !== visits.at.range ? range : same());

/* Without an answer to the last refresh, allow another one. */
function retry() {
  const now = performance.now();
  if (now - heard.retried < ANSWER_MS) return;
  heard.retried = now;
  refreshes.giveUp();
}

let row = null; // the row of the chart under the pointer, or null

function read(drawn) {
  if (drawn) lines.read(chart.values(row), drawn);
}

const charts = {
  asked: look,
  pointed: (at) => {
    row = at;
    read(chart.view.drawn);
  },
};

let announced = "";

/* Announce a message to screen readers once, and not again when only its numbers change. */
function announce(text) {
  const bare = text.replace(/\d+( [smhd]\b)?/g, "");
  if (bare === announced) return;
  announced = bare;
  write("said", text);
}

/* Tell how fresh the figures are, once per second and after each answer. */
function tell() {
  const { drawn } = held;
  chart.on(charts);
  read(drawn);
  const { word, kind, sentence, advice } = freshness(drawn);
  if (word === "no answer") retry();
  if (word === "no answer" && !drawn) rebuild(null);
  write("fresh", visits.at.paused && !["down", "empty"].includes(kind) ? "paused" : word);
  element("fresh").dataset.kind = kind;
  document.body.dataset.fresh = kind;
  for (const place of ["banner", "banner-overview"]) {
    write(place, sentence || "");
    hidden(place, !sentence);
  }
  write("advice", advice || "");
  hidden("advice", !advice || Boolean(sentence));
  const several = multiples.advise(Boolean(sentence));
  announce(sentence || several || advice || "");
  lines.headline(drawn, visits.at.paused);
  emptiness(drawn, kind);
  replay.draw();
  truth(drawn);
  // Only the overview has ages. The grid throws until it is ready; it is ready once it has rows. On a narrow screen it
  // is hidden. Where it lies is asked last, since the browser then lays out at once all that the refresh has changed.
  if (document.body.dataset.view === "overview" && document.querySelector("#watch .ag-row")?.offsetParent) {
    window.dash_ag_grid.getApi("watch").refreshCells({ columns: ["event_us"], force: true });
  }
}

function chooseTheme(choice) {
  if (choice !== theme.saved()) theme.save(choice);
  const query = new URLSearchParams(window.location.search);
  if (choice === "auto") query.delete("theme");
  else query.set("theme", choice);
  window.history.replaceState(window.history.state, "", `?${query}`);
  theme.set(choice);
  redraw();
  return choice === "auto" ? null : choice;
}

function redraw() {
  chart.again();
  multiples.draw();
}

theme.asked.addEventListener("change", () => {
  theme.set(theme.saved());
  redraw();
});

/* Browsers slow down the timers of a hidden page: catch up as soon as the page is visible again. */
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  heard.shown = performance.now();
  refreshes.giveUp();
  refreshes.now();
});

document.addEventListener("click", (event) => {
  const card = event.target.closest?.(".card");
  if (card) setProps("symbol", { value: card.dataset.symbol });
  const listed = event.target.closest?.("#watch .ag-row")?.getAttribute("row-id");
  if (listed && options.state.overview && watch.isNarrow()) {
    setProps("symbol", { value: listed });
    options.set({ overview: null });
  }
  if (event.target.closest?.("#pause")) {
    if (visits.at.paused) visits.goLive();
    else visits.pause(true);
    lines.headline(chart.view.drawn, visits.at.paused);
  }
  if (event.target.closest?.("#go-live")) visits.goLive();
});
document.addEventListener("dblclick", (event) => {
  if (event.target.closest?.("#chart")) visits.goLive();
});

health.look(multiples);
alerts.guide(visits.goTo);
backtests.guide(visits.goTo);
const keeps = {
  "acked.data": alerts.answered,
  "muted.data": alerts.muted,
  "layout-kept.data": layouts.kept,
  "rule-kept.data": rules.kept,
  "backtest-removed.data": backtests.removed,
  "steered.data": replay.answered,
};
session.guide((output, trouble) => keeps[output]?.({ trouble }));
visits.on(redraw);

window.dash_clientside = Object.assign({}, window.dash_clientside, {
  tickflow: {
    filter: watch.filter,
    acked: (answer) => alerts.answered(answer),
    withdrawn: (answer) => alerts.undone(answer),
    muted: (answer) => alerts.muted(answer),
    indicated: indicators.take,
    layouts: layouts.listed,
    layoutKept: layouts.kept,
    rules: rules.listed,
    ruleKept: rules.kept,
    backtests: backtests.listed,
    backtestRemoved: backtests.removed,
    steered: replay.answered,
    boot,
    view,
    apply,
    select,
    narrowRange,
    theme: chooseTheme,
  },
});

/* For tests and for the browser's console. */
Object.assign(window.tickflow, { hours, states, words, chart, multiples, options, watch, alerts, health });
Object.assign(window.tickflow, { levels, tape, indicators, picture });

chart.on(charts); // before anything is drawn: a link may open a small part of the range, which is then requested

const opened = first();
const asking = { "view.data": chosenView(opened.symbol, opened.range), "rebuild.data": undefined };
foreshow(requests.begin("drawing.data", asking));

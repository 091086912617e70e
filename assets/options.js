/* The reader's choices except symbol and range: kept in a store and in the URL, so that a link opens the same view. */
import { chart } from "./chart.js";
import { facts } from "./facts.js";
import { watch } from "./watch.js";
import { words } from "./words.js";

const setProps = (id, props) => window.dash_clientside.set_props(id, props);
const WIDTHS = ["auto", ...facts.candle_widths];
const MOST = facts.max_multiples,
  FIRST = 6; // the maximum number of small charts, and their initial number
const AVERAGES = facts.chart.fields.filter(
  ({ panel, trace, name }) => panel === "y" && trace !== null && name !== "price",
);
const HIDEABLE = [...AVERAGES.map(({ label }) => label), "Anomaly", "Band"];
const INDICATOR = new RegExp(facts.indicator_pattern);
const state = {
  candles: null,
  scale: null,
  log: null,
  trading: null,
  zone: null,
  overlay: null,
  indicators: null,
  overview: null,
  starred: null,
  symbols: null,
  side: null,
  hide: null,
  period: null,
};
const element = (id) => document.getElementById(id);

const stamp = (ms) => new Date(ms).toISOString().slice(0, 19);
const FIRST_MS = 1000,
  LAST_MS = facts.last_wall_ms - 1000; // the server accepts no later time: 64-bit nanoseconds end soon after it
const moment = (text) => Math.min(LAST_MS, Math.max(FIRST_MS, parsed(text)));
const parsed = (text) => (/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/.test(text || "") ? Date.parse(`${text}Z`) : NaN);

/* Read the choices from a query string. */
function read(query) {
  const candles = query.get("candles");
  state.candles = WIDTHS.includes(candles) ? candles : null;
  state.scale = query.get("scale") === "percent" ? "percent" : null;
  state.log = query.get("log") === "1" ? "1" : null;
  state.trading = query.get("trading") === "1" ? "1" : null;
  state.zone = ["local", "utc"].includes(query.get("zone")) ? query.get("zone") : null;
  const named = (query.get("ind") || "").split(",").filter((name) => INDICATOR.test(name));
  state.indicators = named.length ? [...new Set(named)].slice(0, facts.max_indicators) : null;
  state.overlay = query.get("overlay") === "1" ? "1" : null;
  state.overview = query.get("view") === "overview" ? "overview" : null;
  state.starred = query.get("starred") === "1" ? "1" : null;
  const symbols = [...new Set((query.get("symbols") || "").split(",").filter((name) => words.isSymbol(name)))].slice(
    0,
    MOST,
  );
  state.symbols = symbols.length ? symbols : null;
  state.side = query.get("side") === "0" ? "0" : null;
  const hide = (query.get("hide") ?? "Band").split(",").filter((name) => HIDEABLE.includes(name));
  state.hide = hide.join(",");
  const from = moment(query.get("from")),
    to = moment(query.get("to"));
  state.period = from < to ? [from, to] : null;
  return { ...state };
}

function write(query) {
  const put = (key, value) => (value === null ? query.delete(key) : query.set(key, value));
  put("candles", state.candles);
  put("scale", state.scale);
  put("log", state.log);
  put("trading", state.trading);
  put("zone", state.zone);
  put("ind", state.indicators?.join(",") ?? null);
  put("overlay", state.overlay);
  put("view", state.overview);
  put("starred", state.starred);
  put("symbols", state.symbols?.join(",") ?? null);
  put("side", state.side);
  put("hide", state.hide === "Band" ? null : state.hide);
  put("from", state.period && stamp(state.period[0]));
  put("to", state.period && stamp(state.period[1]));
}

function set(changes) {
  Object.assign(state, changes);
  setProps("options", { data: { ...state } });
}

/* Apply the choices to the chart, and show them on the switches. */
function show() {
  const hidden = new Set((state.hide || "").split(",").filter(Boolean));
  chart.view.hidden = hidden;
  chart.view.log = state.log === "1";
  chart.view.overlay = state.overlay === "1";
  chart.view.percent = state.scale === "percent";
  words.know({ name: state.zone ?? "exchange" });
  if (element("zone")) element("zone").value = state.zone ?? "exchange";
  for (const button of document.querySelectorAll("[data-trace]"))
    button.setAttribute("aria-pressed", String(!hidden.has(button.dataset.trace)));
  for (const button of document.querySelectorAll("[data-option]"))
    button.setAttribute("aria-pressed", String(Boolean(state[button.dataset.option])));
  watch.limit(state.starred === "1");
  document.body.dataset.charts = state.symbols ? "several" : "one";
  element("compare")?.setAttribute("aria-pressed", String(Boolean(state.symbols)));
  compared();
  document.body.dataset.side = state.side ? "hidden" : "shown";
  element("side")?.setAttribute("aria-expanded", String(!state.side));
  const width = element("candle-width");
  if (width) {
    width.hidden = !state.candles;
    width.value = state.candles || "auto";
  }
  document.body.toggleAttribute("data-period", Boolean(state.period)); // a period replaces the range
  const period = element("period-open");
  if (period) {
    period.setAttribute("aria-pressed", String(Boolean(state.period)));
    period.textContent = state.period
      ? `${words.time(state.period[0]).slice(0, 5)} – ${words.time(state.period[1]).slice(0, 5)} ✕`
      : "From – to";
    period.title = state.period ? "Back to a range that ends at the newest tick" : "A range from one moment to another";
  }
}

/* Add a chosen symbol to the compared symbols; if there are too many, the symbol that was added first is removed. */
function add(symbol) {
  if (state.symbols && symbol && !state.symbols.includes(symbol))
    state.symbols = [...state.symbols, symbol].slice(-MOST);
}

/* Compare the chosen symbol with the symbols after it in the list, or return to its own chart. */
function compare() {
  const names = [...watch.rows.keys()].sort(),
    at = Math.max(0, names.indexOf(chart.view.drawn?.symbol));
  const others = [...names.slice(at), ...names.slice(0, at)];
  set({ symbols: state.symbols || !names.length ? null : others.slice(0, FIRST).sort() });
}

function compared() {
  const place = element("compared");
  if (!place || place.dataset.symbols === String(state.symbols)) return;
  place.dataset.symbols = String(state.symbols);
  place.replaceChildren(
    ...(state.symbols || []).map((symbol) => {
      const remove = document.createElement("button");
      Object.assign(remove, {
        type: "button",
        className: "chip",
        textContent: `${symbol} ✕`,
        title: `Remove ${symbol}`,
      });
      remove.dataset.remove = symbol;
      remove.setAttribute("aria-label", `Remove ${symbol}`);
      return remove;
    }),
  );
}

function askPeriod() {
  const dialog = element("period");
  if (!dialog.childElementCount) {
    dialog.innerHTML = `<form method="dialog"><h2 class="heading">From – to, ${facts.zone.words}</h2>
      <label class="moment">From <input type="datetime-local" step="1" required></label>
      <label class="moment">To <input type="datetime-local" step="1" required></label>
      <p class="period-trouble" role="alert" hidden>The end has to come after the beginning.</p>
      <div class="period-buttons"><button class="plain" type="button">Cancel</button><button class="go-live" type="submit">Show</button></div></form>`;
    const [from, to] = dialog.querySelectorAll("input"),
      trouble = dialog.querySelector(".period-trouble");
    dialog.querySelector(".plain").onclick = () => dialog.close();
    dialog.querySelector("form").onsubmit = (event) => {
      const period = [moment(from.value), moment(to.value)];
      if (period[0] < period[1]) {
        set({ period });
        return;
      }
      event.preventDefault();
      trouble.hidden = false;
    };
  }
  const seen = chart.seenNow() || [Date.now() - 3_600_000, Date.now()];
  const [from, to] = dialog.querySelectorAll("input");
  from.value = stamp(seen[0]);
  to.value = stamp(seen[1]);
  dialog.querySelector(".period-trouble").hidden = true;
  dialog.showModal();
}

document.addEventListener("click", (event) => {
  const trace = event.target.closest?.("[data-trace]"),
    option = event.target.closest?.("[data-option]");
  if (trace) {
    const hidden = new Set((state.hide || "").split(",").filter(Boolean));
    if (!hidden.delete(trace.dataset.trace)) hidden.add(trace.dataset.trace);
    set({ hide: HIDEABLE.filter((name) => hidden.has(name)).join(",") });
  }
  if (option) set({ [option.dataset.option]: state[option.dataset.option] ? null : option.dataset.value });
  if (event.target.closest?.("#period-open")) {
    if (state.period) set({ period: null });
    else askPeriod();
  }
  // The range before the period is still checked: choosing it again changes no value.
  if (state.period && event.target.matches?.("#range input:checked, #range-narrow input:checked"))
    set({ period: null });
  if (event.target.closest?.("#side")) set({ side: state.side ? null : "0" });
  if (event.target.closest?.("#compare")) compare();
  const gone = event.target.closest?.("[data-remove]")?.dataset.remove;
  if (gone) {
    const left = state.symbols.filter((symbol) => symbol !== gone);
    set({ symbols: left.length ? left : null });
  }
  if (event.target.closest?.("#overview, #overview-narrow")) set({ overview: state.overview ? null : "overview" });
});
document.addEventListener("change", (event) => {
  if (event.target.id === "zone") set({ zone: event.target.value === "exchange" ? null : event.target.value });
  if (event.target.id === "candle-width") set({ candles: event.target.value });
});

export const options = { state, read, write, set, show, add };

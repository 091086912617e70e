/* Navigation: the chosen symbol and range; going to a moment or to the newest tick; pausing. */
import { changed } from "./changed.js";
import { chart } from "./chart.js";
import { health } from "./health.js";
import { multiples } from "./multiples.js";
import { options } from "./options.js";

const at = { symbol: null, range: null, paused: false };
const element = (id) => document.getElementById(id);
const { hidden } = health;
const setProps = (id, props) => window.dash_clientside.set_props(id, props);
let redraw = () => {};

let visit = null; // a moment to move to as soon as its symbol is drawn

/* Move to a moment in the chart: its surroundings are read from the store. */
function goTo(moment) {
  visit = null;
  if (options.state.symbols) {
    visit = moment;
    options.set({ symbols: null });
    if (moment.symbol !== at.symbol) setProps("symbol", { value: moment.symbol });
    return;
  }
  if (moment.symbol !== at.symbol) {
    visit = moment;
    setProps("symbol", { value: moment.symbol });
    return;
  }
  chart.see(...chart.around(moment.wall));
  chart.ring(moment.wall);
  hidden("go-live", false);
}

/* Pause or resume; on resuming, missed ticks are added, or everything is redrawn. */
function pause(whether) {
  if (at.paused === whether) return;
  at.paused = whether;
  const button = element("pause");
  button.setAttribute("aria-pressed", String(at.paused));
  button.textContent = at.paused ? "Paused" : "Pause";
  changed.tell();
}

function goLive() {
  pause(false);
  if (options.state.period) options.set({ period: null });
  if (!chart.goLive() && chart.view.drawn)
    setProps("rebuild", { data: { id: chart.view.drawn.id, at: performance.now() } });
  multiples.goLive();
  redraw();
  hidden("go-live", true);
  changed.tell();
}

/** Call this after a symbol was drawn: go to the moment that was requested before, if it belongs to this symbol. */
function arrive(symbol) {
  if (visit && visit.symbol === symbol) goTo(visit);
}

/** Register `draw`, which draws all charts again. */
function on(draw) {
  redraw = draw;
}

export const visits = { at, goTo, goLive, pause, arrive, on };

/* Functions for the cells of the watch list; the grid calls them by the names that `watch_list.py` uses. */
import { health } from "./health.js";
import { stars } from "./stars.js";
import { watch } from "./watch.js";
import { words } from "./words.js";

const HOT_PERCENT = 3, // a change of this size has the full shade
  FULL_SHADE = 30; // in percent; text on the full shade keeps a contrast of 4.5 in both themes

/** The shade behind a change: the colour of its direction, stronger for a larger change. */
function heat(value) {
  const side = words.side(value),
    share = Math.sqrt(Math.min(1, Math.abs(value) / HOT_PERCENT));
  if (!side) return { backgroundColor: "transparent" };
  return { backgroundColor: `color-mix(in srgb, var(--${side}) ${(FULL_SHADE * share).toFixed(1)}%, transparent)` };
}

/** Starred rows come first: in the reader's order, unless the list is sorted. */
function starsFirst({ nodes, api }) {
  const isSorted = api.getColumnState().some(({ sort }) => sort);
  stars.first(nodes.slice(), ({ data }) => data.symbol, isSorted).forEach((node, i) => (nodes[i] = node));
}

const unknown = (value) => value === null || value === undefined;

export const cells = {
  tickflow_price: ({ value }) =>
    words.fit(value, document.body.dataset.view === "overview" && !watch.isNarrow() ? 13 : 8),
  tickflow_whole: ({ value }) => words.price(value),
  tickflow_change: ({ value }) => words.change(value),
  tickflow_heat: ({ value }) => heat(value),
  tickflow_stars_first: starsFirst,
  tickflow_is_limited: watch.isLimited,
  tickflow_is_kept: ({ data }) => !watch.isLeftOut(data.symbol),
  tickflow_age: ({ data }) => words.span(health.ageNow(data.symbol, data.event_us)),
  tickflow_volatility: ({ value }) => (unknown(value) ? words.NONE : words.fit(value, 11)),
  tickflow_share: ({ value }) => (unknown(value) ? words.NONE : `${words.fit(value, 9)} %`),
  tickflow_score: ({ value }) => words.fixed(value, 2),
  tickflow_volume: ({ value }) => words.volume(value),
  tickflow_times: ({ value }) => (unknown(value) ? words.NONE : `× ${words.fixed(value, 2)}`),
  tickflow_count: ({ value }) => words.fixed(value, 0),
  tickflow_source: ({ value }) => words.source(value),
  tickflow_leave: () => false, // Tab leaves the list, however long it is; arrow keys move from cell to cell
};

function Sparkline({ value }) {
  if (!value || value.length < 2) return null;
  const low = Math.min(...value);
  const height = Math.max(...value) - low || 1;
  const at = (price, i) =>
    `${((60 * i) / (value.length - 1)).toFixed(1)},${(19 - (16 * (price - low)) / height).toFixed(1)}`;
  const attributes = {
    viewBox: "0 0 60 22",
    className: "sparkline",
    "aria-hidden": "true",
    preserveAspectRatio: "none",
  };
  const line = { points: value.map(at).join(" "), fill: "none", vectorEffect: "non-scaling-stroke" };
  return window.React.createElement("svg", attributes, window.React.createElement("polyline", line));
}

const STAR = "M8 1.6l2 4.2 4.5.6-3.3 3.2.8 4.6L8 12l-4 2.2.8-4.6L1.5 6.4 6 5.8z";

function Starred({ value }) {
  const { createElement } = window.React,
    picture = createElement("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, createElement("path", { d: STAR })),
    button = {
      type: "button",
      className: "star",
      tabIndex: -1,
      title: "Starred symbols come first (*)",
      "aria-label": `Star ${value}`,
      "aria-pressed": String(stars.has(value)),
      "data-star": value,
    };
  return createElement("span", { className: "starred" }, createElement("button", button, picture), value);
}

window.dashAgGridFunctions = Object.assign(window.dashAgGridFunctions || {}, cells);
window.dashAgGridComponentFunctions = Object.assign(window.dashAgGridComponentFunctions || {}, { Sparkline, Starred });

/* Functions for the cells of the watch list; the grid calls them by the names that `watch_list.py` uses. */
import { health } from "./health.js";
import { words } from "./words.js";

const unknown = (value) => value === null || value === undefined;

export const cells = {
  tickflow_price: ({ value }) => words.fit(value, document.body.dataset.view === "overview" ? 13 : 8),
  tickflow_whole: ({ value }) => words.price(value),
  tickflow_change: ({ value }) => words.change(value),
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

window.dashAgGridFunctions = Object.assign(window.dashAgGridFunctions || {}, cells);
window.dashAgGridComponentFunctions = Object.assign(window.dashAgGridComponentFunctions || {}, { Sparkline });

/* The watch list's cells, called by the grid. */
(function () {
  "use strict";
  const words = () => window.tickflow.words;
  const functions = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});
  functions.tickflow_price = (params) => words().price(params.value);
  functions.tickflow_change = (params) => words().change(params.value);
  functions.tickflow_age = (params) => words().span(window.tickflow.health.ageOf(params.value));
  functions.tickflow_volatility = (params) => (params.value === null || params.value === undefined ? words().NONE : words().fixed(params.value, words().digits(params.value) + 1));
  functions.tickflow_score = (params) => words().fixed(params.value, 2);
  functions.tickflow_volume = (params) => words().volume(params.value);
  functions.tickflow_times = (params) => (params.value === null || params.value === undefined ? words().NONE : `× ${words().fixed(params.value, 2)}`);
  functions.tickflow_count = (params) => words().fixed(params.value, 0);
  functions.tickflow_source = (params) => words().source(params.value);

  functions.tickflow_leave = () => false; // arrows go from cell to cell; Tab leaves the list, however long it is

  const components = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  components.Sparkline = ({ value }) => {
    if (!value || value.length < 2) return null;
    const low = Math.min(...value), high = Math.max(...value), height = high - low || 1;
    const points = value.map((price, i) => `${((60 * i) / (value.length - 1)).toFixed(1)},${(19 - (16 * (price - low)) / height).toFixed(1)}`).join(" ");
    return window.React.createElement("svg", { viewBox: "0 0 60 22", className: "sparkline", "aria-hidden": "true", preserveAspectRatio: "none" },
      window.React.createElement("polyline", { points, fill: "none", vectorEffect: "non-scaling-stroke" }));
  };
})();

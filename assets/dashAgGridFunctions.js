/* The watch list's cells, called by the grid. */
(function () {
  "use strict";
  const functions = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});
  functions.tickflow_price = (params) => window.tickflow.words.price(params.value);
  functions.tickflow_change = (params) => window.tickflow.words.change(params.value);
  functions.tickflow_age = (params) => window.tickflow.words.span(window.tickflow.ageOf(params.value));
})();

/* Draws figures with Plotly, in the places of the page that have the class `chart`.
   The page does without Dash's own graph: that draws an empty figure first and measures a figure anew after each first one. */
const CONFIG = {
  displaylogo: false,
  scrollZoom: true,
  doubleClick: false,
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "resetScale2d", "sendChartToCloud", "sendDataToCloud"],
  toImageButtonOptions: { format: "png", scale: 2, filename: "tickflow" },
};
const waiting = new Map(); // figures by place, until Plotly is there
const hands = new Map(); // the handlers of a place's events

/** The element with the drawing, once there is one; its `data` and `layout` are those drawn. */
const drawing = (id) => document.querySelector(`#${id} .js-plotly-plot`);

/** Replace the drawing in a place by this figure; if Plotly has not loaded yet, do so when it has. */
function draw(id, { data, layout }) {
  if (!window.Plotly) {
    waiting.set(id, { data, layout });
    return;
  }
  const known = drawing(id),
    gd = known || begin(id);
  window.Plotly.react(gd, data, { ...layout, autosize: true }, CONFIG);
  if (!known) listen(id, gd);
}

function begin(id) {
  const gd = document.createElement("div");
  document.getElementById(id).append(gd);
  return gd;
}

function listen(id, gd) {
  const tell = (name) => (event) => hands.get(id)?.[name]?.(event);
  gd.on("plotly_relayout", tell("moved"));
  gd.on("plotly_hover", tell("hovered"));
  gd.on("plotly_unhover", tell("left"));
  new ResizeObserver(() => {
    const { width, height } = gd._fullLayout,
      { clientWidth, clientHeight } = gd;
    if (clientWidth && clientHeight && (clientWidth !== width || clientHeight !== height)) tell("resized")();
  }).observe(gd);
}

/** Add points to the traces with these indices; each trace keeps at most `most` points. */
const extend = (id, added, indices, most) => window.Plotly.extendTraces(drawing(id), added, indices, most);

/** Set the handlers of a place: `moved` (the reader changed the range), `hovered`, `left`, `resized`. */
const on = (id, events) => hands.set(id, events);

document.getElementById("plotly").addEventListener("load", () => {
  for (const [id, figure] of waiting) draw(id, figure);
  waiting.clear();
});

export const plots = { draw, drawing, extend, on };

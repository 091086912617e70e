/* Draws figures with Plotly in the elements of the page that have the class `chart`. Dash's own graph component is not
   used: it first draws an empty figure, and then measures each figure twice. */
const CONFIG = {
  displaylogo: false,
  displayModeBar: false,
  scrollZoom: true,
  doubleClick: false,
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "resetScale2d", "sendChartToCloud", "sendDataToCloud"],
  toImageButtonOptions: { format: "png", scale: 2, filename: "tickflow" },
};
const waiting = new Map(); // figures to draw once Plotly is loaded, by element
const later = new Map(); // frames to draw once Plotly is loaded, by element
const hands = new Map(); // the event handlers of each element

/** Plotly's element inside `id`, once there is one; its `data` and `layout` are those that are drawn. */
const drawing = (id) => document.querySelector(`#${id} .js-plotly-plot`);

/** Replace the drawing in `id` with this figure, now or as soon as Plotly is loaded. */
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

/** Draw only the paper and the line of the time axis, with space for a canvas over them. `panels` has the position of
    each panel by name, as fractions of the height from the bottom. */
function frame(id, { panels, margin, colors }) {
  if (!window.Plotly) {
    later.set(id, { panels, margin, colors });
    return;
  }
  const gd = drawing(id) || begin(id),
    bare = { fixedrange: true, range: [0, 1], showgrid: false, showticklabels: false, zeroline: false };
  const whole = {
    autosize: true,
    margin,
    showlegend: false,
    hovermode: false,
    dragmode: false,
    paper_bgcolor: colors.paper,
    plot_bgcolor: colors.paper,
    xaxis: { ...bare, anchor: Object.keys(panels).at(-1), linecolor: colors.line }, // below the lowest panel
  };
  for (const [name, domain] of Object.entries(panels)) whole[`yaxis${name.slice(1)}`] = { ...bare, domain };
  // Plotly does not draw an axis that has no trace.
  const data = Object.keys(panels).map((yaxis) => ({ type: "scatter", mode: "lines", x: [null], y: [null], yaxis }));
  window.Plotly.react(gd, gd.data?.length === data.length ? gd.data : data, whole, {
    staticPlot: true,
    responsive: false,
  });
}

/** Set the event handlers of an element: `moved` (the reader changed the range), `hovered`, `left`, `resized`. */
const on = (id, events) => hands.set(id, events);

document.getElementById("plotly").addEventListener("load", () => {
  for (const [id, figure] of waiting) draw(id, figure);
  waiting.clear();
  for (const [id, one] of later) frame(id, one);
  later.clear();
});

export const plots = { draw, frame, drawing, on };

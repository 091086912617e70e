/* The grid of the watch list. It comes into the page after the first drawing, since its script and its cells would delay
   the chart. */
const AGAIN_MS = 3_000; // the server may be restarting, or the session may have ended
let begun = false,
  load = null;
const loaded = new Promise((done) => (load = done));

/** Put the grid into the page. */
function mount() {
  if (begun) return;
  begun = true;
  const script = document.createElement("script");
  script.src = document.getElementById("grid-script").href;
  script.onload = () => {
    const children = window.dash_component_api.getLayout("grid").props.data;
    window.dash_clientside.set_props("watch-place", { children });
    load();
  };
  script.onerror = () => {
    script.remove();
    begun = false;
    setTimeout(mount, AGAIN_MS);
  };
  document.head.append(script);
}

/** The grid's own interface, once the grid is in the page. */
const api = () => loaded.then(() => window.dash_ag_grid.getApiAsync("watch"));

export const grid = { mount, api };

/* The grid of the watch list. It comes into the page after the first drawing, since its script and its cells would delay
   the chart. */
const AGAIN_MS = 3_000; // the server may be restarting, or the session may have ended
let begun = false,
  load = null;
const loaded = new Promise((done) => (load = done));

/* Run a script; try again until the server has sent it. */
function run(src) {
  return new Promise((done) => {
    const add = () => {
      const script = document.createElement("script");
      script.src = src;
      script.onload = done;
      script.onerror = () => {
        script.remove();
        setTimeout(add, AGAIN_MS);
      };
      document.head.append(script);
    };
    add();
  });
}

/** Put the grid into the page. The grid would load its second script by itself, but only try once. */
async function mount() {
  if (begun) return;
  begun = true;
  const first = document.getElementById("grid-script").href;
  for (const src of [first, new URL("async-community.js", first).href]) await run(src);
  const children = window.dash_component_api.getLayout("grid").props.data;
  window.dash_clientside.set_props("watch-place", { children });
  load();
}

/** The grid's own interface, once the grid is in the page. */
const api = () => loaded.then(() => window.dash_ag_grid.getApiAsync("watch"));

export const grid = { mount, api };

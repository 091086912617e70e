/* Layouts: named views that are kept in the store for all readers, and can be saved to a file and loaded from one. */
import { download } from "./download.js";
import { place } from "./place.js";

const setProps = (id, props) => window.dash_clientside.set_props(id, props);
const dialog = () => document.getElementById("layouts");
let known = [];
let trouble = "";

function make(tag, className, text = "", more = {}) {
  return Object.assign(document.createElement(tag), { className, textContent: text, ...more });
}

const button = (text, onclick, className = "plain") => make("button", className, text, { type: "button", onclick });

function build() {
  const name = make("input", "layout-name", "", { type: "text", maxLength: 40, placeholder: "Name of this view" }),
    file = make("input", "", "", { type: "file", accept: "application/json", hidden: true }),
    list = make("ul", "layout-list"),
    buttons = make("div", "period-buttons"),
    keep = make("form", "layout-keep");
  name.setAttribute("aria-label", "Name of this view");
  keep.append(name, make("button", "go-live", "Keep for all readers", { type: "submit" }));
  keep.onsubmit = (event) => {
    event.preventDefault();
    if (name.value.trim()) put(name.value.trim(), window.location.search.slice(1));
    name.value = "";
  };
  file.onchange = () => file.files[0]?.text().then(read);
  buttons.append(
    button("Save to a file", write),
    button("Read from a file", () => file.click()),
    button("Close", () => dialog().close()),
  );
  const said = make("p", "layout-trouble");
  said.setAttribute("role", "alert");
  dialog().append(make("h2", "heading", "Layouts"), list, said, keep, file, buttons);
}

function draw() {
  if (!dialog().childElementCount) build();
  const list = dialog().querySelector(".layout-list");
  list.replaceChildren(
    ...known.map(({ name, query }) => {
      const item = make("li", ""),
        remove = button("✕", () => put(name, ""));
      remove.setAttribute("aria-label", `Remove ${name}`);
      item.append(
        button(name, () => {
          dialog().close();
          place.open(query);
        }),
        remove,
      );
      return item;
    }),
  );
  if (!known.length) list.append(make("li", "", "None is kept yet."));
  dialog().querySelector(".layout-trouble").textContent = trouble;
}

const put = (name, query) => setProps("layout", { data: { name, query, n: performance.now() } });

function write() {
  const text = JSON.stringify({ layouts: known }, null, 2);
  download("tickflow-layouts.json", new Blob([text], { type: "application/json" }));
}

function read(text) {
  try {
    const { layouts } = JSON.parse(text);
    layouts.forEach(({ name, query }, i) => setTimeout(() => put(String(name), String(query)), 300 * i));
  } catch {
    trouble = "This file has no layouts in it.";
    draw();
  }
}

/** Show the server's list of layouts, or the reason why there is none. */
function listed(answer) {
  known = answer?.layouts ?? known;
  trouble = answer?.trouble ?? "";
  draw();
}

/** The server has saved a layout, or failed to: request the list again. */
function kept(answer) {
  trouble = answer?.trouble ?? "";
  if (trouble) draw();
  else setProps("layouts-asked", { data: performance.now() });
}

document.addEventListener("click", (event) => {
  if (event.target.id === "layouts") event.target.close();
  if (!event.target.closest?.("#show-layouts")) return;
  draw();
  setProps("layouts-asked", { data: performance.now() });
  dialog().showModal();
});

export const layouts = { listed, kept };

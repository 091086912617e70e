/* One Tab stop per group: within a toolbar the left and right keys move the focus, within a list the up and down keys
   do. */
const TOOLBARS = "[role=toolbar]",
  LISTS = ".alerts-list";
const shown = (each) => each.offsetParent !== null && !each.disabled;
const stops = (group) => [...group.querySelectorAll("button, select, input, a[href]")];

/** Make one element of each group reachable by Tab: the one that had the focus last, or else the first. */
function settle() {
  for (const group of document.querySelectorAll(`${TOOLBARS}, ${LISTS}`)) {
    const all = stops(group),
      before = all.find((each) => each.dataset.stop && shown(each)),
      stop = all.find((each) => each === document.activeElement) ?? before ?? all.find(shown);
    for (const each of all) each.tabIndex = each === stop ? 0 : -1;
  }
}

function move(event) {
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 }[event.key],
    across = event.key === "ArrowLeft" || event.key === "ArrowRight",
    group = event.target.closest?.(`${TOOLBARS}, ${LISTS}`);
  if (!by || !group || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input")) return;
  const list = group.matches(LISTS),
    row = event.target.closest("li");
  if (!list && !across) return; // in a toolbar, up and down choose the symbol, as elsewhere on the page
  let all = stops(list && across ? row : group).filter(shown);
  if (list && !across) all = all.filter((each) => each.dataset.key); // move from row to row
  const at = all.indexOf(list && !across ? row.querySelector("[data-key]") : event.target),
    next = all[Math.min(all.length - 1, Math.max(0, at + by))];
  event.preventDefault();
  event.stopImmediatePropagation();
  next?.focus();
}

document.addEventListener("focusin", ({ target }) => {
  const group = target.closest?.(`${TOOLBARS}, ${LISTS}`);
  if (!group) return;
  for (const each of stops(group)) delete each.dataset.stop;
  target.dataset.stop = "yes";
});
document.addEventListener("keydown", (event) => (event.key === "Tab" ? settle() : move(event)), true);

/* The links that skip to a part of the page. */
const PARTS = {
  chart: () => [document.getElementById("chart"), document.querySelector("#multiples")],
  watch: () => [
    document.querySelector("#watch [role=row][aria-selected=true] [role=gridcell]"),
    document.querySelector("#watch [role=gridcell]"),
    document.querySelector("#strip .card"),
  ],
  alerts: () => [
    document.querySelector("#alerts .alerts-list [data-key]"),
    document.querySelector("#alerts .chip"),
    document.getElementById("alerts-open"),
  ],
};
document.addEventListener("click", (event) => {
  const part = event.target.closest?.("[data-skip]")?.dataset.skip;
  if (!part) return;
  event.preventDefault();
  const to = PARTS[part]().find((each) => each && each.offsetParent !== null);
  to?.focus();
});

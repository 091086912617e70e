/* Lets the reader drag the starred rows of the watch list into a different order; a line shows where the dragged row
   will stand. A row without a star gets one when it is dropped. A finger drags by the star, since elsewhere it scrolls
   the list. */
import { stars } from "./stars.js";
import { watch } from "./watch.js";

const MOVED_PX = 5;
let drag = null; // the pressed row: its symbol, where it was pressed, and the gap between starred rows under the pointer

const starred = () => watch.inSight().filter(stars.has);

/** The gap between starred rows nearest to `y`: 0 is above the first one. */
function gapAt(y) {
  const rows = document.querySelector("#watch .ag-center-cols-container").getBoundingClientRect(),
    { height } = document.querySelector("#watch .ag-row").getBoundingClientRect(),
    gap = Math.max(0, Math.min(starred().length, Math.round((y - rows.top) / height)));
  return { gap, top: rows.top + gap * height };
}

const line = Object.assign(document.createElement("div"), { className: "drop-line", hidden: true });
document.addEventListener("DOMContentLoaded", () => document.body.append(line));

/** Show the line where the row will stand; without arguments, hide it. */
function mark(top = null) {
  document.body.classList.toggle("is-dragging", top !== null);
  line.hidden = top === null;
  if (line.hidden) return;
  const { left, width } = document.getElementById("watch").getBoundingClientRect();
  Object.assign(line.style, { left: `${left}px`, top: `${top}px`, width: `${width}px` });
}

function end() {
  drag = null;
  mark();
}

document.addEventListener("pointerdown", ({ target, button, pointerType, pointerId, clientY }) => {
  const cell = target.closest?.("#watch .ag-row [col-id=symbol]"),
    isHandle = pointerType !== "touch" || target.closest?.(".star");
  if (!cell || button || !isHandle || watch.sorted()) return;
  drag = { symbol: cell.closest(".ag-row").getAttribute("row-id"), pointerId, y: clientY, gap: null };
});

document.addEventListener("pointermove", ({ pointerId, clientY }) => {
  if (drag?.pointerId !== pointerId) return;
  if (drag.gap === null && Math.abs(clientY - drag.y) < MOVED_PX) return;
  const { gap, top } = gapAt(clientY);
  drag.gap = gap;
  mark(top);
});

document.addEventListener("pointerup", ({ pointerId }) => {
  if (drag?.pointerId !== pointerId) return;
  const { symbol, gap } = drag;
  end();
  if (gap === null) return;
  // the click that follows would choose the row, or remove its star
  const swallow = (event) => event.stopPropagation();
  window.addEventListener("click", swallow, { capture: true, once: true });
  setTimeout(() => window.removeEventListener("click", swallow, true));
  watch.putStar(symbol, starred()[gap] ?? null);
});

document.addEventListener("pointercancel", end);
document.addEventListener("keydown", ({ key }) => key === "Escape" && end());

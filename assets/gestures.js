/* Pointer gestures on a chart: wheel, drag and pinch, on the picture or on its price axis. */
const WHEEL = 0.0016;
const MOVED_PX = 3;

/** Listen on `place`, and call the functions in `hands`. `zoom(factor, at)` and `pan(by)` take shares of the picture's
    width, `stretch(factor)` stretches the prices, `point(x, y)` takes px, `point(null)` means that the pointer has
    left, and `rest()` ends a gesture. `inside(x)` returns whether a position lies left of the price axis, `size()` the
    size of the picture. If `measures()` returns true, a drag measures: `measure(step, x, y)` is then called with the
    steps begin, end, over and drop. */
function listen(place, hands) {
  const pointers = new Map();
  let start = null;

  const at = (event) => {
    const box = place.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  place.addEventListener(
    "wheel",
    (event) => {
      if (event.ctrlKey && !event.deltaY) return;
      event.preventDefault();
      const { x } = at(event),
        unit = event.deltaMode === 1 ? 33 : 1;
      if (!hands.inside(x)) hands.stretch(Math.exp(event.deltaY * unit * WHEEL));
      else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        hands.pan(((event.deltaX || event.deltaY) * unit) / hands.size().width);
      } else hands.zoom(Math.exp(event.deltaY * unit * WHEEL), x);
      hands.rest();
    },
    { passive: false },
  );

  place.addEventListener("pointerdown", (event) => {
    if (event.button || event.target.closest("button, a, input")) return;
    pointers.set(event.pointerId, at(event));
    start = { ...at(event), onAxis: !hands.inside(at(event).x), moved: false };
    start.measures = !start.onAxis && (event.shiftKey || hands.measures());
    hands.measure(start.measures ? "begin" : "drop", start.x, start.y);
  });

  place.addEventListener("pointermove", (event) => {
    const now = at(event),
      before = pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== "touch") hands.point(now.x, now.y);
      return;
    }
    if (!start.moved && Math.hypot(now.x - start.x, now.y - start.y) < MOVED_PX) return;
    if (!start.moved) place.setPointerCapture(event.pointerId);
    start.moved = true;
    const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    if (start.measures) hands.measure("end", now.x, now.y);
    else if (others.length) pinch(before, now, others[0]);
    else if (start.onAxis) hands.stretch(Math.exp(((now.y - before.y) / hands.size().height) * 3));
    else hands.pan((before.x - now.x) / hands.size().width);
    pointers.set(event.pointerId, now);
  });

  function pinch(before, now, other) {
    const spread = (point) => Math.max(12, Math.abs(point.x - other.x));
    hands.zoom(spread(before) / spread(now), (now.x + other.x) / 2);
    hands.pan((before.x - now.x) / 2 / hands.size().width);
  }

  const end = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    if (start?.measures) hands.measure("over", at(event).x, at(event).y);
    else if (start?.moved) hands.rest();
    else if (event.type === "pointerup") hands.point(at(event).x, at(event).y);
  };
  place.addEventListener("pointerup", end);
  place.addEventListener("pointercancel", end);
  place.addEventListener("pointerleave", () => pointers.size || hands.point(null));
}

export const gestures = { listen };

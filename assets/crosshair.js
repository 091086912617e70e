/* Shows one moment in all small charts: a line through each chart, with the price of its symbol at that moment. */
/** Show the lines over `place`. Each chart has its bounds `left`, `right`, `top` and `bottom`, the `x` of the line (all
    in px), and the `text`. */
function show(place, charts) {
  const lines = charts.map(({ left, right, top, bottom, x, text }) => {
    const line = document.createElement("div"),
      label = document.createElement("span");
    line.className = "crosshair";
    Object.assign(line.style, { left: `${x}px`, top: `${top}px`, height: `${bottom - top}px` });
    label.className = "crosshair-label";
    label.textContent = text;
    label.style[x > (left + right) / 2 ? "right" : "left"] = "4px"; // on the side with more space
    line.append(label);
    return line;
  });
  hide(place);
  place.append(...lines);
}

const hide = (place) => place.querySelectorAll(".crosshair").forEach((line) => line.remove());

export const crosshair = { show, hide };

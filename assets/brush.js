/* Paints lines, columns, candles, bars, marks and labels on a canvas that lies over Plotly's axes. A `panel` has
   `x(ms)` and `y(value)`, which return px, and its bounds `left`, `right`, `top` and `bottom`. */
const MARK_PX = 9,
  MARK_AWAY_PX = 8,
  LANE_PX = 5,
  PEAK_ALPHA = 0.4,
  OVER_ALPHA = 0.25;

let em = 1; // text on the canvas is scaled like the text of the page
let sharpness = 0; // device pixels per CSS px while a picture is exported; 0 means those of the screen

const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);

/** Clip what `paint` draws to the panel. */
function within(context, { left, right, top, bottom }, paint) {
  context.save();
  context.beginPath();
  context.rect(left, top, right - left, bottom - top);
  context.clip();
  paint();
  context.restore();
}

/** A line through the values. It is interrupted where a value is absent, and before each item at which `breaks` is
    true. With `step`, a value holds until the next one. */
function line(context, panel, xs, values, [from, to], { color, width, dash = "solid", breaks, step = false }) {
  context.beginPath();
  let before = null;
  for (let i = from; i < to; i++) {
    if (!known(values[i])) {
      before = null;
      continue;
    }
    const x = panel.x(xs[i]),
      y = panel.y(values[i]);
    if (before === null || breaks?.[i]) context.moveTo(x, y);
    else {
      if (step) context.lineTo(x, before);
      context.lineTo(x, y);
    }
    before = y;
  }
  stroke(context, color, width, dash);
}

function stroke(context, color, width, dash = "solid") {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.setLineDash(dash === "solid" ? [] : dash.split(",").map(parseFloat));
  context.lineJoin = "round";
  context.stroke();
  context.setLineDash([]);
}

/** The range of each column from the lowest to the highest value, with the ranges joined: it looks like a line through
    all ticks. */
function ranges(context, panel, xs, lows, highs, [from, to], { color, width, breaks, half }) {
  context.beginPath();
  let open = false;
  for (let i = from; i < to; i++) {
    if (!known(lows[i])) {
      open = false;
      continue;
    }
    const x = panel.x(xs[i] + half);
    if (!open || breaks?.[i]) context.moveTo(x, panel.y(lows[i]));
    else context.lineTo(x, panel.y(lows[i]));
    context.lineTo(x, panel.y(highs[i]));
    open = true;
  }
  stroke(context, color, width);
}

/**
 * The prices of columns: one line from the first price of a column to its highest, lowest and last price, and on to the
 * next column.
 */
function columns(context, panel, xs, { open, high, low, close }, [from, to], { color, width, breaks, half }) {
  context.beginPath();
  for (let i = from; i < to; i++) {
    const x = panel.x(xs[i] + half);
    if (i === from || breaks?.[i]) context.moveTo(x, panel.y(open[i]));
    else {
      context.lineTo(x, panel.y(close[i - 1])); // a price holds until the next one
      context.lineTo(x, panel.y(open[i]));
    }
    if (high[i] > low[i]) {
      context.lineTo(x, panel.y(high[i]));
      context.lineTo(x, panel.y(low[i]));
      context.lineTo(x, panel.y(close[i]));
    } else context.lineTo(x + 0.5, panel.y(close[i]));
  }
  stroke(context, color, width);
}

/** Candles: hollow if the price rose, filled if it fell. */
function candles(context, panel, xs, { open, high, low, close }, [from, to], { up, down, paper, wide }) {
  const step = panel.wide(wide),
    body = Math.max(1, Math.min(18, 0.7 * step));
  for (let i = from; i < to; i++) {
    const x = Math.round(panel.x(xs[i] + wide / 2)) + 0.5,
      rose = close[i] >= open[i],
      color = rose ? up : down;
    const top = panel.y(Math.max(open[i], close[i])),
      bottom = panel.y(Math.min(open[i], close[i]));
    context.beginPath();
    context.moveTo(x, panel.y(high[i]));
    context.lineTo(x, panel.y(low[i]));
    stroke(context, color, 1);
    context.fillStyle = rose ? paper : color;
    context.fillRect(x - body / 2, top, body, Math.max(1, bottom - top));
    if (body > 2) {
      context.strokeStyle = color;
      context.strokeRect(x - body / 2, top, body, Math.max(1, bottom - top));
    }
  }
}

/** Bars from the bottom of the panel, each in its colour. */
function bars(context, panel, xs, values, [from, to], { colors, width, half }) {
  for (const [sign, color] of Object.entries(colors)) {
    context.fillStyle = color;
    for (let i = from; i < to; i++) {
      if (!values[i] || values.signs[i] !== Number(sign)) continue;
      const top = panel.y(values[i]);
      context.fillRect(panel.x(xs[i] + half) - width / 2, top, width, panel.bottom - top);
    }
  }
}

/**
 * The highest value of each pixel column, as an area. `tops` has, by pixel, the value and the share of the ticks whose
 * values lie above `limit`. The part above `limit` has a different colour, which is stronger where that share is larger.
 */
function peaks(context, panel, tops, limit, { color, over }) {
  const ground = panel.y(limit);
  context.fillStyle = color; // one colour after the other: each change of it costs as much as a rectangle
  context.globalAlpha = PEAK_ALPHA;
  for (const [px, { high }] of tops) {
    const foot = Math.max(panel.y(high), ground);
    context.fillRect(px, foot, 1, panel.bottom - foot);
  }
  context.fillStyle = over;
  for (const [px, { high, share }] of tops) {
    const top = panel.y(high);
    if (top >= ground) continue;
    context.globalAlpha = OVER_ALPHA + (1 - OVER_ALPHA) * Math.sqrt(share);
    context.fillRect(px, top, 1, ground - top);
  }
  context.globalAlpha = 1;
}

/** An area between two columns of values. */
function band(context, panel, xs, lows, highs, [from, to], color) {
  context.beginPath();
  const there = [];
  for (let i = from; i < to; i++) if (known(lows[i]) && known(highs[i])) there.push(i);
  there.forEach((i, n) => context[n ? "lineTo" : "moveTo"](panel.x(xs[i]), panel.y(highs[i])));
  for (const i of there.reverse()) context.lineTo(panel.x(xs[i]), panel.y(lows[i]));
  context.closePath();
  context.fillStyle = color;
  context.fill();
}

/** A triangle that points at the price: from above for a high one, from below for a low one. */
function mark(context, panel, { x, price, high }, color, ringed) {
  const px = panel.x(x),
    side = high ? -1 : 1,
    tip = panel.y(price) + side * MARK_AWAY_PX;
  context.beginPath();
  context.moveTo(px, tip);
  context.lineTo(px - MARK_PX / 2, tip + side * MARK_PX * 0.85);
  context.lineTo(px + MARK_PX / 2, tip + side * MARK_PX * 0.85);
  context.closePath();
  context.fillStyle = color;
  context.fill();
  if (!ringed) return;
  context.beginPath();
  context.arc(px, panel.y(price), 7, 0, 2 * Math.PI);
  stroke(context, color, 2);
}

/** The density of anomalies: a lane at the top of the panel that is darker where there are more of them. */
function lane(context, panel, places, color) {
  const counts = new Map();
  for (const [ms, count] of places) {
    const px = Math.round(panel.x(ms));
    if (px >= panel.left && px <= panel.right) counts.set(px, (counts.get(px) ?? 0) + count);
  }
  const most = Math.max(1, ...counts.values());
  context.fillStyle = color;
  for (const [px, count] of counts) {
    context.globalAlpha = 0.25 + 0.75 * Math.sqrt(count / most);
    context.fillRect(px, panel.top, 1.5, LANE_PX);
  }
  context.globalAlpha = 1;
}

/** Draw text; with `paper`, in a framed box of that colour. `align` and `baseline` are those of the canvas. */
function text(
  context,
  words,
  x,
  y,
  { color, paper, align = "left", baseline = "middle", bold = false, size = 11, pad = 2 },
) {
  size *= em;
  context.font = `${bold ? "600 " : ""}${size}px system-ui, sans-serif`;
  context.textAlign = align;
  context.textBaseline = baseline;
  if (paper) {
    const width = context.measureText(words).width,
      left = align === "right" ? x - width : align === "center" ? x - width / 2 : x,
      top = baseline === "top" ? y : baseline === "bottom" ? y - size : y - size / 2;
    context.fillStyle = paper;
    context.fillRect(left - pad, top - pad, width + 2 * pad, size + 2 * pad);
  }
  context.fillStyle = color;
  context.fillText(words, x, y);
}

/** A part of a panel without data: hatched, with a word for the reason. */
function void_(context, panel, from, to, color, words) {
  const left = Math.max(panel.left, from),
    right = Math.min(panel.right, to);
  if (right - left < 2) return;
  context.save();
  context.beginPath();
  context.rect(left, panel.top, right - left, panel.bottom - panel.top);
  context.clip();
  context.beginPath();
  for (let x = left - panel.bottom + panel.top; x < right; x += 9) {
    context.moveTo(x, panel.bottom);
    context.lineTo(x + panel.bottom - panel.top, panel.top);
  }
  context.globalAlpha = 0.18;
  stroke(context, color, 1);
  context.globalAlpha = 1;
  context.restore();
  if (right - left > 120)
    text(context, words, (left + right) / 2, (panel.top + panel.bottom) / 2, { color, align: "center", size: 12 });
}

/** Lay a canvas over all of `place`, at the screen's resolution; return its context, whose unit is the page's px. */
function canvasOf(place, name) {
  em = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
  let canvas = place.querySelector(`:scope > canvas.${name}`);
  if (!canvas) {
    canvas = document.createElement("canvas");
    canvas.className = `brush ${name}`;
    canvas.setAttribute("aria-hidden", "true");
    place.append(canvas);
  }
  const { clientWidth: width, clientHeight: height } = place,
    ratio = sharpness || window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** Run `paint` with `ratio` device pixels per CSS px. */
function sharply(ratio, paint) {
  sharpness = ratio;
  try {
    return paint();
  } finally {
    sharpness = 0;
  }
}

export const brush = {
  within,
  line,
  ranges,
  columns,
  candles,
  bars,
  peaks,
  band,
  mark,
  lane,
  text,
  void: void_,
  canvasOf,
  sharply,
  stroke,
  em: () => em,
};

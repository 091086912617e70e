/* The view of the chart: colours from the style sheet, the part of time that is seen, ranges that fit it, labels.
   Everything here turns a figure into a figure; `page.js` hands them to Dash. */
(function () {
  "use strict";
  const { words } = window.tickflow;
  const PRICE = 0, MA = [1, 2, 3], VOLATILITY = 4, Z = 5, VOLUME_AVERAGE = 6, MARKS = [7, 8], STEMS = [9, 10], BAND = [11, 12], CANDLES = 13;
  const TOKENS = ["--ma5", "--ma10", "--ma20"];
  const PRICE_PANEL = 0.54; // its share of the height, as in figures.py
  const view = { key: null, zoomed: false, hidden: new Set(), drawn: null, raw: null, log: false, percent: false, low: 0, high: 1, base: null };

  const graph = () => document.querySelector("#chart .js-plotly-plot");

  function painter() {
    const style = getComputedStyle(document.documentElement);
    const paint = (part) => {
      if (typeof part === "string") return part.startsWith("--") ? style.getPropertyValue(part).trim() : part;
      if (Array.isArray(part)) return part.map(paint);
      if (part === null || typeof part !== "object") return part;
      return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, paint(value)]));
    };
    return paint;
  }

  const shown = (trace) => !view.hidden.has(trace.name.split(",")[0]) && !(trace.name === "Price" && view.raw.data.length > CANDLES);

  /** A whole figure: the raw one in today's colours, with `data`'s values, seen as `range` or as it comes. */
  function figure(data, range) {
    const paint = painter();
    const traces = view.raw.data.map((raw, i) => {
      const { x, y, open, high, low, close, ...style } = raw;
      const values = i === CANDLES ? pick(data[i], ["x", "open", "high", "low", "close"]) : { x: data[i].x, y: data[i].y };
      return { ...paint(style), ...values, visible: shown(raw) };
    });
    const layout = paint(view.raw.layout);
    layout.xaxis.range = range || live(traces[PRICE].x, null);
    fit(traces, layout, paint);
    return { data: traces, layout };
  }

  const pick = (from, keys) => Object.fromEntries(keys.map((key) => [key, from[key]]));

  /** New ticks move the last candle, or begin another. */
  function carry(candles, extend) {
    const width = view.drawn.candle_ms, { x, open, high, low, close } = candles;
    extend.x[PRICE].forEach((at, i) => {
      const price = extend.y[PRICE][i], end = x.length - 1;
      // Steps begin at multiples of their width in UTC, as the store makes them.
      const offset = view.drawn.offsets.at(-1)[1], step = Math.floor((at - offset) / width) * width + offset;
      if (end >= 0 && step <= x[end]) {
        high[end] = Math.max(high[end], price);
        low[end] = Math.min(low[end], price);
        close[end] = price;
      } else {
        x.push(step);
        for (const side of [open, high, low, close]) side.push(price);
      }
    });
  }

  /** Take in a figure from the server; zoom and hidden lines stay while symbol and range are the same. */
  function show(raw, drawn) {
    const gd = graph();
    const same = view.key === raw.layout.uirevision && view.zoomed && gd && gd.layout.xaxis;
    if (!same) view.zoomed = false;
    Object.assign(view, { key: raw.layout.uirevision, drawn, raw });
    return figure(raw.data, same ? gd.layout.xaxis.range.map(ms) : null);
  }

  /** The figure as it stands, made anew: after another theme, other lines, or back to the newest tick. */
  function again(range = null) {
    const gd = graph();
    if (!view.raw || !gd || gd.data.length !== view.raw.data.length) return null;
    if (range) view.zoomed = true;
    return figure(gd.data, range || (view.zoomed ? gd.layout.xaxis.range.map(ms) : null));
  }

  /** A part of time with this moment in its middle, `null` where nothing is drawn of it. */
  function place(moment) {
    const x = graph()?.data?.[PRICE]?.x;
    if (!x?.length || moment < x[0] || moment > last(x)) return null;
    const half = Math.min(150_000, Math.max(15_000, (last(x) - x[0]) / 4));
    return [moment - half, moment + half];
  }

  /** Prepare the graph for what `extendData` is about to add: one drawing then shows rows, ranges and labels.
      How many points each trace is to keep comes back, `null` for all. */
  function follow(extend, drawn) {
    const gd = graph();
    view.drawn = drawn;
    if (!gd || !gd.layout.xaxis) return null;
    const next = gd.data.slice(0, CANDLES).map((trace, i) => ({ ...trace, x: trace.x.concat(extend.x[i]), y: trace.y.concat(extend.y[i]) }));
    if (gd.data.length > CANDLES) {
      for (const side of ["x", "open", "high", "low", "close"]) gd.data[CANDLES][side] = [...gd.data[CANDLES][side]];
      carry(gd.data[CANDLES], extend);
    }
    const before = last(gd.data[PRICE].x), now = last(next[PRICE].x);
    let range = gd.layout.xaxis.range.map(ms);
    if (!view.zoomed) range = live(next[PRICE].x, range);
    else if (before <= range[1] && now > range[1]) {
      const step = now - range[1] + 0.1 * (range[1] - range[0]);
      range = [range[0] + step, range[1] + step];
    }
    gd.layout.xaxis.range = range;
    fit(next, gd.layout, painter());
    STEMS.forEach((i) => (gd.data[i].line.width = next[i].line.width));
    return kept(next, gd.data[CANDLES]);
  }

  /** A page that stays open lets go of what lies a quarter of the range before it, unless its reader looks elsewhere. */
  function kept(data, candles) {
    const { range_ms, rows, total } = view.drawn;
    if (view.zoomed || !range_ms || rows !== total) return null; // a thinned range is drawn anew in time
    const from = last(data[PRICE].x) - 1.25 * range_ms;
    const gone = candles ? below(candles.x, from) : 0;
    if (gone) for (const side of ["x", "open", "high", "low", "close"]) candles[side].splice(0, gone);
    const lengths = data.map(({ x }) => x.length - below(x, from));
    return lengths[PRICE] < data[PRICE].x.length ? lengths : null;
  }

  /** How many items of sorted `x` lie below the bound. */
  function below(x, bound) {
    let low = 0, high = x.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (x[middle] < bound) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The reader moved or resized the chart. */
  function moved(change, current) {
    const gd = graph();
    if (!gd || !view.raw || !current) return null;
    const byHand = Object.keys(change).some((key) => key.startsWith("xaxis.range"));
    if (byHand) view.zoomed = true;
    else if (!change.autosize) return null;
    const layout = { ...current.layout, xaxis: { ...gd.layout.xaxis, range: gd.layout.xaxis.range.map(ms) } };
    for (const panel of ["yaxis", "yaxis2", "yaxis3", "yaxis4"]) layout[panel] = { ...layout[panel] };
    fit(gd.data, layout, painter());
    return { ...current, data: gd.data, layout };
  }

  const last = (values) => values[values.length - 1];

  /** A bound of the axis in ms: Plotly gives back text after a zoom. */
  function ms(bound) {
    return typeof bound === "number" ? bound : Date.parse(`${bound.replace(" ", "T")}${bound.includes(":") ? "" : "T00:00"}Z`);
  }

  /** The part of time seen live: the range back from the newest tick, with a little room, moved on in steps. */
  function live(x, current) {
    if (!x.length) return [0, 1];
    const first = x[0], now = last(x), wanted = view.drawn.range_ms;
    if (current && now <= current[1] && current[1] - now < 0.3 * (current[1] - current[0])) return current;
    const there = Math.max(now - first, 10_000);
    if (view.drawn.period) return view.drawn.period.slice();
    if (wanted === null || there < wanted) return [first - 0.01 * there, first + 1.12 * there];
    return [now - wanted, now + 0.05 * wanted];
  }

  /** The items of sorted `x` within the range, and one more on either side, where the line comes from and goes. */
  function seen(x, [from, to]) {
    return [Math.max(0, below(x, from) - 1), Math.min(x.length, below(x, to) + 1)];
  }

  function extremes(values, from, to, extent = [Infinity, -Infinity]) {
    for (let i = from; i < to; i++) {
      const value = values[i];
      if (value === null) continue;
      if (value < extent[0]) extent[0] = value;
      if (value > extent[1]) extent[1] = value;
    }
    return extent;
  }

  function step(span) {
    const power = 10 ** Math.floor(Math.log10(span));
    return power * [1, 2, 5, 10].find((factor) => factor * power >= span);
  }

  const ceiling = (value) => (value > 0 ? Math.ceil((value * 1.08) / step(value / 8)) * step(value / 8) : 1);

  /** Ranges of the panels that fit what is seen, changing in steps, and the labels that hang on them. */
  function fit(data, layout, paint) {
    const x = data[PRICE].x;
    const [from, to] = seen(x, layout.xaxis.range);
    const extent = extremes(data[PRICE].y, from, to);
    [...MA, ...BAND].filter((i) => shown(data[i])).forEach((i) => extremes(data[i].y, from, to, extent));
    if (extent[0] > extent[1]) return;
    const span = extent[1] - extent[0] || Math.abs(extent[1]) * 0.002;
    const unit = step(span / 12);
    const low = Math.floor((extent[0] - 0.06 * span) / unit) * unit;
    const high = Math.ceil((extent[1] + 0.08 * span) / unit) * unit;
    scale(layout.yaxis, low, high, data[PRICE].y[from]);
    const traded = STEMS.map((i) => extremes(data[i].y, 3 * from, 3 * to)[1]);
    layout.yaxis2.range = [0, ceiling(Math.max(...traded))];
    layout.yaxis3.range = [0, ceiling(extremes(data[VOLATILITY].y, from, to)[1])];
    layout.yaxis4.range = [0, Math.max(3, extremes(data[Z].y, from, to)[1])];
    layout.yaxis4.tickvals = [0, 1, 2];
    const places = words.digits(extent[1]);
    layout.yaxis2.tickformat = "~s";
    layout.yaxis3.tickformat = `.${words.digits(layout.yaxis3.range[1])}~f`;
    const width = Math.max(1, Math.min(5, (0.55 * (plotWidth() || 800)) / Math.max(1, to - from)));
    STEMS.forEach((i) => (data[i].line = { ...data[i].line, width }));
    label(data, layout, paint, places);
  }

  /** The axis of prices: linear or logarithmic, told in prices or in percent since the first price in sight. */
  function scale(axis, low, high, base) {
    view.low = low;
    view.high = high;
    view.base = base;
    const log = view.log && low > 0;
    axis.type = log ? "log" : "linear";
    axis.range = log ? [Math.log10(low), Math.log10(high)] : [low, high];
    const share = view.percent && base ? base / 100 : 1, zero = view.percent && base ? base : 0;
    const unit = step((high - low) / share / 6);
    const places = view.percent ? Math.max(0, Math.min(6, -Math.floor(Math.log10(unit)))) : words.digits(high);
    axis.tickmode = "array";
    axis.tickvals = [];
    axis.ticktext = [];
    for (let at = Math.ceil((low - zero) / share / unit - 1e-9) * unit; at * share + zero <= high * (1 + 1e-12); at += unit) {
      axis.tickvals.push(at * share + zero);
      axis.ticktext.push(view.percent ? `${at > unit / 2 ? "+" : at < -unit / 2 ? "−" : ""}${words.fixed(Math.abs(at), places)} %` : words.fixed(at, places));
    }
  }

  const onAxis = (layout, price) => (layout.yaxis.type === "log" ? Math.log10(price) : price);

  const plotWidth = () => (document.getElementById("chart")?.clientWidth || 0) - 80;
  const plotHeight = () => (document.getElementById("chart")?.clientHeight || 560) - 40;

  function label(data, layout, paint, places) {
    const { low, high } = view;
    const price = last(data[PRICE].y);
    const side = { xref: "paper", x: 1, xanchor: "left", yref: "y", showarrow: false, bgcolor: paint("--paper"), borderpad: 1, align: "left" };
    const ends = MA.filter((i) => shown(data[i]) && last(data[i].y) !== null)
      .map((i) => ({ y: last(data[i].y), text: data[i].name, color: TOKENS[i - 1] }))
      .sort((a, b) => a.y - b.y);
    const gap = (15 * (high - low)) / (PRICE_PANEL * plotHeight());
    const tag = (17 * (high - low)) / (PRICE_PANEL * plotHeight());
    spread(ends, price, gap, tag);
    const labels = ends
      .filter(({ y }) => y >= low && y <= high)
      .map(({ y, text, color }) => ({ ...side, y: onAxis(layout, y), text, xshift: 2, width: 44, font: { size: 11, color: paint(color) } }));
    const inside = price >= low && price <= high;
    if (inside) {
      labels.push({
        ...side, y: onAxis(layout, price), text: `<b>${view.percent && view.base ? signed(100 * (price / view.base - 1)) : words.fixed(price, places)}</b>`, xshift: 2, borderpad: 3,
        bgcolor: paint("--price"), font: { size: 12, color: paint("--paper") },
      });
    }
    const title = { xref: "paper", x: 0, xanchor: "left", yref: "paper", yanchor: "bottom", yshift: 0, showarrow: false };
    const threshold = layout.meta.threshold;
    for (const [panel, text] of [
      ["yaxis2", "Volume"],
      ["yaxis3", "Volatility, 10 ticks"],
      ["yaxis4", `|z|, anomaly above ${threshold}`],
    ]) {
      labels.push({ ...title, y: layout[panel].domain[1], text, font: { size: 11, color: paint("--muted") } });
    }
    labels.push({
      ...title, x: 1, xanchor: "right", y: 0, yanchor: "top", yshift: -18, text: "New York time (ET)",
      font: { size: 10, color: paint("--muted") },
    });
    layout.annotations = labels;
    layout.shapes = [
      layout.shapes[0],
      ...(inside
        ? [{ type: "line", xref: "paper", x0: 0, x1: 1, yref: "y", y0: price, y1: price,
             line: { color: paint("--price"), width: 1, dash: "1px,3px" } }]
        : []),
    ];
  }

  const signed = (percent) => `${percent < 0 ? "−" : "+"}${words.fixed(Math.abs(percent), 2)} %`;

  /** Push the labels (sorted upwards) apart, away from the tag of the last price. */
  function spread(ends, price, gap, tag) {
    const below = ends.filter((end) => end.y < price), above = ends.filter((end) => end.y >= price);
    let limit = price - tag;
    for (const end of below.reverse()) {
      end.y = Math.min(end.y, limit);
      limit = end.y - gap;
    }
    limit = price + tag;
    for (const end of above) {
      end.y = Math.max(end.y, limit);
      limit = end.y + gap;
    }
  }

  /** The values at a row, by default at the newest. */
  function values(row = null) {
    const gd = graph();
    if (!gd || !view.raw || !gd.data?.length || !gd.data[PRICE].x.length) return null;
    const data = gd.data, i = row === null || row >= data[PRICE].x.length ? data[PRICE].x.length - 1 : row;
    const at = (trace) => data[trace].y[i];
    return {
      newest: i === data[PRICE].x.length - 1,
      wall: data[PRICE].x[i], price: at(PRICE), ma: MA.map(at), volatility: at(VOLATILITY), z: at(Z),
      volume: data[STEMS[0]].y[3 * i + 1] ?? data[STEMS[1]].y[3 * i + 1],
    };
  }

  /** How many anomalies are in sight. */
  function marked() {
    const gd = graph();
    if (!gd?.layout?.xaxis?.range || !view.raw) return 0;
    const [from, to] = gd.layout.xaxis.range.map(ms);
    return MARKS.reduce((sum, i) => sum + gd.data[i].x.filter((x) => x >= from && x <= to).length, 0);
  }

  /** The rows in sight, under a heading; of a thinned range, the rows that are drawn. */
  function rowsInSight() {
    const gd = graph(), range = seenNow();
    if (!gd?.data?.length || !range) return null;
    const marked = new Set(MARKS.flatMap((i) => [...gd.data[i].x]));
    const lines = [["time_utc", "symbol", "price", "ma_5", "ma_10", "ma_20", "volume", "vol_avg_10", "volatility", "z_score", "is_anomaly"]];
    gd.data[PRICE].x.forEach((x, i) => {
      if (x < range[0] || x > range[1]) return;
      const at = (trace) => gd.data[trace].y[i] ?? "";
      const volume = gd.data[STEMS[0]].y[3 * i + 1] ?? gd.data[STEMS[1]].y[3 * i + 1] ?? "";
      lines.push([words.iso(words.utc(x, view.drawn.offsets)), view.drawn.symbol, at(PRICE), ...MA.map(at), volume, at(VOLUME_AVERAGE), at(VOLATILITY), at(Z), marked.has(x)]
        .map((value) => (Number.isNaN(value) ? "" : value)));
    });
    return lines;
  }

  /** The part of time in sight, in ms of the wall clock. */
  const seenNow = () => graph()?.layout?.xaxis?.range?.map(ms) ?? null;

  const rowOf = (hover) => hover?.points?.find((point) => point.curveNumber <= VOLUME_AVERAGE)?.pointNumber ?? null;

  Object.assign(window.tickflow, { chart: { view, show, again, place, follow, moved, values, marked, seenNow, rowsInSight, rowOf, indices: [...Array(CANDLES).keys()] } });
})();

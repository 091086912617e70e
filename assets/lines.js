/* The text above the chart: the headline and the readout, also for screen readers. */
import { chart } from "./chart.js";
import { facts } from "./facts.js";
import { health } from "./health.js";
import { multiples } from "./multiples.js";
import { watch } from "./watch.js";
import { words } from "./words.js";

const { write, hidden } = health;
const element = (id) => document.getElementById(id);
const rows = () => watch.rows;

/* The price and the change to show: those in the watch list. In a long list, the changes over a period come late, so
   until then they are taken from the chart. */
function quoteOf(drawn) {
  const row = drawn && rows().get(drawn.symbol);
  if (!drawn?.period || typeof row?.change === "number") return row;
  const first = drawn.rows ? chart.values(0) : null,
    end = first && chart.values(drawn.rows - 1);
  return end && { price: end.price, change: 100 * (end.price / first.price - 1) };
}

function headline(drawn, paused) {
  const row = drawn && rows().get(drawn.symbol),
    badge = element("badge"),
    quote = quoteOf(drawn);
  write("headline-symbol", drawn?.symbol || "");
  write("headline-price", quote ? words.price(quote.price) : "");
  write("headline-change", quote ? words.change(quote.change) : "");
  const change = element("headline-change");
  change.className = `headline-change ${words.side(quote?.change)}`;
  let note = "";
  if (row) note = drawn.range === "all" ? "since the first tick" : `in ${drawn.range}`;
  if (row?.since === "close") note = "since the previous close";
  if (drawn?.period) note = words.period(drawn.period);
  const leftOut = chart.view.picture?.sources_left_out;
  if (leftOut) note += ` · ${words.fixed(leftOut, 0)} more sources are not drawn`;
  write("headline-note", note);
  session(drawn);
  title(drawn, quote);
  behind(drawn, row, paused);
  const source = row?.source || "";
  for (const place of [badge, element("badge-full")]) {
    place.hidden = !source;
    place.dataset.source = source;
    write(place.id, words.source(source));
  }
}

/* The session of the drawn symbol: its previous close, high, low and average price, as far as they exist. */
function session(drawn) {
  const day = drawn?.period ? null : drawn?.day,
    parts = [];
  const say = (name, value) => value !== null && value !== undefined && parts.push(`${name} ${words.fit(value, 10)}`);
  if (day) {
    say("Prev. close", day.previous);
    say("High", day.high);
    say("Low", day.low);
    say("VWAP", chart.vwap(day));
  }
  write("headline-session", parts.join(" · "));
}

/* The title of the browser tab. */
function title(drawn, quote) {
  const text = quote
    ? `${drawn.symbol} ${words.price(quote.price)} ${words.change(quote.change)} · Tickflow`
    : "Tickflow";
  if (document.title !== text) document.title = text;
}

/* Show how far the visible range lies behind the newest tick, and the button that returns to that tick. */
function behind(drawn, row, paused) {
  const several = document.body.dataset.charts === "several",
    seen = several ? multiples : chart;
  const back = paused || (several ? seen.zoomed() : chart.view.zoomed) || Boolean(drawn?.period);
  const any = drawn?.rows || (several && seen.any());
  hidden("go-live", !back || !(any || drawn?.period));
  if (!drawn?.rows) write("go-live", "Go live");
  if (!back || !drawn?.rows || !row) return;
  const right = seen.seenNow()?.[1];
  const edge_us = right ? Math.min(drawn.newest_us, words.utc(right, drawn.offsets) * 1000) : drawn.newest_us;
  const seconds = Math.max(0, (row.event_us - edge_us) / 1e6);
  write("go-live", seconds < 1 ? "Go live" : `${words.long(seconds)} behind, go live`);
}

/* Write the readout, and its text for screen readers. */
function read(values, drawn) {
  if (!values) return;
  const places = words.digits(values.price);
  const offset = words.utc(values.wall, drawn.offsets);
  write("reading-time", `${words.time(values.wall)} ${words.shortZone()}`);
  element("reading-time").title = words.universal(offset);
  write("reading-utc", words.shortZone() === "UTC" ? "" : words.universalTime(offset));
  write("reading-price", words.fixed(values.price, places));
  if (values.candle)
    ["o", "h", "l", "c"].forEach((side, k) => write(`reading-${side}`, words.fixed(values.candle[k], places)));
  element("readout").classList.toggle("has-candles", Boolean(values.candle));
  anomaly(values);
  for (const field of READINGS)
    write(`reading-${field.name}`, measured(values.measures[field.name], field, places, values));
  write("reading-volume", words.volume(values.volume));
  write("reading-anomaly", String(chart.marked()));
  if (!values.newest) return;
  const quote = quoteOf(drawn);
  write(
    "summary",
    `${drawn.symbol}, ${words.stretch(drawn)}: ${drawn.total} ticks, last price ${words.fixed(values.price, places)} ` +
      `at ${words.time(values.wall)} ${words.longZone()}, change ${quote ? words.change(quote.change) : "unknown"}, ` +
      `${chart.marked()} anomalies in sight.`,
  );
}

/* Show the evidence of the anomaly under the pointer, or of the ringed anomaly, in a fixed position above the chart. */
function anomaly({ evidence }) {
  hidden("evidence", !evidence);
  if (!evidence) return;
  const { price, ma, volatility, z, times } = evidence,
    places = words.digits(price);
  const parts = [
    `Anomaly ${evidence.high ? "▲ high" : "▼ low"}`,
    `price ${words.fixed(price, places)}`,
    `MA10 ${words.fixed(ma, places)}`,
    `volatility ${words.fixed(volatility, places + 1)}`,
    `|z| ${words.fixed(z, 2)}`,
  ];
  if (times !== null) parts.push(`volume × ${words.fixed(times, 2)}`);
  if (evidence.offset !== undefined) parts.push(`offset ${evidence.offset} of partition ${evidence.partition}`);
  write("evidence", parts.join(" · "));
}

/* The fields in the line of values that are also drawn as lines, except the price. */
const READINGS = facts.chart.fields.filter(({ name, readout, trace }) => readout && trace !== null && name !== "price");

/* A value as text; during warm-up, the number of ticks so far; for a column, the range of its values. */
function measured(value, field, places, values) {
  const digits = field.unit === "price" ? places + field.digits : field.digits;
  if (Array.isArray(value)) {
    const [low, high] = value.map((bound) => words.fixed(bound, digits));
    return low === high ? low : `${low}–${high}`;
  }
  if (value !== null && value !== undefined) {
    const share =
      field.name === "volatility" && values.price
        ? ` (${Number(((100 * value) / values.price).toPrecision(3))} %)`
        : "";
    const night = values.isOverNight?.(field.window) ? " over the night" : "";
    return `${words.fixed(value, digits)}${share}${night}`;
  }
  return values.newest && values.count < field.window ? `${values.count}/${field.window}` : words.NONE;
}

export const lines = { headline, read };

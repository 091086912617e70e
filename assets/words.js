/* Formats numbers and times for people. */
import { facts } from "./facts.js";

const SYMBOL = new RegExp(facts.symbol_pattern);
const NONE = "–";

/** The number of digits after the point that a price of this size needs. */
function digits(price) {
  const size = Math.abs(price);
  if (size >= 1 || size === 0) return 2;
  return Math.min(10, 3 - Math.floor(Math.log10(size)));
}

/* The formats by number of decimals: `toLocaleString` creates one for each value, which is most of its work. */
const formats = new Map();
function fixed(value, places) {
  if (value === null || value === undefined || Number.isNaN(value)) return NONE;
  if (!formats.has(places)) {
    const both = { minimumFractionDigits: places, maximumFractionDigits: places };
    formats.set(places, new Intl.NumberFormat("en-US", both));
  }
  return formats.get(places).format(value);
}

/** A number with `significant` digits in a short form: 0.0₅1139 for 0.000001139, 10.4 M. */
function short(value, significant = 4) {
  const size = Math.abs(value);
  if (size >= 1e6) {
    const [unit, name] = size >= 1e12 ? [1e12, "T"] : size >= 1e9 ? [1e9, "B"] : [1e6, "M"];
    const whole = Math.floor(Math.log10(size / unit)) + 1;
    return `${fixed(value / unit, Math.max(0, significant - whole))} ${name}`;
  }
  return size >= 1e-4 || size === 0 ? fixed(value, digits(value)) : tiny(value, significant);
}

/** A number below 1 by its first digits, with the count of the zeros before them: 0.0₅1139. */
function tiny(value, significant) {
  const [mantissa, exponent] = Math.abs(value)
      .toExponential(significant - 1)
      .split("e-"),
    zeros = [...String(exponent - 1)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]).join("");
  return `${value < 0 ? "−" : ""}0.0${zeros}${mantissa.replace(".", "").replace(/0+$/, "") || "0"}`;
}

/** A label of an axis whose labels are `apart` from one another: with enough digits to differ from the next label. */
function label(value, apart) {
  const size = Math.abs(value);
  if (size >= 1e6 || (size > 0 && size < 1e-4)) {
    return short(value, Math.max(3, Math.ceil(Math.log10(size / apart)) + 1));
  }
  const needed = Math.max(0, -Math.floor(Math.log10(apart) + 1e-9));
  return fixed(
    value,
    Math.min(12, size >= 1 || size === 0 ? Math.max(needed, apart < 10 ? 2 : 0) : Math.max(needed, 2)),
  );
}

const price = (value) => (value === null || value === undefined ? NONE : fixed(value, digits(value)));

/** A price in at most `room` characters: fewer digits after the point for a large price, the form 0.0₅1139 for a tiny
    one. */
function fit(value, room = 8) {
  const whole = price(value),
    size = Math.abs(value);
  if (whole.length <= room) return whole;
  if (size < 1) return tiny(value, Math.max(2, room - 4));
  for (const places of [1, 0]) if (fixed(value, places).length <= room) return fixed(value, places);
  return short(value, Math.max(3, room - 4));
}

/** A change in percent, with a sign and an arrow, so that it can be read without colour. */
function change(value) {
  if (value === null || value === undefined) return NONE;
  const much = Math.abs(value),
    size = much >= 1e4 ? volume(much) : fixed(much, much >= 1000 ? 0 : much >= 100 ? 1 : 2);
  if (size === "0.00") return "0.00 %";
  return value > 0 ? `▲ +${size} %` : `▼ −${size} %`;
}

/** The direction by which a change is coloured; empty for a change that is shown as 0.00 %. */
const side = (value) => (value >= 0.005 ? "up" : value <= -0.005 ? "down" : "");

function volume(value) {
  if (value === null || value === undefined) return NONE;
  for (const [size, unit] of [
    [1e12, "T"],
    [1e9, "B"],
    [1e6, "M"],
    [1e3, "k"],
  ]) {
    if (value >= size) return `${fixed(value / size, value >= 100 * size ? 0 : 1)} ${unit}`;
  }
  return fixed(value, 0);
}

/** A duration in its largest unit. */
function span(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  for (const [size, unit] of [
    [86400, "d"],
    [3600, "h"],
    [60, "m"],
  ]) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  }
  return `${Math.max(0, Math.floor(seconds))} s`;
}

/** A duration in its two largest units. */
function long(seconds) {
  for (const [size, unit, next, less] of [
    [86400, "d", 3600, "h"],
    [3600, "h", 60, "m"],
    [60, "m", 1, "s"],
  ]) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit} ${Math.floor((seconds % size) / next)} ${less}`;
  }
  return span(seconds);
}

const two = (value) => String(value).padStart(2, "0");

/** The zone in which times are shown, and the offsets of the exchange's clock to UTC that came with the picture. */
const zone = { name: "exchange", offsets: [] };
const know = (changes) => Object.assign(zone, changes);

/** Convert ms of the exchange's clock to ms of the shown clock. */
function shown(ms) {
  if (zone.name === "exchange" || !zone.offsets.length) return ms;
  const at = utc(ms, zone.offsets);
  return zone.name === "utc" ? at : at - new Date(at).getTimezoneOffset() * 60_000;
}

const clock = (at) => `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`;

/* Formats of dates take 15 ms each to make, so they are made when they are needed: the first request does not wait. */
const made = new Map();
function format(name, options) {
  if (!made.has(name)) made.set(name, new Intl.DateTimeFormat("en-US", options));
  return made.get(name);
}

const date = (at) => format("date", { timeZone: "UTC", month: "short", day: "numeric", year: "numeric" }).format(at);

/** The time of day, and the day, in the shown zone, at `ms` of the exchange's clock. */
const time = (ms) => clock(new Date(shown(ms)));
const day = (ms) => date(new Date(shown(ms)));

/** The day and the time in UTC of `ms` since 1970. */
const universal = (ms) => `${date(new Date(ms))}, ${clock(new Date(ms))} UTC`;
const universalTime = (ms) => `${clock(new Date(ms))} UTC`;

/** Convert `ms` of the exchange's wall clock to UTC, with the given offsets. */
function utc(ms, offsets) {
  let offset = 0;
  for (const [from, its] of offsets) if (ms >= from || offset === 0) offset = its;
  return ms - offset;
}

/** Whether `text` is a symbol by the rules for ticks. */
const isSymbol = (text) => SYMBOL.test(text || "");

/** Convert a moment in UTC to ms of the exchange's wall clock, with the given offsets. */
function wall(ms, offsets) {
  let offset = offsets[0]?.[1] ?? 0;
  for (const [from, its] of offsets) if (ms + its >= from) offset = its;
  return ms + offset;
}

const EXCHANGE = {
  timeZone: facts.zone.name,
  hourCycle: "h23",
  ...{ year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" },
};

/** The exchange's wall clock at `ms` since 1970, for a moment that need not be near what is drawn. */
function exchange(ms) {
  const parts = format("exchange", EXCHANGE).formatToParts(ms),
    at = Object.fromEntries(parts.map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(at.year, at.month - 1, at.day, at.hour, at.minute, at.second) + (ms % 1000);
}

/** A source in capitals, "alpha_vantage" as ALPHA VANTAGE. */
const source = (name) => (name || "").replaceAll("_", " ").toUpperCase();

/** The visible time range in words. */
const period = ([from, to]) => `${day(from)}, ${time(from)} – ${time(to)} ${shortZone()}`;
const stretch = (drawn) => (drawn.period ? period(drawn.period) : `range ${drawn.range}`);

const local = () => format("local").resolvedOptions().timeZone || "this computer";

/** The long name and the short name of the shown zone. */
const longZone = () =>
  zone.name === "local" ? `local time (${local()})` : { exchange: facts.zone.words, utc: "UTC" }[zone.name];
const shortZone = () => ({ exchange: facts.zone.label, utc: "UTC", local: "local" })[zone.name];

const iso = (ms) => new Date(ms).toISOString();

export const words = {
  NONE,
  know,
  shown,
  longZone,
  shortZone,
  universal,
  universalTime,
  digits,
  fixed,
  short,
  label,
  price,
  fit,
  change,
  side,
  volume,
  span,
  long,
  time,
  day,
  utc,
  wall,
  exchange,
  iso,
  source,
  period,
  stretch,
  isSymbol,
};

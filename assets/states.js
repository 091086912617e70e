/* The word in the header: one table maps what is known about the drawn symbol to the word that is shown. */
import { words } from "./words.js";

const BEHIND_RECORDS = 1_000; // a smaller backlog is processed within a refresh
const SPEED_FROM = 1.5; // below this factor, event time is taken to run at the speed of the clock

/** The first row whose condition is true determines the kind and the word. The conditions use `age` in s (null:
unknown), `isPeriod`, `isClosed` with `opens` (ms of the exchange's clock, or null), `isEnded` with `newest` (likewise),
`isStale`, `lag` in records, `source`, `speed` of event time against the clock (null: unknown), and `replay`, the state
of a steered replay whose producer reports. */
const TABLE = [
  ["closed", (at) => at.isClosed, (at) => `market closed${at.opens === null ? "" : ` until ${moment(at.opens)}`}`],
  ["past", (at) => at.isPeriod, () => "past"],
  ["ended", (at) => at.replay?.ended, (at) => `replay ended · ${stamp(at.replay.position_ms)}`],
  ["past", (at) => at.replay?.paused, (at) => `replay paused · ${stamp(at.replay.position_ms)}`],
  ["behind", (at) => at.replay && at.lag >= BEHIND_RECORDS, (at) => behind(at.lag)],
  ["live", (at) => at.replay, (at) => `replay at ${Number(at.replay.speed.toPrecision(3))} ×`],
  ["ended", (at) => at.isEnded, (at) => `replay ended · ${stamp(at.newest)}`],
  ["stale", (at) => at.age === null, () => "stale"],
  ["stale", (at) => at.isStale, (at) => `stale · ${words.span(at.age)}`],
  ["behind", (at) => at.lag >= BEHIND_RECORDS, (at) => behind(at.lag)],
  ["live", (at) => at.source === "replay" && at.speed >= SPEED_FROM, (at) => `replay at ${times(at.speed)} ×`],
  ["live", () => true, (at) => `${at.source === "replay" ? "replay" : "live"} · ${words.span(at.age)}`],
];

function stateOf(known) {
  const [kind, , word] = TABLE.find(([, holds]) => holds(known));
  return { kind, word: word(known) };
}

const behind = (lag) => `behind · ${words.fixed(lag, 0)} records`;
const stamp = (ms) => `${words.time(ms)} · ${date(ms)}`;
const date = (ms) => words.day(ms).split(",")[0];
const moment = (ms) => `${date(ms)}, ${words.time(ms).slice(0, 5)} ${words.shortZone()}`;

/** A speed, rounded to the precision of a measurement over a few seconds. */
const times = (speed) => (speed >= 10 ? Number(speed.toPrecision(2)) : Math.round(speed));

const SAMPLES_MS = 20_000,
  LEAST_MS = 3_000;
const samples = [];

/** How fast event time passes, from the workers' reports of the last 20 s; `null` while unknown. */
function speed(newest_us, now = performance.now()) {
  if (newest_us === null || newest_us === undefined) return null;
  const last = samples[samples.length - 1];
  if (last && newest_us < last.newest_us) samples.length = 0; // a new replay has begun
  if (!last || newest_us !== last.newest_us) samples.push({ at: now, newest_us });
  while (samples.length > 2 && now - samples[0].at > SAMPLES_MS) samples.shift();
  const [first, end] = [samples[0], samples[samples.length - 1]];
  return end.at - first.at < LEAST_MS ? null : (end.newest_us - first.newest_us) / 1000 / (end.at - first.at);
}

export const states = { stateOf, speed };

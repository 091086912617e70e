/* Shows whether the figures are fresh: their age, what to do if they are stale, and the status line under the list. */
import { chart } from "./chart.js";
import { facts } from "./facts.js";
import { replay } from "./replay.js";
import { session } from "./session.js";
import { states } from "./states.js";
import { watch } from "./watch.js";
import { words } from "./words.js";

/* The small charts of several symbols; `page.js` passes them in, since they import this module. */
let beside = { youngest: () => null, any: () => false };
const heard = { state: null, at: 0, seen: 0, refresh: 2, wanted: 0, retried: 0, shown: 0, turn: null };
const ENDED_S = 10;
const ANSWER_MS = 5_000; // how long the page waits for an answer before it sends the request again
const MOST_TICKS = facts.warm_up_ticks; // the number of ticks in the longest average
const LONGEST = facts.chart.fields.find(({ window: ticks }) => ticks === MOST_TICKS)?.label ?? "averages";
const CLOSED = "The market is closed. Quotes come while it is open.";
const SEE_PRODUCER = "If more should come, see whether the producer runs: python stock_producer.py";
const element = (id) => document.getElementById(id);
const rows = () => watch.rows;

function write(id, text) {
  const place = element(id);
  if (place && place.textContent !== text) place.textContent = text;
}

function hidden(id, whether) {
  const place = element(id);
  if (place) place.hidden = whether;
}

/* Seconds since a symbol's last tick: the seconds since the last tick of any symbol, plus the difference between the
   event times of these two ticks. */
function ageOf(event_us) {
  const state = heard.state;
  if (!state || state.processed_s === null || state.processed_s === undefined) return null;
  const since = state.processed_s + (performance.now() - heard.at) / 1000;
  return since + Math.max(0, (state.newest_event_us - event_us) / 1e6);
}

/** Seconds since a symbol's last tick, so that header, list and footer show the same number. For the drawn symbol,
    at most the seconds since this page received its last tick. */
function ageNow(symbol, event_us) {
  const row = rows().get(symbol),
    age = ageOf(Math.max(event_us, row?.event_us ?? 0)),
    seen = chart.view.drawn?.symbol === symbol ? heard.seen : 0;
  return seen ? Math.min(age ?? Infinity, (performance.now() - seen) / 1000) : age;
}

/* The word, the sentence and the advice about the freshness of the chosen symbol. A tick that has just arrived counts,
   though it is newer than the workers' last report. */
function freshness(drawn) {
  const state = heard.state,
    now = performance.now();
  const silent = (now - heard.at) / 1000;
  if (session.ended()) {
    return {
      word: "signed out",
      kind: "down",
      sentence:
        "Your session has ended. The page keeps what it shows; to continue, sign in again at the end of the header.",
    };
  }
  const waited = (now - Math.max(heard.at, heard.shown)) / 1000; // a hidden page refreshes rarely
  if (waited > Math.max(3 * heard.refresh, 8)) {
    return {
      word: "no answer",
      kind: "down",
      sentence: `The dashboard has not answered for ${words.span(silent)}. It is asked again every ${Math.round(ANSWER_MS / 1000 + heard.refresh)} s; is it still running?`,
    };
  }
  if (!state) return { word: "connecting", kind: "empty" };
  if (state.down) {
    return {
      word: `store ${state.store}`, // the store's state: "slow", "down" or "refuses"
      kind: "down",
      sentence: `${state.down.replace(/\.?$/, ".")} Trying again every ${heard.refresh} s.`,
    };
  }
  const gone = state.reported_s === null ? null : state.reported_s + silent;
  let sentence = "";
  if (state.gone) {
    sentence =
      gone === null
        ? "No worker has reported yet. Start it: python stock_analytics.py"
        : `No worker has reported for ${words.span(gone)}. Start it: python stock_analytics.py`;
  } else if (state.held_up_by) sentence = `The worker waits: ${state.held_up_by}`;
  else sentence = state.notice;
  const one = drawn?.rows ? pulse(drawn, heard.seen) : beside.youngest();
  if (!one) return { word: "no data", kind: "empty", sentence: drawn?.symbol ? sentence : "" };
  const wall = (us) => words.wall(us / 1000, drawn?.offsets ?? []),
    { kind, word } = states.stateOf({
      age: one.age,
      isPeriod: Boolean(drawn?.period),
      isClosed: one.kind === "closed",
      opens: state.opens_us ? wall(state.opens_us) : null,
      isEnded: one.kind === "ended",
      newest: wall(Math.max(...[...rows().values()].map(({ event_us }) => event_us))),
      isStale: one.kind === "stale",
      lag: state.lag,
      source: rows().get(one.symbol)?.source ?? "",
      speed: states.speed(state.newest_event_us),
      replay: replay.steered(),
    });
  let advice = "";
  if (kind === "closed") advice = CLOSED;
  else if (kind === "stale" && one.age === null)
    advice = `No tick of ${one.symbol} since the worker started. ${SEE_PRODUCER}`;
  else if (kind === "stale") advice = `No new tick of ${one.symbol} for ${words.span(one.age)}. ${SEE_PRODUCER}`;
  else if (kind === "live" && one.warming)
    advice = `Warming up: ${one.warming} of the ${MOST_TICKS} ticks have come that all averages need.`;
  return { word, kind, sentence, advice };
}

/* Whether a symbol's ticks arrive (live, stale, closed, ended), the seconds since the last one and, during warm-up, how
   many have arrived. `seen`: when this page received the last one. */
function pulse({ symbol, newest_us, gap_s, count }, seen, quickest_s = gap_s) {
  const row = rows().get(symbol);
  let age = ageNow(symbol, newest_us);
  if (seen) age = Math.min(age ?? Infinity, (performance.now() - seen) / 1000);
  if (heard.state.closed && row?.source === "alpha_vantage") return { symbol, kind: "closed", age };
  const warming = count < MOST_TICKS ? count : null;
  if (replay.steered()) return { symbol, kind: "live", age, warming }; // it may be paused, or pass a quiet hour
  const limit = Math.max(2 * heard.refresh, 2.5 * (gap_s || 0)) + 1; // ages are truncated to whole seconds
  // a replay ends for all symbols at once, and the symbol with the most frequent ticks shows it first
  const silent = Math.max(2 * heard.refresh, 2.5 * (quickest_s || 0), ENDED_S) + 1;
  if (row?.source === "replay" && ended(silent)) return { symbol, kind: "ended", age };
  if (age === null || age > limit) return { symbol, kind: "stale", age };
  return { symbol, kind: "live", age, warming };
}

/* Whether a replay is over: no symbol has had a tick for `limit` seconds, and the workers have no backlog. */
function ended(limit) {
  const { processed_s, lag, gone } = heard.state;
  return !gone && lag === 0 && processed_s !== null && processed_s + (performance.now() - heard.at) / 1000 > limit;
}

/* For several symbols: a word for each chart, and one line of advice. */
const note = ({ kind, warming }) =>
  kind === "live"
    ? warming
      ? `${LONGEST} ${warming}/${MOST_TICKS}`
      : ""
    : kind === "closed"
      ? "market closed"
      : kind === "ended"
        ? ""
        : kind;

function advise(pulses) {
  const of = (kind) => pulses.filter((one) => one.kind === kind);
  const parts = [],
    stale = of("stale").filter(({ age }) => age !== null),
    warming = of("live").filter((one) => one.warming);
  if (of("closed").length) parts.push(CLOSED);
  if (stale.length)
    parts.push(
      `No new tick ${stale.map(({ symbol, age }) => `of ${symbol} for ${words.span(age)}`).join(", ")}. ${SEE_PRODUCER}`,
    );
  if (warming.length)
    parts.push(
      `Warming up: of the ${MOST_TICKS} ticks that all averages need, ${warming.map((one) => `${one.symbol} has ${one.warming}`).join(", ")}.`,
    );
  return parts.join(" ");
}

function emptiness(drawn, kind) {
  const empty = !drawn || !(drawn.rows || beside.any());
  element("chart-section").classList.toggle("is-empty", empty);
  // its headline has a link to the single chart
  element("chart-section").classList.toggle("is-period", empty && Boolean(drawn?.period));
  hidden("empty", !empty);
  if (!empty) return;
  let sentence = "Reading from the store …";
  if (kind === "down") sentence = "Nothing to show until the store answers.";
  else if (drawn?.period && rows().has(drawn.symbol)) {
    sentence = `No ticks of ${drawn.symbol} in this period. Choose another one, or a range.`;
  } else if (drawn) {
    sentence =
      drawn.symbol && rows().size
        ? `No ticks of ${drawn.symbol} yet. Choose another symbol, or wait for its first tick.`
        : nothingYet(heard.state);
  }
  write("empty", sentence);
}

/* Why no tick is stored yet: what the running worker waits for or reports; without either, the advice to start the
   producer. */
function nothingYet(state) {
  if (!state || state.down || state.gone) return "No ticks yet. Start the producer: python stock_producer.py";
  if (state.held_up_by) return `No ticks yet. The worker waits: ${state.held_up_by}`;
  if (state.notice) return `No ticks yet. The worker reports: ${state.notice}`;
  return "No ticks yet. The worker runs and has nothing to read. Start the producer: python stock_producer.py";
}

function truth(drawn) {
  const state = heard.state;
  const values = chart.values(),
    row = drawn && rows().get(drawn.symbol);
  if (!state || state.down || !drawn?.rows || !values) {
    tellTruth("");
    return;
  }
  const label = drawn.period || (row && row.event_us > drawn.newest_us) ? "Last tick drawn" : "Last tick";
  const parts = [`${label} ${words.day(values.wall)}, ${words.time(values.wall)} ${words.shortZone()}`];
  // a replayed tick of 2013 must not be shown as "0 s ago"
  const age = drawn.source === "replay" ? null : ageNow(drawn.symbol, drawn.newest_us);
  if (!drawn.period && age !== null) parts[0] += ` (${words.span(age)} ago)`;
  parts.push(`${words.fixed(state.lag, 0)} records behind`, `${words.fixed(state.refused, 0)} refused`);
  tellTruth(parts.join(" · "));
}

/* Shown under the watch list or, on a narrow screen, under the chart. */
const tellTruth = (text) => ["truth", "truth-narrow"].forEach((place) => write(place, text));

/** Register the small charts; their freshness is shown when there are several symbols. */
function look(charts) {
  beside = charts;
}

export const health = {
  ANSWER_MS,
  look,
  heard,
  write,
  hidden,
  ageOf,
  ageNow,
  freshness,
  pulse,
  note,
  advise,
  emptiness,
  truth,
};

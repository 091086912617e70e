/* Whether what is shown is alive: how old it is, what to do where it is not, and the line of truth under the list. */
(function () {
  "use strict";
  const { words, chart } = window.tickflow;
  const heard = { state: null, at: 0, seen: 0, refresh: 2, wanted: 0, retried: 0, shown: 0 };
  const MOST_TICKS = 20; // of the longest average
  const element = (id) => document.getElementById(id);
  const rows = () => window.tickflow.watch.rows;

  function write(id, text) {
    const place = element(id);
    if (place && place.textContent !== text) place.textContent = text;
  }

  function hidden(id, whether) {
    const place = element(id);
    if (place) place.hidden = whether;
  }

  /* Seconds since a symbol's tick was taken in: since any was, and how much older its event is than the newest one. */
  function ageOf(event_us) {
    const state = heard.state;
    if (!state || state.processed_s === null || state.processed_s === undefined) return null;
    const since = state.processed_s + (performance.now() - heard.at) / 1000;
    return since + Math.max(0, (state.newest_event_us - event_us) / 1e6);
  }

  /* The chosen symbol's age: a tick that has just come is younger than the workers' last word says. */
  function freshness(drawn) {
    const state = heard.state, now = performance.now();
    const silent = (now - heard.at) / 1000;
    const waited = (now - Math.max(heard.at, heard.shown)) / 1000; // a hidden page asks seldom: not the server's fault
    if (waited > Math.max(3 * heard.refresh, 8)) {
      return { word: "no answer", kind: "down", sentence: `The dashboard has not answered for ${words.span(silent)}. It is asked again every ${heard.refresh} s; is it still running?` };
    }
    if (!state) return { word: "connecting", kind: "empty" };
    if (state.down) {
      return { word: "store down", kind: "down", sentence: `${state.down.replace(/\.?$/, ".")} Trying again every ${heard.refresh} s.` };
    }
    const gone = state.reported_s === null ? null : state.reported_s + silent;
    let sentence = "";
    if (state.gone) {
      sentence = gone === null
        ? "No analytics has reported yet. Start it: python stock_analytics.py"
        : `The analytics has not reported for ${words.span(gone)}. Start it: python stock_analytics.py`;
    } else if (state.held_up_by) sentence = `The analytics waits: ${state.held_up_by}`;
    if (!drawn?.rows) return { word: "no data", kind: "empty", sentence: drawn?.symbol ? sentence : "" };
    let age = ageOf(Math.max(drawn.newest_us, rows().get(drawn.symbol)?.event_us ?? 0));
    if (heard.seen) age = Math.min(age ?? Infinity, (now - heard.seen) / 1000);
    const closed = state.closed && rows().get(drawn.symbol)?.source === "alpha_vantage";
    if (closed) {
      return { word: "market closed", kind: "closed", sentence, advice: "The market is closed. Quotes come on trading days, from 9:30 to 16:00 New York time." };
    }
    if (age === null) return { word: "stale", kind: "stale", sentence };
    const limit = Math.max(2 * heard.refresh, 2.5 * (drawn.gap_s || 0));
    const kind = age > limit + 1 ? "stale" : "live"; // ages are cut to whole seconds
    let advice = "";
    if (kind === "stale") advice = `No new tick of ${drawn.symbol} for ${words.span(age)}. If more should come, see whether the producer runs: python stock_producer.py`;
    else if (drawn.count < MOST_TICKS) advice = `Warming up: ${drawn.count} of the ${MOST_TICKS} ticks have come that all averages need.`;
    return { word: `${kind} · ${words.span(age)}`, kind, sentence, advice };
  }

  function emptiness(drawn, kind) {
    const empty = !drawn || !drawn.rows;
    element("stage").classList.toggle("is-empty", empty);
    hidden("empty", !empty);
    if (!empty) return;
    let sentence = "Reading from the store …";
    if (kind === "down") sentence = "Nothing to show until the store answers.";
    else if (drawn) {
      sentence = drawn.symbol && rows().size
        ? `No ticks of ${drawn.symbol} yet. Choose another symbol, or wait for its first tick.`
        : "No ticks yet. Start the producer: python stock_producer.py";
    }
    write("empty", sentence);
  }

  function truth(drawn) {
    const state = heard.state;
    const values = chart.values();
    if (!state || state.down || !drawn?.rows || !values) {
      tellTruth("");
      return;
    }
    const parts = [`Last tick ${words.day(values.wall)}, ${words.time(values.wall)} ET`];
    if (drawn.source !== "replay") {
      parts[0] += ` (${words.span((Date.now() * 1000 - drawn.newest_us) / 1e6)} ago)`;
    }
    parts.push(`${words.fixed(state.lag, 0)} records behind`, `${words.fixed(state.refused, 0)} refused`);
    tellTruth(parts.join(" · "));
  }

  /* Under the watch list or, where that is a strip, under the chart. */
  const tellTruth = (text) => ["truth", "truth-narrow"].forEach((place) => write(place, text));

  Object.assign(window.tickflow, { health: { heard, write, hidden, ageOf, freshness, emptiness, truth } });
})();

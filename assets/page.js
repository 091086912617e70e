/* The browser's side of the callbacks (`callbacks.py` names each): the URL, the answers, the clock, the pointer. */
(function () {
  "use strict";
  const { chart, multiples, scheme, watch, alerts, options, health, lines } = window.tickflow;
  const { heard, write, hidden, freshness, emptiness, truth } = health;
  const { rows } = watch;
  const RANGES = ["5m", "15m", "1h", "6h", "1d", "all"], LENGTHS = [5, 15, 60, 360, 1440, Infinity]; // minutes
  const SYMBOL = /^[A-Z0-9.\-]{1,12}$/;
  const ASK_AGAIN_MS = 10_000;
  const ANSWER_MS = 5_000;
  let current = null; // the symbol that is chosen
  let currentRange = null;
  let currentView = null;
  let paused = false;
  let asked = { id: null, at: 0 }; // the drawing that is asked for anew
  const element = (id) => document.getElementById(id);
  const same = () => window.dash_clientside.no_update;
  const setProps = (id, props) => window.dash_clientside.set_props(id, props);
  const by = () => window.dash_clientside.callback_context.triggered.map(({ prop_id }) => prop_id.split(".")[0]);

  /* At load: what the URL asks for, and the theme that this reader chose before. */
  function boot(refresh) {
    heard.refresh = refresh;
    heard.at = performance.now();
    const asked = new URLSearchParams(window.location.search);
    const symbol = asked.get("symbol"), range = asked.get("range");
    return [SYMBOL.test(symbol || "") ? symbol : null, RANGES.includes(range) ? range : "15m", scheme.saved(), options.read(asked)];
  }

  const viewOf = ({ symbol, range, period, candles, overview, symbols }) => JSON.stringify([symbol, range, period, candles, overview, symbols]);

  function view(symbol, range, chosen, drawn, before) {
    if (currentView && range !== currentRange) options.state.period = null; // another range ends it
    current = symbol || null;
    currentRange = range;
    if (symbol) {
      options.add(symbol);
      const query = new URLSearchParams(window.location.search);
      query.set("symbol", symbol);
      query.set("range", range);
      options.write(query);
      window.history.replaceState(window.history.state, "", `?${query}`);
      if (!rows.has(symbol)) watch.offer(symbol);
      watch.mark(symbol);
      alerts.chosen(symbol);
    }
    options.show();
    if (by().includes("options")) redraw();
    const { period, candles, overview, symbols } = options.state;
    if (Boolean(overview) !== (document.body.dataset.view === "overview")) watch.widen(Boolean(overview));
    setProps("range-narrow", { value: range });
    currentView = { symbol: current, range, period, candles, overview: Boolean(overview), symbols: symbols || [] };
    if (before && viewOf(before) === viewOf(currentView)) return same();
    if (before && drawn && viewOf(drawn) === viewOf(currentView)) return same();
    pause(false);
    element("stage")?.classList.add("waiting");
    heard.wanted = performance.now();
    return currentView;
  }

  /* Dash keeps each beat of the intervals, so that it could be undone, for as long as the page is open. */
  const forgetBeats = () => window.store?.getState().history?.past?.splice(0);

  /* Answers of the server: a drawing (all anew) or a delta (what came since). */
  function apply(drawing, delta, drawn) {
    forgetBeats();
    const out = Array(7).fill(same());
    const answer = by().includes("drawing") ? drawing : delta;
    if (!answer || !answer.state) return out;
    heard.state = answer.state;
    heard.at = performance.now();
    out[5] = answer.state;
    if (answer === drawing) {
      const wanted = answer.drawn.symbol;
      heard.seen = 0;
      out[2] = answer.drawn;
      if (answer.figure && answer.drawn.rows) out[0] = chart.show(answer.figure, answer.drawn);
      if (visit && visit.symbol === wanted) setTimeout(() => goTo(visit), 150);
      chart.view.drawn = answer.drawn;
      element("stage")?.classList.remove("waiting");
      if (wanted && !current) setProps("symbol", { value: wanted });
    } else {
      if (!drawn || answer.of !== drawn.id) return out;
      const other = current && viewOf(drawn) !== viewOf(currentView);
      const overdue = other && performance.now() - heard.wanted > ANSWER_MS; // its request found nobody
      if (answer.rebuild || overdue) rebuild(drawn.id);
      if (Boolean(drawn.paused) !== paused) out[2] = { ...drawn, paused };
      if (answer.extend && !paused) {
        out[2] = { ...drawn, ...answer.drawn, paused };
        heard.seen = performance.now();
        chart.learn(answer.evidence);
        const kept = chart.follow(answer.extend, out[2]);
        out[1] = [answer.extend, chart.indices, kept ? { x: kept, y: kept } : null];
        if (kept) out[2].rows = out[2].total = kept[0];
      }
    }
    if (!answer.state.down) alerts.unread(answer.trouble || "");
    if (answer.alerts) {
      out[6] = answer.alerts.stamp;
      alerts.take(answer.alerts);
    }
    if (answer.watch) {
      out[3] = answer.watch.cursors;
      if (answer.watch.rows.length) out[4] = watch.take(answer.watch.rows, (out[2]?.symbol ?? drawn?.symbol) || null, answer.watch.step_us);
    }
    if (answer === drawing) multiples.show(answer.multiples, answer.drawn);
    else if (answer.multiples && !paused) {
      out[2] = { ...(answer.extend ? out[2] : drawn), paused, multiples: answer.multiples.drawn };
      multiples.follow(answer.multiples.rows);
    }
    return out;
  }

  /* Ask for a drawing in the place of one that cannot be extended; once, and again if no answer came. */
  function rebuild(id) {
    const now = performance.now();
    if (asked.id === id && now - asked.at < ASK_AGAIN_MS) return;
    asked = { id, at: now };
    setProps("rebuild", { data: asked });
  }

  function select(chosen) {
    const symbol = chosen?.[0]?.symbol;
    if (symbol && symbol !== chart.view.drawn?.symbol) setProps("symbol", { value: symbol });
  }

  const narrowRange = (range) => (range && range !== currentRange ? range : same());

  /* A request that found no server leaves the interval disabled (see `running` in callbacks.py): set it going again. */
  function retry() {
    const now = performance.now();
    if (now - heard.retried < ANSWER_MS) return;
    heard.retried = now;
    setProps("refresh", { disabled: false });
  }

  function tell(_ticks, _state, hover, drawn) {
    const causes = by();
    if (drawn) lines.read(chart.values(chart.rowOf(hover)), drawn);
    if (causes.length && causes.every((cause) => cause === "chart")) return;
    const { word, kind, sentence, advice } = freshness(drawn);
    if (word === "no answer") retry();
    write("fresh", word);
    element("fresh").dataset.kind = kind;
    document.body.dataset.fresh = kind;
    write("banner", sentence || "");
    hidden("banner", !sentence);
    write("advice", advice || "");
    hidden("advice", !advice || Boolean(sentence));
    lines.headline(drawn, paused);
    emptiness(drawn, kind);
    truth(drawn);
    // The grid throws for one that is not ready; where it has rows, it is. On a narrow screen it is not shown.
    if (document.querySelector("#watch .ag-row")?.offsetParent) {
      window.dash_ag_grid.getApi("watch").refreshCells({ columns: ["event_us"], force: true });
    }
  }

  function refit(change, figure) {
    if (!change || !figure) return same();
    return chart.moved(change, figure) || same();
  }

  function reframe(change) {
    multiples.moved(change);
    return same();
  }

  function theme(choice) {
    if (choice !== scheme.saved()) scheme.save(choice);
    const query = new URLSearchParams(window.location.search);
    if (choice === "auto") query.delete("theme");
    else query.set("theme", choice);
    window.history.replaceState(window.history.state, "", `?${query}`);
    scheme.set(choice);
    multiples.draw();
    return [choice === "auto" ? null : choice, chart.again() || same()];
  }

  function redraw() {
    const figure = chart.again();
    if (figure) setProps("chart", { figure });
    multiples.draw();
  }

  scheme.asked.addEventListener("change", () => {
    scheme.set(scheme.saved());
    redraw();
  });

  /* Browsers slow down the clocks of a hidden page: catch up as soon as it is seen again. */
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    heard.shown = performance.now();
    setProps("refresh", { n_intervals: Math.round(heard.shown), disabled: false });
  });

  document.addEventListener("click", (event) => {
    const card = event.target.closest?.(".card");
    if (card) setProps("symbol", { value: card.dataset.symbol });
    if (event.target.closest?.("#pause")) {
      if (paused) goLive();
      else pause(true);
      lines.headline(chart.view.drawn, paused);
    }
    if (event.target.closest?.("#go-live")) goLive();
  });
  document.addEventListener("dblclick", (event) => {
    if (event.target.closest?.("#chart")) goLive();
  });

  let visit = null; // a moment to go to as soon as its symbol is drawn

  /* Go to a moment in the chart; where the range does not reach it, in the shortest one that does. */
  function goTo(moment) {
    visit = null;
    if (options.state.symbols) {
      visit = moment;
      options.set({ symbols: null });
      if (moment.symbol !== current) setProps("symbol", { value: moment.symbol });
      return;
    }
    if (moment.symbol !== current) {
      visit = moment;
      setProps("symbol", { value: moment.symbol });
      return;
    }
    const place = chart.place(moment.wall);
    if (place) {
      const figure = chart.again(place);
      if (figure) setProps("chart", { figure });
      hidden("go-live", false);
      return;
    }
    const back = chart.view.drawn.newest_us / 1000 - moment.start_us / 1000;
    const wider = RANGES.find((name, i) => i > RANGES.indexOf(currentRange) && back < LENGTHS[i] * 60_000);
    if (wider && wider !== "all" && !options.state.period) {
      visit = moment;
      setProps("range", { value: wider });
    } else options.set({ period: [moment.wall - 150_000, moment.wall + 150_000] });
  }

  /* Stand still, or go on: then what was missed is added, or drawn anew. */
  function pause(whether) {
    if (paused === whether) return;
    paused = whether;
    const button = element("pause");
    button.setAttribute("aria-pressed", String(paused));
    button.textContent = paused ? "Paused" : "Pause";
  }

  function goLive() {
    pause(false);
    if (options.state.period) options.set({ period: null });
    chart.view.zoomed = false;
    multiples.goLive();
    redraw();
    hidden("go-live", true);
  }

  Object.assign(window.tickflow, { goTo, goLive });
  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    tickflow: { filter: watch.filter, acked: (answer) => alerts.answered(answer), boot, view, apply, select, narrowRange, tell, refit, reframe, theme },
  });
})();

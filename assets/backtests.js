/* Kept backtests: how often alerts would have been raised, as a table per symbol, a curve, and links to the alerts. */
import { words } from "./words.js";

const setProps = (id, props) => window.dash_clientside.set_props(id, props);
const dialog = () => document.getElementById("backtests");
let known = null; // the kept backtests, newest first; null until the server has answered
let trouble = "";
let go = () => {};

function make(tag, text = "", more = {}) {
  return Object.assign(document.createElement(tag), { textContent: text, ...more });
}

const button = (text, onclick) => make("button", text, { type: "button", className: "plain", onclick });
const counted = (count, name) => `${words.fixed(count, 0)} ${name}${count === 1 ? "" : "s"}`;
const rate = (value) => (value ? words.fixed(value, value < 1 ? 2 : 1) : "0");
const moment = (ms) => `${words.day(words.exchange(ms))}, ${words.time(words.exchange(ms))}`;

/* A period in words; a day is named once. */
function period(...ms) {
  const [from, to] = ms.map(words.exchange);
  return words.day(from) === words.day(to)
    ? words.period([from, to])
    : `${ms.map(moment).join(" – ")} ${words.shortZone()}`;
}

/* A table; the first `texts` columns hold text, the others numbers. */
function table(caption, heads, rows, texts) {
  const whole = make("table"),
    head = make("tr"),
    body = make("tbody"),
    side = (i) => (i < texts ? "is-text" : "");
  head.append(...heads.map((text, i) => make("th", text, { scope: "col", className: side(i) })));
  for (const cells of rows) {
    const row = make("tr");
    row.append(
      ...cells.map((text, i) => make(i ? "td" : "th", text, { className: side(i), ...(i ? {} : { scope: "row" }) })),
    );
    body.append(row);
  }
  const top = make("thead");
  top.append(head);
  whole.append(make("caption", caption), top, body);
  return whole;
}

const WIDE = 320,
  HIGH = 120,
  LEFT = 34,
  LOW = 98;

/* The curve as a picture: budgets at equal distances, alerts per symbol and day above them. */
function picture(curve) {
  const draw = (tag, at, text = "") => {
    const part = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(at)) part.setAttribute(name, value);
    part.textContent = text;
    return part;
  };
  const most = Math.max(...curve.map(({ per_day }) => per_day)) || 1,
    x = (i) => LEFT + 12 + (i * (WIDE - LEFT - 24)) / Math.max(1, curve.length - 1),
    y = (value) => LOW - (value / most) * (LOW - 12),
    label = `Alerts per symbol and day by budget: ${curve.map((each) => `${rate(each.per_day)} at ${each.budget}`).join(", ")}`;
  const whole = draw("svg", {
    viewBox: `0 0 ${WIDE} ${HIGH}`,
    class: "backtest-curve",
    role: "img",
    "aria-label": label,
  });
  for (const value of [0, most]) {
    whole.append(draw("line", { x1: LEFT, x2: WIDE, y1: y(value), y2: y(value) }));
    whole.append(draw("text", { x: LEFT - 4, y: y(value) + 4, "text-anchor": "end" }, rate(value)));
  }
  whole.append(draw("path", { d: curve.map(({ per_day }, i) => `${i ? "L" : "M"}${x(i)} ${y(per_day)}`).join("") }));
  curve.forEach(({ budget, per_day }, i) => {
    whole.append(draw("circle", { cx: x(i), cy: y(per_day), r: 3 }));
    whole.append(draw("text", { x: x(i), y: HIGH - 6, "text-anchor": "middle" }, String(budget)));
  });
  return whole;
}

const fate = (lasted) => (lasted === null ? "" : lasted ? " Lasted." : " Came back.");

/* An alert as a link: a click moves the chart, and another tab opens the page at its moment. */
function link({ symbol, at_ms, words: text, lasted }) {
  const item = make("li"),
    address = `?${new URLSearchParams({ symbol, at: at_ms })}`;
  const onclick = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    dialog().close();
    document.getElementById("sheet").close();
    go({ symbol, wall: words.exchange(at_ms) });
  };
  item.append(
    make("a", `${moment(at_ms)} ${words.shortZone()}`, { href: address, onclick }),
    ` ${text}${fate(lasted)}`,
  );
  return item;
}

function section(kept, open) {
  const whole = make("details", "", { className: "backtest", open }),
    title = period(kept.first_ms, kept.last_ms),
    rows = kept.rows.map((row) => [
      row.symbol,
      row.detector,
      words.fixed(row.alerts, 0),
      `${rate(row.alerts / row.days)} (${rate(row.low)}–${rate(row.high)})`,
      row.judged ? `${row.lasted} of ${row.judged}` : words.NONE,
    ]);
  whole.append(
    make("summary", `${title}: ${counted(kept.raised, "alert")}`),
    make("p", `${kept.source}. ${kept.terms}. Made ${moment(kept.made_ms)}.`),
  );
  if (rows.length)
    whole.append(table("Alerts per symbol", ["Symbol", "Alert", "Alerts", "A day (95 %)", "Lasted a minute"], rows, 2));
  const more = kept.groups - kept.rows.length;
  if (more) whole.append(make("p", `${counted(more, "further row")} with fewer alerts are left out.`));
  if (kept.quiet) whole.append(make("p", `${counted(kept.quiet, "symbol")} without an alert.`));
  if (kept.curve.length) {
    const points = kept.curve.map((each) => [String(each.budget), words.fixed(each.alerts, 0), rate(each.per_day)]);
    whole.append(
      table("Alerts by budget", ["Budget (a day)", "Alerts", "Per symbol and day"], points, 0),
      picture(kept.curve),
    );
  }
  if (kept.alerts.length) {
    const list = make("ol");
    list.append(...kept.alerts.toReversed().map(link));
    const cut = kept.alerts.length < kept.raised ? `The newest ${kept.alerts.length} of ` : "";
    whole.append(make("p", `${cut}${counted(kept.raised, "alert")}, newest first:`), list);
  }
  const remove = button("Remove", () =>
    setProps("backtest-remove", { data: { made_ms: kept.made_ms, n: performance.now() } }),
  );
  remove.setAttribute("aria-label", `Remove the backtest of ${title}`);
  whole.append(remove);
  return whole;
}

function draw() {
  const said = make("p", trouble, { className: "layout-trouble" }),
    buttons = make("div", "", { className: "period-buttons" });
  said.setAttribute("role", "alert");
  buttons.append(button("Close", () => dialog().close()));
  const none = make("p", known ? "None is kept yet: python stock_analytics.py backtest --keep keeps one." : "");
  dialog().replaceChildren(
    make("h2", "How often would this have fired?", { id: "backtests-title", className: "heading" }),
    said,
    ...(known?.length ? known.map((kept, i) => section(kept, i === 0)) : [none]),
    buttons,
  );
  if (dialog().open) dialog().querySelector("summary, button").focus(); // the focused element was replaced
}

/** Show the server's list of backtests, or the reason why there is none. */
function listed(answer) {
  known = answer?.backtests ?? known;
  trouble = answer?.trouble ?? "";
  draw();
}

/** The server has removed a backtest, or failed to: request the list again. */
function removed(answer) {
  trouble = answer?.trouble ?? "";
  if (trouble) draw();
  else setProps("backtests-asked", { data: performance.now() });
}

document.addEventListener("click", (event) => {
  if (event.target.id === "backtests") event.target.close();
  if (!event.target.closest?.("#show-backtests")) return;
  draw();
  setProps("backtests-asked", { data: performance.now() });
  dialog().showModal();
});

/** A click on an alert calls `goTo` with its moment. */
function guide(goTo) {
  go = goTo;
}

export const backtests = { listed, removed, guide };

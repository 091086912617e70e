/* The alerts: episodes of anomalies, beside the chart or, on a narrow screen, in a sheet. */
import { changed } from "./changed.js";
import { facts } from "./facts.js";
import { steady } from "./steady.js";
import { words } from "./words.js";
import { worth } from "./worth.js";

const setProps = (id, props) => window.dash_clientside.set_props(id, props);
const episodes = new Map(); // the episodes; the keys of this map are their keys as text
const LIMIT = facts.max_episodes;
let go = () => {}; // moves the chart to a moment; `page.js` sets it

// "today" lists the alerts worth reading, "new" and "all" list flags. Empty means "today" if the server stores alerts
let filter = "";
const mode = () => (filter === "today" && !worth.isKnown() ? "new" : filter || (worth.isKnown() ? "today" : "new"));
let only = false; // list only the chosen symbol's alerts
let symbol = null;
let trouble = ""; // why an acknowledgement could not be saved
let blind = ""; // why the page does not know which alerts have been seen
let known = false; // whether the first answer has arrived: nothing in it counts as new
let panel = null;
const narrow = window.matchMedia("(max-width: 47.99em)");

function make(tag, className, text = "", more = {}) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  Object.assign(element, more);
  return element;
}

/* There is only one panel; it is moved to where it is shown. */
function place() {
  if (!panel) build();
  const home = document.getElementById(narrow.matches ? "sheet" : "alerts");
  if (home && panel.parentElement !== home) home.append(panel);
  if (!narrow.matches) document.getElementById("sheet")?.close?.();
}

function build() {
  panel = make("div", "alerts");
  const head = make("div", "alerts-head");
  const count = make("span", "alerts-count");
  const said = make("span", "alerts-said unseen");
  said.setAttribute("role", "status");
  const close = make("button", "plain alerts-close", "Close", {
    type: "button",
    onclick: () => document.getElementById("sheet").close(),
  });
  head.append(make("h2", "heading", "Alerts"), count, said);
  if ("Notification" in window) head.append(bell());
  head.append(
    make("button", "plain", "Backtests", {
      id: "show-backtests",
      type: "button",
      title: "How often would this have fired?",
    }),
  );
  head.append(close);
  const bar = make("div", "alerts-bar");
  bar.setAttribute("role", "toolbar");
  bar.setAttribute("aria-label", "Which alerts are listed");
  const choose = (name, label) =>
    make("button", "chip", label, {
      type: "button",
      onclick: () => {
        filter = name;
        draw();
        changed.tell();
      },
    });
  const one = make("button", "chip alerts-only", "", {
    type: "button",
    onclick: () => {
      only = !only;
      draw();
      changed.tell();
    },
  });
  const all = make("button", "plain alerts-all", "Mark all as seen", {
    type: "button",
    title: "Mark all that are listed as seen, for all readers",
    onclick: question,
  });
  bar.append(choose("today", "Today"), choose("new", "New"), choose("all", "All"), one, all);
  const list = make("ol", "alerts-list");
  steady.watch(list, act);
  const undo = make("p", "alerts-undo", "", { hidden: true });
  undo.append(
    Object.assign(make("span", ""), { role: "status" }),
    make("button", "plain", "Undo", { type: "button", onclick: () => withdraw(undoable) }),
  );
  panel.append(head, bar, make("p", "alerts-trouble"), undo, list, make("p", "alerts-none"), worth.build());
}

/* "Mark all as seen" applies to all readers, so ask first. */
function question() {
  const listed = shown().filter((each) => !each.acked),
    dialog = document.getElementById("question"),
    button = (className, text, act) =>
      make("button", className, text, {
        type: "button",
        onclick: () => {
          dialog.close();
          act();
        },
      }),
    buttons = make("div", "period-buttons"),
    cancel = button("plain", "Cancel", () => {});
  buttons.append(
    cancel,
    button("go-live", "Mark as seen", () => acknowledge(listed)),
  );
  dialog.replaceChildren(
    make("h2", "heading", `Mark ${counted(listed.length)} as seen?`, { id: "question-asked" }),
    make("p", "", "They count as seen for all readers, not for you alone."),
    buttons,
  );
  dialog.showModal();
  cancel.focus();
}

const counted = (count) => (count === 1 ? "1 alert" : `${words.fixed(count, 0)} alerts`);

function bell() {
  const button = make("button", "plain alerts-bell", "Notify me", {
    type: "button",
    title: "Notify me of new alerts while this page is in the background",
  });
  const look = () => {
    button.hidden = window.Notification.permission !== "default";
  };
  button.onclick = () => window.Notification.requestPermission().then(look);
  look();
  return button;
}

const shown = () =>
  [...episodes.values()]
    .filter((each) => (mode() === "all" || !each.acked) && (!only || each.key[0] === symbol))
    .sort((a, b) => b.start_us - a.start_us);

const direction = (each) => (each.high ? "▲ high" : "▼ low");

function evidence(each) {
  return `z ${words.fixed(each.z, 2)} · ${words.fit(each.price, 11)} vs MA10 ${words.fit(each.ma10, 11)}`;
}

function row(each) {
  const item = make("li", `alert${each.acked ? " is-acked" : ""}`);
  const go = make("button", "alert-go", "", {
    type: "button",
    title: `${words.day(each.wall_ms)}. Volatility ${words.price(each.volatility)}, volume ${words.fixed(each.volume_ratio, 1)} times its average, offset ${each.offset} of partition ${each.key[1]}: show it in the chart`,
  });
  const first = make("span", "alert-first");
  first.append(
    make("b", "", each.key[0]),
    make("span", each.high ? "up" : "down", direction(each)),
    make(
      "span",
      "alert-time",
      `${words.time(each.wall_ms)} ${words.shortZone()}${each.ticks > 1 ? ` · ${each.ticks} ticks` : ""}`,
    ),
  );
  const second = make("span", "alert-evidence", evidence(each));
  if (each.volume_ratio !== null)
    second.append(make("span", "alert-more", ` · volume × ${words.fixed(each.volume_ratio, 1)}`));
  go.append(first, second);
  go.dataset.key = each.key.join();
  item.append(go);
  if (each.acked) item.append(make("span", "alert-acked", "seen"));
  const label = each.acked ? "Undo" : "Seen",
    mark = make("button", `plain ${each.acked ? "alert-undo" : "alert-ack"}`, label, { type: "button" });
  mark.dataset[each.acked ? "undo" : "ack"] = each.key.join();
  mark.setAttribute(
    "aria-label",
    `${label}: ${each.key[0]} ${each.high ? "high" : "low"}, ${words.day(each.wall_ms)}, ${words.time(each.wall_ms)}`,
  );
  item.append(mark);
  return item;
}

/* A row or one of its buttons was clicked: go to its moment, acknowledge it, undo that, or snooze it. */
function act({ key, ack, undo, snooze }) {
  if (snooze) worth.snooze(snooze);
  const strong = mode() === "today" && worth.find(key);
  if (strong) {
    document.getElementById("sheet").close();
    go({ symbol: strong.symbol, wall: strong.wall_ms, start_us: strong.start_us });
    return;
  }
  const each = episodes.get(key ?? ack ?? undo);
  if (!each) return;
  if (undo) {
    withdraw([each.key]);
    return;
  }
  if (ack) {
    acknowledge([each]);
    return;
  }
  document.getElementById("sheet").close();
  go({ symbol: each.key[0], wall: each.wall_ms, start_us: each.start_us });
}

/* The rows by key: a row whose text has not changed keeps its element. */
const made = new Map();
function kept(each) {
  const key = each.key.join(),
    says = JSON.stringify([each.ticks, each.acked, each.z]);
  if (made.get(key)?.says !== says) made.set(key, { says, item: row(each) });
  return made.get(key).item;
}

/* Show these items in this order; elements that stay are not touched. */
function fill(place, items) {
  const wanted = new Set(items);
  for (const item of [...place.children]) if (!wanted.has(item)) item.remove();
  items.forEach((item, i) => place.children[i] !== item && place.insertBefore(item, place.children[i] ?? null));
}

function draw() {
  place();
  const find = (name) => panel.querySelector(`.${name}`);
  const isToday = mode() === "today";
  const open = isToday ? worth.listed().length : [...episodes.values()].filter((each) => !each.acked).length;
  const counted = open ? `${open} ${isToday ? "today" : "new"}` : "";
  find("alerts-count").textContent = counted;
  announce(open);
  const [today, fresh, every] = panel.querySelectorAll(".alerts-bar .chip");
  today.hidden = !worth.isKnown();
  today.setAttribute("aria-pressed", String(mode() === "today"));
  fresh.setAttribute("aria-pressed", String(mode() === "new"));
  every.setAttribute("aria-pressed", String(mode() === "all"));
  fresh.textContent = worth.isKnown() ? "New flags" : "New";
  every.textContent = worth.isKnown() ? "All flags" : "All";
  const one = find("alerts-only");
  one.textContent = `Only ${symbol || ""}`;
  one.hidden = !symbol;
  one.setAttribute("aria-pressed", String(only));
  const button = document.getElementById("alerts-open");
  button.textContent = open ? `Alerts ${open}` : "Alerts";
  button.setAttribute("aria-label", open ? `Alerts, ${counted}` : "Alerts");
  const list = isToday ? worth.listed(only && symbol) : shown();
  find("alerts-all").hidden = isToday || !list.some((each) => !each.acked);
  const wrong = trouble || blind || worth.wrong();
  find("alerts-trouble").textContent = wrong;
  find("alerts-trouble").hidden = !wrong;
  worth.draw(find("mutes"));
  const focused = document.activeElement?.closest?.(".alerts-list") && document.activeElement.dataset.key;
  const place_ = find("alerts-list");
  steady.keep(place_, () => fill(place_, isToday ? worth.rows(only && symbol) : list.map(kept)));
  if (focused && document.activeElement.dataset.key !== focused)
    place_.querySelector(`[data-key="${focused}"]`)?.focus();
  const none = find("alerts-none");
  none.hidden = list.length > 0;
  none.textContent = !known
    ? "Not known yet."
    : isToday
      ? "No alert today: nothing moved more than the budget allows."
      : episodes.size === 0
        ? "No anomaly yet."
        : filter === "new"
          ? "Nothing new: all is seen."
          : "No anomaly of this symbol.";
}

/* Announce the number of alerts to screen readers: at most once a minute, and only if it has grown. */
const pace = { ms: 60_000 };
let told = { count: 0, at: -Infinity };
let later = null;

function announce(open) {
  if (open < told.count) told.count = open;
  if (open <= told.count || later) return;
  const wait = Math.max(0, told.at + pace.ms - performance.now());
  later = setTimeout(() => {
    later = null;
    const now = [...episodes.values()].filter((each) => !each.acked).length;
    if (now <= told.count) return;
    told = { count: now, at: performance.now() };
    panel.querySelector(".alerts-said").textContent = now === 1 ? "1 new alert" : `${now} new alerts`;
  }, wait);
}

function take(news) {
  const before = new Set(episodes.keys());
  if (news.whole) episodes.clear();
  if (news.worth) worth.take(news.worth);
  for (const each of news.episodes) episodes.set(each.key.join(), each);
  if (episodes.size > LIMIT) {
    const old = [...episodes.entries()].sort((a, b) => a[1].start_us - b[1].start_us).slice(0, episodes.size - LIMIT);
    old.forEach(([key]) => episodes.delete(key));
  }
  for (const key of made.keys()) if (!episodes.has(key)) made.delete(key); // the remaining rows keep their elements
  if (known) notify(news.episodes.filter((each) => !before.has(each.key.join()) && !each.acked));
  known = true;
  draw();
}

function notify(fresh) {
  if (!fresh.length || !document.hidden || !("Notification" in window) || window.Notification.permission !== "granted")
    return;
  const [first] = fresh;
  const more = fresh.length > 1 ? ` and ${fresh.length - 1} more` : "";
  new window.Notification(`${first.key[0]} ${direction(first)}${more}`, {
    body: evidence(first),
    tag: "tickflow",
    silent: true,
  });
}

function acknowledge(chosen) {
  if (!chosen.length) return;
  chosen.forEach((each) => (each.asked = true));
  asked = chosen;
  setProps("acknowledge", { data: chosen.map((each) => each.key) });
}

function withdraw(keys) {
  if (keys.length) setProps("withdraw", { data: keys });
}

/* The server has withdrawn acknowledgements, or failed to; the rows follow with the next refresh. */
function undone(answer) {
  trouble = answer?.trouble || "";
  if (!trouble) offer([]);
  draw();
}

/* The last marking can be undone until the next one; after that, each row of "All" has its own Undo. */
let asked = []; // the episodes of the pending request
let undoable = []; // the keys of the episodes of the last marking
function offer(marked) {
  undoable = marked.map((each) => each.key);
  const place_ = panel.querySelector(".alerts-undo"),
    one = marked.length === 1 ? `${marked[0].key[0]} ${direction(marked[0])}` : counted(marked.length);
  place_.hidden = !marked.length;
  place_.firstChild.textContent = marked.length ? `${one} marked as seen.` : "";
}

/* The server's answer: on success the rows lose their highlight at once; other readers see this with their next
   refresh. */
function answered(answer) {
  trouble = answer?.trouble || "";
  for (const each of episodes.values()) {
    if (each.asked && !trouble) each.acked = true;
    each.asked = false;
  }
  if (!trouble) offer(asked);
  asked = [];
  draw();
}

/* The server's answer to a mute; the list shows it with the next refresh. */
function muted(answer) {
  worth.answered(answer);
  draw();
}

function unread(sentence) {
  const now = sentence && `Which alerts have been seen is not known for now: ${sentence}`;
  if (now === blind) return;
  blind = now;
  draw();
}

function chosen(name) {
  if (symbol === name) return;
  symbol = name;
  draw();
}

narrow.addEventListener("change", place);
document.addEventListener("click", (event) => {
  if (event.target.closest?.("#alerts-open")) {
    place();
    document.getElementById("sheet").showModal();
  }
  if (event.target.id === "sheet") event.target.close(); // a click outside the panel
});

/** A click on an alert calls `goTo` with its moment. */
function guide(goTo) {
  go = goTo;
}

/** Which alerts are listed. */
const filters = () => ({ filter, only });
function show(asked) {
  ({ filter, only } = asked);
  draw();
}

export const alerts = {
  filters,
  show,
  guide,
  take,
  answered,
  undone,
  muted,
  unread,
  chosen,
  draw,
  acknowledge,
  episodes,
  pace,
};

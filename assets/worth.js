/* The alerts of the newest day, by symbol and strongest first, and the mutes that readers share. */
import { facts } from "./facts.js";
import { words } from "./words.js";

const setProps = (id, props) => window.dash_clientside.set_props(id, props);
let told = null; // what the server reported; null if it stores no alerts
let trouble = ""; // why a mute was not saved
const made = new Map(); // rows by their content, so that an unchanged row keeps its element

function make(tag, className, text = "", more = {}) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  Object.assign(element, more);
  return element;
}

/* The row with the content `content`: the element that already shows it, if there is one. */
function kept(content, build, used) {
  const says = JSON.stringify(content);
  used.add(says);
  if (!made.has(says)) made.set(says, build());
  return made.get(says);
}

const isMarket = (each) => each.key[0] === "*";
const groupOf = (each) => (isMarket(each) ? "Market" : each.key[0]);

/** The alerts of the list; if `only` names a symbol, only its alerts. */
const listed = (only) => (told?.alerts ?? []).filter((each) => !only || groupOf(each) === only);

function head(name, group) {
  const lasted = group.filter((each) => each.lasted === true).length;
  const back = group.filter((each) => each.lasted === false).length;
  const item = make("li", "alert-group");
  const count = `${group.length} ${group.length === 1 ? "alert" : "alerts"}`;
  const fates = [lasted && `${lasted} lasted`, back && `${back} came back`].filter(Boolean);
  item.append(make("b", "", name), make("span", "alert-time", [count, ...fates].join(" · ")));
  if (name !== "Market") {
    const snooze = make("button", "plain alert-snooze", "Snooze 1 h", { type: "button" });
    snooze.dataset.snooze = name;
    snooze.setAttribute("aria-label", `Snooze ${name} for an hour`);
    item.append(snooze);
  }
  return item;
}

function row(each) {
  const item = make("li", `alert worth${each.muted ? " is-acked" : ""}`);
  const go = make("button", "alert-go", "", {
    type: "button",
    title: `${words.day(each.wall_ms)}: show it in the chart`,
  });
  const first = make("span", "alert-first");
  const arrow = each.direction > 0 ? "▲" : each.direction < 0 ? "▼" : "•";
  const fate = each.lasted === true ? "lasted" : each.lasted === false ? "came back" : "";
  first.append(
    make("span", each.direction > 0 ? "up" : each.direction < 0 ? "down" : "", arrow),
    make("span", "alert-time", `${words.time(each.wall_ms)} ET`),
    make("span", "alert-fate", [fate, each.muted && "muted"].filter(Boolean).join(" · ")),
  );
  go.append(first, make("span", "alert-words", each.words));
  go.dataset.key = each.key.join();
  item.append(go);
  return item;
}

/** The rows of the list: for each symbol a heading and its alerts; the symbol with the strongest alert comes first. */
function rows(only) {
  const groups = Map.groupBy
    ? Map.groupBy(listed(only), groupOf)
    : listed(only).reduce((all, each) => {
        all.set(groupOf(each), [...(all.get(groupOf(each)) ?? []), each]);
        return all;
      }, new Map());
  const used = new Set();
  const items = [];
  for (const [name, group] of groups) {
    items.push(kept([name, group.map((each) => [each.key, each.lasted])], () => head(name, group), used));
    for (const each of group) items.push(kept(each, () => row(each), used));
  }
  for (const says of made.keys()) if (!used.has(says)) made.delete(says);
  return items;
}

/** The alert whose key, as text, is `key`. */
const find = (key) => told?.alerts.find((each) => each.key.join() === key);

function ask(more) {
  setProps("mute", { data: { ...more, at: Date.now() } }); // `at` makes two equal requests differ
}

/** Mute a symbol for an hour. */
const snooze = (name) => ask({ pattern: name, minutes: 60 });

function field(label, input) {
  const around = make("label", "mute-field", label);
  around.append(input);
  return around;
}

/** Make the section of the panel that lists the mutes and has a form for new ones. */
function build() {
  const box = make("details", "mutes");
  box.append(make("summary", "mutes-count"), make("ul", "mutes-list"));
  const form = make("form", "mutes-form");
  const maxLength = facts.symbol_characters;
  const pattern = make("input", "", "", { required: true, maxLength, placeholder: "AAPL, B*, *", name: "pattern" });
  const minutes = make("select", "", "", { name: "minutes" });
  for (const [value, text] of [
    [60, "1 hour"],
    [480, "8 hours"],
    [1440, "1 day"],
    [10080, "1 week"],
    [0, "no end"],
  ])
    minutes.append(make("option", "", text, { value }));
  const from = make("input", "", "", { type: "datetime-local", name: "from" });
  const below = make("input", "", "", { type: "number", min: 0, max: 100, step: "any", name: "below" });
  const closed = make("input", "", "", { type: "checkbox", name: "closed" });
  form.append(
    field("Symbols", pattern),
    field("for", minutes),
    field("from", from),
    field("not again below, in %", below),
    field("outside the session only", closed),
    make("button", "plain mutes-add", "Mute", { type: "submit" }),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask({
      pattern: pattern.value.trim(),
      minutes: Number(minutes.value),
      begins_us: from.value ? new Date(from.value).getTime() * 1000 : 0,
      below: Number(below.value) || 0,
      closed: closed.checked,
    });
  });
  box.append(form);
  box.addEventListener("click", ({ target }) => {
    const id = target.closest?.("[data-undo]")?.dataset.undo;
    if (id) ask({ undo: id });
  });
  return box;
}

/** Show the mutes in the section that `build` made. */
function draw(box) {
  box.hidden = !told;
  if (!told) return;
  box.querySelector("summary").textContent = told.mutes.length ? `Muted: ${told.mutes.length}` : "Mute …";
  const says = JSON.stringify(told.mutes);
  if (box.dataset.says === says) return;
  box.dataset.says = says;
  box.querySelector("ul").replaceChildren(
    ...told.mutes.map((each) => {
      const item = make("li", "", each.words + (each.by ? ` (${each.by})` : ""));
      const undo = make("button", "plain", "Undo", { type: "button" });
      undo.dataset.undo = each.id;
      undo.setAttribute("aria-label", `Undo: ${each.words}`);
      item.append(undo);
      return item;
    }),
  );
}

function take(news) {
  told = news;
}

function answered(answer) {
  trouble = answer?.trouble || "";
}

/** What went wrong, as a sentence. */
function wrong() {
  if (trouble) return trouble;
  const lost = told?.given_up;
  if (!lost) return "";
  return `${lost} ${lost === 1 ? "message was" : "messages were"} given up: a channel accepted none for too long.`;
}

export const worth = { take, answered, rows, listed, find, snooze, build, draw, wrong, isKnown: () => told !== null };

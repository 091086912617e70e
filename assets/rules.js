/* Standing rules, such as "AAPL price > 200": kept in the store for all readers; running workers begin to apply them
   within seconds. */
import { facts } from "./facts.js";

const setProps = (id, props) => window.dash_clientside.set_props(id, props);
const AGAIN_MS = 2_000; // ask again while a rule is not applied by any worker yet
let known = null; // the rules; null if the page has none
let trouble = "";
let asked = null; // the request that has no answer yet
let removed = ""; // the text of the rule that was removed last
let box = null;
let later = null;

function make(tag, className, text = "", more = {}) {
  return Object.assign(document.createElement(tag), { className, textContent: text, ...more });
}

const find = (part) => box.querySelector(part);
const list = () => setProps("rules-asked", { data: performance.now() });

/* `of` is the text of the rule to remove. */
function ask({ of, ...more }) {
  asked = { of, ...more };
  setProps("rule", { data: { ...more, n: performance.now() } });
}

/** Make the section of the dialog that lists the rules and has a form for new ones. */
function build() {
  box = make("section", "rules");
  const form = make("form", "layout-keep"),
    text = make("input", "layout-name rule-text", "", { required: true, maxLength: facts.rule_characters }),
    said = make("p", "layout-trouble"),
    undo = make("p", "rules-undo", "", { hidden: true });
  text.setAttribute("aria-label", "Rule");
  text.placeholder = "AAPL price > 200";
  said.setAttribute("role", "alert");
  undo.append(
    Object.assign(make("span", ""), { role: "status" }),
    make("button", "plain", "Undo", { type: "button", onclick: () => ask({ text: removed }) }),
  );
  form.append(text, make("button", "go-live", "Raise alerts", { type: "submit" }));
  form.onsubmit = (event) => {
    event.preventDefault();
    ask({ text: text.value.trim() });
  };
  box.append(make("h3", "heading", "Rules, for all readers"), make("ul", "layout-list rules-list"), undo, said, form);
  return box;
}

function row({ id, text, by, begun }) {
  const item = make("li", ""),
    remove = make("button", "plain", "✕", { type: "button", onclick: () => ask({ remove: id, of: text }) }),
    more = [by, !begun && "no worker has taken it up yet"].filter(Boolean).join(", ");
  remove.setAttribute("aria-label", `Remove the rule ${text}`);
  item.append(make("span", "", text + (more ? ` (${more})` : "")), remove);
  return item;
}

function draw() {
  if (!box) return;
  box.hidden = !known && !trouble;
  const rows = (known ?? []).map(row);
  find(".rules-list").replaceChildren(...(rows.length ? rows : [make("li", "", "None stands.")]));
  find(".layout-trouble").textContent = trouble;
  find(".rules-undo").hidden = !removed;
  find(".rules-undo span").textContent = removed ? `Removed: ${removed}` : "";
}

/** Show the server's list of rules, or the reason why there is none. */
function listed(answer) {
  known = answer?.rules ?? known;
  trouble = answer?.trouble ?? "";
  draw();
  clearTimeout(later);
  if (known?.some((each) => !each.begun) && box?.closest("dialog")?.open) later = setTimeout(list, AGAIN_MS);
}

/** The server has made or removed a rule, or says why not: request the list again. */
function kept(answer) {
  trouble = answer?.trouble ?? "";
  if (!trouble && asked) {
    removed = asked.of ?? "";
    if (asked.text === find(".rule-text").value.trim()) find(".rule-text").value = "";
    list();
  }
  asked = null;
  draw();
}

/** Put a rule into the form, where it can be edited. */
function propose(text) {
  find(".rule-text").value = text;
  find(".rule-text").focus();
}

export const rules = { build, draw, kept, list, listed, propose };

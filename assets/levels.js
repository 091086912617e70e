/* Price lines that the reader sets: kept in this browser and in the address. Each can become a rule for all readers. */
import { brush } from "./brush.js";
import { changed } from "./changed.js";
import { chart } from "./chart.js";
import { rules } from "./rules.js";
import { words } from "./words.js";

const KEPT = "tickflow-lines";
const MOST = 20; // the maximum number of lines per symbol
const dialog = () => document.getElementById("levels");
const symbol = () => chart.view.drawn?.symbol ?? null;
let known = null; // the prices of the lines, by symbol

function all() {
  if (known) return known;
  try {
    known = JSON.parse(window.localStorage.getItem(KEPT)) || {};
  } catch {
    known = {};
  }
  return known;
}

const of = (name) => (Array.isArray(all()[name]) ? all()[name] : []);

function set(name, prices) {
  const good = [...new Set(prices.filter((price) => price > 0 && price < 1e12))].sort((a, b) => a - b).slice(0, MOST);
  if (good.length) all()[name] = good;
  else delete all()[name];
  try {
    window.localStorage.setItem(KEPT, JSON.stringify(all()));
  } catch {
    /* the browser has no storage */
  }
  changed.tell();
  chart.refit();
  if (dialog()?.open) draw();
}

/** Put a line at this price of the drawn symbol, rounded to the digits that the page shows. */
function add(price) {
  if (symbol()) set(symbol(), [...of(symbol()), Number(price.toFixed(words.digits(price)))]);
}

/** The lines of a symbol as they appear in the page's address, or null if it has none; `read` is the inverse. */
const text = (name) => of(name).join("_") || null;
function read(name, asked) {
  if (!name || !asked) return;
  const prices = asked.split("_").map(Number);
  if (prices.length && prices.every((price) => price > 0)) set(name, prices);
}

/** The rule of a line; it raises an alert when the price crosses the line from the side of the last price. */
const ruleOf = (name, price, last) =>
  `${name} price ${price >= last ? ">" : "<"} ${price.toFixed(9).replace(/\.?0+$/, "")}`; // never in the form 1e-7

function paint(context, { panels, right, left }, color, labelOf) {
  const panel = panels.y;
  for (const price of of(symbol())) {
    const y = Math.round(panel.y(price)) + 0.5;
    if (y < panel.top || y > panel.bottom) continue;
    context.beginPath();
    context.moveTo(left, y);
    context.lineTo(right, y);
    brush.stroke(context, color.level, 1.25, "7px,4px");
    brush.text(context, labelOf(price), right + 6, y, { color: color.paper, paper: color.level, pad: 3 });
  }
}

function make(tag, className, text_ = "", more = {}) {
  return Object.assign(document.createElement(tag), { className, textContent: text_, ...more });
}

function build() {
  const form = make("form", "layout-keep"),
    price = make("input", "layout-name level-price", "", { type: "number", step: "any", min: "0", required: true });
  price.setAttribute("aria-label", "Price");
  form.append(price, make("button", "go-live", "Add a line", { type: "submit" }));
  form.onsubmit = (event) => {
    event.preventDefault();
    add(Number(price.value));
    price.value = "";
  };
  const buttons = make("div", "period-buttons");
  buttons.append(make("button", "plain", "Close", { type: "button", onclick: () => dialog().close() }));
  dialog().append(make("h2", "heading"), make("ul", "layout-list"), form, rules.build(), buttons);
}

function draw() {
  if (!dialog().childElementCount) build();
  const name = symbol(),
    find = (part) => dialog().querySelector(part);
  find(".heading").textContent = `Price lines of ${name}`;
  const items = of(name).map((price) => {
    const item = make("li", "", ""),
      alert = make("button", "plain level-alert", "Alert …", {
        type: "button",
        onclick: () => rules.propose(ruleOf(name, price, chart.view.drawn.price)),
      }),
      remove = make("button", "plain", "✕", {
        type: "button",
        onclick: () =>
          set(
            name,
            of(name).filter((each) => each !== price),
          ),
      });
    alert.setAttribute("aria-label", `Make a rule of the line at ${price}`);
    remove.setAttribute("aria-label", `Remove the line at ${price}`);
    item.append(make("span", "", words.price(price)), alert, remove);
    return item;
  });
  find(".layout-list").replaceChildren(
    ...(items.length ? items : [make("li", "", "None yet. Alt and a click set one.")]),
  );
  rules.draw();
}

function open() {
  if (!symbol()) return;
  draw();
  rules.list();
  dialog().showModal();
}

document.addEventListener("click", (event) => {
  if (event.target.id === "levels") event.target.close();
  if (event.target.closest?.("#show-levels")) open();
});
document.addEventListener("click", (event) => {
  const place = event.altKey ? event.target.closest?.("#chart") : null,
    box = place?.getBoundingClientRect?.(),
    found = box && chart.at(event.clientX - box.left, event.clientY - box.top);
  if (found) add(found.price);
});
chart.over(paint);

export const levels = { add, of, set, text, read };

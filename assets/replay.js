/* A replay that readers steer: its state as its producer reports it, and the controls of operators. */
import { facts } from "./facts.js";
import { refreshes } from "./refreshes.js";
import { words } from "./words.js";

const SPEEDS = [0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1000];
const LATE_MS = 10_000;
const setProps = (id, props) => window.dash_clientside.set_props(id, props);
const place = () => document.getElementById("replay");
const part = (name) => document.getElementById(`replay-${name}`);
const stamp = (ms) => new Date(ms).toISOString().slice(0, 19);

let known = null; // the newest state, or null
let asked = null; // the command that the producer has not executed yet: {words, id, at}
let done = ""; // the last command that it executed, in words
let trouble = "";
let typed = false; // whether the reader has changed the time to jump to

function make(tag, id, more = {}, children = []) {
  const made = Object.assign(document.createElement(tag), id ? { id: `replay-${id}` } : {}, more);
  made.append(...children);
  return made;
}

function build() {
  const play = make("button", "play", { type: "button", className: "plain" }),
    speed = make("select", "speed", { className: "chip" }),
    time = make("input", "time", { type: "datetime-local", step: 1, required: true }),
    jump = make("form", "jump", { className: "replay-jump" }),
    said = make("span", "said", { className: "replay-said" });
  speed.setAttribute("aria-label", "Speed of the replay");
  said.setAttribute("role", "status");
  play.onclick = () => ask(known.paused ? "play" : "pause", 0, known.paused ? "play" : "pause");
  speed.onchange = () => ask("speed", Number(speed.value), `speed ${speed.value} ×`);
  time.oninput = () => (typed = true);
  jump.append(
    make("label", "", { className: "moment" }, [`Jump to, ${facts.zone.label} `, time]),
    make("button", "go", { type: "submit", className: "plain", textContent: "Jump" }),
  );
  jump.onsubmit = (event) => {
    event.preventDefault();
    const ms = Date.parse(`${time.value}Z`);
    if (Number.isNaN(ms)) return;
    typed = false;
    ask("jump", ms, `jump to ${time.value.slice(11)}`);
  };
  place().append(make("span", "at", { className: "replay-at" }), play, speed, jump, said);
}

function ask(act, value, meaning) {
  trouble = done = "";
  asked = { words: meaning, id: null, at: performance.now() };
  setProps("steer", { data: { run: known.run, act, value, n: performance.now() } });
  draw();
}

/** The server has stored the command, or failed to. */
function answered(answer) {
  trouble = answer?.trouble ?? "";
  if (trouble) asked = null;
  else if (asked && answer?.command) asked.id = answer.command;
  draw();
  if (!trouble) for (const ms of [400, 1200]) setTimeout(soon, ms);
}

/* Do not wait for the next refresh: the producer looks for commands a few times per second. */
const soon = () => refreshes.now();

/** Take the state that came with an answer of the server; `null` without a steered producer. */
function take(state) {
  known = state ?? null;
  if (asked?.id && known?.executed === asked.id) {
    done = asked.words;
    asked = null;
  }
  draw();
}

/* The sentence beside the controls. */
function sentence() {
  if (trouble) return trouble;
  if (known.stopped) return "Its producer has stopped. Start it again to steer: python stock_producer.py --steer";
  if (known.gone) return `Its producer has not reported for ${words.span(known.age_s)}. Is it still running?`;
  if (!asked) return done && `Done: ${done}.`;
  const late = performance.now() - asked.at > LATE_MS;
  return late ? `Asked: ${asked.words}. The producer has not done it yet.` : `Asked: ${asked.words} …`;
}

const moment = (ms) => `${words.time(ms)} ${words.shortZone()} · ${words.day(ms)}`;

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function draw() {
  const here = place();
  if (!here) return;
  here.hidden = !known;
  if (!known) return;
  if (!here.childElementCount) build();
  const doing = known.ended ? "Replay ended" : known.paused ? "Replay paused" : "Replay";
  write(part("at"), `${doing} at ${moment(known.position_ms)}`);
  write(part("play"), known.paused ? "▶ Play" : "❚❚ Pause");
  part("play").setAttribute("aria-label", known.paused ? "Play the replay" : "Pause the replay");
  speeds();
  const time = part("time");
  if (!typed && document.activeElement !== time) time.value = stamp(known.position_ms);
  for (const each of here.querySelectorAll("button, select, input")) each.disabled = known.gone;
  write(part("said"), sentence());
}

function speeds() {
  const choice = part("speed"),
    wanted = SPEEDS.includes(known.speed) ? SPEEDS : [...SPEEDS, known.speed].sort((a, b) => a - b);
  if (choice.dataset.speeds !== String(wanted)) {
    choice.dataset.speeds = String(wanted);
    choice.replaceChildren(...wanted.map((speed) => make("option", "", { value: speed, textContent: `${speed} ×` })));
  }
  if (document.activeElement !== choice) choice.value = String(known.speed);
}

/** The state of a replay whose producer reports, for the word in the header; else `null`. */
const steered = () => (known && !known.gone ? known : null);

export const replay = { take, answered, steered, draw };

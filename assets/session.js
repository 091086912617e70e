/* Shows at the end of the header who is signed in; handles refusals by the server: an ended session, a missing role. */
const CALLBACKS = "_dash-update-component";
const known = { ended: false, name: "", role: "", signs_out: false, refused: () => {} };
const element = (id) => document.getElementById(id);

function write(id, text) {
  const place = element(id);
  if (place && place.textContent !== text) place.textContent = text;
}

function show() {
  const place = element("person");
  if (!place) return;
  place.hidden = !known.name && !known.ended;
  write("person-name", known.ended || !known.name ? "" : `${known.name} (${known.role})`);
  element("sign-out").hidden = known.ended || !known.signs_out;
  if (known.signs_out) element("person-name").href = "account"; // behind a proxy, the proxy manages the accounts
  const again = element("sign-in");
  again.hidden = !known.ended;
  again.href = `${known.signs_out ? "login" : "."}${window.location.search}`; // behind a proxy, a reload signs in
}

/* Ask the server who is signed in; on loopback, without a login, users have no name. */
async function ask() {
  const answer = await real("session", { headers: { Accept: "application/json" } });
  if (!answer.ok) return;
  const { name, role, signs_out } = await answer.json();
  Object.assign(known, { name, role, signs_out });
  show();
}

async function leave() {
  await real("logout", { method: "POST" });
  window.location.assign("login");
}

/* When a proxy's own session has ended, it may redirect a callback to its sign-in page, which is not JSON. */
const isOver = (answer) => answer.status === 401 || (answer.ok && answer.redirected);

async function notice(answer, output) {
  const role = answer.headers.get("Person-Role");
  if (isOver(answer)) {
    known.ended = true;
    known.refused(output, "Your session has ended: this was not saved.");
  } else if (answer.status === 403) known.refused(output, (await answer.text()).trim());
  else if (answer.ok) {
    const isBack = known.ended;
    known.ended = false;
    if (isBack || (role && role !== known.role)) await ask();
  }
  show();
}

/* Dash's renderer sends requests with `fetch`. It would treat a refusal as a bug of the page; so it gets the answer "no
   content", which changes nothing. */
const real = window.fetch.bind(window);
window.fetch = async (asked, options) => {
  const answer = await real(asked, options);
  if (!String(asked?.url ?? asked).includes(CALLBACKS)) return answer;
  const isRefused = isOver(answer) || answer.status === 403;
  const [, output = ""] = /"output":\s*"([\w.-]+)"/.exec(options?.body ?? "") ?? [];
  notice(answer, output).catch(() => {}); // if asking fails, a later answer with another role asks again
  return isRefused ? new Response(null, { status: 204 }) : answer;
};

document.addEventListener("click", (event) => {
  if (event.target.closest?.("#sign-out")) leave();
});

const ended = () => known.ended;

/** Call `refused` with the output of each callback that was refused, and a message for the reader. */
function guide(refused) {
  known.refused = refused;
}

export const session = { ask, ended, guide, show };

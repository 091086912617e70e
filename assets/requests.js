/* Requests to the server's callbacks that do not wait for Dash's renderer; they have the form of its own requests. */
import "./session.js"; // its `fetch` handles refusals

const CALLBACKS = "_dash-update-component";
const fetch_ = window.fetch;
let early = null; // a request that Dash will repeat: its output, the value of its first input as text, and its answer

const part = (name) => {
  const [id, property] = name.split(".");
  return { id, property };
};

/** Request an output such as `looked.data`; `inputs` and `states` have the values by name, and the first input is what
    has changed. */
function post(output, inputs, states) {
  const named = (values) => Object.entries(values).map(([name, value]) => ({ ...part(name), value })),
    [changed] = Object.keys(inputs),
    body = {
      output,
      outputs: part(output),
      inputs: named(inputs),
      ...(states && { state: named(states) }),
      changedPropIds: [changed],
      parsedChangedPropsIds: [changed],
    };
  const headers = { Accept: "application/json", "Content-Type": "application/json" };
  return fetch_(CALLBACKS, { method: "POST", headers, body: JSON.stringify(body) });
}

/** The value of an output; empty if the server refused it (see `session.js`), `null` if it did not answer. */
async function ask(output, inputs, states) {
  try {
    const answer = await post(output, inputs, states);
    if (answer.status === 204) return {};
    if (answer.status !== 200) return null;
    const { id, property } = part(output);
    return (await answer.json()).response[id][property];
  } catch {
    return null;
  }
}

/** Request an output that Dash will request soon, with the same inputs: Dash then gets this answer. Its value is
    returned; `null` if the server refused it or did not answer. */
function begin(output, inputs) {
  const answer = post(output, inputs),
    { id, property } = part(output);
  early = { output, wanted: JSON.stringify(Object.values(inputs)[0]), answer };
  return answer
    .then(async (given) => (given.status === 200 ? (await given.clone().json()).response[id][property] : null))
    .catch(() => null); // Dash then makes its own request
}

window.fetch = (asked, options) => {
  if (!early || !String(asked?.url ?? asked).includes(CALLBACKS)) return fetch_(asked, options);
  const { output, inputs } = JSON.parse(options.body);
  if (output !== early.output) return fetch_(asked, options);
  const { wanted, answer } = early;
  early = null;
  if (JSON.stringify(inputs[0].value) !== wanted) return fetch_(asked, options);
  return answer.catch(() => fetch_(asked, options));
};

export const requests = { ask, begin };

/* Requests to the server's callbacks that do not wait for Dash's renderer; they have the form of its own requests. */
import "./session.js"; // its `fetch` handles refusals

const CALLBACKS = "_dash-update-component";
const fetch_ = window.fetch;
let early = null; // a request that Dash will repeat: its output, the value of its first input as text, and its answer

const part = (name) => {
  const [id, property] = name.split(".");
  return { id, property };
};

/** Request an output such as `looked.data`; `inputs` has the values by name, and the first one is what has changed. */
function post(output, inputs) {
  const [changed] = Object.keys(inputs),
    body = {
      output,
      outputs: part(output),
      inputs: Object.entries(inputs).map(([name, value]) => ({ ...part(name), value })),
      changedPropIds: [changed],
      parsedChangedPropsIds: [changed],
    };
  const headers = { Accept: "application/json", "Content-Type": "application/json" };
  return fetch_(CALLBACKS, { method: "POST", headers, body: JSON.stringify(body) });
}

/** The value of an output; `null` if the server refused it or did not answer. */
async function ask(output, inputs) {
  try {
    const answer = await post(output, inputs);
    if (answer.status !== 200) return null;
    const { id, property } = part(output);
    return (await answer.json()).response[id][property];
  } catch {
    return null;
  }
}

/** Request an output that Dash will request soon, with the same inputs: Dash then gets this answer. */
function begin(output, inputs) {
  const answer = post(output, inputs);
  answer.catch(() => {}); // Dash then makes its own request
  early = { output, wanted: JSON.stringify(Object.values(inputs)[0]), answer };
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

/* Reports to the address that a part of the view changed, whichever module holds that part. */
const listeners = new Set();

export const changed = { on: (listener) => listeners.add(listener), tell: () => listeners.forEach((each) => each()) };

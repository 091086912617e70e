/* Any module reports here that its part of the view has changed; the listeners then update the address. */
const listeners = new Set();

export const changed = { on: (listener) => listeners.add(listener), tell: () => listeners.forEach((each) => each()) };

/* The symbols that the reader has starred, in the reader's own order; kept in this browser. */
const KEPT = "tickflow-stars";
const MOST = 500; // the maximum number of stars
let known = null; // the starred symbols

function all() {
  if (known) return known;
  try {
    const kept = JSON.parse(window.localStorage.getItem(KEPT));
    known = Array.isArray(kept) ? [...new Set(kept.map(String))].slice(0, MOST) : [];
  } catch {
    known = [];
  }
  return known;
}

function keep(symbols) {
  known = symbols.slice(-MOST);
  try {
    window.localStorage.setItem(KEPT, JSON.stringify(known));
  } catch {
    /* without storage, the stars last until the page is closed */
  }
}

const has = (symbol) => all().includes(symbol);

/** Star a symbol, which becomes the last one, or remove its star. */
const toggle = (symbol) => keep(has(symbol) ? all().filter((each) => each !== symbol) : [...all(), symbol]);

/** Move a starred symbol up (-1) or down (1) among the others. Returns whether it moved. */
function move(symbol, by) {
  const names = all().slice(),
    at = names.indexOf(symbol),
    to = at + by;
  if (at < 0 || to < 0 || to >= names.length) return false;
  [names[at], names[to]] = [names[to], names[at]];
  keep(names);
  return true;
}

/** Put a symbol before a starred one or, by default, after all others; it gets a star if it has none. */
function put(symbol, before = null) {
  if (symbol === before) return;
  const others = all().filter((each) => each !== symbol),
    at = others.indexOf(before);
  others.splice(at < 0 ? others.length : at, 0, symbol);
  keep(others);
}

/** The starred symbols first, in the reader's order or, with `sorted`, in the order given; then the others. */
function first(items, symbolOf, sorted = false) {
  const places = new Map(all().map((symbol, i) => [symbol, i])),
    place = (item) => places.get(symbolOf(item)),
    starred = items.filter((item) => place(item) !== undefined);
  if (!sorted) starred.sort((a, b) => place(a) - place(b));
  return [...starred, ...items.filter((item) => place(item) === undefined)];
}

export const stars = { all, has, toggle, move, put, first };

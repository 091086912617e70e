/* The exchange's hours on the time axis, in ms of the wall clock: the sessions, and an axis on which closed hours take
   no space. A position on the axis is also in ms: of all time or, on such an axis, of open time. */
const known = { sessions: [], trading: false, before: [] };

/** Store the sessions of a picture, each as [start of its early hours, open, close, end of its late hours]. */
function know(sessions, trading) {
  known.sessions = sessions ?? [];
  known.trading = trading && known.sessions.length > 0;
  let sum = 0;
  known.before = known.sessions.map(([, open, close]) => {
    const before = sum;
    sum += close - open;
    return before;
  });
}

/** The index of the last session that opened at or before a moment; -1 before the first session. */
function sessionAt(ms) {
  let low = 0,
    high = known.sessions.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (known.sessions[middle][1] <= ms) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Whether the exchange is in regular hours; always true if its hours are unknown. */
function isOpen(ms) {
  const at = sessionAt(ms);
  return !known.sessions.length || (at >= 0 && ms < known.sessions[at][2]);
}

/** The position of a moment on the axis. Before the first session and after the last one, all time counts. */
function place(ms) {
  if (!known.trading) return ms;
  const { sessions, before } = known,
    at = sessionAt(ms);
  if (at < 0) return ms - sessions[0][1];
  const [, open, close] = sessions[at],
    beyond = at === sessions.length - 1 ? Math.max(0, ms - close) : 0;
  return before[at] + Math.min(ms, close) - open + beyond;
}

/** The moment at a position on the axis. */
function moment(place_) {
  if (!known.trading) return place_;
  const { sessions, before } = known;
  let at = 0;
  while (at + 1 < sessions.length && before[at + 1] <= place_) at++;
  return sessions[at][1] + place_ - before[at];
}

/** The parts of a time range in which the exchange is closed: from, to, and whether the part is extended hours. */
function closed([from, to]) {
  const found = [];
  const add = (begin, end, isNear) => {
    if (Math.max(from, begin) < Math.min(to, end))
      found.push({ from: Math.max(from, begin), to: Math.min(to, end), isNear });
  };
  known.sessions.forEach(([before, open, close, after], i) => {
    const earlier = i ? known.sessions[i - 1][3] : before - 14 * 86_400_000;
    add(earlier, before, false);
    add(before, open, true);
    add(close, after, true);
  });
  return known.trading ? [] : found;
}

/** The picture without the data outside regular hours, if closed hours take no space. */
function within(picture) {
  if (!known.trading) return picture;
  const inside = picture.x.map((ms) => isOpen(ms)),
    pick = (values) => values.filter((_, i) => inside[i]);
  const marked = picture.marks.x.map((ms) => isOpen(ms));
  return {
    ...picture,
    x: pick(picture.x),
    y: Object.fromEntries(Object.entries(picture.y).map(([name, values]) => [name, pick(Array.from(values))])),
    marks: Object.fromEntries(
      Object.entries(picture.marks).map(([name, values]) => [name, values.filter((_, i) => marked[i])]),
    ),
  };
}

/** Whether the exchange was closed between two moments. */
const isNight = (earlier, later) => known.sessions.length > 0 && sessionAt(earlier) !== sessionAt(later);

const isTrading = () => known.trading;
const sessions = () => known.sessions;

export const hours = { know, place, moment, closed, within, isOpen, isNight, isTrading, sessions };

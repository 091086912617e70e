"""Watches one partition: ticks go in, alerts come out, and a restart resumes from the saved state.

`Watch.advance` does everything from accepted ticks to alerts; the worker, the backtest and the audit all use it. Its
result depends only on the ticks and their order, not on batches, restarts or machines.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec
import numpy as np

from tickflow.alerts.alert import MOVE, Alert
from tickflow.alerts.budget import CAP, Budget, Followed, floor_of
from tickflow.alerts.episodes import Episodes, Flag, Open, Stretch, Watched
from tickflow.alerts.rules import Rule, RuleError, SpanWindow, matching
from tickflow.alerts.standing import Change, StandingRule, effective, standing
from tickflow.arrays import Ints
from tickflow.metrics.detectors import bad_print, move, silence, volatility, volume
from tickflow.metrics.detectors.names import DETECTORS
from tickflow.metrics.detectors.seconds import RING, SECOND_US, Scored, Seconds, View
from tickflow.metrics.points import point_time
from tickflow.sessions import Sessions
from tickflow.ticks.probe import PROBE
from tickflow.ticks.tick import TickBatch

STATE_VERSION = 2
ONE_A_DAY = Budget(1.0)


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms on which alerts are raised: the settings, as plain values. `least_move` is a fraction (0.001 is 0.1 %).
    `sessions` are the hours in which a silence counts; `None` means all hours.
    """

    budget: Budget = ONE_A_DAY
    follows: bool = True
    least_move: float = 0.001
    detectors: frozenset[str] = frozenset(DETECTORS)
    rules: tuple[Rule, ...] = ()
    thresholds: Mapping[tuple[str, str], float] = field(default_factory=dict)
    sessions: Sessions | None = None


class _Symbol(msgspec.Struct, array_like=True):
    """A symbol's state: its last observations, and its counters."""

    name: str
    begun_us: int
    newest_us: int
    count: int
    ticks: int
    volume: float
    close: bytes
    log_volume: bytes
    stamp: bytes


class _Track(msgspec.Struct, array_like=True):
    symbol: str
    followed: dict[str, tuple[float, int]]
    open: list[Open]


class _SpanWindow(msgspec.Struct, array_like=True):
    symbol: str
    rule: str
    begun: int
    parts: list[tuple[int, float]]


class State(msgspec.Struct):
    """Everything that a partition's watch knows after the ticks before `offset`."""

    offset: int
    newest_us: int
    symbols: list[_Symbol]
    tracks: list[_Track]
    spans: list[_SpanWindow] = msgspec.field(name="courses")  # stored states use this name
    silent: list[tuple[tuple[str, str], Alert]]
    v: int = STATE_VERSION
    names: dict[str, list[str]] = {}
    """The known symbols with their sources; empty in states written before this field existed."""


_encode_state = msgspec.msgpack.Encoder().encode
_decode_state = msgspec.msgpack.Decoder(State).decode


class Watch:
    """The detectors, rules and episodes of one partition. `changes` has the offsets at which standing rules begin and
    end; those of other partitions are ignored.

    >>> Watch(0, Terms()).symbols
    0
    """

    def __init__(self, partition: int, terms: Terms, changes: Iterable[Change] = ()) -> None:
        self.terms = terms
        self.partition = partition
        self.names: Mapping[str, Collection[str]] = {}
        """The names that are known in the partition after the processed ticks (see `tickflow.ticks.names`); they are
        part of the state.
        """
        self.offset = 0
        """Ticks before this offset were processed already and are ignored."""
        self._seconds = Seconds()
        quiet = tuple(
            (rule.name, rule.pattern, round(rule.limit * SECOND_US)) for rule in terms.rules if rule.metric == "silence"
        )
        self._silence = silence.Silence(
            self._seconds, quiet, usual="silence" in terms.detectors, open_us=lambda times: _open_us(terms, times)
        )
        self._silent: dict[tuple[str, str], Alert] = {}
        self._spans: dict[tuple[str, str], SpanWindow] = {}
        self._changes = [each for each in changes if each.partition == partition]
        self._ahead = deque(effective(self._changes))
        self._standing: dict[str, Rule] = {}
        self._rules: dict[str, tuple[Rule, ...]] = {}
        self.episodes = Episodes(partition, terms.budget, follows=terms.follows, thresholds=terms.thresholds)

    @property
    def symbols(self) -> int:
        """The number of symbols seen."""
        return self._seconds.size

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that apply to the next tick: those of the terms, and the standing ones."""
        return (*self.terms.rules, *self._standing.values())

    def take_up(self, rules: Iterable[StandingRule]) -> list[Change]:
        """Begin the rules that are new, and end those that were removed, at the next tick; return these changes."""
        begun = {each.rule for each in self._changes if each.begins}
        ended = {each.rule for each in self._changes if not each.begins}
        found = []
        for rule in rules:
            if rule.removed and rule.id in begun - ended:
                found.append(Change(self.partition, self.offset, False, rule.id, rule.text))
            elif not rule.removed and rule.id not in begun:
                found.append(Change(self.partition, self.offset, True, rule.id, rule.text))
        self._changes += found
        self._ahead = deque(effective([*self._ahead, *found]))
        return found

    def advance(self, ticks: TickBatch) -> list[Alert]:
        """Process accepted ticks in log order; return each new or changed alert in its current form."""
        changed: dict[tuple[str, str, int], Alert] = {}
        while self._ahead and len(ticks) and self._ahead[0].offset <= ticks.offsets[-1]:
            change = self._ahead.popleft()
            at = ticks.after(change.offset)
            before, ticks = ticks.split([at, len(ticks) - at])
            changed |= {each.key: each for each in self._advance(before)}
            self._apply(change)
        changed |= {each.key: each for each in self._advance(ticks)}
        return list(changed.values())

    def _apply(self, change: Change) -> None:
        """Begin or end a standing rule; a rule that ends loses the prices and volumes that it has seen."""
        self._rules.clear()
        if change.begins:
            self._stand(change)
            return
        ended = self._standing.pop(change.rule, None)
        for symbol, name in list(self._spans):
            if ended is not None and name == ended.name and name not in {rule.name for rule in self._of(symbol)}:
                del self._spans[symbol, name]

    def _stand(self, change: Change) -> None:
        try:
            self._standing[change.rule] = standing(change.text)
        except RuleError:
            return  # stored by another program: the page refuses it

    def _of(self, symbol: str) -> tuple[Rule, ...]:
        """The rules about a symbol, each name once."""
        rules = self._rules.get(symbol)
        if rules is None:
            named = {rule.name: rule for rule in matching(self.rules, symbol)}
            rules = self._rules[symbol] = tuple(named.values())
        return rules

    def _advance(self, ticks: TickBatch) -> list[Alert]:
        begin = ticks.after(self.offset)
        chosen = (
            [at for at in range(begin, len(ticks)) if ticks.symbols[at] != PROBE] if PROBE in ticks.symbols else None
        )
        if begin == len(ticks):
            return []
        where: Any = slice(begin, None) if chosen is None else np.array(chosen, dtype=np.int64)
        symbols = ticks.symbols[begin:] if chosen is None else [ticks.symbols[at] for at in chosen]
        offsets, time_us = ticks.offsets[where], ticks.time_us[where]
        prices, volumes = ticks.prices[where], ticks.volumes[where].astype(np.float64)
        self.offset = int(ticks.offsets[-1]) + 1
        if not symbols:
            return []
        view = self._seconds.view(symbols, time_us, prices, volumes)
        found = {name: each for name, score in scorers(view, self.terms).items() if len(each := score())}
        changed = self._raise(view, found, point_time(time_us, offsets), offsets, volumes)
        if "silence" in self.terms.detectors or any(rule.metric == "silence" for rule in self.terms.rules):
            changed += self._silences(view, time_us, offsets)
        self._seconds.keep(view)
        return changed

    def skip_to(self, offset: int) -> None:
        """Record that `advance` has received every accepted tick before `offset`; the last records before it were
        refused.
        """
        self.offset = max(self.offset, offset)
        while self._ahead and self._ahead[0].offset < self.offset:  # a state includes the effect of earlier changes
            self._apply(self._ahead.popleft())

    def _raise(self, view: View, found: Mapping[str, Scored], time_ns: Any, offsets: Any, volumes: Any) -> list[Alert]:
        """Pass the findings and the results of the rules to the episodes, symbol by symbol."""
        names = self._seconds.symbols
        flags: dict[int, list[Flag]] = {}
        if found or self.rules:
            place = np.empty(len(view), dtype=np.int64)
            place[view.order] = np.arange(len(view))
            for name, scored in found.items():
                self._select(view, name, scored, place, time_ns, offsets, flags)
            if self.rules:
                self._apply_rules(view, time_ns, offsets, volumes, flags)
        changed: list[Alert] = []
        columns = (view.own, view.begins, view.ends, view.time_us[view.ends - 1], view.begun_us)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for number, (slot, begin, end, last_us, begun_us) in enumerate(rows):
            symbol = names[slot]
            if number not in flags and not self.episodes.is_due(symbol, last_us):
                continue
            stretch = slice(begin, end)
            changed += self.episodes.take(
                Stretch(
                    symbol,
                    view.time_us[stretch],
                    view.price[stretch],
                    float(view.prior[view.second[begin]]),
                    int(self._seconds.ticks[slot]),
                    begun_us,
                ),
                sorted(flags.get(number, []), key=lambda flag: (flag.at, flag.detector)),
            )
        return changed

    def _select(
        self,
        view: View,
        name: str,
        scored: Scored,
        place: Any,
        time_ns: Any,
        offsets: Any,
        flags: dict[int, list[Flag]],
    ) -> None:
        """Add to `flags`, by symbol, the findings of a detector that may exceed their threshold."""
        ticks = place[scored.at]
        symbols = np.searchsorted(view.begins, ticks, side="right") - 1
        scores = np.minimum(scored.score, CAP)
        highest = np.zeros(len(view.begins))
        np.maximum.at(highest, symbols, scores)
        lasts = view.ends - 1
        now = view.time_us[lasts]
        if self.terms.budget.per_tick:
            now = self._seconds.ticks[view.own] + lasts - view.begins
        bars = np.full(len(view.begins), np.inf)
        found = np.flatnonzero(highest)
        asked = zip(view.own[found].tolist(), now[found].tolist(), view.begun_us[found].tolist(), strict=True)
        # The threshold falls with time, so a finding below the lowest threshold within the batch can be skipped.
        bars[found] = [self.episodes.bar(self._seconds.symbols[slot], name, *times) for slot, *times in asked]
        kept = np.flatnonzero(scores > bars[symbols])
        if not len(kept):
            return
        # All candidates together: where all symbols rise at once, nearly every tick is one, and 200 µs each would make
        # the worker too slow.
        at, ticks = scored.at[kept], ticks[kept]
        held_us, within_us = _since(view, ticks) if name == MOVE else np.zeros((2, len(kept)), dtype=np.int64)
        columns = (
            ticks - view.begins[symbols[kept]],
            *(column[kept] for column in scored.columns[1:]),
            *(time_ns[at], offsets[at], volume.excess(view, ticks), held_us, within_us),
        )
        rows = zip(symbols[kept].tolist(), *(column.tolist() for column in columns), strict=True)
        for number, tick, score, direction, price, reference, time, offset, excess, held, within in rows:
            flags.setdefault(number, []).append(
                Flag(tick, name, score, direction, price, reference, time, offset, _known(excess), None, held, within)
            )

    def _apply_rules(self, view: View, time_ns: Any, offsets: Any, volumes: Any, flags: dict[int, list[Flag]]) -> None:
        """Add to `flags`, by symbol, the ticks at which a user's rule holds."""
        columns = (view.own.tolist(), view.begins.tolist(), view.ends.tolist())
        for number, (slot, begin, end) in enumerate(zip(*columns, strict=True)):
            symbol = self._seconds.symbols[slot]
            for rule in self._of(symbol):
                for tick in range(begin, end):
                    at = int(view.order[tick])
                    price, time_us = float(view.price[tick]), int(view.time_us[tick])
                    value = self._value(rule, symbol, time_us, price, float(volumes[at]))
                    if value is None or not rule.holds(value[0]):
                        continue
                    is_price = rule.metric in ("price", "change")
                    flags.setdefault(number, []).append(
                        Flag(
                            at=tick - begin,
                            detector=rule.name,
                            score=value[0],
                            direction=(1 if rule.operator.startswith(">") else -1) if is_price else 0,
                            price=price,
                            reference=value[1] if is_price else price,
                            time_ns=int(time_ns[at]),
                            offset=int(offsets[at]),
                            volume_excess=None,
                            fixed=rule.limit,
                        )
                    )

    def _value(self, rule: Rule, symbol: str, time_us: int, price: float, volume: float) -> tuple[float, float] | None:
        """A rule's metric at a tick, and the price or volume it is compared with; `None` while unknown."""
        if rule.metric == "price":
            return price, rule.limit
        span = self._spans.get((symbol, rule.name))
        if span is None:
            span = self._spans[symbol, rule.name] = SpanWindow(deque(), time_us * 10 // rule.span_us)
        if rule.metric == "change":
            return span.change(rule, time_us, price)
        if rule.metric == "volume":
            return span.traded(rule, time_us, volume)
        raise NotImplementedError(rule.metric)  # a new metric of the rule language must be handled here

    def _silences(self, view: View, time_us: Any, offsets: Any) -> list[Alert]:
        """The alerts about silences that end with a tick of the batch, and about silences that begin."""
        changed: dict[tuple[str, str, int], Alert] = {}
        begun = self._silence.find(view, time_us)
        names = self._seconds.symbols
        known = set(self._silent)
        if known:
            for slot, tick in zip(view.own.tolist(), view.begins.tolist(), strict=True):
                self._heard(names[slot], int(view.time_us[tick]), changed)
        stamps = point_time(time_us, offsets)
        for each in begun:
            symbol, at = names[each.slot], each.at
            if (symbol, each.kind) in known and each.since_us == self._seconds.newest_us[each.slot]:
                continue  # found already before a restart
            price = self._price_before(view, each.slot, at)
            alert = Alert(
                symbol=symbol,
                detector=each.kind,
                time_ns=int(stamps[at]),
                score=each.waited_us / 1e6,
                threshold=each.limit_us / 1e6,
                price=price,
                reference=price,
                move_percent=0.0,
                direction=0,
                opened=int(time_us[at]) * 1000,
                partition=self.episodes.partition,
                offset=int(offsets[at]),
            )
            self._silent[symbol, each.kind] = changed[alert.key] = alert
            later = np.flatnonzero((view.slot[view.second] == each.slot) & (view.order > at))
            if len(later):
                self._heard(symbol, int(view.time_us[later[0]]), changed)
        return list(changed.values())

    def _heard(self, symbol: str, time_us: int, changed: dict[tuple[str, str, int], Alert]) -> None:
        """End a symbol's silences when it trades again."""
        for key in [key for key in self._silent if key[0] == symbol]:
            alert = msgspec.structs.replace(self._silent.pop(key), closed=time_us * 1000)
            changed[alert.key] = alert

    def _price_before(self, view: View, slot: int, at: int) -> float:
        """A symbol's last price before an index of the batch."""
        earlier = np.flatnonzero((view.slot[view.second] == slot) & (view.order < at))
        if len(earlier):
            return float(view.price[earlier[-1]])
        count = int(self._seconds.count[slot])
        return float(self._seconds.close[slot, (count - 1) & (RING - 1)])

    def state(self) -> bytes:
        """The state to store, from which `resumed` continues."""
        seconds = self._seconds
        symbols = [
            _Symbol(
                name,
                *(
                    int(seconds.begun_us[slot]),
                    int(seconds.newest_us[slot]),
                    int(seconds.count[slot]),
                    int(seconds.ticks[slot]),
                ),
                *(float(seconds.volume[slot]), seconds.close[slot].tobytes(), seconds.log_volume[slot].tobytes()),
                seconds.stamp[slot].tobytes(),
            )
            for slot, name in enumerate(seconds.symbols)
        ]
        tracks = [
            _Track(name, {detector: (known.q, known.since) for detector, known in each.followed.items()}, each.open)
            for name, each in self.episodes.watched.items()
        ]
        spans = [_SpanWindow(*key, each.begun, list(each.parts)) for key, each in self._spans.items()]
        silent = list(self._silent.items())
        names = {symbol: sorted(sources) for symbol, sources in self.names.items()}
        state = State(self.offset, self._silence.newest_us, symbols, tracks, spans, silent, names=names)
        return _encode_state(state)

    @classmethod
    def resumed(cls, partition: int, terms: Terms, state: bytes, changes: Iterable[Change] = ()) -> Self:
        """A watch that resumes from `state`. Raises `ValueError` for a state of a different version or form."""
        try:
            known = _decode_state(state)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"no state of alerts: {error}") from error
        if known.v != STATE_VERSION:
            raise ValueError(f"state of version {known.v}, this is version {STATE_VERSION}")
        try:
            return cls._from(partition, terms, known, changes)
        except (IndexError, KeyError, TypeError, OverflowError) as error:  # a state that another program wrote
            raise ValueError(f"no state of alerts: {error}") from error

    @classmethod
    def _from(cls, partition: int, terms: Terms, known: Any, changes: Iterable[Change]) -> Self:
        watch = cls(partition, terms, changes)
        watch.offset = known.offset
        while watch._ahead and watch._ahead[0].offset < known.offset:  # the state includes their effect on the spans
            change = watch._ahead.popleft()
            if change.begins:
                watch._stand(change)
            else:
                watch._standing.pop(change.rule, None)
        watch.names = known.names or {each.name: () for each in known.symbols}
        if known.symbols:
            watch._seconds.resume(*_columns(known.symbols))
        watch._silence.resume(known.newest_us)
        for track in known.tracks:
            followed = {detector: Followed(*pair) for detector, pair in track.followed.items()}
            watch.episodes.watched[track.symbol] = Watched(followed, track.open)
        for span in known.spans:
            watch._spans[span.symbol, span.rule] = SpanWindow(deque(span.parts), span.begun)
        watch._silent = dict(known.silent)
        return watch


def scorers(view: View, terms: Terms) -> dict[str, Callable[[], Scored]]:
    """By name, each detector that the terms ask for, as a function that returns its findings above the floor."""
    least = terms.least_move
    every: dict[str, Callable[[], Scored]] = {
        "move": lambda: move.score(view, floor_of("move"), least),
        "volume": lambda: volume.score(view, floor_of("volume")),
        "volatility": lambda: volatility.score(view, floor_of("volatility")),
        "bad_print": lambda: bad_print.score(view, floor_of("bad_print"), least),
    }
    return {name: score for name, score in every.items() if name in terms.detectors}


def _columns(symbols: Sequence[_Symbol]) -> tuple[Any, ...]:
    """The arguments of `Seconds.resume`. Raises `ValueError` for rings of another length."""
    counters = ("begun_us", "newest_us", "count", "ticks")
    rings = {"close": np.float64, "log_volume": np.float64, "stamp": np.int64}
    return (
        [each.name for each in symbols],
        tuple(np.array([getattr(each, name) for each in symbols], np.int64) for name in counters),
        np.array([each.volume for each in symbols]),
        tuple(_rings([getattr(each, name) for each in symbols], kind) for name, kind in rings.items()),
    )


def _rings(rows: Sequence[bytes], kind: type) -> Any:
    if any(len(row) != RING * 8 for row in rows):
        raise ValueError("no state of alerts: a ring has another length")
    return np.frombuffer(b"".join(rows), kind).reshape(-1, RING)


def _open_us(terms: Terms, times_us: Ints) -> Ints:
    """How much session time lies before each moment, in µs."""
    return times_us if terms.sessions is None else terms.sessions.open_before(times_us * 1000) // 1000


def _known(number: float) -> float | None:
    return None if number != number else number


def _since(view: View, ticks: Ints) -> tuple[Ints, Ints]:
    """The times in µs from ticks back to the traded seconds that lie one and two observations before their own."""
    stamps = view.stamps(view.second[ticks]) * SECOND_US
    return view.time_us[ticks] - stamps[:, -2], view.time_us[ticks] - stamps[:, -3]

"""Merges alerts of many symbols into one market alert, when enough of them move in the same direction within five
seconds of event time.
"""

import itertools
import math
from collections.abc import Callable, Sequence

import msgspec

from tickflow.alerts.alert import MARKET, MOVE, Alert
from tickflow.metrics.points import Points
from tickflow.ticks.probe import PROBE

WITHIN_NS = 5 * 10**9
REACH_NS = 60 * 10**9
"""How far before and after an alert, in ns, the first search looks for other alerts of its market move. A market move
lasts as long as alerts follow one another within five seconds, so it may be longer (see `around`).
"""
_LEAST = ((1, 3), (7, 3), (50, 4), (200, 5), (500, 6), (5_000, 14))
"""Pairs (number of symbols, how many of them make a market move). With five alerts per symbol and day, independent
symbols would reach the second number once in a hundred days.
"""


def counted_symbols(latest: Points) -> int:
    """How many symbols the points in `latest` have; the probe, which is not traded, does not count. At least 1."""
    return max(1, len({*latest.symbol} - {PROBE}))


def least_members(symbols: int) -> int:
    """How many of `symbols` symbols must move to make a market move.

    >>> [least_members(count) for count in (7, 50, 200, 500, 5_000, 1_500)]
    [3, 4, 5, 6, 14, 10]
    """
    for (few, low), (many, high) in itertools.pairwise(_LEAST):
        if symbols <= many:
            part = math.log(max(symbols, few) / few) / math.log(many / few)
            return math.ceil(low + part * (high - low) - 1e-9)
    return math.ceil(14 * math.sqrt(symbols / 5_000))


def gathered(alerts: Sequence[Alert], symbols: int) -> tuple[list[Alert], list[Alert]]:
    """The market moves among these alerts, and the alerts that belong to no market move, both in time order.

    A market alert has the time, the direction and the log position of its first member, the strongest score, and as
    `members` the symbols in alphabetical order.
    """
    needed = least_members(symbols)
    moves: list[Alert] = []
    taken: set[str] = set()
    for direction in (1, -1):
        own = sorted(
            (each for each in alerts if each.direction == direction and each.detector == MOVE),
            key=lambda each: (each.opened, each.symbol),
        )
        begin = 0
        while begin < len(own):
            end = begin
            while end < len(own) and own[end].opened - own[begin].opened <= WITHIN_NS:
                end += 1
            group = own[begin:end]
            if len({each.symbol for each in group}) >= needed:
                # The move continues: an alert within five seconds of the last one belongs to it.
                while end < len(own) and own[end].opened - own[end - 1].opened <= WITHIN_NS:
                    group.append(own[end])
                    end += 1
                taken |= {each.message_id for each in group}
                moves.append(_market(group))
                begin = end
            else:
                begin += 1
    single = sorted(
        (each for each in alerts if each.message_id not in taken), key=lambda each: (each.opened, each.symbol)
    )
    return sorted(moves, key=lambda each: each.opened), single


def around(alerts_between: Callable[[int, int], list[Alert]], first_ns: int, last_ns: int) -> list[Alert]:
    """The stored alerts from about `first_ns` to about `last_ns`, with all those that may belong to the same market
    moves.

    While a move lies so close to an end of the range that its market move may have members outside, the range is
    extended at that end.
    """
    since_ns, until_ns = first_ns - REACH_NS, last_ns + REACH_NS
    while True:
        found = alerts_between(since_ns, until_ns)
        times = [each.opened for each in found if each.detector == MOVE and each.symbol != MARKET]
        is_cut_before = min(times, default=last_ns) <= since_ns + WITHIN_NS
        is_cut_after = max(times, default=first_ns) >= until_ns - WITHIN_NS
        if not is_cut_before and not is_cut_after:
            return found
        reach = until_ns - since_ns
        since_ns -= reach * is_cut_before
        until_ns += reach * is_cut_after


def settled(moves: Sequence[Alert], stored: Sequence[Alert]) -> list[Alert]:
    """The market moves; one that shares a member with a stored market move takes its time.

    Two workers may see the first members of a move in a different order: then the second worker completes the alert
    that the first one stored, and does not add another.
    """
    result = []
    for move in moves:
        for old in stored:
            if _is_near(old, move) and not members_of(old).isdisjoint(members_of(move)):
                members = ",".join(sorted(members_of(old) | members_of(move)))
                place = (old.time_ns, old.opened, old.partition, old.offset)
                time_ns, opened, partition, offset = place
                move = msgspec.structs.replace(
                    move, time_ns=time_ns, opened=opened, partition=partition, offset=offset, members=members
                )
                break
        result.append(move)
    return result


def unfounded(stored: Sequence[Alert], alerts: Sequence[Alert]) -> list[Alert]:
    """The stored market moves with a member that none of these alerts covers. `alerts` are those of all symbols.

    A stored move may cover two runs of alerts that share a member and lie within `REACH_NS` (see `settled`).
    """
    runs = _Runs(alerts)
    return [each for each in stored if not members_of(each) <= runs.symbols_near(each)]


def incomplete(stored: Sequence[Alert], alerts: Sequence[Alert], symbols: int) -> list[Alert]:
    """The market moves that these alerts of `symbols` symbols make, and that are not stored with all their members."""
    runs = _Runs(alerts)
    missing = []
    for move in gathered(alerts, symbols)[0]:
        members, times = members_of(move), {each.opened for each in runs.around(move)}
        if not any(
            each.direction == move.direction and each.opened in times and members_of(each) >= members for each in stored
        ):
            missing.append(move)
    return missing


class _Runs:
    """The moves of single symbols by direction, in time order, split where more than five seconds pass without one."""

    def __init__(self, alerts: Sequence[Alert]) -> None:
        self._runs: dict[int, list[list[Alert]]] = {}
        for each in sorted(alerts, key=lambda one: one.opened):
            if each.detector != MOVE or each.symbol == MARKET:
                continue
            runs = self._runs.setdefault(each.direction, [])
            if not runs or each.opened - runs[-1][-1].opened > WITHIN_NS:
                runs.append([])
            runs[-1].append(each)

    def around(self, move: Alert) -> list[Alert]:
        """The run that the time of a market move lies in; empty if there is none."""
        runs = self._runs.get(move.direction, [])
        return next((run for run in runs if run[0].opened <= move.opened <= run[-1].opened), [])

    def symbols_near(self, move: Alert) -> set[str]:
        """The symbols with a move in the run around a market move, or within `REACH_NS` of that run."""
        run = self.around(move)
        if not run:
            return set()
        first_ns, last_ns = run[0].opened - REACH_NS, run[-1].opened + REACH_NS
        return {each.symbol for run in self._runs[move.direction] for each in run if first_ns <= each.opened <= last_ns}


def _is_near(one: Alert, other: Alert) -> bool:
    return abs(one.opened - other.opened) <= REACH_NS and one.direction == other.direction


def members_of(move: Alert) -> set[str]:
    """The symbols of a market move."""
    return set((move.members or "").split(","))


def _market(group: Sequence[Alert]) -> Alert:
    strongest = max(group, key=lambda each: (each.score, each.symbol))
    members = ",".join(sorted({each.symbol for each in group}))
    return msgspec.structs.replace(
        group[0],
        symbol=MARKET,
        score=strongest.score,
        move_percent=strongest.move_percent,
        members=members,
        budget=None,
        volume_ratio=None,
        lasted=None,
        closed=None,
        ticks=len({each.symbol for each in group}),
        said=1,
    )

"""Sends lines to InfluxDB in as few requests as possible, and separates the lines that InfluxDB refuses for good."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import chain

from influxdb_client.rest import ApiException

from tickflow.errors import StoreError
from tickflow.store.base import Written
from tickflow.store.influx import answers

FEWEST_LINES = 1_000
"""Lines are divided among connections only into requests of at least this many lines."""


def size_of(lines: int, most: int, connections: int) -> int:
    """The number of lines per request.

    >>> size_of(4_000, most=5_000, connections=2), size_of(50, most=5_000, connections=2)
    (2000, 1000)
    """
    return min(most, max(-(-lines // connections), FEWEST_LINES))


def order_of(symbols: Sequence[str]) -> list[int]:
    """The indexes that sort lines by symbol, since InfluxDB writes sorted lines faster; lines of the same symbol keep
    their order.

    >>> order_of(["B", "A", "B"])
    [0, 2, 1]
    """
    indexes: defaultdict[str, list[int]] = defaultdict(list)
    for at, symbol in enumerate(symbols):
        indexes[symbol].append(at)
    return list(chain(*indexes.values()))


def write(
    lines: Sequence[str],
    order: Sequence[int],
    size: int,
    at_once: int,
    post: Callable[[list[list[str]]], list[ApiException | None]],
    failure: Callable[[ApiException], StoreError],
) -> Written:
    """Write the lines in the order of the indexes `order`, at most `size` per request.

    `post` sends at most `at_once` requests at a time and returns InfluxDB's refusal of each; if `at_once` is 1, lines
    arrive in order. A request that is too large is divided; lines that cannot be parsed are left out. Any other refusal
    is turned into an error by `failure` and raised, and no further request is started.
    """
    refused: list[tuple[int, str]] = []
    expired = 0
    waiting: list[Sequence[int]] = [order[at : at + size] for at in range(0, len(order), size)]
    while waiting:
        parts, waiting = waiting[:at_once], waiting[at_once:]
        again: list[Sequence[int]] = []
        for indexes, error in zip(parts, post([[lines[i] for i in part] for part in parts]), strict=True):
            if error is None:
                continue
            message = answers.message_of(error.body)
            if error.status == answers.TOO_LARGE and len(indexes) > 1:
                middle = len(indexes) // 2
                again += [indexes[:middle], indexes[middle:]]
            elif error.status == answers.UNPARSABLE and (reasons := answers.bad_lines(message)):
                good = [i for i in indexes if lines[i] not in reasons]
                if len(good) == len(indexes):
                    raise failure(error) from error
                refused += [(i, reasons[lines[i]]) for i in indexes if lines[i] in reasons]
                answers.check_share(refused, len(lines))
                again += [good] if good else []
            elif error.status == answers.DROPPED and (dropped := answers.expired(message)) is not None:
                expired += dropped
            else:
                raise failure(error) from error
        waiting = again + waiting
    return Written(len(lines) - len(refused) - expired, tuple(sorted(refused)), expired)

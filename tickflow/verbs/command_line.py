"""The verbs of `stock_analytics.py`, their flags, and how each is called."""

import argparse
from datetime import datetime
from functools import partial
from typing import Protocol

from tickflow.alerts.opening import DeskSettings
from tickflow.alerts.terms import terms_of
from tickflow.process import DONE, UNDONE, Parser, StopEvent
from tickflow.stack import open_alerts, open_log, open_store
from tickflow.ticks.tick import Limits, epoch_us
from tickflow.verbs import audit, dead_letters, status

VERBS = ("run", "status", "dead-letters", "audit")
LISTED = 20

_OWNERS = {
    "json": "status",
    "watch": "status",
    "limit": "dead-letters",
    "explain": "dead-letters",
    "from": "audit",
    "to": "audit",
}


class VerbSettings(DeskSettings, Protocol):
    """The settings that the verbs need; `config.Settings` has them."""

    @property
    def anomaly_threshold(self) -> float: ...  # noqa: D102 - each is a key of .env.example
    @property
    def max_record_bytes(self) -> int: ...  # noqa: D102
    @property
    def max_tick_age(self) -> float | None: ...  # noqa: D102


def add_arguments(parser: Parser) -> None:
    """Add the verb and the flags of single verbs to a parser."""
    parser.add_argument("verb", nargs="?", choices=VERBS, default="run", help="what to do (default: run)")
    group = parser.add_argument_group("flags of single verbs")
    group.add_argument("--json", action="store_true", help="status: print JSON, for programs")
    group.add_argument("--watch", action="store_true", help="status: look again every 2 s, until Ctrl+C")
    group.add_argument("--limit", type=count, metavar="N", help=f"dead-letters: list the newest N (default: {LISTED})")
    text = "dead-letters: add to each reason its commonest cause and the cure"
    group.add_argument("--explain", action="store_true", help=text)
    group.add_argument("--from", type=time_ns, metavar="T", help="audit: from this time on, as 2026-01-05T14:30:00Z")
    group.add_argument("--to", type=time_ns, metavar="T", help="audit: up to this time (default: everything)")


def check(parser: Parser, arguments: argparse.Namespace) -> None:
    """Refuse a flag that belongs to another verb."""
    for flag, verb in _OWNERS.items():
        if getattr(arguments, flag) not in (None, False) and arguments.verb != verb:
            parser.error(f"--{flag} belongs to the verb {verb}")
    since_ns, until_ns = _range(arguments)
    if since_ns >= until_ns:
        parser.error("--from must lie before --to")


def perform(arguments: argparse.Namespace, settings: VerbSettings, stop: StopEvent) -> int:
    """Perform any verb but `run`; return the exit code."""
    if arguments.verb == "status":
        is_fine = status.show(
            lambda: status.Inquiry(
                settings.kafka_topic,
                settings.kafka_group,
                partial(open_log, settings),
                partial(open_store, settings),
                connect_store=settings.stack == "embedded",
            ),
            as_json=arguments.json,
            watch=arguments.watch,
            stop=stop,
        )
        return DONE if is_fine else UNDONE
    if arguments.verb == "audit":
        limits, range_ns = limits_of(settings), _range(arguments)
        alerts = (open_alerts(settings, stop), terms_of(settings)) if settings.alerts else None
        is_equal = audit.show(
            open_log(settings, stop),
            open_store(settings, stop),
            lambda log, store: audit.Audit(log, store, limits, settings.anomaly_threshold, *range_ns, alerts=alerts),
        )
        return DONE if is_equal else UNDONE
    limit = LISTED if arguments.limit is None else arguments.limit
    dead_letters.show(open_log(settings, stop), limit, arguments.explain)
    return DONE


def count(text: str) -> int:
    """Parse a whole number from 0 on."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 999999999")
    return int(text)


def time_ns(text: str) -> int:
    """Parse a date or a time of RFC 3339 into ns since 1970; without a zone it is UTC.

    >>> time_ns("1970-01-01T00:00:01Z"), time_ns("1970-01-02")
    (1000000000, 86400000000000)
    """
    try:
        found = epoch_us(datetime.fromisoformat(text)) * 1000
    except ValueError:
        found = -1
    if not audit.FIRST_NS <= found <= audit.END_NS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2026-01-05T14:30:00Z, of 1970 to 2261")
    return found


def limits_of(settings: VerbSettings) -> Limits:
    """The limits for ticks that settings can change."""
    age = settings.max_tick_age
    return Limits(settings.max_record_bytes, None if age is None else round(age * 1_000_000))


def _range(arguments: argparse.Namespace) -> tuple[int, int]:
    since_ns, until_ns = getattr(arguments, "from"), arguments.to
    return audit.FIRST_NS if since_ns is None else since_ns, audit.END_NS if until_ns is None else until_ns

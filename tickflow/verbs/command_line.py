"""The verbs of `stock_analytics.py`, their flags, and how each is called."""

import argparse
import re
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol, Self

from tickflow.alerts.alert import link
from tickflow.alerts.budget import Budget
from tickflow.alerts.budget import parse as parse_budget
from tickflow.alerts.opening import DeskSettings
from tickflow.alerts.rules import Rule, RuleError
from tickflow.alerts.rules import parse as parse_rules
from tickflow.alerts.standing import Change, workers_of
from tickflow.alerts.terms import Calibration, terms_of
from tickflow.alerts.terms import write as write_thresholds
from tickflow.alerts.watch import Terms
from tickflow.errors import SettingError, StoreError
from tickflow.metrics.detectors.names import DETECTORS
from tickflow.process import DONE, UNDONE, Parser, StopEvent
from tickflow.stack import open_acks, open_alerts, open_log, open_mutes, open_rules, open_store
from tickflow.store.nowhere import NowhereAlerts, NowhereStore
from tickflow.ticks.tick import Limits, epoch_us
from tickflow.verbs import audit, backtest, calibrate, dead_letters, recorded, rewind, status
from tickflow.version import VERSION

VERBS = ("run", "status", "dead-letters", "audit", "calibrate", "backtest", "notify", "rewind")
LISTED = 20

_LOOKING_BACK = ("audit", "calibrate", "backtest")
_OWNERS: dict[str, tuple[str, ...]] = {
    "json": ("status",),
    "watch": ("status",),
    "limit": ("dead-letters", "backtest"),
    "explain": ("dead-letters",),
    "from": _LOOKING_BACK,
    "to": (*_LOOKING_BACK, "rewind"),
    "last": ("audit",),
    "file": ("calibrate", "backtest"),
    "rules": ("backtest",),
    "detector": ("backtest",),
    "budget": ("calibrate", "backtest"),
    "curve": ("backtest",),
    "keep": ("backtest",),
    "out": ("calibrate",),
    "test": ("notify",),
    "alerts_only": ("run", "notify"),
}


class VerbSettings(DeskSettings, Protocol):
    """The settings that the verbs need; `config.Settings` has them."""

    @property
    def anomaly_threshold(self) -> float: ...  # noqa: D102 - .env.example documents each of these settings
    @property
    def max_symbols(self) -> int: ...  # noqa: D102
    @property
    def max_sources(self) -> int: ...  # noqa: D102
    @property
    def max_record_bytes(self) -> int: ...  # noqa: D102
    @property
    def market(self) -> str: ...  # noqa: D102
    @property
    def alert_notify(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def alert_rate(self) -> int: ...  # noqa: D102
    @property
    def alert_give_up(self) -> float: ...  # noqa: D102
    @property
    def alert_outbox(self) -> Path: ...  # noqa: D102
    @property
    def dashboard_host(self) -> str: ...  # noqa: D102
    @property
    def dashboard_port(self) -> int: ...  # noqa: D102
    @property
    def max_tick_age(self) -> float | None: ...  # noqa: D102
    @property
    def metrics_host(self) -> str: ...  # noqa: D102
    @property
    def metrics_port(self) -> int | None: ...  # noqa: D102

    def model_copy(self, *, update: dict[str, object]) -> Self:
        """A copy of the settings, with the values in `update`."""
        ...


def add_arguments(parser: Parser) -> None:
    """Add the verb and the flags of individual verbs to a parser."""
    parser.add_argument("verb", nargs="?", choices=VERBS, default="run", help="what to do (default: run)")
    group = parser.add_argument_group("flags of individual verbs")
    group.add_argument("--json", action="store_true", help="status: print JSON, for programs")
    group.add_argument("--watch", action="store_true", help="status: look again every 2 s, until Ctrl+C")
    group.add_argument(
        "--limit", type=count, metavar="N", help=f"dead-letters, backtest: list the newest N (default: {LISTED})"
    )
    text = "dead-letters: add the most common cause and the cure to each reason"
    group.add_argument("--explain", action="store_true", help=text)
    group.add_argument(
        "--from",
        type=time_ns,
        metavar="T",
        help="audit, calibrate, backtest: from this time on, such as 2026-01-05T14:30:00Z",
    )
    group.add_argument(
        "--last", type=span_ns, metavar="S", help="audit: only the last 10m, 2h or 1d, for example from cron"
    )
    group.add_argument(
        "--to", type=time_ns, metavar="T", help="audit, calibrate, backtest: up to this time; rewind: back to this time"
    )
    group.add_argument(
        "--file", type=Path, metavar="F", help="calibrate, backtest: read a recorded file, not the topic"
    )
    group.add_argument("--budget", type=budget, metavar="B", help="calibrate, backtest: replace ALERT_BUDGET")
    group.add_argument(
        "--rules",
        type=rules,
        metavar="R",
        help="backtest: use these rules in place of ALERT_RULES and of the detectors",
    )
    group.add_argument("--detector", choices=DETECTORS, help="backtest: only this detector")
    text = "run, notify: only alerts, without a store or a page; give these workers their own KAFKA_GROUP"
    group.add_argument("--alerts-only", action="store_true", help=text)
    group.add_argument(
        "--test", action="store_true", help="notify: send one test message to each address and print the outcome"
    )
    group.add_argument(
        "--curve", action="store_true", help="backtest: print the number of alerts for each of several budgets"
    )
    text = "backtest: keep the result and the curve in the store, where the page shows them"
    group.add_argument("--keep", action="store_true", help=text)
    group.add_argument("--out", type=Path, metavar="F", help="calibrate: the file to write (default: ALERT_THRESHOLDS)")


def check(parser: Parser, arguments: argparse.Namespace) -> None:
    """Refuse flags that belong to another verb."""
    for flag, verbs in _OWNERS.items():
        if getattr(arguments, flag) not in (None, False) and arguments.verb not in verbs:
            parser.error(f"--{flag.replace('_', '-')} belongs to the verb {' or '.join(verbs)}")
    if arguments.last is not None and getattr(arguments, "from") is not None:
        parser.error("--last and --from both say where to begin: give one of them")
    since_ns, until_ns = _range(arguments)
    if arguments.verb == "rewind" and arguments.to is None:
        parser.error("rewind needs --to, the append time to read again from, such as 2026-01-05T14:30:00Z")
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
                open_alerts=partial(open_alerts, settings) if settings.alerts else None,
                file=settings.embedded_file if settings.stack == "embedded" else None,
            ),
            as_json=arguments.json,
            watch=arguments.watch,
            stop=stop,
        )
        return DONE if is_fine else UNDONE
    if arguments.verb == "rewind":
        rewind.show(open_log(settings.model_copy(update={"kafka_instance_id": None}), stop), arguments.to)
        return DONE
    if arguments.verb == "audit":
        limits, range_ns = limits_of(settings), _range(arguments)
        alerts = (open_alerts(settings, stop), terms_of(settings)) if settings.alerts else None
        is_equal = audit.show(
            open_log(settings, stop),
            open_store(settings, stop),
            lambda log, store: audit.Audit(
                *(log, store, limits, settings.anomaly_threshold, *range_ns),
                alerts=alerts,
                changes=partial(changes_of, settings, stop=stop),
            ),
        )
        return DONE if is_equal else UNDONE
    if arguments.verb == "notify":
        return send_alerts(arguments, settings, stop)
    if arguments.verb in ("calibrate", "backtest"):
        return look_back(arguments, settings, stop)
    limit = LISTED if arguments.limit is None else arguments.limit
    dead_letters.show(open_log(settings, stop), limit, arguments.explain)
    return DONE


def changes_of(settings: VerbSettings, topic_id: str, *, stop: StopEvent) -> Sequence[Change]:
    """The offsets at which standing rules begin and end for the group. Raises `SettingError`, `StoreError`."""
    with closing(open_rules(settings, stop)) as store:
        return store.changes(workers_of(settings.kafka_group, settings.kafka_topic, topic_id))


def send_alerts(arguments: argparse.Namespace, settings: VerbSettings, stop: StopEvent) -> int:
    """Perform `notify`."""
    from tickflow.alerts.channels import channels_of  # apprise takes a while to load
    from tickflow.alerts.notifier import Preferences
    from tickflow.alerts.outbox import Outbox
    from tickflow.sessions import Sessions
    from tickflow.telemetry.notifier import NotifierTelemetry
    from tickflow.telemetry.serving import serving
    from tickflow.verbs import notify

    channels = channels_of(settings.secret("ALERT_URLS", "addresses such as json://host/path or mailto://user@host"))
    if arguments.test:
        return DONE if notify.test_channels(channels) else UNDONE
    of_alerts = notify.topic_and_group(settings.kafka_topic, settings.kafka_group)
    preferences = Preferences(
        detectors=frozenset(settings.alert_notify),
        known=frozenset(DETECTORS),
        an_hour=settings.alert_rate,
        give_up_seconds=settings.alert_give_up * 3_600,
        page=f"http://{settings.dashboard_host}:{settings.dashboard_port}",
        per_tick=notify.is_per_tick(settings.alert_budget),
    )
    telemetry = NotifierTelemetry(VERSION)
    with serving(settings, telemetry):
        notify.run(
            open_log(settings.model_copy(update={**of_alerts, "kafka_instance_id": None}), stop),
            channels,
            lambda: Outbox(settings.alert_outbox, stop),
            NowhereAlerts() if arguments.alerts_only else open_alerts(settings, stop),
            NowhereStore(stop) if arguments.alerts_only else open_store(settings, stop),
            preferences,
            stop,
            None if arguments.alerts_only else open_mutes(settings, stop),
            Sessions(settings.market),
            telemetry,
        )
    return DONE


def look_back(arguments: argparse.Namespace, settings: VerbSettings, stop: StopEvent) -> int:
    """Perform `calibrate` or `backtest`."""
    terms, limits = terms_of(settings), limits_of(settings)
    if arguments.budget is not None:
        terms = replace(terms, budget=arguments.budget)
    if arguments.rules is not None:
        terms = replace(terms, rules=arguments.rules, detectors=frozenset())
    if arguments.detector is not None:
        terms = replace(terms, detectors=frozenset({arguments.detector}), rules=arguments.rules or ())
    if arguments.file is not None:
        return perform_on(lambda: recorded.of_file(arguments.file, limits), arguments, settings, terms, stop)
    with open_log(settings, stop) as log:
        log.connect(create=False)
        changes: Sequence[Change] = ()
        if arguments.verb == "backtest" and arguments.rules is None and arguments.detector is None:
            log.partitions()  # with them comes the topic's id
            try:
                changes = changes_of(settings, log.topic_id, stop=stop)
            except (SettingError, StoreError) as error:
                print(f"without the standing rules: {error}")
        return perform_on(lambda: recorded.of_log(log, limits), arguments, settings, terms, stop, changes)


def perform_on(
    ticks: Callable[[], recorded.Recorded],
    arguments: argparse.Namespace,
    settings: VerbSettings,
    terms: Terms,
    stop: StopEvent,
    changes: Sequence[Change] = (),
) -> int:
    """Perform `calibrate` or `backtest` on recorded ticks."""
    range_ns = _range(arguments)
    if arguments.verb == "calibrate":
        made, said = calibrate.thresholds(calibrate.collect(ticks(), terms, *range_ns), terms)
        print("\n".join(said) or "there are no ticks in that time")
        path = arguments.out or settings.alert_thresholds
        if not made:
            return UNDONE
        if path is None:
            print("nothing is written: name a file with --out or ALERT_THRESHOLDS")
            return DONE
        write_thresholds(path, Calibration(str(terms.budget.rate), made))
        print(f"{len(made)} thresholds are in {path}: set ALERT_THRESHOLDS to it, for every worker")
        return DONE
    return back_test(ticks, arguments, settings, terms, stop, changes)


def back_test(
    ticks: Callable[[], recorded.Recorded],
    arguments: argparse.Namespace,
    settings: VerbSettings,
    terms: Terms,
    stop: StopEvent,
    changes: Sequence[Change] = (),
) -> int:
    """Perform `backtest` on recorded ticks."""
    range_ns = _range(arguments)
    page = f"http://{settings.dashboard_host}:{settings.dashboard_port}"
    acks = open_acks(settings, stop) if arguments.keep else None
    if acks is not None:
        acks.backtests()  # a store that does not answer is reported before the work, which may take minutes
    found, points = backtest.Findings(), []
    if arguments.keep or not arguments.curve:
        found = backtest.run(ticks(), terms, *range_ns, changes)
        listed = LISTED if arguments.limit is None else arguments.limit
        per_tick = terms.budget.per_tick
        print("\n".join(backtest.lines(found, listed, lambda alert: link(page, alert), per_tick=per_tick)))
    if arguments.curve or (arguments.keep and terms.detectors):
        points = backtest.curve(ticks, terms, *range_ns)
        for each in points:
            print(f"budget {each.budget:g} a day: {each.alerts:,} alerts, {each.per_day:.2g} per symbol and day")
    if acks is None:
        return DONE
    if not found.days:
        return UNDONE
    source = arguments.file.name if arguments.file else f"topic {settings.kafka_topic}"
    acks.keep_backtest(backtest.to_keep(found, points, source, terms, time.time_ns() // backtest.MS_NS))
    acks.close()
    print(f"kept: the page at {page} shows it under Alerts, Backtests")
    return DONE


def budget(text: str) -> Budget:
    """Parse a budget."""
    try:
        return parse_budget(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a budget: {error}") from None


def rules(text: str) -> tuple[Rule, ...]:
    """Parse rules."""
    try:
        return parse_rules(text)
    except RuleError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def count(text: str) -> int:
    """Parse an integer that is at least 0."""
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


def span_ns(text: str) -> int:
    """Parse a span of time into ns.

    >>> span_ns("10m"), span_ns("2h")
    (600000000000, 7200000000000)
    """
    found = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a span such as 30s, 10m, 2h or 1d")
    return int(found[1]) * {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[found[2]] * 10**9


def limits_of(settings: VerbSettings) -> Limits:
    """The limits for ticks that the settings describe."""
    age = settings.max_tick_age
    return Limits(
        settings.max_record_bytes,
        None if age is None else round(age * 1_000_000),
        settings.max_symbols,
        settings.max_sources,
    )


def _range(arguments: argparse.Namespace) -> tuple[int, int]:
    since_ns, until_ns = getattr(arguments, "from"), arguments.to
    if arguments.last is not None:
        since_ns = max(time.time_ns() - arguments.last, audit.FIRST_NS)
    return audit.FIRST_NS if since_ns is None else since_ns, audit.END_NS if until_ns is None else until_ns

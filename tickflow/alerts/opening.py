"""Creates a desk from the settings, for the stack that they name."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Protocol

from tickflow.alerts.checkpoint import (
    Checkpoints,
    EmbeddedCheckpoints,
    KafkaCheckpoints,
    newest_in_log,
    state_topic,
)
from tickflow.alerts.desk import CHECKPOINT_SECONDS, Desk, alerts_topic
from tickflow.alerts.market import counted_symbols
from tickflow.alerts.standing import workers_of
from tickflow.alerts.terms import AlertSettings, terms_of
from tickflow.stack import StackSettings, open_alerts, open_log, open_rules, open_store
from tickflow.store.alerts import AlertStore
from tickflow.ticklog.base import TickLog

COMPACTED = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.1",
    "segment.ms": "600000",
    "max.compaction.lag.ms": "600000",
}
"""The settings of the state topic: each state is replaced after some seconds, and old states need not be kept long."""


class DeskSettings(StackSettings, AlertSettings, Protocol):
    """The settings of a desk."""

    @property
    def alerts(self) -> bool: ...  # noqa: D102 - a key of .env.example


def open_desk(
    settings: DeskSettings,
    log: TickLog,
    stop: threading.Event,
    every: float = CHECKPOINT_SECONDS,
    store: AlertStore | None = None,
) -> Desk | None:
    """Create the desk of the worker that reads `log`; return `None` if alerts are turned off. Raises `SettingError`.

    Alerts are stored in `store`; without it, in the store that the settings name, which then has standing rules too.
    """
    if not settings.alerts:
        return None
    terms, group = terms_of(settings), settings.kafka_group
    rules = open_rules(settings, stop) if store is None else None
    if settings.stack == "embedded":
        table = EmbeddedCheckpoints(settings.embedded_file, settings.kafka_topic, group, stop)

        def open_table(ended: threading.Event) -> tuple[Checkpoints, TickLog]:
            publisher = open_log(settings, ended)
            publisher.connect()
            return EmbeddedCheckpoints(settings.embedded_file, settings.kafka_topic, group, ended), publisher

        return Desk(
            terms,
            store or open_alerts(settings, stop),
            newest=table.newest,
            open_checkpoints=open_table,
            count_symbols=counting(settings, stop),
            rules=rules,
            workers_of=partial(workers_of, group, settings.kafka_topic),
            every=every,
        )

    def open_topics(ended: threading.Event) -> tuple[Checkpoints, TickLog]:
        publisher = open_log(settings, ended)
        publisher.connect()
        publisher.make_topic(state_topic(settings.kafka_topic), 1, COMPACTED)
        publisher.make_topic(alerts_topic(settings.kafka_topic), 1, {})
        return KafkaCheckpoints(publisher, group), publisher

    return Desk(
        terms,
        store or open_alerts(settings, stop),
        newest=partial(newest_in_log, log, group),
        open_checkpoints=open_topics,
        count_symbols=counting(settings, stop),
        rules=rules,
        workers_of=partial(workers_of, group, settings.kafka_topic),
        every=every,
    )


def counting(settings: StackSettings, stop: threading.Event) -> Callable[[], int]:
    """Return a function that counts the stored symbols. It opens a new connection for each count, since counts are
    rare.
    """

    def count() -> int:
        with open_store(settings, stop) as store:
            store.connect()
            return counted_symbols(store.latest())

    return count

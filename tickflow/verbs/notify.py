"""The verb `notify`: sends alerts to the addresses of ALERT_URLS, and `notify --test` tries each of them."""

import logging
from collections.abc import Callable
from contextlib import closing, nullcontext

from tickflow.alerts import budget as budgets
from tickflow.alerts.channels import Channel
from tickflow.alerts.desk import alerts_topic
from tickflow.alerts.notifier import Notifier, Preferences
from tickflow.alerts.outbox import Outbox
from tickflow.backoff import Backoff, Saying, sleep
from tickflow.errors import LogUnavailable
from tickflow.process import StopEvent
from tickflow.sessions import Sessions
from tickflow.store.alerts import AlertStore
from tickflow.store.base import PointReader
from tickflow.store.mutes import MuteStore
from tickflow.telemetry.notifier import NotifierTelemetry
from tickflow.ticklog.base import TickLog

logger = logging.getLogger("tickflow.alerts")

TEST = "This is a test from tickflow: alerts will come to this address."


def test_channels(channels: list[Channel]) -> bool:
    """Send one message to each channel and print the outcome; return whether all accepted it."""
    answers = [(channel, channel.send("tickflow: test", TEST)) for channel in channels]
    for channel, is_taken in answers:
        print(f"{channel.shown}: {'the message was accepted' if is_taken else 'the message was NOT accepted'}")
    return all(is_taken for _, is_taken in answers)


test_channels.__test__ = False  # type: ignore[attr-defined]  # tells pytest that this is not a test


def run(
    log: TickLog,
    channels: list[Channel],
    open_outbox: Callable[[], Outbox],
    alerts: AlertStore,
    store: PointReader,
    preferences: Preferences,
    stop: StopEvent,
    mutes: MuteStore | None,
    sessions: Sessions,
    telemetry: NotifierTelemetry,
) -> None:
    """Send alerts until asked to stop; `log` is the log of the alerts' topic."""
    with log, store, closing(alerts), closing(open_outbox()) as outbox, closing(mutes) if mutes else nullcontext():
        store.connect()
        if not _make_topic(log, stop):
            return
        log.connect(create=False)
        notifier = Notifier(
            *(log, outbox, channels, alerts, store, preferences, stop),
            mutes=mutes,
            sessions=sessions,
            telemetry=telemetry,
        )
        notifier.run()


def _make_topic(log: TickLog, stop: StopEvent) -> bool:
    """Create the topic of the alerts if it is missing; wait while the log does not answer. Returns `False` if asked to
    stop.
    """
    waiting = Saying(logger)
    for delay in Backoff():
        try:
            log.make_topic(log.topic, 1, {})
        except LogUnavailable as error:
            waiting(f"alerts cannot be read: {error}")
        else:
            waiting.over(f"{log.where} answers")
            return True
        if sleep(stop, delay):
            break
    return False


def topic_and_group(topic: str, group: str) -> dict[str, str]:
    """The topic and the group of a notifier, as settings that replace the workers' settings.

    >>> topic_and_group("stock-ticks", "stock-analytics")["kafka_group"]
    'stock-analytics.notify'
    """
    return {"kafka_topic": alerts_topic(topic), "kafka_group": f"{group}.notify"}


def is_per_tick(budget: str) -> bool:
    """Whether a budget is per tick."""
    return budgets.parse(budget).per_tick

"""The notifier: reads `<topic>.alerts`, writes messages into the outbox, and sends them to each channel.

It is a process with its own consumer group, and cannot slow a worker down. Alerts wait a few seconds for others, since
alerts of many symbols at once are one market move, whichever workers raised them.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from tickflow.alerts import market
from tickflow.alerts.alert import MARKET, MOVE, Alert, decode, link, sentence
from tickflow.alerts.channels import Channel, chart
from tickflow.alerts.mutes import Mute, is_muted
from tickflow.alerts.outbox import Message, Outbox
from tickflow.backoff import Backoff, Saying
from tickflow.errors import LogUnavailable, StoreError
from tickflow.process import StopEvent
from tickflow.sessions import NEW_YORK, Sessions
from tickflow.store.alerts import AlertStore
from tickflow.store.base import PointReader
from tickflow.store.mutes import MuteStore
from tickflow.telemetry.notifier import NotifierTelemetry
from tickflow.ticklog.base import Polled, Position, TickLog
from tickflow.version import VERSION
from tickflow.worker.report import counted

COMPANY_SECONDS = 6.0
"""How many seconds an alert waits for others of the same market move."""
POLL_SECONDS = 0.25
DIGEST_AT = 4
"""If at least this many messages wait, they are sent as one."""
LISTED = 10
SYMBOLS_EVERY_SECONDS = 60.0
MUTES_EVERY = 2.0
EARLIER = 50
CHART_NS = 600 * 10**9

logger = logging.getLogger("tickflow.alerts")


@dataclass(frozen=True, slots=True)
class Preferences:
    """What to send: the detectors whose alerts are sent (alerts of rules are always sent), the maximum number of
    messages per hour, how long to retry, and the page's address.
    """

    detectors: frozenset[str] = frozenset({"move"})
    known: frozenset[str] = frozenset()
    an_hour: int = 20
    give_up_seconds: float = 86_400.0
    page: str = ""
    per_tick: bool = False


class Notifier:
    """One notifier. `clock` is in seconds since 1970; `store` and `points` supply context for the messages; if they do
    not answer, messages go out without it.

    `mutes` are the readers' mutes, and `sessions` has the market's hours, which some mutes refer to.
    """

    def __init__(
        self,
        log: TickLog,
        outbox: Outbox,
        channels: Sequence[Channel],
        store: AlertStore,
        points: PointReader,
        preferences: Preferences,
        stop: StopEvent,
        clock: Callable[[], float] = time.time,
        *,
        mutes: MuteStore | None = None,
        sessions: Sessions = NEW_YORK,
        telemetry: NotifierTelemetry | None = None,
    ) -> None:
        self.telemetry = telemetry or NotifierTelemetry(VERSION, clock)
        self._log = log
        self._outbox = outbox
        self._channels = channels
        self._store = store
        self._points = points
        self._preferences = preferences
        self._stop = stop
        self._clock = clock
        self._epochs: dict[int, int] = {}
        self._not_before = dict.fromkeys((each.name for each in channels), 0.0)
        self._backoffs = {each.name: Backoff(first=0.5, longest=30.0) for each in channels}
        self._saying = {each.name: Saying(logger) for each in channels}
        self._symbols, self._counted_at = 7, 0.0
        self._reading = Saying(logger)
        self._mute_store, self._sessions = mutes, sessions
        self._mutes: Sequence[Mute] = ()
        self._mutes_read_at = float("-inf")
        self._reading_mutes = Saying(logger)

    def run(self) -> None:
        """Read, write and send until asked to stop."""
        self._log.subscribe()
        while not self._stop.is_set():
            self.turn()

    def turn(self) -> None:
        """One round: new alerts go into the outbox, then due messages are sent."""
        trouble = ""
        try:
            polled = self._log.poll(POLL_SECONDS)
            self._follow(polled)
            self._take(polled)
            self._reading.over("alerts are read again")
        except LogUnavailable as error:
            trouble = f"alerts cannot be read: {error}"
            self._reading(trouble)
            self._stop.wait(POLL_SECONDS)
        self.telemetry.turn(trouble, patient=True)
        self._write()
        for channel in self._channels:
            self._send(channel)
            self.telemetry.waiting(channel.shown, *self._outbox.backlog(channel.name))
        self.telemetry.turn(trouble)

    def _follow(self, polled: Polled) -> None:
        for number, epoch in polled.assigned.items():
            commit, bounds = self._log.committed(number), self._log.bounds(number)
            begin = bounds.start if commit is None else min(max(commit.offset, bounds.start), bounds.end)
            self._epochs[number] = epoch
            self._log.seek(number, begin)
        for number in polled.out_of_range:
            self._log.seek(number, self._log.bounds(number).start)
        for number in polled.revoked:
            self._epochs.pop(number, None)

    def _take(self, polled: Polled) -> None:
        """Write alerts into the outbox, then commit. After a crash in between, the alerts are read again, and the
        outbox recognises them.
        """
        for number, records in polled.records.items():
            alerts: list[Alert] = []
            for record in records:
                try:
                    alerts.append(decode(record.value or b""))
                except msgspec.DecodeError:
                    logger.warning("a record of %s at offset %d is not an alert", self._log.topic, record.offset)
            self._outbox.take(alerts, self._clock())
            if records and number in self._epochs:
                self._log.commit({number: Position(records[-1].offset + 1, "", self._epochs[number])})

    def _write(self) -> None:
        """Write messages about the alerts that have waited long enough for others."""
        now = self._clock()
        arrived = self._outbox.arrived(now)
        if arrived:
            self._read_mutes(now)
        wanted = [each for each in arrived if self._is_wanted(each)]
        self._outbox.skip(each for each in arrived if not self._is_wanted(each))
        due = {each.message_id for each in self._outbox.arrived(now - COMPANY_SECONDS)}
        if not any(each.message_id in due for each in wanted):
            return
        stored = self._stored_around(wanted)
        ours = {each.key for each in wanted}
        company = [each for each in stored if each.symbol != MARKET and each.key not in ours and self._is_wanted(each)]
        moves, single = market.gathered([*wanted, *company], self._count_symbols(now))
        names = [each.name for each in self._channels]
        for move in moves:
            members, direction = market.members_of(move), move.direction
            own = [each for each in wanted if each.symbol in members and each.direction == direction]
            if not own:
                continue
            (move,) = market.settled([move], [each for each in stored if each.symbol == MARKET])
            try:
                self._store.write([move])
            except StoreError as error:
                logger.warning("could not store a market move: %s", error)
            self._outbox.write(move, own, names, now)
        for alert in single:
            if alert.message_id in due:
                self._outbox.write(alert, [alert], names, now)

    def _stored_around(self, alerts: Sequence[Alert]) -> list[Alert]:
        """The stored alerts at about the time of these moves: a market move that is still in progress began with some
        of them.
        """
        times = [each.opened for each in alerts if each.detector == MOVE]
        if not times:
            return []
        try:
            return market.around(self._store.alerts, min(times), max(times))
        except StoreError as error:
            logger.warning("could not read the alerts of a market move: %s", error)
            return []

    def _is_wanted(self, alert: Alert) -> bool:
        """Whether to send a message: the alert is of a chosen detector or of a user's rule, and is not muted."""
        is_chosen = alert.detector in self._preferences.detectors or alert.detector not in self._preferences.known
        return is_chosen and not is_muted(alert, self._mutes, round(self._clock() * 1e9), self._sessions)

    def _read_mutes(self, now: float) -> None:
        """Read the mutes, at most every two seconds; while that fails, the last known mutes stay in force."""
        if self._mute_store is None or now - self._mutes_read_at < MUTES_EVERY:
            return
        try:
            self._mutes = self._mute_store.mutes()
            self._mutes_read_at = now
            self._reading_mutes.over("mutes are read again")
        except StoreError as error:
            self._reading_mutes(f"mutes cannot be read, so the last known ones stay in force: {error}")

    def _count_symbols(self, now: float) -> int:
        if now - self._counted_at > SYMBOLS_EVERY_SECONDS:
            self._counted_at = now
            try:
                self._symbols = market.counted_symbols(self._points.latest())
            except StoreError:
                logger.debug("the symbols cannot be counted now", exc_info=True)
        return self._symbols

    def _send(self, channel: Channel) -> None:
        """Send a channel's waiting messages within its hourly rate; give up on those that have waited too long."""
        now = self._clock()
        if now < self._not_before[channel.name]:
            return
        waiting = self._outbox.waiting(channel.name)
        late = [each for each in waiting if now - each.written > self._preferences.give_up_seconds]
        if late:
            self._outbox.settle(channel.name, [each.id for each in late], "given up", now)
            self.telemetry.given_up(channel.shown, len(late))
            logger.error(
                "gave up %s to %s: it has accepted none for too long", counted(len(late), "message"), channel.shown
            )
            try:
                self._store.mark_notified([each.alert for each in late], sent=False)
            except StoreError as error:
                logger.warning("could not store that messages were given up: %s", error)
            waiting = [each for each in waiting if each not in late]
        left = self._preferences.an_hour - self._outbox.count(channel.name, "sent at", now - 3_600)
        if not waiting or left <= 0:
            return
        # As many messages as the rate allows; the last of them covers all that are left.
        together = waiting if len(waiting) >= DIGEST_AT or left == 1 else waiting[:1]
        title, body = self._words(together)
        picture = self._chart(together[0].alert) if len(together) == 1 else None
        if channel.send(title, body, picture):
            self._outbox.settle(channel.name, [each.id for each in together[:1]], "sent at", now)
            self._outbox.settle(channel.name, [each.id for each in together[1:]], "sent along", now)
            self.telemetry.sent(channel.shown, len(together))
            self._saying[channel.name].over(f"{channel.shown} accepts messages again")
            self._backoffs[channel.name] = Backoff(first=0.5, longest=30.0)
            try:
                self._store.mark_notified([each.alert for each in together])
            except StoreError as error:
                logger.warning("could not store that messages were sent: %s", error)
        else:
            self._not_before[channel.name] = now + next(self._backoffs[channel.name])
            self._saying[channel.name](f"{channel.shown} does not accept messages; {len(waiting)} wait in the outbox")

    def _words(self, messages: Sequence[Message]) -> tuple[str, str]:
        """The title and the body of a message; the body has each alert with its link and its id."""
        lines = []
        for each in messages[:LISTED]:
            words = sentence(each.alert, self._earlier(each.alert), per_tick=self._preferences.per_tick)
            lines.append(f"{words}\n{link(self._preferences.page, each.alert)}\nid {each.id}")
        if len(messages) > LISTED:
            rest = " ".join(each.id for each in messages[LISTED:])
            lines.append(f"and {len(messages) - LISTED} more: ids {rest}")
        first = messages[0].alert
        symbol = "market move" if first.symbol == MARKET else first.symbol
        return (f"{len(messages)} alerts" if len(messages) > 1 else f"{symbol}: {first.detector}"), "\n\n".join(lines)

    def _earlier(self, alert: Alert) -> list[Alert]:
        if alert.symbol == MARKET:
            return []
        try:
            found = self._store.alerts(0, alert.time_ns, EARLIER, [alert.symbol])
        except StoreError:
            return []
        return [each for each in found if each.detector == alert.detector]

    def _chart(self, alert: Alert) -> bytes | None:
        if alert.symbol == MARKET:
            return None
        try:
            points = self._points.points(alert.symbol, alert.time_ns - CHART_NS, alert.time_ns + CHART_NS // 10)
        except StoreError:
            return None
        return chart(points.price.tolist(), alert.price) if len(points) > 1 else None

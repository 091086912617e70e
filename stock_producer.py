"""The producer: takes ticks from a source and publishes them to the tick log. See `python stock_producer.py --help`."""

import argparse
import contextlib
import logging
import math
import secrets
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from config import SYMBOLS_RULE, Settings, add_flags, flags_of, load_settings, origin_of_settings
from tickflow.backoff import Saying
from tickflow.errors import NotAcknowledged, SettingError, Stopped, StoreError
from tickflow.process import DONE, Parser, StopEvent, run, set_up_logging
from tickflow.sources.base import Source
from tickflow.sources.mapping import Mapping
from tickflow.sources.replay_flags import ALIASES, ReplayFlags, add_replay_flags, moment_us, options_of, replay_flags_of
from tickflow.sources.simulator import Injection, Simulator, stepping_clock
from tickflow.sources.topic import TopicSource
from tickflow.stack import open_log, open_steering, open_store
from tickflow.telemetry.producer import ProducerTelemetry, Published
from tickflow.telemetry.serving import serving
from tickflow.ticklog.base import TickLog
from tickflow.ticks.probe import Prober
from tickflow.ticks.tick import Limits, Tick, encode, is_symbol
from tickflow.version import VERSION

if TYPE_CHECKING:
    from tickflow.sources.pace import Pace
    from tickflow.sources.recorded import Recorded
    from tickflow.sources.replay import Part

FLUSH_EVERY_SECONDS = 1.0
"""The longest time, in seconds, between two flushes while the source never waits."""
FLUSH_AT_INTERVAL_SECONDS, FLUSH_AT_EXIT_SECONDS = 0.8, 10.0
"""How long a flush waits for acknowledgements, in seconds: in each pause, and once at the end."""
PROGRESS_SECONDS = 10.0

logger = logging.getLogger("tickflow.producer")


class StockDataProducer:
    """Publishes the ticks of one source, keyed by symbol; each tick carries the id of this run and its number.

    `injections` are jumps of simulated prices. `start_time` is the first event time of simulated ticks; by default they
    have the current time. `ticks` ends the run after this many ticks of each symbol. `flags` say which part of a file
    is replayed, and how.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        log: TickLog | None = None,
        stop: threading.Event | None = None,
        injections: Sequence[Injection] = (),
        ticks: int | None = None,
        start_time: datetime | None = None,
        flags: ReplayFlags | None = None,
        yes: bool = False,
    ) -> None:
        settings = settings or load_settings()
        self.symbols = list(settings.symbols)
        self.settings = settings
        self.stop = stop or StopEvent()
        self.log = log or open_log(settings, self.stop)
        self.sent = 0
        self._injections = injections
        self._ticks = math.inf if ticks is None else ticks
        self._start_time = start_time
        self._flags = flags or ReplayFlags()
        self._yes = yes
        self._run = uuid.uuid4().hex
        self._seq: dict[str, int] = {}
        self._keeps_marks = False
        self._pace: Pace | None = None
        self._prober = Prober(settings.probe)
        self._unconfirmed = Saying(logger)
        self._flushed = time.monotonic()
        self._progress_at = self._flushed + PROGRESS_SECONDS / 3
        self._cause = self._said = self._trouble = ""
        self.telemetry = ProducerTelemetry(VERSION, lambda: Published(self.sent, self._acknowledged))
        self._acknowledged = 0
        self._confirm: Callable[[], None] = lambda: None

    def start_streaming(self, use_real_data: bool = False, api_key: str | None = None, interval: float = 2) -> None:
        """Publish until the source ends or the process is asked to stop.

        `use_real_data`: real prices from Alpha Vantage, with `api_key` or else the key in the settings. Otherwise
        recorded prices from `REPLAY_FILE` if `SOURCE` is `replay`, else simulated prices. `interval`: seconds between
        two simulated ticks of one symbol, or between two rounds of quotes.

        Raises `SettingError` before it connects to anything, `NotAcknowledged` if the log did not confirm all ticks,
        and `SourceError` if the source failed or had to leave something out.
        """
        source = self._open_source(use_real_data, api_key, interval)
        with self.log, contextlib.ExitStack() as stack:
            if isinstance(source, TopicSource):
                self._confirm = source.acknowledged
                stack.callback(source.close)
            logger.info("streaming %s, to the topic %s of %s", source.what, self.log.topic, self.log.where)
            self.telemetry.wait_for_log(self.log.where)
            self.log.connect(letters=False)
            self._continue(source)
            if self._pace is not None:
                from tickflow.sources.steering import Steering

                stack.enter_context(Steering(open_steering(self.settings, self.stop), self._pace))
            try:
                self._stream(source)
                if self.stop.is_set():
                    logger.info("asked to stop: waiting for acknowledgements")
            except Stopped:
                logger.info("asked to stop while waiting")
            finally:
                self._finish(source)
        logger.info("ended")

    def _continue(self, source: Source) -> None:
        """Give the run of a replay a name that later runs can find; with `--resume`, skip the ticks that earlier runs
        have published.
        """
        if self.settings.source != "replay":
            return
        from tickflow.sources.replay import Replay
        from tickflow.sources.resume import new_run, published_before

        if not isinstance(source, Replay):
            return
        identity = source.identity()
        self._run = new_run(identity)
        if not self._flags.resume:
            return
        before = published_before(self.log, identity)
        if before is None:
            logger.info("--resume: the log has no tick of this replay; starting at the beginning")
            return
        logger.info("--resume: the log has %s ticks of this replay; continuing after them", f"{before.ticks:,}")
        self._run, self._seq, source.done = before.run, dict(before.counts), before.counts

    def _stream(self, source: Source) -> None:
        for batch in source.batches(partial(self._wait, source)):
            self._publish(batch)
            self._probe()
            self.telemetry.turn(trouble=self._trouble)
            now = time.monotonic()
            if now - self._flushed >= FLUSH_EVERY_SECONDS:
                self._flush()
            if now >= self._progress_at:
                self._say_progress(source)
            if self.stop.is_set() or self._is_complete(source):
                return

    def _publish(self, batch: Sequence[Tick]) -> None:
        self.telemetry.publish(trouble=self._trouble)  # a log that takes no ticks blocks this loop
        for tick in batch:
            number = self._seq.get(tick.symbol, 0) + 1
            if number > self._ticks:
                continue
            self._seq[tick.symbol] = number
            # A tick from another topic has its record's offset as its number, and the producer's counter must not
            # replace it; a recorded tick is published unchanged.
            is_marked = tick.seq is not None or self._keeps_marks
            marked = tick if is_marked else msgspec.structs.replace(tick, producer=self._run, seq=number)
            self.log.publish(tick.symbol.encode(), encode(marked))
            self.sent += 1

    def _probe(self) -> bool:
        """Publish a probe if one is due; return whether it was."""
        probe = self._prober.due()
        if probe is None:
            return False
        self._publish([probe])
        return True

    def _is_complete(self, source: Source) -> bool:
        """Whether `ticks` ticks were sent for every symbol of the source."""
        return bool(source.symbols) and all(self._seq.get(symbol, 0) >= self._ticks for symbol in source.symbols)

    def _wait(self, source: Source, seconds: float) -> bool:
        """Use a pause of the source to wait for confirmations and to log progress; return whether the process was asked
        to stop.
        """
        until = time.monotonic() + seconds
        self._flush()
        self.telemetry.turn(trouble=self._trouble, pause=True)
        while not self.stop.is_set() and (left := until - time.monotonic()) > 0:
            self.stop.wait(min(left, max(0.0, self._progress_at - time.monotonic()), self._prober.seconds_left))
            if self._probe():
                self._flush()
                self.telemetry.turn(trouble=self._trouble, pause=True)
            if time.monotonic() >= self._progress_at:
                self._say_progress(source)
        return self.stop.is_set()

    def _flush(self) -> None:
        """Wait up to a second for confirmations of the sent ticks; `_finish` reports what is missing at the end."""
        try:
            self.log.flush(FLUSH_AT_INTERVAL_SECONDS)
        except NotAcknowledged as error:
            self._cause = error.cause
            self._trouble = f"{self.sent - self.log.acknowledged:,} ticks are not acknowledged: {error.cause}"
            self._unconfirmed(self._trouble)
        else:
            self._confirm()
            self._trouble = ""
            self._unconfirmed.over("ticks are acknowledged again")
            if self.log.acknowledged != self._acknowledged:
                logger.debug("flush: %d of %d ticks acknowledged", self.log.acknowledged, self.sent)
        self._acknowledged = self.log.acknowledged
        self._flushed = time.monotonic()

    def _finish(self, source: Source) -> None:
        """Wait until all ticks are confirmed. Raises `NotAcknowledged` with the number of ticks that were not."""
        try:
            self.log.flush(FLUSH_AT_EXIT_SECONDS)
            self._confirm()
        except NotAcknowledged as error:
            self._cause = error.cause
        self._say_progress(source)
        missing = self.sent - self.log.acknowledged
        if missing:
            raise NotAcknowledged(missing, self._cause)

    def _say_progress(self, source: Source) -> None:
        line = f"{self.sent:,} ticks sent, {self.log.acknowledged:,} acknowledged"
        far = source.progress()
        self._progress_at = time.monotonic() + (PROGRESS_SECONDS / 3 if far else PROGRESS_SECONDS)
        if line != self._said:  # while a market is closed for hours, the same line every 10 s would be useless
            self._said = line
            logger.info("%s%s", line, far and f"; {far}")

    def _open_source(self, use_real_data: bool, api_key: str | None, interval: float) -> Source:
        settings = self.settings
        if not self.symbols or not all(map(is_symbol, self.symbols)) or len(set(self.symbols)) < len(self.symbols):
            raise SettingError("SYMBOLS", ",".join(self.symbols), SYMBOLS_RULE)
        if not 0 <= interval <= 86_400:
            raise SettingError("PRODUCER_INTERVAL", str(interval), "a number of seconds from 0 to 86400")
        name = "alpha_vantage" if use_real_data else settings.source
        if name == "alpha_vantage" and not use_real_data:
            name = "simulated"
        if name != "simulated" and (self._injections or self._start_time):
            expected = "simulated, since --inject and --start-time are for simulated ticks"
            raise SettingError("SOURCE", settings.source, expected)
        sources: dict[str, Callable[[], Source]] = {
            "simulated": lambda: self._open_simulator(interval),
            "replay": self._open_replay,
            "alpha_vantage": lambda: self._open_alpha_vantage(api_key, interval),
            "topic": self._open_topic,
        }
        return sources[name]()

    def _open_alpha_vantage(self, api_key: str | None, interval: float) -> Source:
        need = "your key, free at https://www.alphavantage.co/support/#api-key (SOURCE=simulated needs none)"
        key = api_key or self.settings.secret("ALPHA_VANTAGE_API_KEY", need)
        from tickflow.sessions import Sessions
        from tickflow.sources.alpha_vantage import AlphaVantageSource, Client  # loads pandas: only where needed

        return AlphaVantageSource(Client(key), self.symbols, interval=interval, sessions=Sessions(self.settings.market))

    def _open_simulator(self, interval: float) -> Source:
        settings = self.settings
        for injection in self._injections:
            if injection.symbol not in self.symbols:
                expected = f"one of the streamed symbols {','.join(self.symbols)}"
                raise SettingError("--inject", injection.symbol, expected)
        return Simulator(
            self.symbols,
            seed=secrets.randbelow(1_000_000) if settings.simulator_seed is None else settings.simulator_seed,
            interval=interval,
            injections=self._injections,
            clock=None if self._start_time is None else stepping_clock(self._start_time, interval),
        )

    def _open_topic(self) -> Source:
        topic, map_file = self.settings.from_topic, self.settings.from_topic_map
        if topic is None:
            raise SettingError("FROM_TOPIC", None, "the topic to read (SOURCE is topic)")
        if map_file is None:
            raise SettingError("FROM_TOPIC_MAP", None, "the TOML file that maps records to ticks (SOURCE is topic)")
        if topic == self.settings.kafka_topic:
            raise SettingError("FROM_TOPIC", topic, "a topic other than KAFKA_TOPIC, to which the ticks go")
        mapping = Mapping.read(map_file)
        group = f"{topic}-to-{self.settings.kafka_topic}"
        changed = {"kafka_topic": topic, "kafka_group": group, "kafka_instance_id": None}
        log = open_log(self.settings.model_copy(update=changed), self.stop, topic_setting="FROM_TOPIC")
        return TopicSource(log, mapping)

    def _check_retention(self) -> None:
        """Require `--yes` for a replay whose ticks are all older than the bucket keeps, as far as InfluxDB's settings
        show.
        """
        settings, path = self.settings, self.settings.replay_file
        asked = settings.stack == "kafka" and settings.influxdb_token and not (self._yes or self._flags.shift)
        if not asked or path is None or not (path.is_file() or path.is_dir()):
            return
        from tickflow.sources.expiry import expired

        with contextlib.suppress(StoreError), open_store(settings, self.stop) as store:
            if store.keeps(0, 0):  # the bucket keeps points for ever, as most do
                return
            quiet = StockDataProducer(
                settings.model_copy(update={"replay_speed": math.inf}),
                log=self.log,
                stop=self.stop,
                flags=replace(self._flags, loop=False, steer=False),
            )
            words = expired(quiet._open_files(), lambda time_ns: store.keeps(time_ns, 0))
            if words:
                kept = (
                    f"ticks that the bucket {settings.influxdb_bucket!r} keeps: {words}, are older than its retention"
                )
                cure = "Set INFLUXDB_BUCKET to one that keeps them, or publish them anyway by --yes"
                raise SettingError("REPLAY_FILE", str(path), f"{kept}, and InfluxDB will drop them. {cure}")

    def _open_replay(self) -> Source:
        self._check_retention()
        return self._open_files()

    def _open_files(self) -> Source:
        from tickflow.sources.replay import Part, Replay  # loads the readers of all kinds of files, so only when needed

        settings, flags = self.settings, self._flags
        if flags.steer:
            self._pace = self._steered_pace()
        zone = settings.replay_timezone
        part = Part(
            frozenset(flags.symbols), moment_us("--from", flags.begin, zone), moment_us("--to", flags.end, zone)
        )
        if recorded := open_recording(settings, part, flags, self._pace):
            self._keeps_marks = True
            return recorded
        source = Replay(
            settings.replay_file,
            speed=settings.replay_speed,
            options=options_of(settings),
            part=part,
            loop=flags.loop,
            shift=flags.shift,
            pace=self._pace,
        )
        for line in source.understood():
            logger.info("%s", line)
        return source

    def _steered_pace(self) -> "Pace":
        """The pace that readers steer. Raises `SettingError`."""
        from tickflow.sources.pace import Pace
        from tickflow.store.steering import FASTEST

        settings = self.settings
        if settings.stack == "kafka":
            settings.secret("INFLUXDB_TOKEN", "a token for the page's bucket, from which --steer reads what to do")
        if not settings.replay_speed <= FASTEST:
            shown = "max" if math.isinf(settings.replay_speed) else f"{settings.replay_speed:g}"
            expected = (
                f"a number up to {FASTEST:,.0f}, since readers watch the replay (--steer); they can jump to its end"
            )
            raise SettingError("REPLAY_SPEED", shown, expected)
        return Pace(settings.replay_speed, steered=True)


def open_recording(
    settings: Settings, part: "Part | None" = None, flags: ReplayFlags | None = None, pace: "Pace | None" = None
) -> "Recorded | None":
    """The source for a recording, or `None` if the file to replay is not one. Raises `SettingError`."""
    from tickflow.sources.files.options import Options
    from tickflow.sources.recorded import Recorded, recorded_files

    path, flags = settings.replay_file, flags or ReplayFlags()
    files = recorded_files(path) if path is not None else []
    if path is None or not files:
        return None
    if flags.resume:
        expected = (
            "a file that is not a recording: recorded ticks keep the marks of their first run, so the log does not "
        )
        raise SettingError("--resume", None, expected + "show how far a replay got; use --from TIME instead")
    options, default = options_of(settings), Options()
    for field in fields(Options):
        if getattr(options, field.name) != getattr(default, field.name):
            flag = field.name.replace("bar_us", "bar-length")
            logger.warning("--%s is not used: a recording already has every field of its ticks", flag)
    return Recorded(path, files, speed=settings.replay_speed, part=part, loop=flags.loop, shift=flags.shift, pace=pace)


DESCRIPTION = """\
Publish stock ticks, keyed by symbol, to the tick log (Kafka; with --embedded one SQLite file).

--source chooses where they come from:
  simulated      a random walk per symbol, marked as such; the same --simulator-seed gives the same prices
  replay         a file of ticks, bars or quotes, a folder or a pattern of them: text of any layout, JSON, Parquet,
                 Feather, Databento DBN, packed or not; --explain shows what it was understood as
  topic          the records of another topic (--from-topic), made ticks by --map: see docs/feeds.md; at least once
  alpha_vantage  real quotes; needs ALPHA_VANTAGE_API_KEY (environment or .env); never replaced by simulated ones
"""
EXAMPLES = """\
examples:
  python stock_producer.py --embedded
  python stock_producer.py --symbols AAPL,MSFT --interval 0.5 --inject AAPL:8:30
  python stock_producer.py --source replay --replay-file trades.csv.gz --replay-speed max
  python stock_producer.py --source replay --replay-file AAPL_2024.csv --timezone America/New_York --explain
  python stock_producer.py --source topic --from-topic raw --map map.toml
  python stock_producer.py --simulator-seed 1 --start-time 2026-01-05T14:30:00Z --ticks 1000 --interval 1

exit codes:
  0  the source ended, or the producer was asked to stop (Ctrl+C, SIGTERM): all ticks were acknowledged
  1  ticks were not acknowledged, or rows of a file were refused: one sentence says how many
  2  a setting or a flag is wrong: one sentence says which
"""
FLAGS = (
    "SOURCE",
    "SYMBOLS",
    "PRODUCER_INTERVAL",
    "SIMULATOR_SEED",
    "REPLAY_FILE",
    "REPLAY_SPEED",
    *ALIASES,
    "FROM_TOPIC",
    "FROM_TOPIC_MAP",
    "STACK",
    "EMBEDDED_FILE",
    "KAFKA_SERVERS",
    "KAFKA_TOPIC",
    "METRICS_HOST",
    "METRICS_PORT",
    "PROBE",
    "MARKET",
    "LOG_LEVEL",
    "LOG_FORMAT",
)


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise SettingError("--ticks", text, "a whole number from 1 on")
    return int(text)


def _moment(text: str) -> datetime:
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        raise SettingError("--start-time", text, "a time such as 2026-01-05T14:30:00Z") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = Parser("stock_producer.py", description=DESCRIPTION, epilog=EXAMPLES)
    result.formatter_class = argparse.RawDescriptionHelpFormatter
    add_flags(result, FLAGS, aliases={"PRODUCER_INTERVAL": "--interval", "FROM_TOPIC_MAP": "--map", **ALIASES})
    group = result.add_argument_group("simulated ticks")
    text = "let the price of SYMBOL jump by PERCENT at its tick number AT_TICK (the first is 1); repeatable"
    form = "SYMBOL:PERCENT:AT_TICK"
    group.add_argument("--inject", metavar=form, type=Injection.parse, action="append", default=[], help=text)
    text = "the first event time (RFC 3339); event times advance by the interval, so equal seeds give equal ticks"
    group.add_argument("--start-time", metavar="TIME", type=_moment, help=text)
    add_replay_flags(result)
    group = result.add_argument_group("recording")
    text = "record the topic as Parquet files in FOLDER, by symbol and day, until asked to stop; publishes nothing"
    group.add_argument("--record", metavar="FOLDER", help=text)
    group.add_argument("--from-now", action="store_true", help="record from now on rather than from the topic's start")
    text = "publish a replay even if InfluxDB's bucket would drop all its ticks as too old"
    result.add_argument("--yes", action="store_true", help=text)
    result.add_argument("--ticks", metavar="N", type=_count, help="stop after N ticks of each symbol")
    return result


def explain(settings: Settings) -> int:
    """Print how the file is understood; needs no log."""
    from tickflow.sources.replay import Replay

    for line in (open_recording(settings) or Replay(settings.replay_file, options=options_of(settings))).explain():
        print(line)
    return DONE


def record(settings: Settings, stop: StopEvent, folder: Path, from_now: bool) -> int:
    """Record the topic into a folder until asked to stop."""
    from tickflow.recording import Recorder

    with open_log(settings, stop) as log:
        recorder = Recorder(log, folder, limits=Limits(settings.max_record_bytes), from_now=from_now)
        logger.info("recording the topic %s of %s in %s", log.topic, log.where, folder)
        log.connect(create=False)
        recorder.run()
    return DONE


def main(stop: StopEvent) -> int:
    """Run the script; return the exit code."""
    arguments = parser().parse_args()
    settings = load_settings(flags=flags_of(arguments))
    set_up_logging(settings.log_level, "producer", settings.log_format, settings.notices)
    if arguments.explain:
        return explain(settings)
    if arguments.record:
        return record(settings, stop, Path(arguments.record), arguments.from_now)
    extras = {"injections": arguments.inject, "ticks": arguments.ticks, "start_time": arguments.start_time}
    extras["yes"] = arguments.yes
    flags = replay_flags_of(arguments)
    if settings.source != "replay" and flags != ReplayFlags(flags.symbols):
        expected = "replay: --from, --to, --loop, --shift-to, --resume and --steer are for replayed files"
        raise SettingError("SOURCE", settings.source, expected)
    producer = StockDataProducer(settings, stop=stop, flags=flags, **extras)
    logger.info("%s", origin_of_settings())
    with serving(settings, producer.telemetry):
        producer.start_streaming(use_real_data=settings.source == "alpha_vantage", interval=settings.tick_interval)
    return DONE


if __name__ == "__main__":
    sys.exit(run(main))

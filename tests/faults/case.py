"""One case of the fault suite: workers under load, a fault, and finally the oracle's verdict on log and store."""

import os
import random
import time
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple

from tests import oracle
from tests.conftest import StartScript
from tests.faults import table
from tests.faults.load import Load
from tests.faults.stands import Stand
from tests.integration.chain import wait_until
from tests.loaded_settings import load
from tests.scripts import Script
from tickflow.alerts.replay import alerts_of_log, differences, judged
from tickflow.alerts.terms import terms_of
from tickflow.process import StopEvent
from tickflow.stack import open_alerts, open_log
from tickflow.ticks.tick import Limits

FULL = os.environ.get("TICKFLOW_FAULTS") == "full"
SEED = int(os.environ.get("TICKFLOW_FAULTS_SEED", "1"))
WRAPPER = "tests/faults/variants.py"


def often(short: int, full: int) -> int:
    """A count or a duration: `full` for `make faults`, `short` for the short form."""
    return full if FULL else short


@dataclass
class Result:
    """What the oracle finds in the log and the store."""

    points: oracle.Verdict
    letters: oracle.LettersVerdict
    missing: int
    uncommitted: int | None

    @property
    def equal(self) -> bool:
        return self.points.equal and self.letters.equal and not self.missing and self.uncommitted == 0

    @property
    def foreign(self) -> int:
        """The number of points and dead letters that are stored but should not be."""
        return self.points.foreign + self.letters.foreign

    def __str__(self) -> str:
        return (
            f"{self.points}\n{self.letters}\n{self.missing:,} acknowledged records missing, "
            f"{self.uncommitted} records not committed"
        )


class AlertsVerdict(NamedTuple):
    """How many alerts the log's ticks raise, how many of these are not stored, and how many stored alerts are wrong.

    `details` has a line for each alert that is lost or wrong: its fields that differ, as computed and as stored.
    """

    wanted: int
    lost: int
    differing: int
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join([f"{self.wanted} alerts wanted, {self.lost} lost, {self.differing} differing", *self.details])


RAISING = {"ALERT_RULES": "* volume_5s > 1; * change_2s > 0.01", "ALERT_MIN_MOVE": "0"}
"""Settings with alert rules that ticks of the load match within seconds."""


@dataclass
class Case:
    """Starts workers and the load, and judges the outcome; `env` adds to the environment of every worker."""

    fault: str
    stand: Stand
    start: StartScript
    env: dict[str, str] = field(default_factory=dict)
    rate: int = 300

    def __post_init__(self) -> None:
        self.random = random.Random(f"{SEED} {self.fault} {self.stand.name}")
        self.workers: list[Script] = []
        self.everyone: list[Script] = []
        self.seconds = 0.0
        self.stops = 0
        self.ticks = 0
        self.journal: list[oracle.Acknowledged] = []
        self._load: Load | None = None

    @property
    def load(self) -> Load:
        """The load; the first access starts it, and must come after a worker has created the topic."""
        if self._load is None:
            self._load = Load(self.stand.sink(), self.random.randrange(2**32), self.rate)
            self._load.start()
        return self._load

    @property
    def has_load(self) -> bool:
        """Whether the load has begun."""
        return self._load is not None

    def use(self, load: Load) -> None:
        """Start this load and use it as the case's load."""
        self._load = load
        load.start()

    def worker(self, variant: str | None = None, env: Mapping[str, str] | None = None) -> Script:
        """Start a worker; `variant` names a function of `variants.py` to run it with."""
        environ = self.stand.env | self.env | dict(env or {})
        if variant is None:
            started = self.start("stock_analytics.py", env=environ)
        else:
            started = self.start(WRAPPER, variant, env=environ)
        self.workers.append(started)
        self.everyone.append(started)
        return started

    def pause(self, shortest: float, longest: float) -> None:
        """Wait for a random time between these bounds, in seconds."""
        time.sleep(self.random.uniform(shortest, longest))

    def stop(self, worker: Script) -> None:
        """Send SIGTERM, which must shut the worker down cleanly within 15 s."""
        worker.wait_for("reading the topic", 30)  # a process that is still loading would end without a clean shutdown
        worker.terminate()
        assert worker.wait(15) == 0, worker.output
        assert "Traceback" not in worker.output, worker.output
        if worker.name != WRAPPER:  # the counts of a broken variant need not add up
            assert "all accounted for" in worker.stdout, worker.output
        self.workers.remove(worker)

    def relieve(self, worker: Script, variant: str | None = None, env: Mapping[str, str] | None = None) -> Script:
        """Stop a worker while the fault lasts, and start a new one in its place."""
        self.stop(worker)
        self.stops += 1
        return self.worker(variant, env)

    def kill(self, worker: Script) -> None:
        """Send SIGKILL to a running worker."""
        assert worker.is_running, worker.output
        worker.kill()
        self.workers.remove(worker)

    def wait_for_commits(self, timeout: float = 90.0) -> None:
        """Wait until the group has committed all that the topic holds."""
        try:
            wait_until(lambda: self.stand.uncommitted() == 0, "commit of everything", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.stand.uncommitted()} left\n{self._said()}") from None

    def recover(self) -> None:
        """After the fault, measure the time until all records acknowledged so far are stored and committed."""
        if self._load is not None:
            self._load.pause()
        begun = time.monotonic()
        self.wait_for_commits()
        self.seconds = max(self.seconds, time.monotonic() - begun)
        if self._load is not None:
            self._load.go_on()

    def end_workers(self) -> None:
        """Shut down all workers cleanly."""
        for worker in list(self.workers):
            self.stop(worker)

    def wait_for_alerts(self, timeout: float = 60.0) -> None:
        """Wait until the stored alerts are those of the log; after `timeout` seconds the verdict reports the
        differences.

        The last worker may be asked to stop during the rebalance that the previous worker's end caused, while it has no
        partitions. The next worker to start would store what is missing, but here none starts.
        """
        deadline = time.monotonic() + timeout
        while self.judge_alerts()[1:3] != (0, 0) and time.monotonic() < deadline:
            time.sleep(0.5)

    def end(self, *, alerts: bool = False) -> None:
        """End the load, wait until its last record is committed, and shut down all workers cleanly; with `alerts`, wait
        for the alerts too.
        """
        if self._load is not None:
            self._load.end()
            self.journal += self._load.sink.journal
        self.wait_for_commits()
        if alerts:
            self.wait_for_alerts()
        self.end_workers()

    def judge(self, expected: oracle.Expected | None = None, refused_by_store: Collection[str] = ()) -> Result:
        """The oracle's verdict on log and store. Ticks of symbols `refused_by_store` must be dead letters, not points.

        Pass `expected` if the log has lost its first records.
        """
        records = self.stand.all_records(self.stand.topic)
        journal = () if expected else self.journal
        expected = expected or oracle.expected(records)
        self.ticks = len(expected.points)
        is_refused = expected.points["symbol"].isin(list(refused_by_store))
        places = expected.points[is_refused][["partition", "offset"]].to_numpy(dtype=int).tolist()
        by_store = {(p, o): (oracle.LogRecord(p, o, None, None), oracle.BY_STORE) for p, o in places}
        letters = oracle.compare_letters(
            {**expected.letters, **by_store}, self.stand.all_records(f"{self.stand.topic}.dlq"), self.stand.topic
        )
        return Result(
            points=oracle.compare(expected.points[~is_refused], self.stand.stored()),
            letters=letters,
            missing=len(oracle.missing(journal, records)),
            uncommitted=self.stand.uncommitted(),
        )

    def judge_alerts(self) -> AlertsVerdict:
        """Compare the stored alerts, bit for bit, with those that a watch raises from the whole log."""
        env = {**self.stand.env, **self.env}
        with closing(open_log(load(env), StopEvent())) as log:
            log.connect()
            terms = terms_of(load(env))
            wanted = {
                key: alert
                for number in log.partitions()
                for key, alert in alerts_of_log(log, number, log.bounds(number, log.topic), terms, Limits()).items()
            }
        with closing(open_alerts(load(env), StopEvent())) as store:
            found = {alert.key: alert for alert in judged(store.alerts(0))}
        wrong = {key: differences(wanted[key], found[key]) for key in wanted.keys() & found.keys()}
        wrong = {key: names for key, names in wrong.items() if names}
        lost, foreign = wanted.keys() - found.keys(), found.keys() - wanted.keys()
        details = [f"lost: {wanted[key]}" for key in sorted(lost)]
        details += [f"foreign: {found[key]}" for key in sorted(foreign)]
        for key, names in sorted(wrong.items()):
            pairs = (f"{name} {getattr(wanted[key], name)} stored as {getattr(found[key], name)}" for name in names)
            details.append(f"partition {wanted[key].partition}, {key}: {', '.join(pairs)}")
        return AlertsVerdict(len(wanted), len(lost), len(wrong) + len(foreign), tuple(details))

    def finish(
        self,
        times: int,
        expected: oracle.Expected | None = None,
        refused_by_store: Collection[str] = (),
        *,
        alerts: bool = False,
    ) -> Result:
        """End everything, print the figures, and assert that they are zero; with `alerts`, those of the alerts too."""
        self.end(alerts=alerts)
        result = self.judge(expected, refused_by_store)
        raised = self.judge_alerts() if alerts else AlertsVerdict(0, 0, 0)
        row = table.Row(
            fault=self.fault,
            stack=self.stand.name,
            times=times,
            stops=self.stops,
            ticks=self.ticks,
            refused=result.letters.expected,
            lost=result.points.lost + result.letters.lost + result.missing + raised.lost,
            doubled=result.points.doubled,
            differing=result.points.differing
            + result.points.foreign
            + result.letters.differing
            + result.letters.foreign
            + raised.differing,
            seconds=self.seconds,
        )
        print(f"\n{row}")
        table.ROWS.append(row)
        assert result.equal, f"{result}\n{self._said()}"
        assert self.ticks > 0
        assert not alerts or raised.wanted > 0, "the load is to raise alerts"
        assert (raised.lost, raised.differing) == (0, 0), f"{raised}\n{self._said()}"
        return result

    def _said(self) -> str:
        """The last output of the running workers or, once all have ended, of the last four workers."""
        return "\n".join(f"--- {each.name}:\n{each.output[-2000:]}" for each in self.workers or self.everyone[-4:])

"""The suite can fail: the oracle detects each of these broken variants in a case that the sound worker passes."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.case import Case, Result
from tests.faults.conftest import MakeCase
from tests.faults.proxies import InfluxProxy, Trick
from tests.faults.stands import EmbeddedStand, KafkaStand
from tests.http_stub import Answer
from tests.integration.chain import wait_until
from tests.scripts import PROJECT

NAMED = {"KAFKA_INSTANCE_ID": "one"}
BREAK_ALL = """
import os, sys
sys.argv[0] = ""
from tests.faults import variants
for name, change in variants.VARIANTS.items():
    child = os.fork()
    if not child:
        try:
            change()
        except BaseException as error:
            print(name, repr(error), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""
"""Applies the changes of each variant in a separate process."""


@pytest.fixture
def killed_while_the_store_hangs(
    case: MakeCase, kafka_stand: KafkaStand, influx_proxy: InfluxProxy
) -> Callable[[str | None], Case]:
    def play(variant: str | None) -> Case:
        fault = "`kill -9` while InfluxDB hangs in a write"
        one = case(fault, kafka_stand, env={"INFLUXDB_URL": influx_proxy.url, **NAMED})
        worker = one.worker(variant)
        worker.wait_for("is ours", 30)
        one.load.pause()
        influx_proxy.meddle = lambda _path, body: Trick.HOLD if b"stock_metrics" in body else None
        one.load.go_on()
        wait_until(lambda: influx_proxy.meddled > 0, "write of points", 30)
        one.pause(0.5, 1.0)
        one.kill(worker)
        if variant is None:
            one.relieve(one.worker())
        else:
            one.worker(variant)
        influx_proxy.mend()
        one.recover()
        return one

    return play


@pytest.fixture
def asked_to_stop_while_the_store_refuses(
    case: MakeCase, kafka_stand: KafkaStand, influx_proxy: InfluxProxy
) -> Callable[[str | None], Case]:
    def play(variant: str | None) -> Case:
        fault = "SIGTERM while InfluxDB answers 503"
        one = case(fault, kafka_stand, env={"INFLUXDB_URL": influx_proxy.url, **NAMED})
        worker = one.worker(variant)
        worker.wait_for("is ours", 30)
        one.load.pause()
        influx_proxy.meddle = lambda path, _: Answer(503) if path.startswith("/api/v2/write") else None
        one.load.go_on()
        worker.wait_for("held up", 15)
        one.pause(0.5, 0.5)
        one.relieve(worker, variant)
        influx_proxy.mend()
        one.recover()
        return one

    return play


def restarted(variant: str | None, one: Case) -> Case:
    """Stop a worker under load, and let a new one continue."""
    worker = one.worker(variant)
    assert one.load.is_alive()
    worker.wait_for("is ours", 30)
    one.pause(1, 1)
    one.relieve(worker, variant)
    one.pause(1, 1)
    return one


def killed_after_bad_records(variant: str | None, one: Case) -> Case:
    """Kill a worker as soon as it has committed past bad records."""
    worker = one.worker(variant)
    one.load.extra = [(b"AAPL", b"nonsense")] * 5
    one.pause(0.5, 0.5)
    one.recover()
    one.load.pause()
    one.kill(worker)
    worker = one.worker(variant)
    if variant is None:
        one.relieve(worker)
    return one


def test_every_variant_still_finds_what_it_breaks(tmp_path: Path) -> None:
    """Some variants run only in `make faults`: this test notices when one of them no longer applies."""
    env = os.environ | {"FAULT_CLOCK": str(tmp_path / "clock"), "FAULT_JOURNAL": str(tmp_path / "journal")}
    done = subprocess.run([sys.executable, "-c", BREAK_ALL], cwd=PROJECT, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def judged(one: Case) -> Result:
    one.end()
    return one.judge()


def test_a_correct_worker_passes_when_killed_while_the_store_hangs(
    killed_while_the_store_hangs: Callable[[str | None], Case],
) -> None:
    killed_while_the_store_hangs(None).finish(1)


@pytest.mark.parametrize("variant", ["commit-first", pytest.param("batching-mode", marks=pytest.mark.full)])
def test_a_worker_that_commits_before_storing_loses_points(
    killed_while_the_store_hangs: Callable[[str | None], Case], variant: str
) -> None:
    result = judged(killed_while_the_store_hangs(variant))
    assert result.points.lost > 0, result


def test_a_correct_worker_passes_when_asked_to_stop(
    asked_to_stop_while_the_store_refuses: Callable[[str | None], Case],
) -> None:
    asked_to_stop_while_the_store_refuses(None).finish(1)


def test_a_batch_dropped_at_sigterm_is_lost(
    asked_to_stop_while_the_store_refuses: Callable[[str | None], Case],
) -> None:
    result = judged(asked_to_stop_while_the_store_refuses("drop-at-sigterm"))
    assert result.points.lost > 0, result


def test_a_correct_worker_passes_when_restarted(case: MakeCase, embedded_stand: EmbeddedStand) -> None:
    restarted(None, case("SIGTERM and a new start", embedded_stand)).finish(1)


@pytest.mark.parametrize(
    "variant",
    ["no-restore", "population", *(pytest.param(each, marks=pytest.mark.full) for each in ("milliseconds", "now"))],
)
def test_a_worker_that_stores_other_values_is_found(
    case: MakeCase, embedded_stand: EmbeddedStand, variant: str
) -> None:
    result = judged(restarted(variant, case("a seeded bug", embedded_stand)))
    assert result.points.differing > 0, result


def test_a_correct_worker_passes_when_killed_after_bad_records(case: MakeCase, embedded_stand: EmbeddedStand) -> None:
    killed_after_bad_records(None, case("`kill -9` after bad records", embedded_stand)).finish(1)


def test_dead_letters_without_a_wait_for_confirmation_are_lost(case: MakeCase, embedded_stand: EmbeddedStand) -> None:
    result = judged(killed_after_bad_records("letters-unacknowledged", case("a seeded bug", embedded_stand)))
    assert result.letters.lost > 0, result

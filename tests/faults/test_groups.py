"""Workers are frozen and resumed, and join and leave their group."""

import re
import signal

import pytest

from tests.faults.case import often
from tests.faults.conftest import MakeCase
from tests.faults.proxies import InfluxProxy, Trick
from tests.faults.stands import KafkaStand
from tests.integration.chain import wait_until


@pytest.mark.full
def test_a_worker_comes_back_after_its_session(case: MakeCase, kafka_stand: KafkaStand) -> None:
    """SIGSTOP lasts longer than the session timeout: when the worker resumes, a different one owns its partitions."""
    times = often(1, 4)
    one = case("SIGSTOP for 13 s of one of two workers, and back", kafka_stand)
    for worker in (one.worker(), one.worker()):
        worker.wait_for("is ours", 30)
    assert one.load.is_alive()
    for _ in range(times):
        one.pause(0.5, 1.5)
        frozen, other = one.random.sample(one.workers, 2)
        frozen.process.send_signal(signal.SIGSTOP)
        one.pause(13, 13)
        one.relieve(other)
        frozen.process.send_signal(signal.SIGCONT)
        one.recover()
    one.finish(times)


def test_a_worker_comes_back_with_a_batch_in_hand(
    case: MakeCase, kafka_stand: KafkaStand, influx_proxy: InfluxProxy
) -> None:
    """The worker is frozen during a write; when it resumes, it writes points that a successor has long committed."""
    times = often(1, 4)
    one = case("SIGSTOP for 13 s in the middle of a write, and back", kafka_stand)
    first, other = one.worker(env={"INFLUXDB_URL": influx_proxy.url}), one.worker()
    for worker in (first, other):
        worker.wait_for("is ours", 30)
    assert one.load.is_alive()
    for number in range(1, times + 1):
        one.pause(0.5, 1.5)
        held = influx_proxy.meddled
        influx_proxy.meddle = lambda _path, body: Trick.HOLD if b"stock_metrics" in body else None
        wait_until(lambda before=held: influx_proxy.meddled > before, "write of points", 30)  # type: ignore[misc]
        first.process.send_signal(signal.SIGSTOP)
        one.pause(13, 13)
        other = one.relieve(other)
        influx_proxy.mend()
        first.process.send_signal(signal.SIGCONT)
        one.recover()
        wait_until(lambda times=number: first.output.count("resumed after") >= times, "the held write", 30)  # type: ignore[misc]
        one.pause(3, 3)  # time to rejoin the group
    one.finish(times)


@pytest.mark.full
def test_workers_join_and_leave(case: MakeCase, kafka_stand: KafkaStand) -> None:
    times = often(4, 20)
    one = case("a worker joins or leaves", kafka_stand)
    one.worker().wait_for("is ours", 30)
    assert one.load.is_alive()
    for _ in range(times):
        if len(one.workers) == 1 or (len(one.workers) < 4 and one.random.random() < 0.5):
            one.worker().wait_for("is ours", 30)
        else:
            one.stop(one.random.choice(one.workers))
            one.stops += 1
        one.pause(0.1, 1.0)
    one.recover()
    one.finish(times)
    given = sum(len(re.findall(r" is ours( again)?: ", worker.output)) for worker in one.everyone)
    assert given >= 2 * times, "a rebalance assigns all four partitions; on a busy machine one follows two changes"

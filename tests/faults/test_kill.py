"""Workers are killed (kill -9) at random moments under load."""

import pytest

from tests.faults.case import RAISING, often
from tests.faults.conftest import MakeCase
from tests.faults.stands import EmbeddedStand, KafkaStand


def test_kill_of_named_workers_on_kafka(case: MakeCase, kafka_stand: KafkaStand) -> None:
    """With names (KAFKA_INSTANCE_ID), a new worker takes over at once, so workers are killed while they are busy."""
    times = often(10, 100)
    one = case("`kill -9` of one of two named workers", kafka_stand, rate=500, env=RAISING)
    named = {name: one.worker(env={"KAFKA_INSTANCE_ID": name}) for name in ("a", "b")}
    for worker in named.values():
        worker.wait_for("is ours", 30)
    assert one.load.is_alive()
    for number in range(times):
        one.pause(0.1, often(1, 3))
        name, other = one.random.sample("ab", 2)
        one.kill(named[name])
        if number % 10 == 5:
            named[other] = one.relieve(named[other], env={"KAFKA_INSTANCE_ID": other})
        named[name] = one.worker(env={"KAFKA_INSTANCE_ID": name})
    one.recover()
    one.pause(1, 1)
    one.finish(times, alerts=True)


@pytest.mark.full
def test_kill_of_nameless_workers_on_kafka(case: MakeCase, kafka_stand: KafkaStand) -> None:
    """Without names, a dead worker's partitions stay unowned until its session ends."""
    times = often(1, 5)
    one = case("`kill -9` of one of two workers", kafka_stand, env=RAISING)
    for worker in (one.worker(), one.worker()):
        worker.wait_for("is ours", 30)
    assert one.load.is_alive()
    for _ in range(times):
        one.pause(0.5, 2.0)
        one.kill(one.random.choice(one.workers))
        one.relieve(one.workers[0])
        one.worker()
        one.recover()
    one.finish(times, alerts=True)


def test_kill_on_the_embedded_stack(case: MakeCase, embedded_stand: EmbeddedStand) -> None:
    times = often(10, 100)
    one = case("`kill -9` of the worker", embedded_stand, rate=500, env=RAISING)
    worker = one.worker()
    assert one.load.is_alive()
    for number in range(times):
        one.pause(0.1, often(1, 2))
        one.kill(worker)
        worker = one.worker()
        if number % 10 == 5:
            worker = one.relieve(worker)
    one.recover()
    one.pause(1, 1)
    one.finish(times, alerts=True)

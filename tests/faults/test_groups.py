"""Workers that freeze and come back, that join and leave."""

import signal

from tests.faults.case import often
from tests.faults.conftest import MakeCase
from tests.faults.stands import KafkaStand


def test_a_worker_comes_back_after_its_session(case: MakeCase, kafka_stand: KafkaStand) -> None:
    """SIGSTOP for longer than the session time-out: another one has its partitions when it goes on."""
    times = often(1, 4)
    one = case("SIGSTOP for 13 s of one of two workers, and back", kafka_stand)
    for worker in (one.worker(), one.worker()):
        worker.wait_for("is ours", 30)
    assert one.load.is_alive()
    for _ in range(times):
        one.pause(0.5, 1.5)
        frozen = one.random.choice(one.workers)
        frozen.process.send_signal(signal.SIGSTOP)
        one.pause(13, 13)
        frozen.process.send_signal(signal.SIGCONT)
        one.recover()
    one.finish(times)


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
        one.pause(0.1, 1.0)
    one.recover()
    one.finish(times)

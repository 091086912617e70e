"""Three real brokers under load: one is killed, all are restarted one after the other, leaders move."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from kafka.admin import KafkaAdminClient

from devtools.kafka import KafkaServer, kafka_cluster
from devtools.servers import Influxd
from tests.conftest import need
from tests.faults.case import Case, often
from tests.faults.conftest import MakeCase
from tests.faults.stands import KafkaStand
from tests.waiting import until
from tickflow.errors import SettingError
from tickflow.process import StopEvent
from tickflow.ticklog.kafka.log import KafkaTickLog
from tickflow.ticklog.kafka.topics import NewTopic

pytestmark = pytest.mark.kafka

SAFE = {"KAFKA_REPLICAS": "3", "KAFKA_MIN_INSYNC_REPLICAS": "2", "KAFKA_COMPRESSION": "zstd"}


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[KafkaServer]]:
    need("kafka")
    with kafka_cluster(tmp_path_factory.mktemp("cluster")) as nodes:
        yield nodes


@pytest.fixture
def cluster_stand(brokers: list[KafkaServer], fault_influx: Influxd) -> KafkaStand:
    name = f"cluster-{uuid.uuid4().hex[:8]}"
    fault_influx.server.create_bucket(name)
    return KafkaStand(",".join(each.address for each in brokers), name, fault_influx.server, name)


def described(brokers: list[KafkaServer], topic: str) -> list[Any]:
    """The partitions of a topic, as the brokers describe them."""
    admin = KafkaAdminClient(bootstrap_servers=[each.address for each in brokers])
    try:
        (found,) = admin.describe_topics([topic])
        return list(found["partitions"])
    finally:
        admin.close()


def wait_until_in_sync(brokers: list[KafkaServer], topic: str) -> None:
    until(lambda: all(len(each["isr_nodes"]) == 3 for each in described(brokers, topic)), "three copies in sync")


def begin(case: MakeCase, stand: KafkaStand, fault: str) -> Case:
    one = case(fault, stand, env=SAFE)
    for worker in (one.worker(), one.worker()):
        worker.wait_for("is ours", 60)
    assert one.load.is_alive()
    return one


@pytest.mark.slow
def test_one_of_three_brokers_is_killed(case: MakeCase, cluster_stand: KafkaStand, brokers: list[KafkaServer]) -> None:
    one = begin(case, cluster_stand, "one of three brokers killed, and back")
    places = described(brokers, one.stand.topic)
    assert {len(each["replica_nodes"]) for each in places} == {3}
    for _ in range(often(1, 3)):
        one.pause(1, 2)
        victim = next(each for each in brokers if each.node == places[0]["leader_id"])
        victim.kill()
        one.pause(4, often(5, 15))
        one.recover()
        victim.start()
        wait_until_in_sync(brokers, one.stand.topic)
        places = described(brokers, one.stand.topic)
    one.finish(often(1, 3))


@pytest.mark.full
def test_brokers_are_restarted_one_after_the_other(
    case: MakeCase, cluster_stand: KafkaStand, brokers: list[KafkaServer]
) -> None:
    """As in an upgrade, the next broker is restarted once all replicas are in sync; each restart moves leaders."""
    one = begin(case, cluster_stand, "three brokers restarted one after the other")
    leaders = set()
    for each in brokers:
        each.restart()
        wait_until_in_sync(brokers, one.stand.topic)
        leaders.add(tuple(place["leader_id"] for place in described(brokers, one.stand.topic)))
        one.pause(1, 3)
    assert len(leaders) > 1
    one.recover()
    one.finish(len(brokers))


@pytest.mark.full
def test_leaders_move_under_load(case: MakeCase, cluster_stand: KafkaStand, brokers: list[KafkaServer]) -> None:
    """Brokers take turns to shut down cleanly and come back, which moves the leaders of their partitions."""
    one = begin(case, cluster_stand, "leaders moved among three brokers")
    moved = 0
    for number in range(6):
        before = [place["leader_id"] for place in described(brokers, one.stand.topic)]
        brokers[number % 3].stop()
        time.sleep(one.random.uniform(0.5, 3))
        brokers[number % 3].start()
        wait_until_in_sync(brokers, one.stand.topic)
        moved += before != [place["leader_id"] for place in described(brokers, one.stand.topic)]
    assert moved
    one.recover()
    one.finish(6)


def test_more_copies_than_brokers_end_in_a_sentence(brokers: list[KafkaServer]) -> None:
    log = KafkaTickLog(
        [brokers[0].address],
        topic=f"too-many-{uuid.uuid4().hex[:8]}",
        group="g",
        partitions=1,
        new_topic=NewTopic(replicas=5),
        instance_id=None,
        security={},
        stop=StopEvent(),
    )
    with log, pytest.raises(SettingError, match=r"KAFKA_REPLICAS is '5'; expected 3 or less, the number of brokers"):
        log.connect()


def test_requiring_more_copies_in_sync_than_exist_ends_in_a_sentence() -> None:
    with pytest.raises(SettingError, match=r"KAFKA_MIN_INSYNC_REPLICAS is '3'; expected KAFKA_REPLICAS \(2\) or less"):
        NewTopic(replicas=2, min_insync=3)

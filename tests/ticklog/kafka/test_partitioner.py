"""A key goes to the partition that every Kafka client chooses for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner import DefaultPartitioner

from tickflow.ticklog.kafka.partitioner import LONGEST_KEY_BYTES, ByKey

TOPIC = "stock-ticks"


class Named:
    """A cluster's metadata as a partitioner sees it: a topic and its partitions."""

    def __init__(self, partitions: int) -> None:
        self.count = partitions

    def topics(self) -> set[str]:
        return {TOPIC}

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(self.count)) if topic == TOPIC else None

    available_partitions_for_topic = partitions_for_topic


@given(st.binary(max_size=2 * LONGEST_KEY_BYTES), st.integers(1, 200))
def test_every_key_goes_where_the_default_partitioner_puts_it(key: bytes, partitions: int) -> None:
    place = (TOPIC, key, key, None, None, Named(partitions))
    assert DefaultPartitioner().partition(*place) == ByKey().partition(*place)


@pytest.mark.parametrize(
    ("key", "murmur2"), [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536)]
)
def test_the_hash_is_that_of_kafkas_own_tests(key: bytes, murmur2: int) -> None:
    """The values are from `testMurmur2` in UtilsTest.java of Kafka's clients; partitioning clears the sign bit."""
    assert (murmur2 & 0x7FFFFFFF) % 7 == ByKey().partition(TOPIC, key, key, None, None, Named(7))


def test_partitions_that_are_added_count_at_once() -> None:
    cluster, keys = Named(1), [bytes([65 + n]) for n in range(26)]
    assert {0} == {ByKey().partition(TOPIC, key, key, None, None, cluster) for key in keys}
    cluster.count = 3
    assert {0, 1, 2} == {ByKey().partition(TOPIC, key, key, None, None, cluster) for key in keys}


def test_a_record_without_a_key_goes_to_any_partition() -> None:
    assert {0, 1} == {ByKey().partition(TOPIC, None, None, b"", b"", Named(2)) for _ in range(100)}


def test_a_topic_that_the_cluster_does_not_name_is_refused_as_by_default() -> None:
    with pytest.raises(ValueError, match="not found"):
        ByKey().partition("other", b"AAPL", b"AAPL", None, None, Named(2))

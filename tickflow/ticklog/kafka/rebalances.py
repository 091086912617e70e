"""The changes of a group member's assignment, kept until its loop can act on them."""

import threading
from typing import Literal

from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.structs import TopicPartition


class Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """Notes changes of the assignment; runs in kafka-python's own thread, where the consumer must not be called."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: list[tuple[Literal["revoked", "assigned"], list[int]]] = []

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Record that partitions were revoked."""
        self._note("revoked", revoked)

    def on_partitions_lost(self, lost: set[TopicPartition]) -> None:
        """Record that partitions were lost without notice."""
        self._note("revoked", lost)

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Record that partitions were assigned."""
        self._note("assigned", assigned)

    def take(self) -> list[tuple[Literal["revoked", "assigned"], list[int]]]:
        """What was noted since the last call, in order."""
        with self._lock:
            noted, self._noted = self._noted, []
        return noted

    def _note(self, kind: Literal["revoked", "assigned"], places: set[TopicPartition]) -> None:
        with self._lock:
            self._noted.append((kind, sorted(place.partition for place in places)))

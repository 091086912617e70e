"""What happened to a group member's assignment, kept until its loop can act on it."""

import threading
from typing import Literal

from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.structs import TopicPartition


class Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """Notes what happens to the assignment; runs in kafka-python's own thread, where the consumer may not be called."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: list[tuple[Literal["revoked", "assigned"], list[int]]] = []

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Note that they were taken away."""
        self._note("revoked", revoked)

    def on_partitions_lost(self, lost: set[TopicPartition]) -> None:
        """Note that they were taken away without a word before."""
        self._note("revoked", lost)

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Note that they were given."""
        self._note("assigned", assigned)

    def take(self) -> list[tuple[Literal["revoked", "assigned"], list[int]]]:
        """What was noted since the last call, in its order."""
        with self._lock:
            noted, self._noted = self._noted, []
        return noted

    def _note(self, kind: Literal["revoked", "assigned"], places: set[TopicPartition]) -> None:
        with self._lock:
            self._noted.append((kind, sorted(place.partition for place in places)))

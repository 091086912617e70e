"""kafka-python's undocumented names are in one file, and a change of the library fails a test."""

import ast
import hashlib
import inspect
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from kafka.consumer.fetcher import Fetcher
from kafka.coordinator.base import BaseCoordinator
from kafka.net.inet import KafkaNetSocket
from kafka.net.manager import KafkaConnectionManager
from kafka.producer.sender import Sender
from kafka.record.default_records import DefaultRecordBatch

from tickflow.ticklog.kafka import internals

ADAPTER = Path(internals.__file__).parent
DOCUMENTED = {
    *("kafka", "kafka.admin", "kafka.errors", "kafka.structs", "kafka.partitioner", "kafka.serializer"),
    *("kafka.consumer.subscription_state", "kafka.coordinator.assignors.range"),
}
"""The modules from which kafka-python's documentation imports classes to derive from."""

READ: dict[str, Callable[..., object]] = {  # by the first digits of their source's SHA-256
    "69626e7150e6": Fetcher.PartitionRecords.__init__,
    "d91ccce28d83": Fetcher.PartitionRecords._unpack_records,
    "9558697bd767": Fetcher.PartitionRecords.take,
    "1f5649e7a050": Fetcher.PartitionRecords.drain,
    "68a203a22284": Fetcher.PartitionRecords._consume_aborted_transactions_up_to,
    "e01540a39be5": Fetcher.PartitionRecords._contains_abort_marker,
    "2093a39d92e8": Fetcher.PartitionRecords._is_batch_aborted,
    "bf91319f1a2f": Fetcher.fetched_records,
    "341c09c715c5": Fetcher._append,
    "3cd93b6d3b7b": Fetcher._parse_fetched_data,
    "933071ffed03": Fetcher.end_offsets,
    "caca46d9b193": Fetcher._send_list_offsets_request,
    "b0e0da054d5d": Fetcher.offsets_by_times,
    "ca6edacf2f01": BaseCoordinator.request_rejoin,
    "7963a0d23bc9": Sender.force_close,
    "8df1286ebd1e": DefaultRecordBatch.__init__,
    "35e0360528da": DefaultRecordBatch._maybe_uncompress,
    "4a12a3d0e6b4": DefaultRecordBatch.validate_crc,
    "e18f019d1fbd": KafkaConnectionManager.get_connection,
    "36c15b0ce919": KafkaNetSocket.sock_connect,
}


def fingerprint(function: Callable[..., object]) -> str:
    return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:12]


def test_the_library_is_the_one_that_was_read() -> None:
    assert version("kafka-python") == internals.READ_FROM, (
        f"kafka-python is {version('kafka-python')} now: compare tickflow/ticklog/kafka/internals.py with its source "
        "(the other test here names what has changed), then set READ_FROM"
    )


@pytest.mark.parametrize(("mark", "function"), READ.items(), ids=lambda each: getattr(each, "__qualname__", ""))
def test_what_was_read_is_still_so(mark: str, function: Callable[..., object]) -> None:
    name = f"{function.__module__}.{function.__qualname__}"
    assert fingerprint(function) == mark, f"{name} has changed: compare internals.py with it, then note the new mark"


def test_no_other_file_uses_a_name_that_the_library_does_not_document() -> None:
    """An import of such a module, or an attribute with an underscore of anything but `self`."""
    found = []
    for path in sorted(ADAPTER.glob("*.py")):
        if path.name == "internals.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "kafka":
                found += [f"{path.name}: {node.module}"] if node.module not in DOCUMENTED else []
            elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
                is_own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
                found += [] if is_own else [f"{path.name}:{node.lineno} {node.attr}"]
    assert found == []

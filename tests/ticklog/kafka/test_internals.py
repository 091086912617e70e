"""Only one file uses undocumented names of kafka-python, and a change in the library fails a test."""

import ast
import hashlib
import inspect
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from kafka.cluster import ClusterMetadata
from kafka.consumer.fetcher import Fetcher
from kafka.coordinator.base import BaseCoordinator
from kafka.coordinator.consumer import ConsumerCoordinator
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.producer.kafka import KafkaProducer
from kafka.producer.record_accumulator import RecordAccumulator
from kafka.producer.sender import Sender
from kafka.producer.transaction_manager import InitProducerIdHandler, TransactionManager
from kafka.record.default_records import DefaultRecordBatch

from tickflow.ticklog.kafka import internals

ADAPTER = Path(internals.__file__).parent
DOCUMENTED = {
    *("kafka", "kafka.admin", "kafka.errors", "kafka.structs", "kafka.partitioner", "kafka.serializer"),
    *("kafka.consumer.subscription_state", "kafka.coordinator.assignors.range"),
}
"""The modules whose classes kafka-python's documentation imports or derives from."""

READ: dict[str, Callable[..., object]] = {  # the keys are the first digits of the source's SHA-256
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
    "f9b7d8038dab": BaseCoordinator.join_group_async,
    "3e4f55d945a3": BaseCoordinator._do_join_and_sync_async,
    "1c5e8ec9fbba": BaseCoordinator.reset_generation,
    "5f54fc574179": ConsumerCoordinator._on_join_complete_async,
    "7963a0d23bc9": Sender.force_close,
    "4019d9d8c84a": Sender._dispatch_error,
    "6fa3de760946": Sender._complete_batch,
    "5b3ea4f38cab": Sender._complete_batch_with_exception,
    "c2f987d35845": Sender._maybe_remove_from_inflight_batches,
    "daef9963772b": RecordAccumulator.reenqueue,
    "cab587660dbe": RecordAccumulator.ready,
    "b3d9ec72a2fa": KafkaProducer._unregister_cleanup,
    "a4a1ab131172": KafkaProducer._cleanup_factory,
    "431699b88f33": KafkaProducer.close,
    "652a00c63818": TransactionManager.has_producer_id,
    "b933102e8f6a": InitProducerIdHandler.handle_response,
    "8df1286ebd1e": DefaultRecordBatch.__init__,
    "35e0360528da": DefaultRecordBatch._maybe_uncompress,
    "4a12a3d0e6b4": DefaultRecordBatch.validate_crc,
    "e18f019d1fbd": KafkaConnectionManager.get_connection,
    "36c15b0ce919": KafkaNetSocket.sock_connect,
    "73662f6ca48e": internals._close,  # of NetworkSelector; conftest.py replaces it for the tests' own clients
    "f2acdccafd35": NetworkSelector.stop,
    "aa23b769538e": NetworkSelector.drain,
    "6f9e40f17413": KafkaConnectionManager.__init__,
    "9d5a78ad19c3": KafkaNetClient.__init__,
    "babcdc8ff32f": ClusterMetadata.topic_id,
    "3e06dc3d6ee2": ClusterMetadata.ttl,
    "9e8f4e5ed9d0": ClusterMetadata.update_metadata,
    "eada3a22c0a7": BaseCoordinator.is_dynamic_member,
    "de1690b50a1d": BaseCoordinator.maybe_leave_group,
    "2c4176986d1b": DefaultRecordBatch._assert_has_codec,
}


def fingerprint(function: Callable[..., object]) -> str:
    return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:12]


def test_the_installed_library_is_the_one_that_was_read() -> None:
    assert version("kafka-python") == internals.READ_FROM, (
        f"kafka-python is {version('kafka-python')} now: compare tickflow/ticklog/kafka/internals.py with its source "
        "(the other test here names what has changed), then set READ_FROM"
    )


@pytest.mark.parametrize(("mark", "function"), READ.items(), ids=lambda each: getattr(each, "__qualname__", ""))
def test_the_librarys_source_is_unchanged(mark: str, function: Callable[..., object]) -> None:
    name = f"{function.__module__}.{function.__qualname__}"
    assert fingerprint(function) == mark, f"{name} has changed: compare internals.py with it, then note the new mark"


def names_of(scope: ast.ClassDef) -> set[str]:
    """The names that a class defines itself: its methods and what it assigns."""
    own = {node.name for node in scope.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    own |= {node.id for node in ast.walk(scope) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return own | {
        node.attr for node in ast.walk(scope) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }


def undocumented(text: str, name: str) -> list[str]:
    """The places where a file uses names that kafka-python does not document.

    These are imports of an undocumented module, attributes with an underscore (those of `self` only if the class does
    not define them), and such names in `getattr`.
    """
    found = []
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "kafka":
            found += [f"{name}: {node.module}"] if node.module not in DOCUMENTED else []
        elif isinstance(node, ast.Import):
            found += [f"{name}: {each.name}" for each in node.names if each.name.startswith("kafka.")]
        elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            is_own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            found += [] if is_own else [f"{name}:{node.lineno} {node.attr}"]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "setattr"):
            asked = node.args[1] if len(node.args) > 1 else None
            is_private = isinstance(asked, ast.Constant) and str(asked.value).startswith("_")
            found += [f"{name}:{node.lineno} {ast.unparse(node)}"] if is_private else []
        elif isinstance(node, ast.ClassDef):
            used = {
                each.attr
                for each in ast.walk(node)
                if isinstance(each, ast.Attribute)
                and isinstance(each.value, ast.Name)
                and each.value.id in ("self", "cls")
                and each.attr.startswith("_")
                and not each.attr.startswith("__")
            }
            found += [f"{name}: {node.name}.{attribute}" for attribute in sorted(used - names_of(node))]
    return found


def test_no_other_file_of_the_adapter_uses_a_name_that_the_library_does_not_document() -> None:
    files = [path for path in sorted(ADAPTER.glob("*.py")) if path.name != "internals.py"]
    assert len(files) > 10
    assert [each for path in files for each in undocumented(path.read_text(encoding="utf-8"), path.name)] == []


def test_no_file_outside_of_the_adapter_imports_the_library() -> None:
    package = ADAPTER.parent.parent
    files = [path for path in [*package.rglob("*.py"), *package.parent.glob("*.py")] if ADAPTER not in path.parents]
    assert len(files) > 100
    imports = re.compile(r"^\s*(from|import) kafka\b", re.MULTILINE)
    assert [str(path) for path in files if imports.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    "line",
    [
        "from kafka.net.manager import KafkaConnectionManager",
        "import kafka.net.manager",
        "consumer._fetcher",
        "getattr(consumer, '_fetcher')",
        "class Own(Assignor):\n    def assign(self):\n        return self._members",
    ],
)
def test_each_way_to_use_such_a_name_is_found(line: str) -> None:
    assert undocumented(line, "a.py")

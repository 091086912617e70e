"""Computes from the tick log alone what must be stored, and compares it with what is stored.

Independent of `tickflow`: plain Python and pandas, no import from the project. It reads the topic from its start,
judges every record (`rules`), recomputes every point from whole windows (`points`), reads the whole store (`stores`),
and reports what is lost, doubled or different (`verdict`). `journal` compares a producer's acknowledgements with the
log.
"""

from tests.oracle.journal import Acknowledged, JournalFile, fingerprint, missing, read_journal
from tests.oracle.logs import LogRecord, read_embedded_log, read_embedded_records, read_kafka, read_kafka_records
from tests.oracle.points import COLUMNS, Expected, expected, expected_points
from tests.oracle.rules import Accepted, Refusal, judge
from tests.oracle.stores import count_embedded, count_influx, read_embedded_store, read_influx, status_times_influx
from tests.oracle.verdict import BY_STORE, LettersVerdict, Verdict, compare, compare_letters, digest, metrics_by_symbol

__all__ = [
    "BY_STORE",
    "COLUMNS",
    "Accepted",
    "Acknowledged",
    "Expected",
    "JournalFile",
    "LettersVerdict",
    "LogRecord",
    "Refusal",
    "Verdict",
    "compare",
    "compare_letters",
    "count_embedded",
    "count_influx",
    "digest",
    "expected",
    "expected_points",
    "fingerprint",
    "judge",
    "metrics_by_symbol",
    "missing",
    "read_embedded_log",
    "read_embedded_records",
    "read_embedded_store",
    "read_influx",
    "read_journal",
    "read_kafka",
    "read_kafka_records",
    "status_times_influx",
]

"""A worker, a restarted worker and a recomputation from the log refuse the same names of a flood."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.integration.chain import Chain, EmbeddedChain, KafkaChain, wait_until, working
from tests.loaded_settings import load
from tickflow.process import StopEvent
from tickflow.stack import open_log, open_store
from tickflow.verbs.audit import Audit
from tickflow.verbs.command_line import limits_of

MOST_SYMBOLS, MOST_SOURCES = 5, 3
SPAN = 10
"""How many offsets before its commit a restarted worker reads to fill its windows: so few that it misses some names,
which the alerts' state must restore.
"""


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def chain(request: pytest.FixtureRequest, tmp_path: Path, topic: str) -> Chain:
    if request.param == "kafka":
        given = request.getfixturevalue
        chain: Chain = KafkaChain(given("kafka_servers"), topic, given("influx"), given("bucket"))
    else:
        chain = EmbeddedChain(tmp_path / "stocks.db")
    chain.env |= {"KAFKA_PARTITIONS": "1", "MAX_SYMBOLS": str(MOST_SYMBOLS), "MAX_SOURCES": str(MOST_SOURCES)}
    return chain


def send(chain: Chain, names: Sequence[tuple[str, str]]) -> None:
    with open_log(load(chain.env), StopEvent()) as log:
        log.connect()
        for number, (symbol, source) in enumerate(names):
            value = b'{"symbol":"%s","price":%d,"timestamp":"2026-01-05T14:30:%02dZ","source":"%s"}' % (
                symbol.encode(),
                100 + number,
                number % 60,
                source.encode(),
            )
            log.publish(symbol.encode(), value)
        log.flush(30)


def test_a_restart_and_the_audit_refuse_the_same_names(chain: Chain) -> None:
    first = [("A", "x"), ("B", "x"), *[("C", f"s{number}") for number in range(6)], ("D", "x")]
    second = [*[(f"FLOOD{number}", "x") for number in range(50)], ("A", "y"), ("A", "z"), ("A", "w"), ("B", "x")]
    third = [("FLOOD1", "x"), ("FLOOD0", "x"), ("C", "s5"), ("C", "s0"), ("NEW", "x"), ("A", "w"), ("A", "z")]
    refused = 3, 49 + 1, 4
    end = 0
    for names, count in zip((first, second, third), refused, strict=True):
        end += len(names)
        with working(chain, span=SPAN) as worker:
            send(chain, names)
            wait_until(lambda: 0 in worker.counters.accounts and worker.counters.accounts[0].committed >= end, "commit")  # noqa: B023
            total = worker.counters.total
            assert set(total.refused) <= {"too_many_symbols", "too_many_sources"}
            assert total.refused.total() == count
    settings = load(chain.env)
    with open_log(settings, StopEvent()) as log, open_store(settings, StopEvent()) as store:
        store.connect()
        log.connect(create=False)
        found = Audit(log, store, limits_of(settings), 2.0, span=SPAN).run()
    assert found.equal
    assert (found.expected, found.refused) == (end - sum(refused), sum(refused))

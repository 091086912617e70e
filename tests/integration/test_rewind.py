"""`rewind --to` makes the group read again from a given time: a store recovers its lost points, bit for bit."""

import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import StartScript
from tests.integration.chain import Chain, EmbeddedChain, KafkaChain, wait_until, working
from tests.integration.test_awkward import a_chain, publish, tick

SYMBOLS = [f"S{n}" for n in range(8)]


def ticks(begin: int, end: int) -> list[tuple[str, bytes]]:
    return [tick(SYMBOLS[n % 8], 100 + n / 8) for n in range(begin, end)]


def lose_all_points(chain: Chain) -> None:
    if isinstance(chain, EmbeddedChain):
        with closing(sqlite3.connect(chain.file, isolation_level=None)) as database:
            assert database.execute("DELETE FROM store_points").rowcount == 1_000
        return
    assert isinstance(chain, KafkaChain)
    chain.influx.delete_bucket(chain.bucket)
    chain.influx.create_bucket(chain.bucket)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("stack", [pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.influx]), "embedded"])
def test_a_rewind_recomputes_the_same_points(
    request: pytest.FixtureRequest, tmp_path: Path, script: StartScript, stack: str
) -> None:
    def rewind(code: int) -> str:
        run = script("stock_analytics.py", "rewind", "--to", moment, env=chain.env)
        assert run.wait(90) == code, run.output
        return run.output

    with a_chain(stack, request, tmp_path) as chain:
        publish(chain, ticks(0, 400))
        time.sleep(1.1)  # times on the command line are in whole seconds
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        time.sleep(0.1)
        publish(chain, ticks(400, 1_000))
        with working(chain):
            chain.wait_for_points(1_000)
            wait_until(lambda: "Stop them, then rewind" in rewind(1), "refusal beside a worker", 30)
        before = chain.stored()
        lose_all_points(chain)
        assert f"600 records appended since {moment} will be read again" in rewind(0)
        with working(chain) as engine:
            chain.wait_for_points(600)
            assert engine.counters.total.foreign == 0, "a rewind is not a commit of a stranger"
        after = chain.stored()
        assert len(after) == 600
        place = ["symbol", "partition", "offset"]
        kept = before.merge(after[place], on=place)
        assert len(kept) == 600
        left, right = (each.sort_values(place, ignore_index=True) for each in (kept, after))
        pd.testing.assert_frame_equal(left, right, check_exact=True)

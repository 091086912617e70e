"""Trades go from a file through the three scripts, as processes, into the store, which equals a batch recomputation."""

from pathlib import Path

from tests import oracle
from tests.conftest import StartScript
from tests.integration.chain import Chain, EmbeddedChain, KafkaChain
from tests.scripts import Script

TRADES = 6_000


def replay(script: StartScript, chain: Chain, trades: Path, speed: str = "max") -> Script:
    flags = ("--source", "replay", "--replay-file", str(trades), "--replay-speed", speed)
    return script("stock_producer.py", *flags, env=chain.env)


def analyse(script: StartScript, chain: Chain) -> Script:
    return script("stock_analytics.py", env=chain.env)


def stop(worker: Script) -> None:
    worker.terminate()
    assert worker.wait(15) == 0, worker.output


def assert_whole_and_equal(chain: Chain) -> None:
    verdict = chain.verdict()
    assert verdict.expected == TRADES
    assert verdict.equal, verdict


def test_two_workers_store_what_a_recomputation_gives_and_both_stacks_agree_bit_for_bit(
    script: StartScript, kafka_chain: KafkaChain, embedded_chain: EmbeddedChain, trades: Path
) -> None:
    workers = [analyse(script, kafka_chain), analyse(script, kafka_chain)]
    for worker in workers:
        worker.wait_for("is ours", 30)
    assert replay(script, kafka_chain, trades).wait(60) == 0
    kafka_chain.wait_for_points(TRADES)
    for worker in workers:
        stop(worker)
        assert "all accounted for" in worker.stdout
    assert_whole_and_equal(kafka_chain)
    assert {partition for partition, _, _ in kafka_chain.records()} <= {0, 1, 2, 3}

    worker = analyse(script, embedded_chain)
    assert replay(script, embedded_chain, trades).wait(60) == 0
    embedded_chain.wait_for_points(TRADES)
    stop(worker)
    assert_whole_and_equal(embedded_chain)

    of_kafka = oracle.metrics_by_symbol(kafka_chain.stored().fillna(-1.0))
    of_embedded = oracle.metrics_by_symbol(embedded_chain.stored().fillna(-1.0))
    assert of_kafka == of_embedded


def test_sigterm_in_the_middle_and_a_new_start_change_nothing(script: StartScript, chain: Chain, trades: Path) -> None:
    source = replay(script, chain, trades, speed="12")
    for stop_at in (500, 2_000):
        worker = analyse(script, chain)
        chain.wait_for_points(stop_at)
        stop(worker)
    assert chain.count() < TRADES, "the stops were meant to fall into the middle of the replay"
    worker = analyse(script, chain)
    assert source.wait(60) == 0
    chain.wait_for_points(TRADES)
    stop(worker)
    assert "records before it that fill the windows" in worker.stderr
    assert "all accounted for" in worker.stdout
    assert_whole_and_equal(chain)

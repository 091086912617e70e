"""The scripts run with Python's warnings as errors (PYTHONWARNINGS=error)."""

from tests.conftest import StartScript
from tests.integration.chain import Chain
from tests.integration.conftest import chain, embedded_chain, kafka_chain

__all__ = ["chain", "embedded_chain", "kafka_chain"]


def test_the_scripts_run_with_warnings_as_errors(script: StartScript, chain: Chain) -> None:
    environment = chain.env | {"PYTHONWARNINGS": "error"}
    producer = script("stock_producer.py", "--ticks", "3", "--interval", "0", env=environment)
    assert producer.wait(60) == 0, producer.output
    worker = script("stock_analytics.py", env=environment)
    chain.wait_for_points(21)
    worker.terminate()
    assert worker.wait(30) == 0, worker.output

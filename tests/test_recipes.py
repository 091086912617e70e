"""Tests that follow the recipes of CONTRIBUTING.md in a copy; tests/browser/test_new_field.py follows the one for a
field.
"""

import re
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests import markdown
from tests.conftest import StartScript
from tests.edits import EditedCopy
from tests.integration.chain import EmbeddedChain
from tests.waiting import until

SETTING = '    ticks_shown: Annotated[int, _whole(1, 9)] = _setting(3, "ticks shown, as an example")'


def example(recipe: str) -> tuple[str, str, str]:
    """The path and the text of the recipe's example module, and the line for the table."""
    text = markdown.section("CONTRIBUTING.md", recipe)
    described = re.search(r"For example `([^`]+)`, with\s`([^`]+)`", text)
    code = re.search(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert described, recipe
    assert code, recipe
    return described[1], code[1], described[2]


@pytest.mark.slow
def test_a_setting(tmp_path: Path) -> None:
    copy = EditedCopy(tmp_path / "project", whole=True)
    copy.add("config.py", SETTING, before="anomaly_threshold:")
    assert copy.python("-m", "devtools.settings_text").returncode == 0
    copy.add("stock_analytics.py", '    "TICKS_SHOWN",', before='*("ANOMALY_THRESHOLD"')
    copy.add("docker-compose.yml", "  TICKS_SHOWN:", before="HISTORY_SIZE:")
    copy.add(
        "tests/settings/test_bad_settings.py", '    ("TICKS_SHOWN", "0", "from 1 to 9"),', before='("HISTORY_SIZE", "0"'
    )
    copy.add("tests/settings/test_config.py", '    "TICKS_SHOWN": "3",', before='"HISTORY_SIZE": "200"')
    shown = copy.python("stock_analytics.py", "--help").stdout
    assert "--ticks-shown" in shown
    assert "ticks shown, as an example" in shown
    assert "TICKS_SHOWN=3" in (copy.folder / ".env.example").read_text(encoding="utf-8")
    refused = copy.python("stock_analytics.py", "--ticks-shown", "10")
    assert (refused.returncode, "TICKS_SHOWN is '10'; expected a whole number from 1 to 9" in refused.stderr) == (
        2,
        True,
    )
    reached = "import config, stock_analytics as s; s.load_settings = config.load_settings; "
    reached += (
        "print(s.StockAnalyticsEngine(s.load_settings({'STACK': 'embedded', 'TICKS_SHOWN': '5'})).settings.ticks_shown)"
    )
    assert copy.python("-c", reached).stdout == "5\n"
    # The tests that start scripts run in the suite itself, and prove nothing more about a further setting.
    options = ("-q", "-n", "0", "-p", "no:cacheprovider", "-m", "not kafka and not influx", "-k", "not test_a_script")
    done = copy.python("-m", "pytest", *options, "tests/settings/test_config.py", "tests/settings/test_bad_settings.py")
    assert done.returncode == 0, done.stdout[-4000:]


def test_a_source(script: StartScript, tmp_path: Path) -> None:
    copy, chain = EditedCopy(tmp_path / "project", whole=True), EmbeddedChain(tmp_path / "stocks.db")
    path, code, line = example("To add a source")
    (copy.folder / path).write_text(code, encoding="utf-8")
    copy.replace("config.py", '"alpha_vantage", "topic"]', '"alpha_vantage", "topic", "countdown"]')
    copy.add("stock_producer.py", f"            {line}", before='"topic": self._open_topic')
    copy.add(
        "stock_producer.py", "from tickflow.sources.countdown import Countdown", before="from tickflow.sources.mapping"
    )
    assert copy.python("-m", "devtools.settings_text").returncode == 0
    assert "alpha_vantage, topic or countdown" in (copy.folder / ".env.example").read_text(encoding="utf-8")
    producer = script(
        copy.script("stock_producer.py"), "--source", "countdown", "--symbols", "AAPL,MSFT", env=chain.env
    )
    assert producer.wait() == 0, producer.output
    assert "streaming a countdown, to the topic stock-ticks" in producer.stderr
    assert "6 ticks sent, 6 acknowledged" in producer.stderr
    prices = re.findall(rb'"price":(\d)', b"".join(value for _, _, value in chain.records()))
    assert Counter(prices) == {b"3": 2, b"2": 2, b"1": 2}


def test_a_detector(script: StartScript, tmp_path: Path) -> None:
    copy, chain = EditedCopy(tmp_path / "project"), EmbeddedChain(tmp_path / "stocks.db")
    path, code, line = example("To add a detector")
    (copy.folder / path).write_text(code, encoding="utf-8")
    copy.replace("tickflow/metrics/detectors/names.py", '"silence")', '"silence", "round_price")')
    copy.replace("tickflow/alerts/watch.py", "import bad_print, move, ", "import bad_print, move, round_price, ")
    copy.add("tickflow/alerts/watch.py", f"        {line}", before='"bad_print": lambda')
    prices = [150 + second % 7 for second in range(120)]
    prices[100] = 200
    rows = (f"2026-01-05T15:{at // 60:02}:{at % 60:02}Z,AAPL,{price},10" for at, price in enumerate(prices))
    trades = tmp_path / "trades.csv"
    trades.write_text("timestamp,symbol,price,volume\n" + "\n".join(rows) + "\n", encoding="utf-8")
    replay = ("--source", "replay", "--replay-file", str(trades), "--replay-speed", "max")
    producer = script(copy.script("stock_producer.py"), *replay, env=chain.env)
    assert producer.wait() == 0, producer.output
    worker = script(copy.script("stock_analytics.py"), env=chain.env | {"ALERT_DETECTORS": "round_price"})

    def alerts() -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(chain.file)) as file:
            try:
                return file.execute("SELECT symbol, detector, price FROM store_anomalies").fetchall()
            except sqlite3.OperationalError:  # no table yet
                return []

    until(lambda: alerts() != [], "an alert of the new detector")
    assert alerts() == [("AAPL", "round_price", 200.0)]
    worker.terminate()
    assert worker.wait() == 0


@pytest.mark.slow
def test_a_store(tmp_path: Path) -> None:
    """The fake store in memory becomes an adapter: it passes all contract tests, and `STACK=memory` opens it."""
    copy = EditedCopy(tmp_path / "project", whole=True)
    (copy.folder / "tickflow/store/memory").mkdir()
    (copy.folder / "tickflow/store/memory/__init__.py").touch()
    fakes = (copy.folder / "tests/fakes.py").read_text(encoding="utf-8")
    (copy.folder / "tickflow/store/memory/store.py").write_text(fakes, encoding="utf-8")
    copy.replace("config.py", 'Literal["kafka", "embedded"]', 'Literal["kafka", "embedded", "memory"]')
    opening = '    if settings.stack == "memory":\n        from tickflow.store.memory.store import MemoryStore\n\n'
    opening += "        return MemoryStore()\n"
    influx = "    account = _influxdb_account(settings)\n    from tickflow.store.influx.store import InfluxStore\n"
    copy.replace("tickflow/stack.py", influx, opening + influx)
    copy.replace("tests/contract/test_store.py", "from tests.fakes import", "from tickflow.store.memory.store import")
    opened = "from config import load_settings; from tickflow.stack import open_store; import threading; "
    opened += "print(type(open_store(load_settings({'STACK': 'memory'}), threading.Event())).__module__)"
    assert copy.python("-c", opened).stdout == "tickflow.store.memory.store\n"
    options = ("-q", "-n", "0", "-p", "no:cacheprovider", "-k", "memory")
    done = copy.python("-m", "pytest", *options, "tests/contract/test_store.py")
    assert done.returncode == 0, done.stdout[-4000:]
    assert re.search(r"[89]\d passed", done.stdout), done.stdout[-400:]

"""For a misplaced secret or a path that is not a file, the error names the key, hides the secret, and never blocks."""

import os
import signal
import stat
import threading
import time
from pathlib import Path

import pytest

from config import SECRETS, load_settings
from tests.conftest import StartScript
from tests.loaded_settings import load, refusal
from tickflow.settings import secret_file
from tickflow.store.sqlite.store import EmbeddedStore

TOKEN = "fQ8xT0v2kM1bWz7LrYp3sA=="


@pytest.mark.parametrize("key", SECRETS)
def test_the_secret_in_the_place_of_its_file_is_not_shown(key: str) -> None:
    error = refusal({f"{key}_FILE": TOKEN})
    assert error.key == f"{key}_FILE"
    assert TOKEN not in str(error)
    assert "file of at most 64 KiB that holds the secret" in str(error)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("KAFKA_SERVERS", f"me:{TOKEN}@kafka:9092"),
        ("KAFKA_SERVERS", f"good:9092,me:{TOKEN}@kafka:9092"),
        ("INFLUXDB_URL", f"http://me:{TOKEN}@localhost:8086"),
        ("INFLUXDB_URL", f"http://localhost:8086?token={TOKEN}"),
        ("INFLUXDB_URL", f"http://localhost:8086/?org=x&token={TOKEN}"),
        ("INFLUXDB_URL", f"http://localhost:8086/#token={TOKEN}"),
        ("INFLUXDB_URL", TOKEN),
        ("KAFKA_TOPIC", TOKEN),
        ("KAFKA_PARTITIONS", TOKEN),
        ("LOG_LEVEL", "sk_live_9aF3bC77Q0pLmX2d"),
        ("SYMBOLS", "0123456789abcdef0123456789abcdef0"),
    ],
)
def test_a_secret_in_the_value_of_another_key_is_not_shown(key: str, value: str) -> None:
    error = refusal({key: value})
    assert error.key == key
    assert not any(part in str(error) for part in (TOKEN, "9aF3bC77", "0123456789abcdef"))


def test_a_known_secret_is_hidden_in_other_values_too() -> None:
    error = refusal({"KAFKA_SASL_PASSWORD": "hush hush", "KAFKA_TOPIC": "hush hush"})
    assert error.key == "KAFKA_TOPIC"
    assert "hush" not in str(error)


def test_both_forms_of_a_secret_are_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    error = refusal({"INFLUXDB_TOKEN": "another", "INFLUXDB_TOKEN_FILE": str(tmp_path / "token")})
    assert "set one of the two" in str(error)
    assert TOKEN not in str(error)


@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "large", "socket"])
def test_only_a_regular_file_of_64_kib_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "secret"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)
    else:
        path.write_bytes(b"x" * (64 * 1024 + 1))
    begun = time.monotonic()
    error = refusal({"INFLUXDB_TOKEN_FILE": str(path)})
    assert time.monotonic() - begun < 10
    assert str(path) in str(error)
    path_of_64 = tmp_path / "whole"
    path_of_64.write_bytes(b"x" * 64 * 1024)
    assert len(load(INFLUXDB_TOKEN_FILE=str(path_of_64)).secret("INFLUXDB_TOKEN", "it")) == 64 * 1024


def test_a_script_with_a_pipe_for_a_secret_ends_with_a_sentence(script: StartScript, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    running = script("stock_dashboard.py", env={"INFLUXDB_TOKEN_FILE": str(tmp_path / "pipe")})
    assert running.wait(20) == 2
    assert running.stderr.count("\n") == 1
    assert "INFLUXDB_TOKEN_FILE" in running.stderr


def test_a_byte_order_mark_does_not_belong_to_a_secret(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xef\xbb\xbfhush\r\n")
    assert load(INFLUXDB_TOKEN_FILE=str(tmp_path / "token")).secret("INFLUXDB_TOKEN", "it") == "hush"


def test_a_secret_file_that_others_can_read_causes_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("hush")
    path.chmod(0o644)
    assert load(INFLUXDB_TOKEN_FILE=str(path)).notices == (
        f"others can read {path} (INFLUXDB_TOKEN_FILE): chmod 600 {path}",
    )
    path.chmod(0o600)
    assert load(INFLUXDB_TOKEN_FILE=str(path)).notices == ()


def test_the_warning_is_logged(script: StartScript, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hush")
    (tmp_path / "token").chmod(0o644)
    running = script(
        "stock_dashboard.py", "--embedded", "--dashboard-port", "1",
        env={"INFLUXDB_TOKEN_FILE": str(tmp_path / "token")},
    )  # fmt: skip
    running.wait_for("others can read")
    running.process.send_signal(signal.SIGTERM)
    running.wait(20)


@pytest.mark.parametrize("line", ["influxdb_token=hush", "Kafka_Topic=ticks", "influxdb_token_file=/x", "symbol=IBM"])
def test_a_key_in_lower_case_is_noticed(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(line)
    error = refusal({}, tmp_path / ".env")
    assert error.key == line.partition("=")[0]
    assert "perhaps" in str(error)
    assert "hush" not in str(error)


@pytest.mark.parametrize(
    "arguments", [("--influxdb-token", TOKEN), (f"--influxdb-token={TOKEN}",), (TOKEN,), ("--token", TOKEN)]
)
@pytest.mark.parametrize("name", ["stock_producer.py", "stock_analytics.py", "stock_dashboard.py"])
def test_a_secret_on_the_command_line_is_refused_and_not_shown(
    script: StartScript, name: str, arguments: tuple[str, ...]
) -> None:
    running = script(name, *arguments)
    assert running.wait() == 2
    assert TOKEN not in running.output + running.stderr
    if arguments[0].startswith("--influxdb"):
        assert "set INFLUXDB_TOKEN or INFLUXDB_TOKEN_FILE" in running.stderr


def test_only_this_user_can_read_the_embedded_file_and_its_folder(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        path = tmp_path / "data" / "stocks.db"
        with EmbeddedStore(path, retention_days=7, stop=threading.Event()) as store:
            store.connect()
            store.statuses()
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
            assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}
            assert len(list(path.parent.iterdir())) == 3
    finally:
        os.umask(before)


def test_settings_that_work_have_no_notice() -> None:
    assert load_settings({}, env_file=None).notices == ()


def test_a_secret_that_is_mounted_for_one_container_causes_no_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its mode may be permissive, since other users of the host cannot reach the file."""
    path = tmp_path / "token"
    path.write_text(TOKEN)
    path.chmod(0o644)
    assert load(INFLUXDB_TOKEN_FILE=str(path)).notices
    monkeypatch.setattr(secret_file, "OF_CONTAINERS", f"{tmp_path}/")
    assert not load(INFLUXDB_TOKEN_FILE=str(path)).notices

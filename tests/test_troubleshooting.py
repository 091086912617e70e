"""The messages that docs/troubleshooting.md quotes are the program's own; the quick ones are provoked."""

import logging
import re
import socket
import threading
from pathlib import Path

import pytest
from flask import Flask

from tests.loaded_settings import load, refusal
from tests.markdown import table
from tests.scripts import PROJECT
from tickflow.dashboard.server import bind
from tickflow.errors import SettingError, StoreMisconfigured
from tickflow.sources.replay import Replay
from tickflow.stack import open_log, open_store
from tickflow.store.influx import answers
from tickflow.store.influx.influxql import unreachable
from tickflow.store.influx.store import InfluxStore
from tickflow.ticklog.sqlite.log import EmbeddedTickLog

ROWS = table("docs/troubleshooting.md", "Messages")
SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("tickflow", "assets", ".")
    for path in sorted((PROJECT / folder).rglob("*.*") if folder != "." else PROJECT.glob("stock_*.py"))
    if path.suffix in (".py", ".js")
)


def of_settings() -> list[str]:
    with pytest.raises(SettingError) as no_token:
        open_store(load(), threading.Event())
    with pytest.raises(SettingError) as no_file:
        Replay(None)
    refused = [refusal({"DASHBOARD_HOST": "0.0.0.0"}), refusal({"ANOMALY_THRESHOLD": "3"})]
    return [str(error) for error in (no_token.value, no_file.value, *refused)]


def of_a_taken_port() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingError) as caught:
            bind(Flask("none"), "127.0.0.1", port)
    return str(caught.value).replace(str(port), "8050")


def of_servers() -> list[str]:
    settings = load(INFLUXDB_TOKEN="any")
    with open_store(settings, threading.Event()) as store:
        away = unreachable(store.where, OSError("refused"))
        assert isinstance(store, InfluxStore)
        with pytest.raises(StoreMisconfigured) as blind:  # the error for a token that may only write
            store._influxql._decode(tuple[int], b'{"results":[{"error":"database not found: stock_data"}]}')
    token, bucket = (
        answers.failure(status, words, {}, org=settings.influxdb_org, bucket=settings.influxdb_bucket, now=0.0)
        for status, words in ((401, "unauthorized access"), (404, "bucket not found"))
    )
    kafka = open_log(settings, threading.Event())
    return [f"waiting for {kafka.where}: ", f"waiting: {away}", str(token), str(bucket), str(blind.value)]


def of_two_engines(folder: Path, caplog: pytest.LogCaptureFixture) -> list[str]:
    def log() -> EmbeddedTickLog:
        made = open_log(load(STACK="embedded", EMBEDDED_FILE=str(folder / "stocks.db")), threading.Event())
        assert isinstance(made, EmbeddedTickLog)
        made.connect()
        made.subscribe()
        return made

    with caplog.at_level(logging.INFO), log() as first, log() as second:
        first.poll(0.0)
        second.poll(0.0)
    return caplog.messages


@pytest.fixture
def said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> list[str]:
    """The program's messages in the situations of the document."""
    missing = "ModuleNotFoundError: No module named 'kafka'"  # a message from Python itself
    return [missing, *of_settings(), of_a_taken_port(), *of_servers(), *of_two_engines(tmp_path, caplog)]


def test_each_quoted_sentence_occurs_in_the_program(said: list[str]) -> None:
    assert len(ROWS) > 10
    for symptom, because, do in ROWS:
        quoted = re.search(r"`(.+)`", symptom)
        assert quoted, symptom
        (words,) = [part.strip() for part in quoted[1].split("…") if part.strip()]
        assert any(one.startswith(words) for one in said) or words in SOURCES, symptom
        assert because
        assert do

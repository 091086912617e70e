"""Log lines: text from outside cannot forge a line, break one, or flood the log."""

import io
import json
import logging
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickflow.log_lines import FORMAT, JsonFormatter, LineFormatter, Throttle, one_line
from tickflow.process import handler_of

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ .*")


def a_record(
    message: object, *values: object, level: int = logging.WARNING, exc_info: object = None
) -> logging.LogRecord:
    return logging.LogRecord("tickflow.x", level, "x.py", 1, message, values, exc_info)  # type: ignore[arg-type]


@given(st.text())
def test_every_record_becomes_one_line_without_control_characters(text: str) -> None:
    line = LineFormatter(FORMAT).format(a_record("of outside: %s", text))
    assert line.splitlines() == [line]
    assert LINE.fullmatch(line)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202e]", line)
    line.encode()


@given(st.text(alphabet=st.characters(exclude_categories=["C", "Z"])))
def test_a_plain_text_stays_unchanged(text: str) -> None:
    assert one_line(text) == text


def test_a_traceback_is_one_line() -> None:
    try:
        raise ValueError("forged\n2026-01-01T00:00:00.000Z ERROR \x1b[31m")
    except ValueError:
        line = LineFormatter(FORMAT).format(a_record("it failed", exc_info=sys.exc_info()))
    assert line.splitlines() == [line]
    assert "it failed Traceback (most recent call last): | File" in line
    assert "ValueError: forged" in line
    assert "\x1b" not in line


def test_the_time_is_in_utc_with_a_z() -> None:
    record = a_record("x")
    record.created = 1_767_623_400.5
    assert LineFormatter(FORMAT).format(record) == "2026-01-05T14:30:00.500Z WARNING x"


def test_at_most_ten_lines_per_second_and_kind_and_the_rest_is_counted() -> None:
    now = 0.0
    throttle = Throttle(monotonic=lambda: now)
    assert sum(throttle.filter(a_record("refused %s", at)) for at in range(1_000)) == 10
    assert throttle.filter(a_record("of another kind"))
    now = 1.0
    record = a_record("refused %s", "x")
    assert throttle.filter(record)
    assert LineFormatter("%(message)s").format(record) == "refused x (and 990 more of this kind, left out)"


def test_the_memory_for_kinds_is_bounded() -> None:
    throttle = Throttle()
    for at in range(5_000):
        throttle.filter(a_record(f"of its own {at}"))
    assert len(throttle._kinds) <= 1_000


def test_debug_is_not_limited() -> None:
    throttle = Throttle()
    assert all(throttle.filter(a_record("batch", level=logging.DEBUG)) for _ in range(100))


@pytest.mark.parametrize("name", ["waitress", "tickflow", "flask.app", "anybody"])
def test_all_loggers_use_this_format(name: str) -> None:
    """This includes the lines of the web server and of Flask: a path that they log may hold anything."""
    stream = io.StringIO()
    handler = handler_of(stream)
    logger = logging.Logger(name)
    logger.addHandler(handler)
    for _ in range(50):
        logger.warning("Exception while serving /\n\x1b[31m2026-01-01T00:00:00.000Z ERROR forged")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 10
    assert all(LINE.fullmatch(line) for line in lines)
    assert "\x1b" not in stream.getvalue()


def test_a_json_line_is_one_object_with_the_fields_that_were_passed() -> None:
    record = logging.LogRecord("tickflow.worker", logging.INFO, __file__, 1, "partition %d\n is ours", (3,), None)
    record.__dict__ |= {"partition": 3, "offset": 120, "epoch": 2}
    line = JsonFormatter("host-7").format(record)
    assert "\n" not in line
    found = json.loads(line)
    assert found.pop("time").endswith("Z")
    assert found == {
        "level": "INFO",
        "name": "host-7",
        "message": "partition 3\n is ours",
        "partition": 3,
        "offset": 120,
        "epoch": 2,
    }

"""Fuzzing of the decoder with atheris (github.com/google/atheris): `make fuzz`, or `python -m tests.fuzz`.

Starts with the corpus of malformed records and some good ticks. An input is a record: the key, a newline, the value.
Ends with exit code 0 after `--seconds`, or at the first input that breaks a rule, which it writes to a file whose name
it prints.
"""

import argparse
import importlib.util
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.malformed import corpus
from tests.records import APPENDED_MS, body
from tickflow.metrics.points import Points
from tickflow.store.influx.lines import to_lines
from tickflow.ticklog.base import LOG_APPEND_TIME, Entry
from tickflow.ticks import tick

MISSING = "atheris is not installed: it has no wheel for this Python or this system"
LONGEST = 4_096

_METRICS = ("ma_5", "ma_10", "ma_20", "volatility", "vol_avg_5", "vol_avg_10", "z_score")


def check(data: bytes) -> None:
    """Check the decoder's rules on one input. Raises AssertionError if one is broken."""
    key, _, value = data.partition(b"\n")
    entry = Entry(0, 41, key or None, value, APPENDED_MS, LOG_APPEND_TIME)
    ticks, refused = tick.decode([entry])
    assert len(ticks) + len(refused) == 1, "a record is accepted or refused"
    if refused:
        assert refused[0].reason in set(tick.Reason)
        return
    assert ticks.symbols[0].encode() == key
    assert tick.PRICE_MIN <= ticks.prices[0] <= tick.PRICE_MAX
    assert 0 <= ticks.volumes[0] < tick.VOLUME_LIMIT
    assert 0 <= ticks.time_us[0] < tick.END_YEAR_US
    assert not math.isinf(ticks.change_percent[0])
    try:
        plain = json.loads(value)
    except ValueError as error:
        if "integer string conversion" in str(error):  # a limit of the json module
            return
        raise
    assert plain["symbol"] == ticks.symbols[0]
    assert float(plain["price"]) == ticks.prices[0]
    absent = ticks.change_percent * math.nan
    columns = {
        "symbol": ticks.symbols,
        "source": ticks.sources,
        "time_ns": ticks.time_us * 1000,
        "price": ticks.prices,
        "change_percent": ticks.change_percent,
        **dict.fromkeys(_METRICS, absent),
        "volume": ticks.volumes,
        "partition": ticks.offsets,
        "offset": ticks.offsets,
        "is_anomaly": ticks.offsets < 0,
    }
    (line,) = to_lines(Points(**columns))  # type: ignore[arg-type]  # each column by name
    assert line.count(" ") == 2, "tags need no escaping"
    assert line.isprintable()


def seeds() -> list[bytes]:
    """The inputs with which the fuzzing starts."""
    good = [
        body(),
        body(volume=100, change_percent=-1.5, source="replay", producer="p", seq=1),
        body(timestamp="1970-01-01"),
    ]
    records = [(b"AAPL", value) for value in good] + [(case.key, case.value) for case in corpus()]
    return [(key or b"") + b"\n" + value for key, value in records if value is not None and len(value) < LONGEST]


def fuzz(seconds: int, folder: str) -> None:
    """Fuzz for `seconds`, starting with the inputs in `folder`; libFuzzer ends the process."""
    import atheris

    options = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-print_final_stats=1", "-verbosity=0"]
    for name in ("decode", "_read", "reason_of"):
        setattr(tick, name, atheris.instrument_func(getattr(tick, name)))
    atheris.Setup([sys.argv[0], *options, folder], check)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600, help="how long (default: 600)")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print(MISSING)
        return 0
    if arguments.folder:
        fuzz(arguments.seconds, arguments.folder)
    with tempfile.TemporaryDirectory(prefix="tickflow-fuzz-") as folder:
        for number, seed in enumerate(seeds()):
            (Path(folder) / f"{number:04}").write_bytes(seed)
        flags = ["--seconds", str(arguments.seconds), "--folder", folder]
        return subprocess.run([sys.executable, "-m", "tests.fuzz", *flags]).returncode


if __name__ == "__main__":
    sys.exit(main())

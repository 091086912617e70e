"""The same ticks produce the same stored points, bit for bit, in any form and layout."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.integration.chain import EmbeddedChain, working
from tests.sources.files.corpus import SPELLINGS
from tests.sources.files.test_corpus import replayed
from tests.test_recording import a_log
from tickflow.process import StopEvent
from tickflow.ticks.tick import encode

START = datetime(2020, 1, 1, tzinfo=UTC)
START_US = 1_577_836_800_000_000
Rows = list[tuple[int, float, int]]


def at(us: int) -> datetime:
    return START + timedelta(microseconds=us)


def as_text(rows: Rows, symbol: str) -> str:
    """The ticks as plain CSV, from which other forms are made."""
    lines = [f"{at(us).isoformat(timespec='microseconds')},{symbol},{price:.4f},{volume}" for us, price, volume in rows]
    return "\n".join(["timestamp,symbol,price,volume", *lines]) + "\n"


def as_json(rows: Rows, symbol: str) -> list[dict[str, object]]:
    return [{"s": symbol, "p": price, "v": volume, "t": (START_US + us) * 1000} for us, price, volume in rows]


def as_columns(rows: Rows, symbol: str) -> Any:
    times = pa.array([at(us) for us, _, _ in rows], pa.timestamp("us", "UTC"))
    prices, volumes = [price for _, price, _ in rows], [volume for _, _, volume in rows]
    return pa.table({"time": times, "ticker": [symbol] * len(rows), "last": prices, "size": volumes})


def as_parquet(rows: Rows, symbol: str) -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(as_columns(rows, symbol), out)
    return out.getvalue()


def as_feather(rows: Rows, symbol: str) -> bytes:
    out = io.BytesIO()
    pyarrow.feather.write_feather(as_columns(rows, symbol), out)
    return out.getvalue()


def as_epochs(rows: Rows, symbol: str) -> bytes:
    lines = [f"{symbol},{START_US + us},{price!r},{volume}" for us, price, volume in rows]
    return "\n".join(["sym,ts,px,qty", *lines]).encode()


def as_two_columns(rows: Rows, symbol: str) -> bytes:
    lines = [f"{at(us):%d.%m.%Y;%H:%M:%S.%f};{symbol};{price:.4f};{volume}" for us, price, volume in rows]
    return "\n".join(["Datum;Uhrzeit (UTC);Symbol;Kurs;Stück", *lines]).encode("latin-1")


def spelled(spell: Callable[[str], bytes]) -> Callable[[Rows, str], bytes]:
    return lambda rows, symbol: spell(as_text(rows, symbol))


FORMS: dict[str, Callable[[Rows, str], bytes]] = {name: spelled(spell) for name, spell in SPELLINGS.items()} | {
    "JSON lines": lambda rows, symbol: "".join(json.dumps(row) + "\n" for row in as_json(rows, symbol)).encode(),
    "JSON array": lambda rows, symbol: json.dumps(as_json(rows, symbol), indent=1).encode(),
    "Parquet": as_parquet,
    "Feather": as_feather,
    "epochs": as_epochs,
    "two columns": as_two_columns,
}
SYMBOLS = {form: f"S{number:02}" for number, form in enumerate(FORMS)}


def points_of(chain: EmbeddedChain, rows: Rows) -> dict[str, str]:
    """For each symbol, its points' fields and times as text, without what depends on the place in the log."""
    stored = chain.stored()
    (time,) = (name for name in stored.columns if name.startswith("time"))
    names = sorted(set(stored.columns) - {"symbol", "partition", "offset", time})
    assert {"price", "volume", "ma_5", "volatility", "z_score", "is_anomaly", "source"} <= set(names)
    slots = [1_000_000 if us % 1000 == 0 else 1_000 for us, _, _ in rows]
    found = {}
    for symbol in SYMBOLS.values():
        table = stored[stored["symbol"] == symbol].sort_values("offset")
        times = [int(ns) // slot for ns, slot in zip(table[time].astype("int64"), slots, strict=True)]
        found[symbol] = repr((times, [table[name].tolist() for name in names]))  # repr shows every bit of a float
    return found


def test_the_same_ticks_in_any_two_forms_are_the_same_points_to_the_bit(tmp_path: Path) -> None:
    compared: set[tuple[str, str]] = set()

    @settings(max_examples=2, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 2**36), st.floats(0.01, 1e6).map(lambda price: round(price, 4)), st.integers(0, 10**9)
            ),
            min_size=12, max_size=40,
        )
    )  # fmt: skip
    def compare(rows: Rows) -> None:
        """Replay every form into one log, each under its own symbol, and compare the symbols' points."""
        rows = sorted(rows)
        file = tmp_path / f"{len(list(tmp_path.iterdir()))}.db"
        with a_log(file, StopEvent()) as log:
            log.connect()
            for form, symbol in SYMBOLS.items():
                (tmp_path / "ticks").write_bytes(FORMS[form](rows, symbol))
                for tick in replayed(tmp_path / "ticks"):
                    log.publish(tick.symbol.encode(), encode(tick))
            log.flush(60)
        chain = EmbeddedChain(file)
        with working(chain):
            chain.wait_for_points(len(rows) * len(FORMS))
        points = points_of(chain, rows)
        for one, two in combinations(FORMS, 2):
            assert points[SYMBOLS[one]] == points[SYMBOLS[two]], (one, two)
            compared.add((one, two))

    compare()
    assert len(compared) == len(FORMS) * (len(FORMS) - 1) // 2 >= 400

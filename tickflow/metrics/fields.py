"""Every field of a point, declared once: how it is computed, how it is stored, and where people see it.

`Columns` is the table, one line per field. Windows, metrics, points, both stores, the audit, the console, the page and
its CSV are derived from it. To add a field, add a line; see CONTRIBUTING.md.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from tickflow.arrays import Floats, Ints
from tickflow.metrics import formulas
from tickflow.metrics.detectors import zscore
from tickflow.metrics.formulas import deviation, mean

Texts = Sequence[str]
Flags = npt.NDArray[np.bool_]


class Kind(StrEnum):
    """The type of a column. An absent float is NaN, an absent flag is false; the other types are never absent."""

    TAG = "tag"
    TIME = "time"
    FLOAT = "float"
    INTEGER = "integer"
    BOOLEAN = "boolean"


_KINDS: dict[Any, Kind] = {Floats: Kind.FLOAT, Ints: Kind.INTEGER, Flags: Kind.BOOLEAN}


class Unit(StrEnum):
    """The unit of a field."""

    NONE = ""
    PRICE = "price"  # the currency that the symbol is quoted in
    PERCENT = "percent"
    SHARES = "shares"
    DEVIATIONS = "deviations"


@dataclass(frozen=True, slots=True)
class Line:
    """How the page draws a field: the colour token of `assets/page.css`, the width in px, and the dash pattern."""

    color: str = "--measure"
    width: float = 1.25
    dash: str = "solid"


DASHED, DOTTED = "6px,3px", "2px,2px"


def _taken(*_columns: Any) -> Any:
    """The formula of fields that are copied from the tick unchanged."""
    raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Field:
    """A column of `Points`, as its line of the table declares it.

    A field is taken from the tick (`tick` names the column of `TickBatch`), or computed by `formula` from the last
    `window` values of the field `of` and from the fields `after`. `window` is the number of ticks that a value needs.

    `always`: every stored point has the field, whichever version wrote it.

    `label` is the name shown to people; `console` is the label in the terminal, empty if the field is not shown there;
    `summary` says whether the summary shows the field. `panel` is its panel in the chart, `line` its line there.
    `readout` says whether the values above the chart include it, `csv` whether the chart's CSV does. `overview` is its
    key in the rows of the watch list. `digits`: for a price, how many more decimals than the price itself has; else the
    number of decimals.
    """

    name: str
    kind: Kind
    label: str
    unit: Unit = Unit.NONE
    tick: str | None = None
    formula: Callable[..., Any] = _taken
    of: str | None = None
    after: tuple[str, ...] = ()
    window: int = 1
    always: bool = False
    digits: int = 0
    console: str = ""
    summary: bool = False
    panel: str = ""
    line: Line | None = None
    readout: bool = False
    csv: bool = True
    overview: str = ""


def _declared(label: str, **traits: Any) -> Any:
    return field(metadata={"label": label, **traits})


def tag(label: str, tick: str) -> Any:
    """A string that names the series; it is part of a point's identity."""
    return _declared(label, kind=Kind.TAG, tick=tick)


def moment(label: str) -> Any:
    """The time of the point."""
    return _declared(label, kind=Kind.TIME)


def of_tick(tick: str, label: str, unit: Unit = Unit.NONE, **shown: Any) -> Any:
    """A value of the tick itself; `tick` names the column of `TickBatch` that has it."""
    return _declared(label, tick=tick, unit=unit, **shown)


def of_record(label: str) -> Any:
    """A number that locates the record in the log: its partition or its offset."""
    return _declared(label, always=True, csv=False)


def windowed(
    formula: Callable[..., Any], of: str, window: int, label: str, *, after: tuple[str, ...] = (), **shown: Any
) -> Any:
    """A value computed from a window: the last `window` values of the field `of`; absent until all exist.

    `formula` takes an array of shape (window, m) with the oldest value in row 0, and then the columns of the fields
    `after`, which must be declared above. The unit is that of the field `of`, unless `unit` is given.
    """
    return _declared(label, formula=formula, of=of, window=window, after=after, **shown)


def judged(formula: Callable[..., Any], after: tuple[str, ...], window: int, label: str, **shown: Any) -> Any:
    """A flag that a detector's rule raises; the rule takes the columns of the fields `after`, and the threshold."""
    return _declared(label, formula=formula, after=after, window=window, **shown)


@dataclass(frozen=True, slots=True)
class Columns:
    """The table. Each attribute is a column of a batch of points, in the order in which fields are stored and shown.

    `time_ns` is in ns since 1970. An absent float is NaN.
    """

    symbol: Texts = tag("Symbol", "symbols")
    source: Texts = tag("Source", "sources")
    time_ns: Ints = moment("Time")
    price: Floats = of_tick(
        "prices", "Price", Unit.PRICE, always=True, readout=True, panel="y", line=Line("--price", 1.75)
    )
    change_percent: Floats = of_tick("change_percent", "Change", Unit.PERCENT, digits=2, csv=False)
    ma_5: Floats = windowed(mean, "price", 5, "MA5", console="MA5", readout=True, panel="y", line=Line("--ma5"))
    ma_10: Floats = windowed(
        mean, "price", 10, "MA10", console="MA10", readout=True, panel="y", line=Line("--ma10", dash=DASHED)
    )
    ma_20: Floats = windowed(
        mean, "price", 20, "MA20", console="MA20", readout=True, panel="y", line=Line("--ma20", 1.5, DOTTED)
    )
    volatility: Floats = windowed(
        deviation, "price", 10, "Volatility", digits=1, console="vol", summary=True, readout=True,
        panel="y3", line=Line(), overview="volatility",
    )  # fmt: skip
    vol_avg_5: Floats = windowed(mean, "volume", 5, "Volume average of 5", panel="y2", line=Line())
    vol_avg_10: Floats = windowed(mean, "volume", 10, "Volume average of 10", panel="y2", line=Line(dash=DASHED))
    z_score: Floats = windowed(
        formulas.z_score, "price", 10, "|z|", after=("volatility",), unit=Unit.DEVIATIONS, digits=2, console="z",
        readout=True, panel="y4", line=Line(), overview="z",
    )  # fmt: skip
    volume: Floats = of_tick("volumes", "Volume", Unit.SHARES, always=True, readout=True, panel="y2", overview="volume")
    partition: Ints = of_record("Partition")
    offset: Ints = of_record("Offset")
    is_anomaly: Flags = judged(zscore.anomalies, ("z_score",), zscore.WINDOW, "Anomaly", always=True)


def table_of(columns: type[Columns]) -> tuple[Field, ...]:
    """The declared fields, in order. Raises `TypeError` for an inconsistent line."""
    declared: dict[str, dict[str, Any]] = {
        column.name: {"kind": _KINDS.get(column.type)} | dict(column.metadata) for column in fields(columns)
    }
    names = list(declared)
    for at, (name, traits) in enumerate(declared.items()):
        if traits["kind"] is None:
            raise TypeError(f"{name}: a field is Floats, Ints or Flags")
        if not set(names[:at]).issuperset(traits.get("after", ())):
            raise TypeError(f"{name}: the fields it is computed from are declared above it")
        of = traits.get("of")
        if of is None:
            continue
        if traits["kind"] is not Kind.FLOAT or traits["window"] < 1:
            raise TypeError(f"{name}: what a window gives is a column of Floats, over at least one tick")
        if not declared.get(of, {}).get("tick"):
            raise TypeError(f"{name}: a window is over a field of the tick, which {of!r} is not")
        traits.setdefault("unit", declared[of].get("unit", Unit.NONE))
    return tuple(Field(name=name, **traits) for name, traits in declared.items())


TABLE = table_of(Columns)
NAMES = tuple(each.name for each in TABLE)
"""All columns of a point: its tags and time first."""
FLOAT_FIELDS = tuple(each.name for each in TABLE if each.kind is Kind.FLOAT)
INTEGER_FIELDS = tuple(each.name for each in TABLE if each.kind is Kind.INTEGER)
FLAG_FIELDS = tuple(each.name for each in TABLE if each.kind is Kind.BOOLEAN)
FIELDS = (*FLOAT_FIELDS, *INTEGER_FIELDS, *FLAG_FIELDS)
"""The stored columns of a point, except its tags and its time."""
MEASURED = tuple(each for each in TABLE if each.formula is not _taken)

ALWAYS = tuple(each.name for each in TABLE if each.always)
"""The fields that every stored point has, whichever version wrote it. Any other flag is false where it is absent."""

TICK_COLUMNS = {each.name: each.tick for each in TABLE if each.tick is not None}
"""For each field or tag taken from the tick, the column of `TickBatch` that it comes from."""
DEPTHS = {
    name: max(each.window for each in MEASURED if each.of == name)
    for name in TICK_COLUMNS
    if any(each.of == name for each in MEASURED)
}
"""For each field that windows take values from, the length of the longest window over it."""
DEPTH = max(DEPTHS.values())
"""The number of ticks of a symbol in the longest window."""

COMPUTATION = 1
"""Increase this number whenever a formula, a window or the rules of acceptance change a result, even by one bit.

A test fails when the bits change and this number does not.
"""


def version_of(table: Sequence[Field]) -> str:
    """The version of the computation: `COMPUTATION` and a digest of the table.

    Two workers of the same version store the same bits for the same log.
    """
    declared = [(each.name, each.of, each.after, each.window, each.formula.__name__) for each in table]
    return f"{COMPUTATION}-{zlib.crc32(repr(declared).encode()):08x}"


VERSION = version_of(TABLE)

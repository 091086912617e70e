"""How the stored points and the dead letters differ from the expected ones."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tests.oracle.logs import LogRecord
from tests.oracle.points import COLUMNS, FLOATS, METRICS

BY_STORE = "refused by the store"
"""Stands for the reason why the store refuses a tick for good; its real text comes from the store."""
STORE_STAGE = "TASK_PUT"
CUT = 65_536


@dataclass(frozen=True)
class Verdict:
    """How the stored points differ from the expected ones: counts, and the first few differences in words."""

    expected: int
    lost: int
    doubled: int
    foreign: int
    differing: int
    digest: str
    examples: tuple[str, ...]

    @property
    def equal(self) -> bool:
        return not (self.lost or self.doubled or self.foreign or self.differing)

    def __str__(self) -> str:
        return (
            f"{self.expected:,} expected: {self.lost:,} lost, {self.doubled:,} doubled, {self.foreign:,} foreign, "
            f"{self.differing:,} differing; sha256 {self.digest[:16]}"
            + "".join(f"\n  {each}" for each in self.examples)
        )


def compare(expected: pd.DataFrame, stored: pd.DataFrame, tolerance: float = 1e-9, threshold: float = 2.0) -> Verdict:
    """Compare every field of every stored point with the expected one; `tolerance` for floats is relative."""
    place = ["partition", "offset"]
    doubled = int(stored.duplicated(place).sum())
    both = expected.merge(stored, on=place, how="outer", suffixes=("", "_stored"), indicator=True)
    lost = int((both["_merge"] == "left_only").sum())
    foreign = int((both["_merge"] == "right_only").sum())
    matched = both[both["_merge"] == "both"]
    different = pd.Series(False, index=matched.index)
    examples = []
    for column in COLUMNS:
        if column in place:
            continue
        wanted, found = matched[column], matched[f"{column}_stored"]
        if column == "is_anomaly":
            # A score that differs from the threshold only in its last bits may be on either side; the stored flag then
            # only has to agree with the stored score.
            at_threshold = np.isclose(matched["z_score"].astype(float), threshold, rtol=tolerance, atol=0.0)
            by_its_score = found.astype(bool) == (matched["z_score_stored"].astype(float) > threshold)
            same = by_its_score.to_numpy() & ((wanted == found).to_numpy() | at_threshold)
        elif column in FLOATS:
            # Subtracting ma_10 from the price cancels digits: a score near 0 has a small absolute but a large relative
            # error.
            floor = tolerance if column == "z_score" else 0.0
            same = np.isclose(wanted.astype(float), found.astype(float), rtol=tolerance, atol=floor, equal_nan=True)
        else:
            same = (wanted == found).to_numpy()
        for index in matched.index[~same][:3]:
            row = matched.loc[index]
            examples.append(
                f"{row['symbol']} {row['partition']}/{row['offset']} {column}: {wanted[index]} {found[index]}"
            )
        different |= ~same
    return Verdict(
        expected=len(expected),
        lost=lost,
        doubled=doubled,
        foreign=foreign,
        differing=int(different.sum()),
        digest=digest(stored),
        examples=tuple(examples[:10]),
    )


def digest(points: pd.DataFrame) -> str:
    """The SHA-256 over every bit of every point, in the order of partition and offset."""
    ordered = points.sort_values(["partition", "offset", "time_ns"])
    lines = ordered.to_csv(index=False, float_format="%.17g", columns=list(COLUMNS))
    return hashlib.sha256(lines.encode()).hexdigest()


def metrics_by_symbol(points: pd.DataFrame) -> dict[str, list[tuple[float, ...]]]:
    """Each symbol's metrics, tick by tick in log order, which both stacks must store with the same bits."""
    ordered = points.sort_values(["partition", "offset"])
    columns = ["price", "volume", *METRICS]
    return {
        str(symbol): [tuple(row) for row in group[columns].to_numpy(dtype=float)]
        for symbol, group in ordered.groupby("symbol")
    }


@dataclass(frozen=True)
class LettersVerdict:
    """How the dead letters differ from the expected ones; a repeated letter does not count as a difference."""

    expected: int
    lost: int
    foreign: int
    differing: int
    repeated: int
    examples: tuple[str, ...]

    @property
    def equal(self) -> bool:
        return not (self.lost or self.foreign or self.differing)

    def __str__(self) -> str:
        return (
            f"{self.expected:,} dead letters expected: {self.lost:,} lost, {self.foreign:,} foreign, "
            f"{self.differing:,} differing, {self.repeated:,} came again"
            + "".join(f"\n  {each}" for each in self.examples)
        )


def _is_cut_of(letter: LogRecord, headers: Mapping[str, str], record: LogRecord) -> bool:
    """Whether the letter holds the first 64 KiB of the record's value, and the size and digest of the whole value."""
    value = record.value or b""
    said = (str(len(value)), hashlib.sha256(value).hexdigest())
    return (
        len(value) > CUT
        and letter.value == value[:CUT]
        and said == (headers.get("tickflow.value.bytes"), headers.get("tickflow.value.sha256"))
    )


def compare_letters(
    expected: Mapping[tuple[int, int], tuple[LogRecord, str]], found: Sequence[LogRecord], topic: str
) -> LettersVerdict:
    """Compare each dead letter with its record: value, key, reason and place."""
    examples: list[str] = []
    seen: set[tuple[int, int]] = set()
    foreign = differing = 0
    for letter in found:
        headers = {name.removeprefix("__connect.errors."): value.decode() for name, value in letter.headers}
        place = int(headers["partition"]), int(headers["offset"])
        if place not in expected:
            foreign += 1
            examples.append(f"{place} was not to be refused: {headers}")
            continue
        record, reason = expected[place]
        seen.add(place)
        if reason == BY_STORE:
            differing += headers["stage"] != STORE_STAGE
            continue
        wanted = (topic, reason, record.key, record.value)
        value = record.value if _is_cut_of(letter, headers, record) else letter.value
        if wanted != (headers["topic"], headers["exception.message"], letter.key, value):
            differing += 1
            examples.append(f"{place}: {reason} expected of {record.value!r}, found {headers['exception.message']}")
    lost = expected.keys() - seen
    examples += [f"{place}: {expected[place][1]} is missing" for place in sorted(lost)]
    return LettersVerdict(
        len(expected), len(lost), foreign, differing, len(found) - foreign - len(seen), tuple(examples[:5])
    )

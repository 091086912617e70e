"""The newest point of every symbol, in columns where newer points replace older ones."""

from collections.abc import Mapping
from typing import Any

from tickflow.metrics.fields import NAMES
from tickflow.metrics.points import Points


def places(points: Points) -> dict[str, int]:
    """The index of each symbol's point."""
    return {symbol: at for at, symbol in enumerate(points.symbol)}


def replaced(points: Points, place: Mapping[str, int], newer: Points) -> Points:
    """The points, with each point of `newer` in place of the older point of its symbol."""
    at = [place[symbol] for symbol in newer.symbol]
    columns: dict[str, Any] = {}
    for name in NAMES:
        values, news = getattr(points, name).copy(), getattr(newer, name)
        if isinstance(values, list):
            for i, value in zip(at, news, strict=True):
                values[i] = value
        else:
            values[at] = news
        columns[name] = values
    return Points(**columns)

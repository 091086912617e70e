"""Reads the terms of alerts from the settings, and the file of calibrated thresholds."""

from pathlib import Path
from typing import Protocol

import msgspec

from tickflow.alerts import budget as budgets
from tickflow.alerts import rules
from tickflow.alerts.watch import Terms
from tickflow.errors import SettingError
from tickflow.sessions import Sessions


class AlertSettings(Protocol):
    """The settings that determine which alerts are raised; `config.Settings` has them."""

    @property
    def alert_budget(self) -> str: ...  # noqa: D102 - each is a key of .env.example
    @property
    def alert_follow(self) -> bool: ...  # noqa: D102
    @property
    def alert_min_move(self) -> float: ...  # noqa: D102
    @property
    def alert_detectors(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def alert_rules(self) -> str | None: ...  # noqa: D102
    @property
    def market(self) -> str: ...  # noqa: D102
    @property
    def alert_thresholds(self) -> Path | None: ...  # noqa: D102


class Calibrated(msgspec.Struct):
    """One calibrated threshold with its 95 % interval; `expected` is the number of alerts that the budget allows in the
    recorded data.
    """

    detector: str
    symbol: str
    threshold: float
    low: float
    high: float
    expected: float


class Calibration(msgspec.Struct):
    """What `calibrate` writes: thresholds for one budget."""

    budget: str
    thresholds: list[Calibrated]


def terms_of(settings: AlertSettings) -> Terms:
    """The terms that the settings describe. Raises `SettingError` for a file of thresholds that cannot be used."""
    path = settings.alert_thresholds
    calibrated = [] if path is None else read(path).thresholds
    return Terms(
        budget=budgets.parse(settings.alert_budget),
        follows=settings.alert_follow,
        least_move=settings.alert_min_move / 100,
        detectors=frozenset(settings.alert_detectors),
        rules=rules.parse(settings.alert_rules or ""),
        sessions=Sessions(settings.market),
        thresholds={(each.detector, each.symbol): each.threshold for each in calibrated},
    )


def read(path: Path) -> Calibration:
    """The thresholds stored in a file. Raises `SettingError`."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Calibration)
    except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
        expected = f"a file that `stock_analytics.py calibrate` wrote ({error})"
        raise SettingError("ALERT_THRESHOLDS", str(path), expected) from error


def write(path: Path, calibration: Calibration) -> None:
    """Write thresholds to a file as JSON that people can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(calibration), indent=1) + b"\n")

"""The producer's flags for replays, and the options for reading files that the settings define."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from typing import Protocol

from tickflow.errors import SettingError
from tickflow.sources.files.names import parse_columns
from tickflow.sources.files.options import Options

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "REPLAY_TIMEZONE": "--timezone",
        "REPLAY_SYMBOL": "--symbol",
        "REPLAY_COLUMNS": "--columns",
        "REPLAY_DATES": "--dates",
        "REPLAY_DECIMAL": "--decimal",
        "REPLAY_EPOCH": "--epoch",
        "REPLAY_BARS": "--bars",
        "REPLAY_BAR_LENGTH": "--bar-length",
        "REPLAY_QUOTES": "--quotes",
        "REPLAY_SORT": "--sort",
    }
)
"""Short alternative names of the flags that say how a file is read."""


class ReplaySettings(Protocol):
    """The settings that say how a file is read; `config.Settings` has them."""

    @property
    def replay_timezone(self) -> str | None: ...  # noqa: D102 - .env.example documents each of these settings
    @property
    def replay_symbol(self) -> str | None: ...  # noqa: D102
    @property
    def replay_columns(self) -> str | None: ...  # noqa: D102
    @property
    def replay_dates(self) -> str | None: ...  # noqa: D102
    @property
    def replay_decimal(self) -> str | None: ...  # noqa: D102
    @property
    def replay_epoch(self) -> str | None: ...  # noqa: D102
    @property
    def replay_bars(self) -> str: ...  # noqa: D102
    @property
    def replay_bar_length(self) -> float | None: ...  # noqa: D102
    @property
    def replay_quotes(self) -> str: ...  # noqa: D102
    @property
    def replay_sort(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class ReplayFlags:
    """How to play one replay: which part of the files, and whether to loop, to shift times, to resume, or to
    let readers of the page steer it.
    """

    symbols: tuple[str, ...] = ()
    begin: str | None = None
    end: str | None = None
    loop: bool = False
    shift: bool = False
    resume: bool = False
    steer: bool = False


def add_replay_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `ReplayFlags`, and --explain, to the parser."""
    group = parser.add_argument_group("replayed files")
    group.add_argument(
        "--explain", action="store_true", help="show what the file was understood as, and publish nothing"
    )
    time = "RFC 3339 with a zone; without one, --timezone must say it"
    group.add_argument("--from", dest="begin", metavar="TIME", help=f"leave out ticks before this time ({time})")
    group.add_argument("--to", dest="end", metavar="TIME", help="leave out ticks at this time or later")
    group.add_argument("--loop", action="store_true", help="start again at the end, until asked to stop")
    text = "shift all times so that the first tick is now; the source stays replay"
    group.add_argument("--shift-to", metavar="now", help=text)
    text = "continue after the last tick that an interrupted run of the same replay has published"
    group.add_argument("--resume", action="store_true", help=text)
    text = "let operators of the page pause it, change its speed, and jump to a time; needs the store's settings"
    group.add_argument("--steer", action="store_true", help=text)


def replay_flags_of(arguments: argparse.Namespace) -> ReplayFlags:
    """The flags that the parsed arguments state. Raises `SettingError`."""
    if arguments.shift_to not in (None, "now"):
        raise SettingError("--shift-to", arguments.shift_to, "now")
    shift = arguments.shift_to == "now"
    if arguments.resume and (arguments.loop or shift):
        raise SettingError("--resume", None, "--resume without --loop and --shift-to, whose ticks differ in each run")
    if arguments.steer and (arguments.loop or shift):
        raise SettingError(
            "--steer", None, "--steer without --loop and --shift-to, since a jump goes to a recorded time"
        )
    symbols = tuple(part.strip() for part in (arguments.SYMBOLS or "").split(",") if part.strip())
    return ReplayFlags(
        symbols, arguments.begin, arguments.end, arguments.loop, shift, arguments.resume, arguments.steer
    )


def options_of(settings: ReplaySettings) -> Options:
    """The options for reading a file that the settings define."""
    length = settings.replay_bar_length
    return Options(
        timezone=settings.replay_timezone,
        symbol=settings.replay_symbol,
        columns=parse_columns(settings.replay_columns) if settings.replay_columns else {},
        dates=settings.replay_dates,
        decimal=settings.replay_decimal,
        epoch=settings.replay_epoch,
        bars=settings.replay_bars,
        bar_us=None if length is None else -1 if length == -1 else round(length * 1_000_000),
        quotes=settings.replay_quotes,
        sort=settings.replay_sort,
    )


def moment_us(flag: str, text: str | None, zone: str | None) -> int | None:
    """Parse a time given to `flag` into microseconds since 1970. Raises `SettingError`.

    >>> moment_us("--from", "2024-01-05 09:30", "America/New_York") == moment_us("--to", "2024-01-05T14:30Z", None)
    True
    """
    if text is None:
        return None
    from tickflow.sources.files.times import read_time
    from tickflow.sources.files.zones import zone_of

    found = read_time(text)
    if found is None:
        raise SettingError(flag, text, "a time such as 2024-01-05T14:30:00Z")
    if found.zoned:
        return found.us
    if zone is None:
        raise SettingError(flag, text, "a time with its zone, such as 2024-01-05T14:30:00Z, or --timezone as well")
    place: tzinfo = zone_of(zone)
    wall = datetime.fromtimestamp(found.us / 1e6, UTC).replace(tzinfo=place)
    return round(wall.timestamp() * 1_000_000)

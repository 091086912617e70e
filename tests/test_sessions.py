"""The computed hours of exchanges equal those that each exchange announced."""

import itertools
import subprocess
import sys
import warnings
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import exchange_calendars
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.forms import often
from tickflow.sessions import KEPT, NEW_YORK, Session, Sessions, from_file, from_library, is_market

ALL = ("XNYS", "XLON", "XTKS", "XHKG", "CMES", "24/7")
OPENED = {name: Sessions(name) for name in ALL}


def ns(text: str, zone: str = "America/New_York") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2013-10-07T09:29:59", False),
        ("2013-10-07T09:30:00", True),
        ("2013-10-07T15:59:59", True),
        ("2013-10-07T16:00:00", False),
        ("2013-10-06T12:00:00", False),  # a Sunday
        ("2024-07-04T12:00:00", False),  # Independence Day
        ("2024-11-29T12:59:59", True),  # the day after Thanksgiving
        ("2024-11-29T13:00:00", False),
        ("2025-01-09T12:00:00", False),  # the day of mourning for President Carter
        ("2012-10-29T12:00:00", False),  # a hurricane
        ("2024-03-08T09:30:00", True),  # before and after the clocks changed, on March 10
        ("2024-03-11T09:30:00", True),
        ("2024-03-11T09:29:59", False),
        ("2024-11-04T15:59:59", True),  # after they changed back
        ("2024-11-04T16:00:00", False),
    ],
)
def test_new_yorks_hours_match_its_published_calendar(moment: str, *, is_open: bool) -> None:
    assert NEW_YORK.is_open(ns(moment)) is is_open


def test_a_session_has_hours_before_and_after_and_half_days_end_early() -> None:
    def clock(session: Session | None) -> list[str]:
        assert session is not None
        bounds = (session.before, session.open, session.close, session.after)
        return [f"{datetime.fromtimestamp(each // 10**9, ZoneInfo('America/New_York')):%H:%M}" for each in bounds]

    usual, half = NEW_YORK.on(date(2013, 10, 7)), NEW_YORK.on(date(2024, 11, 29))
    assert clock(usual) == ["04:00", "09:30", "16:00", "20:00"]
    assert clock(half) == ["04:00", "09:30", "13:00", "17:00"]
    assert usual is not None
    assert half is not None
    assert (usual.is_half, half.is_half) == (False, True)
    assert NEW_YORK.on(date(2024, 7, 4)) is None


def test_a_moment_belongs_to_the_session_in_whose_hours_it_lies() -> None:
    monday = NEW_YORK.on(date(2013, 10, 7))
    for moment in ("04:00:00", "09:29:59", "12:00:00", "19:59:59"):
        assert NEW_YORK.session_of(ns(f"2013-10-07T{moment}")) == monday
    for moment in ("2013-10-07T03:59:59", "2013-10-07T20:00:00", "2013-10-06T12:00:00"):
        assert NEW_YORK.session_of(ns(moment)) is None
    assert NEW_YORK.latest(ns("2013-10-07T09:29:59")) == NEW_YORK.on(date(2013, 10, 4))
    assert NEW_YORK.latest(ns("2013-10-08T09:29:59")) == monday
    assert monday is not None
    assert NEW_YORK.previous(monday) == NEW_YORK.on(date(2013, 10, 4))
    assert NEW_YORK.between(ns("2013-10-04T20:00:00"), ns("2013-10-08T04:00:00")) == [monday]


def test_the_next_opening_skips_nights_weekends_and_holidays() -> None:
    assert NEW_YORK.next_open(ns("2013-10-07T12:00:00")) == ns("2013-10-07T12:00:00")
    assert NEW_YORK.next_open(ns("2013-10-07T16:00:00")) == ns("2013-10-08T09:30:00")
    assert NEW_YORK.next_open(ns("2024-11-29T13:00:00")) == ns("2024-12-02T09:30:00")
    assert NEW_YORK.next_open(ns("2150-01-01T12:00:00")) is None


def test_tokyo_pauses_for_lunch() -> None:
    tokyo = Sessions("XTKS")
    assert tokyo.is_open(ns("2024-07-05T11:29:59", "Asia/Tokyo"))
    assert not tokyo.is_open(ns("2024-07-05T11:30:00", "Asia/Tokyo"))
    assert tokyo.next_open(ns("2024-07-05T12:00:00", "Asia/Tokyo")) == ns("2024-07-05T12:30:00", "Asia/Tokyo")
    assert tokyo.session_of(ns("2024-07-05T12:00:00", "Asia/Tokyo")) == tokyo.on(date(2024, 7, 5))
    assert tokyo.zone.key == "Asia/Tokyo"


def test_a_market_without_hours_is_always_open() -> None:
    always = Sessions("24/7")
    moments = np.arange(0, 4_000_000_000 * 10**9, 86_399 * 10**9)
    assert always.are_open(moments).all()
    assert always.open_ns(0, 10**18) == 10**18
    assert {each.is_half for each in always.between(0, 10**17)} == {False}


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=often(25, 100))
@given(moments=st.lists(st.integers(1_136_073_600, 1_767_225_600), min_size=1, max_size=40))
def test_each_moment_agrees_with_the_library(name: str, moments: list[int]) -> None:
    kept = OPENED[name]
    near = [edge for each in moments for edge in (each, _edge(kept, each), _edge(kept, each) - 1)]
    found = kept.are_open(np.array(near, dtype=np.int64) * 10**9).tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library uses functions that pandas 3.1 deprecates
        library = exchange_calendars.get_calendar(name, start="2005-06-01", end="2026-06-30")
        times = [pd.Timestamp(each, unit="s", tz="UTC") for each in near]
        assert found == [library.is_open_at_time(each, side="left") for each in times]


def _edge(sessions: Sessions, second: int) -> int:
    session = sessions.latest(second * 10**9)
    assert session is not None
    return (session.close if second % 2 else session.open) // 10**9


@given(moments=st.lists(st.integers(946_684_800, 1_893_456_000), min_size=3, max_size=3))
def test_open_time_adds_up(moments: list[int]) -> None:
    begin, middle, end = (each * 10**9 for each in sorted(moments))
    for sessions in OPENED.values():
        parts = sessions.open_ns(begin, middle) + sessions.open_ns(middle, end)
        assert parts == sessions.open_ns(begin, end) <= end - begin
        opened = sessions.next_open(begin)
        assert opened is not None
        assert sessions.open_ns(begin, opened) == 0


def test_sessions_lie_one_after_another() -> None:
    for sessions in OPENED.values():
        found = sessions.between(0, ns("2045-01-01T00:00:00"))
        assert len(found) > 10_000
        for one, next_one in itertools.pairwise(found):
            assert one.before <= one.open < one.close <= one.after <= next_one.before


def test_a_market_is_known_by_its_code() -> None:
    assert [name for name in ("XNYS", "NYSE", "24/7", "XPAR", "xnys", "Mars", "") if is_market(name)] == [
        "XNYS",
        "NYSE",
        "24/7",
        "XPAR",
    ]


@pytest.mark.parametrize("market", KEPT)
def test_the_kept_calendars_equal_the_librarys(market: str) -> None:
    kept, librarys = from_file(market), from_library(market)
    assert len(kept.days) > 30_000
    assert kept.zone == librarys.zone
    for name in ("days", "before", "opens", "closes", "pauses", "resumes"):
        is_absent = getattr(librarys, name) < 0
        assert np.array_equal(np.where(is_absent, -1, getattr(librarys, name)), getattr(kept, name)), "make calendars"


@pytest.mark.parametrize("market", KEPT)
def test_the_kept_calendars_need_no_pandas(market: str) -> None:
    code = f"import sys; from tickflow.sessions import Sessions; Sessions({market!r}).load(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pandas", "exchange_calendars"} & set(done.stdout.split())


def test_creating_sessions_loads_nothing() -> None:
    code = "import sys; from tickflow.sessions import Sessions; Sessions('XNYS').zone; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pandas", "exchange_calendars"} & set(done.stdout.split())


def test_the_close_of_a_day_is_in_utc() -> None:
    assert NEW_YORK.close_of(date(2024, 11, 29)) == datetime(2024, 11, 29, 18, tzinfo=UTC)
    assert NEW_YORK.close_of(date(2026, 1, 4)) == datetime(2026, 1, 4, 21, tzinfo=UTC)  # a Sunday has the usual hour

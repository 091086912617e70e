import itertools
import json
import re
from datetime import UTC, datetime
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plotly.io.json import to_json_plotly

from tests.fakes import Feed
from tests.point_examples import MORNING, SECOND, a_row, points_of
from tests.scripts import PROJECT
from tickflow.dashboard.drawing import clock, figures
from tickflow.dashboard.drawing.figures import directions, extension, figure
from tickflow.dashboard.drawing.traces import LINES, TRACES, facts
from tickflow.metrics.points import Points

PRICES = [100.0, 101.0, 101.0, 99.0, 100.0, 100.5, 100.0, 99.5, 100.0, 100.0, 130.0, 60.0]


def drawn(rows: Points) -> figures.Figure:
    return figure(rows, rows.volume, symbol="AAPL", revision="AAPL 15m", threshold=2.0)


def named(drawing: figures.Figure, name: str) -> figures.Figure:
    (trace,) = [trace for trace in drawing["data"] if trace["name"] == name]
    return trace  # type: ignore[no-any-return]  # the figure's dict is free in form


def test_a_figure_is_one_that_plotly_knows() -> None:
    def painted(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: painted(value) for key, value in part.items()}
        if isinstance(part, list):
            return [painted(value) for value in part]
        return "#123456" if isinstance(part, str) and part.startswith("--") else part

    as_sent = json.loads(to_json_plotly(drawn(Feed().points("AAPL", PRICES))))
    go.Figure(painted(as_sent), skip_invalid=False)  # raises for unknown properties


def test_every_colour_is_a_token_of_the_style_sheet() -> None:
    text = to_json_plotly(drawn(Feed().points("AAPL", PRICES)))
    tokens = set(re.findall(r'"(--[a-z0-9]+)"', text))
    assert len(tokens) > 8
    assert not re.search(r'"#|"rgb', text)
    style = (PROJECT / "assets" / "page.css").read_text(encoding="utf-8")
    light, dark = style.split('[data-mantine-color-scheme="dark"] {', 1)
    for token in tokens:
        assert f"{token}:" in light
        assert f"{token}:" in dark.split("}")[0], f"{token} has no colour in the dark"


def test_what_is_absent_is_a_gap_never_a_number() -> None:
    as_sent = json.loads(to_json_plotly(drawn(Feed().points("AAPL", PRICES[:6]))))
    assert as_sent["data"][1]["name"] == "MA5"
    assert as_sent["data"][1]["y"][:4] == [None] * 4
    assert None not in as_sent["data"][1]["y"][4:]
    assert as_sent["data"][3]["y"] == [None] * 6


def test_all_panels_stand_on_one_time_axis_and_do_not_overlap() -> None:
    drawing = drawn(Feed().points("AAPL", PRICES))
    assert {trace["yaxis"] for trace in drawing["data"]} == {"y", "y2", "y3", "y4"}
    assert not any("xaxis" in trace for trace in drawing["data"])
    domains = sorted(drawing["layout"][f"yaxis{number}"]["domain"] for number in ("", "2", "3", "4"))
    assert all(below[1] < above[0] for below, above in itertools.pairwise(domains))
    assert domains[-1][1] - domains[-1][0] > 0.5, "the price takes over half of the height"


def test_the_threshold_is_drawn_in_the_panel_of_z() -> None:
    (line,) = drawn(Feed().points("AAPL", PRICES))["layout"]["shapes"]
    assert (line["yref"], line["y0"], line["y1"]) == ("y4", 2.0, 2.0)


def test_exactly_the_anomalies_are_marked_by_where_they_lie_to_their_average() -> None:
    rows = points_of(
        a_row(time_ns=MORNING, price=10.0, ma_10=9.0, is_anomaly=True),
        a_row(time_ns=MORNING + SECOND, price=10.0, ma_10=9.0),
        a_row(time_ns=MORNING + 2 * SECOND, price=8.0, ma_10=9.0, is_anomaly=True),
    )
    times = clock.wall_ms(rows.time_ns)
    drawing = drawn(rows)
    assert [times[0]] == named(drawing, "Anomaly, high")["x"].tolist()
    assert [times[2]] == named(drawing, "Anomaly, low")["x"].tolist()


def test_each_anomaly_brings_what_its_mark_cannot_show() -> None:
    rows = points_of(
        a_row(time_ns=MORNING, volume=30, vol_avg_10=20.0, partition=1, offset=7, is_anomaly=True),
        a_row(time_ns=MORNING + SECOND, offset=8),
        a_row(time_ns=MORNING + 2 * SECOND, volume=30, vol_avg_10=None, partition=1, offset=9, is_anomaly=True),
    )
    times = clock.wall_ms(rows.time_ns)
    assert drawn(rows)["layout"]["meta"]["evidence"] == [[times[0], 1, 7, 1.5], [times[2], 1, 9, None]]


def test_each_volume_is_a_stem_in_the_trace_of_its_direction() -> None:
    drawing = drawn(Feed().points("AAPL", [5.0, 6.0, 6.0, 4.0], volume=70))
    up, down = named(drawing, "Volume, up")["y"], named(drawing, "Volume, down")["y"]
    assert up[1:9:3].tolist() == [70.0, 70.0, 70.0]
    assert np.isnan(up[9:]).all()
    assert np.isnan(down[:9]).all()
    assert down[9:11].tolist() == [0.0, 70.0]


@given(st.lists(st.floats(1, 1000), min_size=2, max_size=60), st.data())
def test_a_figure_extended_is_the_figure_of_all_rows(prices: list[float], data: st.DataObject) -> None:
    at = data.draw(st.integers(1, len(prices) - 1))
    rows = Feed().points("AAPL", prices)
    first, rest = rows.take(np.arange(at)), rows.take(np.arange(at, len(rows)))
    before = drawn(first)["data"]
    added = extension(rest, float(first.price[-1]), int(directions(first.price)[-1]), 2.0)
    whole = drawn(rows)["data"]
    for number, trace in enumerate(whole):
        for column in ("x", "y"):
            joined = np.concatenate([before[number][column], added[column][number]])
            np.testing.assert_array_equal(trace[column], joined, err_msg=f"{trace['name']} {column}")


def test_an_extension_serves_every_trace() -> None:
    rows = Feed().points("AAPL", PRICES)
    added = extension(rows, 100.0, 1, 2.0)
    assert {"x", "y"} == set(added)
    assert TRACES == len(added["x"]) == len(added["y"]) == len(drawn(rows)["data"])


@given(st.lists(st.floats(1, 1000), min_size=1, max_size=50))
def test_no_direction_is_ever_neither(prices: list[float]) -> None:
    assert set(directions(np.array(prices)).tolist()) <= {1, -1}


def test_no_colour_stands_for_two_things() -> None:
    drawing = drawn(Feed().points("AAPL", PRICES))
    averages = {named(drawing, name)["line"]["color"] for name in ("MA5", "MA10", "MA20")}
    directions_ = {named(drawing, name)["line"]["color"] for name in ("Volume, up", "Volume, down")}
    marks = {named(drawing, name)["marker"]["color"] for name in ("Anomaly, high", "Anomaly, low")}
    assert not averages & directions_ and not marks & (averages | directions_)  # noqa: PT018 - one fact
    dashes = {named(drawing, name)["line"]["dash"] for name in ("MA5", "MA10", "MA20")}
    assert len(dashes) == 3, "and the averages are told apart without colour"


def test_the_facts_for_the_browser_point_at_the_traces_that_a_figure_has() -> None:
    told, data = facts(), drawn(Feed().points("AAPL", PRICES))["data"]
    by_trace = {each["trace"]: each for each in told["fields"] if each["trace"] is not None}
    assert sorted(by_trace) == list(range(len(LINES)))
    for trace, each in by_trace.items():
        assert (data[trace]["name"], data[trace]["line"]["color"]) == (each["label"], each["color"])
        assert data[trace]["yaxis"] == each["panel"]
    assert [data[at]["name"].split(",")[0] for at in told["marks"] + told["stems"]] == ["Anomaly"] * 2 + ["Volume"] * 2
    assert [data[at]["name"] for at in told["band"]] == ["Band, low", "Band"]
    assert told["candles"] == len(data) == TRACES


@pytest.mark.parametrize(
    ("moment", "wall"),
    [
        (datetime(2013, 10, 7, 13, 30, tzinfo=UTC), "09:30"),
        (datetime(2026, 1, 5, 14, 30, tzinfo=UTC), "09:30"),
        (datetime(2026, 3, 8, 6, 59, tzinfo=UTC), "01:59"),
        (datetime(2026, 3, 8, 7, 0, tzinfo=UTC), "03:00"),
        (datetime(2026, 11, 1, 6, 30, tzinfo=UTC), "01:30"),
    ],
)
def test_the_axis_shows_new_york_time(moment: datetime, wall: str) -> None:
    (ms,) = clock.wall_ms(np.array([int(moment.timestamp()) * SECOND])).tolist()
    assert wall == datetime.fromtimestamp(ms / 1000, UTC).strftime("%H:%M")


@given(st.integers(1_300_000_000, 1_900_000_000), st.integers(0, 400 * 86_400), st.floats(0, 1))
def test_utc_is_found_again_from_wall_time(first: int, length: int, part: float) -> None:
    moment = first + int(part * length)
    wall = float(clock.wall_ms(np.array([moment * SECOND]))[0])
    found = clock.offsets(first * SECOND, (first + length) * SECOND)
    offset = [its for start, its in found if wall >= start][-1]
    repeated = 3_600_000  # the hour that a clock set back repeats
    assert wall - offset in (moment * 1000.0, moment * 1000.0 + repeated)

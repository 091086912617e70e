"""The check of callbacks' bodies is complete and strict, and accepts everything that the page posts."""

import json
import random
from collections.abc import Iterator
from typing import Any, get_type_hints

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from config import Settings
from stock_dashboard import StockDashboard
from tests.dashboard.test_dashboard import UPDATE, asked, delta, drawing
from tests.fakes import Feed, MemoryAcks, MemoryStore
from tickflow.dashboard import shapes
from tickflow.dashboard.asked import Bodies, Refused, is_of_the_server
from tickflow.dashboard.queries import hours, view
from tickflow.dashboard.security import NEEDED
from tickflow.dashboard.shapes import SHAPES

STORE = MemoryStore()
STORE.write(Feed().points("AAPL", [100.0, 101.0]))
DASHBOARD = StockDashboard(Settings(), store=STORE, acks=MemoryAcks())
BODIES = Bodies(DASHBOARD.app.callback_map)


@pytest.fixture(scope="module")
def client() -> Iterator[FlaskClient]:
    DASHBOARD.gate.start().join()
    with DASHBOARD.app.server.test_client() as client:
        yield client


@pytest.fixture(scope="module")
def drawn(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = drawing(client)["drawn"]
    return found


def test_every_callback_of_the_server_has_a_shape_of_its_inputs_and_states() -> None:
    """Without a row in SHAPES, every request to a new callback is refused."""
    theirs = {
        output: (len(callback["inputs"]), len(callback["state"]))
        for output, callback in DASHBOARD.app.callback_map.items()
        if is_of_the_server(callback)
    }
    assert {output: (len(shape.inputs), len(shape.states)) for output, shape in SHAPES.items()} == theirs


@pytest.mark.parametrize("name", ["View", "Drawn", "Multiple"])
def test_a_shape_has_the_fields_that_the_page_keeps(name: str) -> None:
    assert set(getattr(shapes, name).__struct_fields__) == set(get_type_hints(getattr(view, name)))


def test_a_session_has_the_fields_that_the_page_keeps() -> None:
    assert set(shapes.Day.__struct_fields__) == set(get_type_hints(hours.Day))


def test_a_callback_without_a_shape_is_refused() -> None:
    body = json.dumps(asked("drawing", [None, None], [])).encode()
    assert BODIES.checked(body)
    some = {output: shape for output, shape in SHAPES.items() if output != "drawing.data"}
    with pytest.raises(Refused, match="does not name a callback"):
        Bodies(DASHBOARD.app.callback_map, some).checked(body)


def test_a_checked_body_has_the_same_values(drawn: dict[str, Any]) -> None:
    body = asked("delta", [7], [drawn, {"0": 1, "newest_us": 5}, None])
    assert json.loads(BODIES.checked(json.dumps(body).encode()).body) == body


def test_the_values_of_a_drawing_are_taken_back(client: FlaskClient) -> None:
    for chosen in (
        {"symbol": "AAPL", "range": "all", "candles": "auto", "overview": True},
        {"symbol": "AAPL", "range": "5m", "period": [1e12, 2e12], "symbols": ["AAPL", "MSFT"]},
    ):
        response = client.post(UPDATE, json=asked("drawing", [chosen, {"id": None, "at": 5.5, "wait": 10000}], []))
        answer = response.json["response"]["drawing"]["data"]  # type: ignore[index]  # the answer has Dash's form
        assert delta(client, answer["drawn"], answer["watch"]["cursors"])["of"] == answer["drawn"]["id"]


WRONG: dict[str, object] = {
    "id": "deadbeef-1'", "symbol": "=aapl", "range": "2h", "period": [5, 4], "candles": "2m", "symbols": ["A"] * 2,
    "multiples": [{}], "overview": 1, "paused": None, "range_ms": -1, "cursors": {"x": 1}, "first_us": -1,
    "newest_us": 2**63, "count": 21, "price": 1e13, "direction": 2, "gap_s": -1, "rows": "5", "room": 5_001,
    "total": 1.5, "kind": "lines", "width_ns": -5, "follows": 1, "begin_us": -1,
    "last": {"ma_5": "x"}, "trading": 1, "sight": [5], "threshold": 99, "offsets": [[1]], "day": {"open_us": 1},
    "source": "A B", "failed": 0,
}  # fmt: skip


@pytest.mark.parametrize("field", sorted(view.Drawn.__annotations__))
def test_a_field_out_of_its_range_is_refused(client: FlaskClient, drawn: dict[str, Any], field: str) -> None:
    wrong = {**drawn, field: WRONG[field]}
    assert client.post(UPDATE, json=asked("delta", [1], [wrong, None, None])).status_code == 400


def test_more_than_twelve_small_charts_are_refused(client: FlaskClient) -> None:
    for count, status in ((12, 200), (13, 400)):
        chosen = {"symbol": None, "range": "5m", "symbols": [f"S{each}" for each in range(count)]}
        assert client.post(UPDATE, json=asked("drawing", [chosen, None], [])).status_code == status


def mutated(body: dict[str, Any], choose: random.Random) -> object:
    """The body with one random change."""
    odd: list[object] = [None, True, -1, 2**70, 1e308, "", "x" * 50, [], {}, [[]] * 30, {"a": 1}, "\u0000\x1b", 0.5]
    path: list[tuple[Any, Any]] = []
    place: Any = body
    while isinstance(place, dict | list) and place:
        key = choose.choice(list(place)) if isinstance(place, dict) else choose.randrange(len(place))
        path.append((place, key))
        if choose.random() < 0.2:
            break
        place = place[key]
    holder, key = path[-1]
    how = choose.random()
    if how < 0.2 and isinstance(holder, dict):
        del holder[key]
    elif how < 0.4 and isinstance(holder, dict):
        holder[f"{key}x"] = choose.choice(odd)
    else:
        holder[key] = choose.choice(odd)
    return body


def test_a_changed_body_never_causes_a_server_error(client: FlaskClient, drawn: dict[str, Any]) -> None:
    choose = random.Random(12)
    statuses = {200: 0, 400: 0}
    for _ in range(1_500):
        small = {
            "symbol": "AAPL",
            "range": "1h",
            "period": None,
            "candles": "1m",
            "symbols": ["MSFT"],
            "overview": True,
        }
        body = choose.choice([
            asked("delta", [3], [drawn, {"0": 5, "newest_us": 9}, 77]),
            asked("drawing", [small, {"id": drawn["id"], "at": 1.5, "wait": 10_000}], []),
        ])  # fmt: skip
        response = client.post(UPDATE, json=mutated(json.loads(json.dumps(body)), choose))
        statuses[response.status_code] += 1
    assert statuses[400] > 1_000


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_without_a_server_error(body: bytes) -> None:
    with pytest.raises(Refused):
        BODIES.checked(body)


@pytest.mark.parametrize(
    "body", [b"[" * 30_000, b'{"a":' * 10_000, b'{"output":"drawing.data","inputs":' + b"[" * 9_000]
)
def test_deep_nesting_is_refused_without_a_server_error(body: bytes) -> None:
    with pytest.raises(Refused):
        BODIES.checked(body)


def test_a_refusal_is_one_line_that_shows_nothing_from_outside(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    body = asked("drawing", [{"symbol": None, "range": "5m", "evil\n\x1b[31mfield": 1}, None], [])
    assert client.post(UPDATE, json=body).status_code == 400
    (line,) = caplog.messages
    assert line == "refused a request of local from 127.0.0.1 to drawing.data: an unknown field"


def test_only_the_scripts_that_the_page_names_are_served(client: FlaskClient) -> None:
    registered = DASHBOARD.app.registered_paths
    for package, paths in registered.items():
        for path in paths:
            with client.get(f"/_dash-component-suites/{package}/{path}") as answer:
                assert (answer.status_code == 200) == ((package, path) in NEEDED), path
    for path in ("nothing/x.js", "dash/../../config.py", "os/x.js", "dash/%00.js", "sys/a.v1m1.js", "dash/"):
        with client.get(f"/_dash-component-suites/{path}") as answer:
            assert answer.status_code == 404
    with client.get("/static/x.css") as answer:
        assert answer.status_code == 404

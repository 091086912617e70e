"""The callbacks. Each only delegates: those of the server to `refresh.py`, those of the browser to `assets/page.js`."""

import itertools
import os
import time
from collections.abc import Callable
from typing import Any

import msgspec
from dash import ClientsideFunction, Dash, Input, Output, State
from flask import g

from tickflow.alerts.mutes import Mute, new_id
from tickflow.dashboard.drawing import ids
from tickflow.dashboard.gate import Gate
from tickflow.dashboard.queries.alerts import Board
from tickflow.dashboard.queries.indicated import Asked, indicated
from tickflow.dashboard.queries.refresh import Answer, draw, look, refresh
from tickflow.dashboard.queries.ruled import Ruled
from tickflow.dashboard.queries.state import down
from tickflow.dashboard.queries.steered import Lists, Steered
from tickflow.dashboard.queries.view import Drawn, chosen, nothing_drawn
from tickflow.dashboard.queries.worth import MINUTE_NS
from tickflow.errors import StoreError
from tickflow.sessions import NEW_YORK, Sessions
from tickflow.store.acks import AckStore, Layout


def register(
    app: Dash,
    gate: Gate,
    lists: Lists,
    acks: AckStore,
    *,
    threshold: float,
    sessions: Sessions = NEW_YORK,
    clock: Callable[[], int] = time.time_ns,
    steered: Steered | None = None,
    ruled: Ruled | None = None,
) -> None:
    """Register the callbacks. None of them raises if the store fails: the failure is part of the answer."""
    numbers = itertools.count(1)
    server = os.urandom(4).hex()  # ids must stay unique for a browser that stays open while the server restarts

    def shown() -> Board:
        """The list of alerts to show: for a replay that was moved back, the alerts at that moment, else the newest
        ones.
        """
        return lists.of(gate.store)[0]

    def with_replay(answer: Answer) -> Answer:
        """The answer, with the state of a steered replay."""
        answer["state"]["replay"] = None if steered is None else steered.told()
        return answer

    def on_view(view: object, _rebuild: object) -> Answer:
        identity = f"{server}-{next(numbers)}"
        try:
            store = gate.store
            board, background = lists.of(store)
            answer = draw(
                store,
                view,
                identity=identity,
                threshold=threshold,
                now_ns=clock(),
                sessions=sessions,
                board=board,
                background=background,
            )
            return with_replay(answer)
        except StoreError as error:
            return {"drawn": nothing_drawn(identity, chosen(view), failed=True), "state": down(error)}

    def on_look(view: object) -> Answer:
        identity = f"{server}-{next(numbers)}"
        try:
            return look(gate.store, view, identity=identity, threshold=threshold, sessions=sessions)
        except StoreError as error:
            return {"state": down(error)}

    def on_refresh(_number: int, drawn: Drawn | None, watched: dict[str, int] | None, stamp: object = None) -> Answer:
        if drawn is None:
            return {}
        try:
            store = gate.store
            board, background = lists.of(store)
            answer = refresh(
                store,
                drawn,
                watched or {},
                now_ns=clock(),
                sessions=sessions,
                board=board,
                stamp=stamp,
                background=background,
            )
            return with_replay(answer)
        except StoreError as error:
            return {"of": drawn["id"], "state": down(error)}

    def on_steer(asked: dict[str, Any] | None) -> Answer:
        if asked is None or steered is None:
            return {}
        person = getattr(g, "person", None)
        try:
            command = steered.ask(asked["run"], asked["act"], asked["value"], person.name if person else "")
        except StoreError as error:
            return {"trouble": str(error)}
        return {"trouble": "", "command": command}

    def on_acknowledge(keys: object) -> Answer:
        return _saved(lambda: shown().acknowledge(keys, clock()))

    def on_withdraw(keys: object) -> Answer:
        return _saved(lambda: shown().withdraw(keys))

    def on_mute(asked: dict[str, Any] | None) -> Answer:
        if asked is None:
            return {}
        now_ns = clock()
        person = getattr(g, "person", None)
        mute = None
        if asked["pattern"]:
            begins_ns = asked["begins_us"] * 1000
            minutes = asked["minutes"]
            mute = Mute(
                id="",
                made_ns=now_ns,
                pattern=asked["pattern"],
                begins_ns=begins_ns,
                until_ns=max(begins_ns, now_ns) + minutes * MINUTE_NS if minutes else 0,
                detector=asked["detector"],
                below=asked["below"],
                closed=asked["closed"],
                made_by=person.name if person else "",
            )
        return _saved(lambda: shown().mute(mute, asked["undo"], now_ns))

    def on_rules(_asked: object) -> Answer:
        if ruled is None:
            return {}
        try:
            return {"rules": ruled.told(), "trouble": ""}
        except StoreError as error:
            return {"trouble": str(error)}

    def on_rule(asked: dict[str, Any] | None) -> Answer:
        if asked is None or ruled is None:
            return {}
        person = getattr(g, "person", None)
        try:
            if asked["remove"]:
                ruled.remove(asked["remove"])
                return {"trouble": ""}
            return {"trouble": ruled.make(asked["text"], new_id(), clock(), person.name if person else "")}
        except StoreError as error:
            return {"trouble": str(error)}

    def on_indicate(wanted: Asked | None) -> Answer:
        if wanted is None:
            return {}
        try:
            return indicated(gate.store, sessions, wanted)
        except StoreError as error:
            return {"trouble": str(error)}

    def on_layouts(_asked: object) -> Answer:
        try:
            return {"layouts": [each._asdict() for each in acks.layouts()], "trouble": ""}
        except StoreError as error:
            return {"trouble": str(error)}

    def on_layout(layout: dict[str, Any] | None) -> Answer:
        if layout is None:
            return {}
        return _saved(lambda: acks.keep_layout(Layout(layout["name"], layout["query"]), clock()))

    def on_backtests(_asked: object) -> Answer:
        try:
            return {"backtests": msgspec.to_builtins(acks.backtests()), "trouble": ""}
        except StoreError as error:
            return {"trouble": str(error)}

    def on_remove_backtest(asked: dict[str, Any] | None) -> Answer:
        if asked is None:
            return {}
        return _saved(lambda: acks.remove_backtest(asked["made_ms"]))

    for output, asked_by, answer in (
        (ids.MUTED, ids.MUTE, on_mute),
        (ids.STEERED, ids.STEER, on_steer),
        (ids.INDICATED, ids.INDICATE, on_indicate),
        (ids.LAYOUTS_LISTED, ids.LAYOUTS_ASKED, on_layouts),
        (ids.LAYOUT_KEPT, ids.LAYOUT, on_layout),
        (ids.RULES_LISTED, ids.RULES_ASKED, on_rules),
        (ids.RULE_KEPT, ids.RULE, on_rule),
        (ids.BACKTESTS_LISTED, ids.BACKTESTS_ASKED, on_backtests),
        (ids.BACKTEST_REMOVED, ids.BACKTEST_REMOVE, on_remove_backtest),
        (ids.ACKED, ids.ACKNOWLEDGE, on_acknowledge),
        (ids.WITHDRAWN, ids.WITHDRAW, on_withdraw),
    ):
        app.callback(Output(output, "data"), Input(asked_by, "data"), prevent_initial_call=True)(answer)
    app.callback(
        Output(ids.DRAWING, "data"),
        Input(ids.VIEW, "data"),
        Input(ids.REBUILD, "data"),
    )(on_view)
    app.callback(
        Output(ids.LOOKED, "data"),
        Input(ids.LOOK, "data"),
        prevent_initial_call=True,
    )(on_look)
    app.callback(
        Output(ids.DELTA, "data"),
        Input(ids.REFRESH, "data"),
        State(ids.DRAWN, "data"),
        State(ids.WATCHED, "data"),
        State(ids.ALERTED, "data"),
        prevent_initial_call=True,
    )(on_refresh)
    _register_clientside(app)


def _saved(save: Callable[[], None]) -> Answer:
    """The answer to the page after `save`: why it failed, or an empty string."""
    try:
        save()
    except StoreError as error:
        return {"trouble": str(error)}
    return {"trouble": ""}


def _register_clientside(app: Dash) -> None:
    """The browser's callbacks: the URL, applying drawings, the pointer, the theme."""
    app.clientside_callback(
        ClientsideFunction("tickflow", "boot"),
        Output(ids.SYMBOL, "value"),
        Output(ids.RANGE, "value"),
        Output(ids.THEME, "value"),
        Output(ids.OPTIONS, "data"),
        Input(ids.BOOT, "data"),
    )
    app.clientside_callback(
        ClientsideFunction("tickflow", "view"),
        Output(ids.VIEW, "data"),
        Input(ids.SYMBOL, "value"),
        Input(ids.RANGE, "value"),
        Input(ids.OPTIONS, "data"),
        State(ids.VIEW, "data"),
    )
    app.clientside_callback(
        ClientsideFunction("tickflow", "apply"),
        Input(ids.DRAWING, "data"),
    )
    app.clientside_callback(
        ClientsideFunction("tickflow", "select"),
        Input(ids.WATCH, "selectedRows"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("tickflow", "filter"),
        Input(ids.FILTER, "value"),
        prevent_initial_call=True,
    )
    for name, told in (
        ("indicated", ids.INDICATED),
        ("layouts", ids.LAYOUTS_LISTED),
        ("layoutKept", ids.LAYOUT_KEPT),
        ("rules", ids.RULES_LISTED),
        ("ruleKept", ids.RULE_KEPT),
        ("backtests", ids.BACKTESTS_LISTED),
        ("backtestRemoved", ids.BACKTEST_REMOVED),
        ("steered", ids.STEERED),
    ):
        app.clientside_callback(ClientsideFunction("tickflow", name), Input(told, "data"), prevent_initial_call=True)
    app.clientside_callback(
        ClientsideFunction("tickflow", "acked"),
        Input(ids.ACKED, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("tickflow", "withdrawn"),
        Input(ids.WITHDRAWN, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("tickflow", "muted"),
        Input(ids.MUTED, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("tickflow", "narrowRange"),
        Output(ids.RANGE, "value", allow_duplicate=True),
        Input(ids.RANGE_NARROW, "value"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("tickflow", "theme"),
        Output(ids.PROVIDER, "forceColorScheme"),
        Input(ids.THEME, "value"),
        prevent_initial_call=True,
    )

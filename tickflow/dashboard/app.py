"""Builds the app from the page, the callbacks and the guards."""

import logging
import time
from collections.abc import Callable, Collection

from dash import Dash
from flask import Flask, Response, request

from tickflow.dashboard import export
from tickflow.dashboard.callbacks import register
from tickflow.dashboard.drawing import clock as clock_
from tickflow.dashboard.drawing import page
from tickflow.dashboard.gate import Gate
from tickflow.dashboard.login import Gatekeeper
from tickflow.dashboard.modules import ASSETS, START, Modules
from tickflow.dashboard.packed import whole
from tickflow.dashboard.queries.alerts import Board
from tickflow.dashboard.queries.ruled import Ruled
from tickflow.dashboard.queries.steered import Lists, Steered
from tickflow.dashboard.queries.worth import Worth
from tickflow.dashboard.security import secure
from tickflow.sessions import NEW_YORK, Sessions
from tickflow.store.acks import AckStore
from tickflow.store.alerts import AlertStore
from tickflow.store.mutes import MuteStore


def build(
    gate: Gate,
    acks: AckStore,
    *,
    names: Collection[str],
    keeper: Gatekeeper,
    update_interval: float,
    threshold: float,
    sessions: Sessions = NEW_YORK,
    alerts: AlertStore | None = None,
    mutes: MuteStore | None = None,
    steered: Steered | None = None,
    ruled: Ruled | None = None,
    debug: bool = False,
    clock: Callable[[], int] = time.time_ns,
) -> Dash:
    """The page as a WSGI app (`.server`). It reads through `gate` and writes acknowledgements into `acks`.

    With `alerts` and `mutes`, the list of alerts begins with the alerts that are worth reading; without them it shows
    only flags. With `steered`, operators can steer a replay; with `ruled`, they make and remove standing rules.

    It answers under the host names `names`, to people whom `keeper` lets in, and refreshes every `update_interval`
    seconds. With `debug`, the page shows errors in callbacks; the debugger that runs code stays off.
    """
    clock_.use(sessions.zone)
    modules = Modules()
    app = Dash(
        "tickflow",
        server=Flask("tickflow", static_folder=None),
        assets_folder=str(ASSETS),
        assets_ignore="\\.js$",  # the head of the page loads the scripts
        title=page.TITLE,
        update_title=None,
        compress=True,
        suppress_callback_exceptions=True,  # the grid comes later
        add_log_handler=False,  # Dash's log lines are then formatted like all others
        serve_locally=True,
        enable_mcp=False,
        index_string=page.index(modules.first(), modules.tags(), modules.tag(START)),
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
    )
    app.renderer = page.RENDERER
    app.interpolate_index = page.with_fewer_scripts(app.interpolate_index)
    modules.serve(app.server)
    export.serve(app.server, gate)
    app.logger.setLevel(logging.WARNING)
    app.layout = lambda: page.layout(update_interval=update_interval)

    def board(before: AlertStore | None) -> Board:
        from_store = alerts if before is None else before
        return Board(acks, None if from_store is None or mutes is None else Worth(from_store, mutes, sessions))

    lists = Lists(board, alerts)
    register(app, gate, lists, acks, threshold=threshold, sessions=sessions, clock=clock, steered=steered, ruled=ruled)
    app.enable_dev_tools(
        debug=debug,
        dev_tools_ui=debug,
        dev_tools_hot_reload=False,
        dev_tools_disable_version_check=True,
    )
    with app.server.test_request_context():
        # Dash sets itself up during its first request, but marks the setup as done too early: a second request at that
        # moment would be answered without the style sheet.
        app.server.preprocess_request()
    app.server.after_request(whole)
    if not debug:
        app.server.after_request(_lasting)
    secure(app, names, keeper, update_interval=update_interval, debug=debug)
    return app


def _lasting(response: Response) -> Response:
    """The response with a header that lets browsers keep a file whose address includes its version; Dash sends the same
    header with its scripts.
    """
    if request.path.startswith("/assets/vendor/") or (request.path.startswith("/assets/") and "m" in request.args):
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response

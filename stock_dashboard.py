"""The dashboard: a page that shows what the workers stored, and refreshes itself.

    python stock_dashboard.py             serve it until Ctrl+C or SIGTERM, at http://127.0.0.1:8050/
    python stock_dashboard.py --embedded  serve it from one SQLite file, without InfluxDB

It reads from the store only. Started before the store, it serves the page and logs what it waits for. Exit codes: 0
asked to stop, 2 a bad setting or flag.
"""

import argparse
import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence

from config import Settings, add_flags, flags_of, load_settings, origin_of_settings
from tickflow import arenas, process
from tickflow.dashboard import people
from tickflow.dashboard.gate import Gate
from tickflow.sessions import Sessions
from tickflow.settings.addresses import SOCKET, is_socket
from tickflow.stack import open_acks, open_alerts, open_mutes, open_rules, open_steering, open_store
from tickflow.store.acks import AckStore
from tickflow.store.alerts import AlertStore
from tickflow.store.base import MetricsStore
from tickflow.store.mutes import MuteStore
from tickflow.store.rules import RuleStore
from tickflow.store.steering import SteeringStore
from tickflow.telemetry.serving import serving
from tickflow.version import VERSION

logger = logging.getLogger("tickflow.dashboard")

FLAGS = (
    "EMBEDDED_FILE",
    "INFLUXDB_URL",
    "INFLUXDB_ORG",
    "INFLUXDB_BUCKET",
    "UPDATE_INTERVAL",
    "ANOMALY_THRESHOLD",
    "MARKET",
    "DASHBOARD_HOST",
    "DASHBOARD_PORT",
    "DASHBOARD_NAMES",
    "DASHBOARD_DEBUG",
    "AUTH",
    "AUTH_USERS_FILE",
    "AUTH_PROXIES",
    "AUTH_HEADER",
    "AUTH_ROLES_HEADER",
    "AUTH_OPERATORS",
    "METRICS_HOST",
    "METRICS_PORT",
    "LOG_LEVEL",
    "LOG_FORMAT",
)


CALENDAR_AFTER_SECONDS = 5.0
"""The calendar takes half a second of CPU time to load. It is loaded this many seconds after the start, before most
readers need it.
"""


class StockDashboard:
    """The page, which only reads from its store; it writes readers' acknowledgements to `acks`, their commands for a
    replay to `steering`, and standing rules to `rules`.

    `store`, `acks`, `alerts`, `mutes`, `rules` and `steering` are by default those that the settings name; if `store`
    is given, the page has no alerts, mutes, rules and steering unless these are given too. `clock` is the wall clock,
    in ns since 1970.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        stop: threading.Event | None = None,
        store: MetricsStore | None = None,
        acks: AckStore | None = None,
        alerts: AlertStore | None = None,
        mutes: MuteStore | None = None,
        rules: RuleStore | None = None,
        steering: SteeringStore | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.settings = settings or load_settings()
        self.stop = stop or threading.Event()
        self.store = store or open_store(self.settings, self.stop)
        self.acks = acks or open_acks(self.settings, self.stop)
        is_given = store is not None
        if self.settings.alerts and not is_given:
            alerts, mutes = open_alerts(self.settings, self.stop), open_mutes(self.settings, self.stop)
            rules = open_rules(self.settings, self.stop)
        if not is_given:
            steering = open_steering(self.settings, self.stop)
        self.closing = [each for each in (self.acks, alerts, mutes, rules, steering, self.store) if each is not None]
        from tickflow.dashboard.accounts import Accounts
        from tickflow.dashboard.app import build  # loads Dash: not needed for --help or to refuse a setting
        from tickflow.dashboard.login import gatekeeper
        from tickflow.dashboard.packed import Packed
        from tickflow.dashboard.queries.ruled import Ruled
        from tickflow.dashboard.queries.steered import Steered
        from tickflow.telemetry.page import PageTelemetry, watch

        self.telemetry = PageTelemetry(VERSION)
        steered = None if steering is None else Steered(steering, clock)
        moment = (lambda: None) if steered is None else steered.moment
        self.gate = Gate(self.store, self.telemetry.shown, moment)
        self.sessions = Sessions(self.settings.market)
        self.app = build(
            self.gate,
            self.acks,
            names=(self.settings.dashboard_host, *(self.settings.dashboard_names or ())),
            keeper=gatekeeper(self.settings, Accounts(self.settings.auth_users_file)),
            update_interval=self.settings.update_interval,
            threshold=self.settings.anomaly_threshold,
            sessions=self.sessions,
            alerts=alerts,
            mutes=mutes,
            steered=steered,
            ruled=None if rules is None else Ruled(rules),
            debug=self.settings.dashboard_debug,
            clock=clock,
        )
        self.packed = Packed(self.app.server)
        proxies = (self.settings.auth_proxies or ()) if self.settings.auth != "none" else ()
        self._socket = next(filter(is_socket, proxies), "")
        watch(self.app.server, self.telemetry)

    @property
    def url(self) -> str:
        """The address of the page, or the path of its unix socket if the settings name one (for a proxy)."""
        if self._socket:
            return self._socket
        host = self.settings.dashboard_host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.settings.dashboard_port}/"

    def run(self) -> None:
        """Serve the page until `stop` is set. Raises `SettingError` if the port is taken, or if a setting makes it
        impossible to connect to the store.
        """
        from tickflow.dashboard.server import bind, bind_socket, serve

        if self._socket:
            server = bind_socket(self.app.server, self._socket.removeprefix(SOCKET))
        else:
            server = bind(self.app.server, self.settings.dashboard_host, self.settings.dashboard_port)
        process.show(f"The page is at {self.url}  (Ctrl+C ends it)")
        logger.info("reading from %s", self.store.where)
        connecting = self.gate.start()
        asking = (lambda: self.gate.store.statuses(), self.stop)
        threading.Thread(target=self.telemetry.follow, args=asking, name="ready", daemon=True).start()
        self.packed.prepare()
        threading.Thread(target=self._load_calendar, name="calendar", daemon=True).start()
        try:
            serve(server, self.stop)
            logger.info("asked to stop")
        finally:
            connecting.join(timeout=2)
            for each in self.closing:
                each.close()
        if self.gate.failed:
            raise self.gate.failed
        logger.info("ended")

    def _load_calendar(self) -> None:
        if not self.stop.wait(CALENDAR_AFTER_SECONDS):
            self.sessions.load()


def main(stop: process.StopEvent, argv: Sequence[str] | None = None) -> int:
    """Run the script; return the exit code."""
    parser = process.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_flags(parser, FLAGS, aliases={"DASHBOARD_PORT": "--port", "UPDATE_INTERVAL": "--interval"})
    people.add_flags(parser)
    arguments = parser.parse_args(argv)
    settings = load_settings(flags=flags_of(arguments))
    if people.changes(arguments):
        process.show(people.change(arguments, settings.auth_users_file))
        return process.DONE
    process.set_up_logging(settings.log_level, "dashboard", settings.log_format, settings.notices)
    arenas.limit()
    dashboard = StockDashboard(settings, stop=stop)
    logger.info("%s", origin_of_settings())
    with serving(settings, dashboard.telemetry):
        dashboard.run()
    return process.DONE


if __name__ == "__main__":
    sys.exit(process.run(main))

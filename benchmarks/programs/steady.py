"""Publishes ticks at a steady rate through our producer's log and encoding; each tick has the current time as its event
time.
"""

import argparse
import json
import sys
import time
from datetime import UTC, datetime

from config import load_settings
from tickflow.process import StopEvent, set_up_logging
from tickflow.stack import open_log
from tickflow.ticks.tick import Tick, encode

STEP_SECONDS = 0.005


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, required=True, help="ticks a second")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--symbols", type=int, default=500, help="how many symbols take turns ticking")
    arguments = parser.parse_args()
    set_up_logging("ERROR")
    stop = StopEvent()
    stop.listen()
    with open_log(load_settings(), stop) as log:
        log.connect()
        begun, sent, total = time.monotonic(), 0, int(arguments.rate * arguments.seconds)
        while sent < total and not stop.is_set():
            due = min(total, int((time.monotonic() - begun) * arguments.rate))
            for number in range(sent, due):
                symbol = f"S{number % arguments.symbols:03}"
                tick = Tick(symbol, 100 + number % 7, datetime.now(UTC), volume=100, source="simulated")
                log.publish(symbol.encode(), encode(tick))
            sent = due
            time.sleep(STEP_SECONDS)
        log.flush(30)
    print(json.dumps({"sent": sent, "per_s": round(sent / (time.monotonic() - begun))}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

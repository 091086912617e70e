"""A local server that stands in for Alpha Vantage."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


def answer(symbol: str = "IBM", price: str = "301.5000", suffix: str = "", **changed: str) -> dict[str, object]:
    fields = {
        "01. symbol": symbol,
        "02. open": "299.0000",
        "05. price": price,
        "06. volume": "4211873",
        "07. latest trading day": "2026-01-05",
        "10. change percent": "1.0400%",
    }
    numbers = {name.partition(". ")[2].replace(" ", "_"): name for name in fields}
    return {f"Global Quote{suffix}": fields | {numbers[name]: value for name, value in changed.items()}}


@dataclass
class Stub:
    """A local server that answers like Alpha Vantage: for each symbol, `answers` in order, then the last one again."""

    answers: dict[str, list[object]]
    queries: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def respond(self, query: Mapping[str, str]) -> bytes | None:
        self.times.append(time.monotonic())
        self.queries.append(dict(query))
        waiting = self.answers[query["symbol"]]
        found = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if found == "hang":
            self.released.wait(10)
            return None
        return found if isinstance(found, bytes) else json.dumps(found).encode()


@contextmanager
def serving() -> Iterator[Stub]:
    """Run the stub on a free port during the block."""
    state = Stub({})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            body = state.respond(query)
            if body is not None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        state.url = f"http://127.0.0.1:{server.server_port}/query?"
        try:
            yield state
        finally:
            state.released.set()
            server.shutdown()
            thread.join()

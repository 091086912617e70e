"""Real prices from Alpha Vantage: one `GLOBAL_QUOTE` request per symbol and round.

    SourceError
    └── NoQuote                 an answer without a quote, or no answer: logged, and tried again in the next round
        ├── Throttled           too many calls: wait `wait` seconds, then try again
        ├── DailyLimitReached   no more quotes before midnight in New York
        ├── KeyRefused          the user must act: fix the key, or buy a premium plan
        └── EmptyAnswer         neither a quote nor a reason: a hiccup, or an unknown symbol

Alpha Vantage refuses with HTTP 200 and a sentence under varying names; some of these sentences quote the caller's key.
So an answer without a quote is taken as a refusal, and the key is removed from every text. A failed request is never
replaced by invented data. A free key allows 25 requests per day and one per second, and returns end-of-day quotes.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote, quote_plus
from zoneinfo import ZoneInfo

import requests
from alpha_vantage.alphavantage import AlphaVantage
from alpha_vantage.timeseries import TimeSeries

from tickflow.errors import SettingError, SourceError, Stopped
from tickflow.sessions import NEW_YORK, Sessions
from tickflow.sources.base import Wait
from tickflow.ticks.tick import Reason, Tick, from_text

BASE_URL = "https://www.alphavantage.co/query?"
_NEW_YORK = ZoneInfo("America/New_York")
"""The daily limit of a free key is reset at midnight in this zone, wherever the market is."""
CALL_GAP_SECONDS = 1.1
"""The shortest time between two calls, in seconds: one call per second is allowed."""
CALL_TIMEOUT_SECONDS = 8.0
FREE_CALLS_PER_DAY = 25
UNKNOWN_AFTER = 3
"""A symbol without any quote counts as unknown after this many rounds; a single empty answer is often a brief failure.
"""
ANSWERED = -1
"""The number of missed rounds has this value once a symbol has had a quote: Alpha Vantage then knows the symbol."""
UNKNOWN_EVERY = 10
"""The quote of an unknown symbol is requested once in this many rounds: the symbol may be listed later, but each call
uses up 4 % of a free key's daily limit.
"""

logger = logging.getLogger("tickflow.producer")


class NoQuote(SourceError):
    """An answer without a quote, or no answer at all."""


class Throttled(NoQuote):
    """Too many calls within a second or a minute; `wait` is the delay in seconds."""

    def __init__(self, message: str, wait: float) -> None:
        self.wait = wait
        super().__init__(message)


class DailyLimitReached(NoQuote):
    """The requests of this day are used up."""


class KeyRefused(NoQuote):
    """The key is not valid, or its plan does not include this request."""


class EmptyAnswer(NoQuote):
    """Neither a quote nor a reason: the answer for unknown symbols, and sometimes for known ones."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A quote: price and volume of its trading day, and the change from the previous day in percent."""

    symbol: str
    price: float
    volume: float
    trading_day: date
    change_percent: float | None


def parse_quote(payload: object, symbol: str, key: str = "") -> Quote:
    """The quote in an answer to `GLOBAL_QUOTE`. Raises the subclass of `NoQuote` that fits the answer; the error
    never shows the key.

    >>> parse_quote({"Global Quote": {"01. symbol": "IBM", "05. price": "301.5", "06. volume": "42",
    ...     "07. latest trading day": "2026-01-05", "10. change percent": "1.04%"}}, "IBM").change_percent
    1.04
    """
    if not isinstance(payload, dict):
        raise NoQuote(f"Alpha Vantage answered for {symbol} with something that is not a quote")
    for name, body in payload.items():
        if name.startswith("Global Quote") and isinstance(body, dict) and body:  # a suffix marks a delayed quote
            return _read(body, symbol)
    for name in ("Error Message", "Information", "Note"):
        if payload.get(name):
            raise _refusal(redacted(str(payload[name]), key), symbol)
    if not payload or all(name.startswith("Global Quote") for name in payload):
        raise EmptyAnswer(f"Alpha Vantage gave an empty answer for {symbol}")
    names = redacted(", ".join(payload), key)[:200]
    raise NoQuote(f"Alpha Vantage answered for {symbol} without a quote, under the names {names}")


def _read(body: Mapping[str, Any], symbol: str) -> Quote:
    fields = {name.partition(". ")[2] or name: str(value) for name, value in body.items()}
    try:
        if fields["symbol"].upper() != symbol.upper():
            raise ValueError(f"it is of {fields['symbol']}")
        day = date.fromisoformat(fields["latest trading day"])
        checked = from_text(symbol, fields["price"], f"{day}T00:00:00Z", fields["volume"], "alpha_vantage")
        if isinstance(checked, Reason):
            raise ValueError(checked)
    except (KeyError, ValueError) as error:
        raise NoQuote(f"Alpha Vantage's quote of {symbol} is not usable ({error})") from error
    try:
        change = float(fields.get("change percent", "").removesuffix("%"))
    except ValueError:  # a newly listed symbol has no change
        change = math.nan
    return Quote(symbol, checked.price, checked.volume or 0, day, change if math.isfinite(change) else None)


def _refusal(text: str, symbol: str) -> NoQuote:
    """The error that corresponds to Alpha Vantage's message. The order of the checks matters: the message about the
    rate of calls also mentions the daily limit.
    """
    said = f"Alpha Vantage said: {text[:400]}"
    low = text.lower()
    if "per second" in low or "sparingly" in low or "burst pattern" in low:
        return Throttled(said, 2.0)
    if "per minute" in low:
        return Throttled(said, 60.0)
    if "premium endpoint" in low:
        return KeyRefused(said)
    if "per day" in low or "daily" in low:
        return DailyLimitReached(said)
    if "invalid api call" in low:
        return EmptyAnswer(f"Alpha Vantage gave no quote for {symbol} ({said})")
    if "apikey" in low or "api key" in low:
        return KeyRefused(said)
    return NoQuote(said)


def redacted(text: str, key: str) -> str:
    """The text with the key removed, both in plain and in URL-encoded form."""
    for form in sorted({key, quote(key, safe=""), quote_plus(key)}, key=len, reverse=True):
        if form:
            text = text.replace(form, "**********")
    return text


class _Series(TimeSeries):  # type: ignore[misc]  # the package has no types
    """The package's client with a time-out; without one, a single lost answer would block it for ever."""

    def __init__(self, key: str, base_url: str, timeout: float) -> None:
        super().__init__(
            quote(key, safe=""), output_format="json"
        )  # the package puts the symbol into the URL without quoting it
        self._secret = key
        self._base_url = base_url
        self._timeout = timeout

    def _handle_api_call(self, url: str) -> dict[str, object]:
        """Return the whole answer, which `parse_quote` interprets instead of the package."""
        url = url.replace(AlphaVantage._ALPHA_VANTAGE_API_URL, self._base_url, 1)
        try:
            response = requests.get(url, proxies=self.proxy, timeout=self._timeout)
        except requests.RequestException as error:
            text = f"Alpha Vantage cannot be reached ({type(error).__name__}: {error})"
            raise NoQuote(redacted(text, self._secret)[:400]) from None
        try:
            return {"Global Quote": {"answer": response.json()}}
        except requests.JSONDecodeError:
            raise NoQuote(f"Alpha Vantage answered with HTTP {response.status_code} and no valid JSON") from None


class Client:
    """Fetches quotes through the `alpha_vantage` package; `timeout`, in seconds, applies to connecting and to each wait
    for data.
    """

    def __init__(self, key: str, *, base_url: str | None = None, timeout: float = CALL_TIMEOUT_SECONDS) -> None:
        self._key = key
        self._series = _Series(key, base_url or BASE_URL, timeout)

    def quote(self, symbol: str) -> Quote:
        """The current quote of a symbol. Raises a `NoQuote`."""
        answer, _ = self._series.get_quote_endpoint(symbol)
        return parse_quote(answer["answer"], symbol, self._key)


def seconds_to_midnight(now: datetime) -> float:
    """Seconds until the next day begins in New York, plus a margin of a few seconds."""
    there = now.astimezone(_NEW_YORK)
    midnight = (there + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight.astimezone(UTC) - now).total_seconds() + 5


class AlphaVantageSource:
    """Requests the quotes of `symbols` every `interval` seconds, and yields those that changed. `now` is the wall
    clock.

    `sessions` says when a trading day closes.
    """

    def __init__(
        self,
        client: Client,
        symbols: Sequence[str],
        *,
        interval: float,
        call_gap: float = CALL_GAP_SECONDS,
        sessions: Sessions = NEW_YORK,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._asked = tuple(symbols)
        self._misses = dict.fromkeys(symbols, 0)
        self._client = client
        self._interval = interval
        self._call_gap = call_gap
        self._sessions = sessions
        self._now = now
        self._last: dict[str, tuple[date, float, float]] = {}
        self._next_call = 0.0

    @property
    def symbols(self) -> Sequence[str]:
        """The symbols that may still give quotes: all but those that count as unknown."""
        return tuple(symbol for symbol in self._asked if self._misses[symbol] < UNKNOWN_AFTER)

    @property
    def what(self) -> str:
        """The description of this source in the first log line."""
        return f"real prices of {', '.join(self._asked)} from Alpha Vantage, requested every {self._interval:g} s"

    def warn_of_budget(self) -> None:
        """Warn if a free key's daily limit would be used up within a day at this rate."""
        round_seconds = max(self._interval, len(self._asked) * self._call_gap)
        calls = len(self._asked) * 86_400 / round_seconds
        if calls > FREE_CALLS_PER_DAY:
            enough = -(-86_400 * len(self._asked) // FREE_CALLS_PER_DAY)
            logger.warning(
                "%d symbols every %g s are %s requests a day; a free key allows %d: PRODUCER_INTERVAL=%d would fit",
                len(self._asked),
                round_seconds,
                f"{calls:,.0f}",
                FREE_CALLS_PER_DAY,
                enough,
            )

    def batches(self, wait: Wait) -> Iterator[list[Tick]]:
        """Yield each quote that differs from its symbol's last one. Raises `SettingError` if the user has to change a
        setting.
        """
        self.warn_of_budget()
        due = time.monotonic()
        while True:
            for symbol in self._asked:
                if not self._is_due(symbol):
                    continue
                found = self._fetch(symbol, wait)
                if found is not None and self._is_new(found):
                    yield [self._tick(found)]
            now = time.monotonic()
            due = max(due + self._interval, now)
            if wait(due - now):
                return

    def progress(self) -> str:
        """Empty: this source has no end."""
        return ""

    def _fetch(self, symbol: str, wait: Wait) -> Quote | None:
        """The symbol's quote, or `None` if this round has none."""
        patience = 0.0
        while True:
            self._sleep(wait, self._next_call - time.monotonic())
            self._next_call = time.monotonic() + self._call_gap
            try:
                found = self._client.quote(symbol)
                self._misses[symbol] = ANSWERED
                return found
            except Throttled as error:
                patience = min(60.0, max(error.wait, 2 * patience))
                logger.warning("%s (asking for %s again in %.0f s)", error, symbol, patience)
                self._sleep(wait, patience)
            except DailyLimitReached as error:
                seconds = seconds_to_midnight(self._now())
                logger.warning("%s (waiting %.1f hours, until midnight in New York)", error, seconds / 3600)
                self._sleep(wait, seconds)
            except KeyRefused as error:
                raise SettingError(
                    "ALPHA_VANTAGE_API_KEY", "**********", f"a key that may ask for quotes ({error})"
                ) from None
            except EmptyAnswer as error:
                self._miss(symbol, error)
                return None
            except NoQuote as error:
                logger.warning("%s; nothing is published for %s in this round", error, symbol)
                return None

    def _is_due(self, symbol: str) -> bool:
        """Whether to request the symbol's quote in this round; unknown symbols are due only in some rounds."""
        misses = self._misses[symbol]
        if misses < UNKNOWN_AFTER or (misses - UNKNOWN_AFTER + 1) % UNKNOWN_EVERY == 0:
            return True
        self._misses[symbol] += 1  # one round less until the next request
        return False

    def _miss(self, symbol: str, error: EmptyAnswer) -> None:
        """Count a round that brought neither a quote nor a reason, and log the consequence."""
        if self._misses[symbol] == ANSWERED:
            logger.warning("%s; it has had quotes before, and is requested again in the next round", error)
            return
        self._misses[symbol] += 1
        if self._misses[symbol] < UNKNOWN_AFTER:
            logger.warning("%s; it is requested again in the next round", error)
            return
        words = f"no quote of {symbol} in {self._misses[symbol]} rounds: Alpha Vantage may not know it"
        logger.warning("%s; check SYMBOLS. It is requested again every %d rounds (%s)", words, UNKNOWN_EVERY, error)
        if not self.symbols:
            logger.warning(
                "Alpha Vantage has no quote for any of SYMBOLS=%s: nothing is published", ",".join(self._asked)
            )

    def _is_new(self, found: Quote) -> bool:
        state = (found.trading_day, found.price, found.volume)
        if self._last.get(found.symbol) == state:
            return False
        self._last[found.symbol] = state
        return True

    def _tick(self, found: Quote) -> Tick:
        """The quote as a tick at the close of its day; during that day (paid plans) at the time of the request.

        (Workers refuse times in the future, and the closing price is not known before the close.)
        """
        moment = min(self._sessions.close_of(found.trading_day), self._now())
        return Tick(found.symbol, found.price, moment, found.volume, found.change_percent, "alpha_vantage")

    @staticmethod
    def _sleep(wait: Wait, seconds: float) -> None:
        if seconds > 0 and wait(seconds):
            raise Stopped("asked to stop while waiting for Alpha Vantage")

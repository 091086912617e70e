"""Tests of the parser with every form of answer, and of the source with a local server; no request goes to Alpha
Vantage.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import islice

import pytest

from tests.alpha_vantage_stub import Stub, answer, serving
from tickflow.errors import SettingError, Stopped
from tickflow.sessions import NEW_YORK
from tickflow.sources.alpha_vantage import (
    UNKNOWN_AFTER,
    UNKNOWN_EVERY,
    AlphaVantageSource,
    Client,
    DailyLimitReached,
    EmptyAnswer,
    KeyRefused,
    NoQuote,
    Quote,
    Throttled,
    parse_quote,
    seconds_to_midnight,
)
from tickflow.ticks.tick import Tick

KEY = "K3Y+OF/MINE"
LATER = datetime(2026, 6, 1, 12, tzinfo=UTC)

PER_SECOND = (
    "Thank you for using Alpha Vantage! Please consider spreading out your free API requests more sparingly (1 request "
    "per second). You may subscribe to any of the premium plans at https://www.alphavantage.co/premium/ to lift the "
    "free key rate limit (25 requests per day), raise the per-second burst limit, and instantly unlock all premium "
    "endpoints"
)
PER_MINUTE = (
    "Thank you for using Alpha Vantage! Our standard API call frequency is 5 calls per minute and 500 calls per day. "
    "Please visit https://www.alphavantage.co/premium/ if you would like to target a higher API call frequency."
)
PER_DAY = (
    f"We have detected your API key as {KEY} and our standard API rate limit is 25 requests per day. Please subscribe "
    "to any of the premium plans at https://www.alphavantage.co/premium/ to instantly remove all daily rate limits."
)
PREMIUM = (
    "Thank you for using Alpha Vantage! This is a premium endpoint. You may subscribe to any of the premium plans at "
    "https://www.alphavantage.co/premium/ to instantly unlock all premium endpoints"
)
BAD_KEY = (
    f"the parameter apikey is invalid or missing ({KEY}). Please claim your free API key on "
    "(https://www.alphavantage.co/support/#api-key). It should take less than 20 seconds."
)
DEMO_KEY = "The **demo** API key is for demo purposes only. Please claim your free API key to explore our full API."
BAD_CALL = "Invalid API call. Please retry or visit the documentation for GLOBAL_QUOTE."


def test_a_good_quote_is_read_with_its_types() -> None:
    assert parse_quote(answer(), "IBM") == Quote("IBM", 301.5, 4_211_873, date(2026, 1, 5), 1.04)


def test_a_delayed_quote_comes_under_a_name_with_a_suffix() -> None:
    assert parse_quote(answer(suffix=" - DATA DELAYED BY 15 MINUTES"), "IBM") == parse_quote(answer(), "IBM")


@pytest.mark.parametrize("change", ["", "None", "nan%", "inf%"])
def test_an_unusable_change_is_left_out_of_the_quote(change: str) -> None:
    assert parse_quote(answer(change_percent=change), "IBM").change_percent is None


@pytest.mark.parametrize(
    "changed",
    [
        {"symbol": "AAPL"},
        {"price": ""},
        {"price": "0.0000"},
        {"price": "nan"},
        {"price": "1e999"},
        {"volume": "12.5.1"},
        {"volume": "-3"},
        {"volume": ""},
        {"latest_trading_day": "yesterday"},
        {"latest_trading_day": "2026-02-30"},
    ],
)
def test_an_unusable_quote_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(NoQuote, match="quote of IBM is not usable"):
        parse_quote(answer(**changed), "IBM")


@pytest.mark.parametrize("name", ["05. price", "06. volume", "07. latest trading day", "01. symbol"])
def test_a_quote_that_lacks_a_field_is_refused(name: str) -> None:
    payload = answer()
    fields = payload["Global Quote"]
    assert isinstance(fields, dict)
    del fields[name]
    with pytest.raises(NoQuote, match="is not usable"):
        parse_quote(payload, "IBM")


@pytest.mark.parametrize("name", ["Information", "Note", "Error Message"])
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (PER_SECOND, Throttled),
        ("Burst pattern detected. Please slow down.", Throttled),
        (PER_MINUTE, Throttled),
        (PER_DAY, DailyLimitReached),
        (PREMIUM, KeyRefused),
        (BAD_KEY, KeyRefused),
        (DEMO_KEY, KeyRefused),
        (BAD_CALL, EmptyAnswer),
        ("We are doing some work on our servers.", NoQuote),
    ],
)
def test_each_refusal_is_known_by_its_text_under_any_name_and_never_shows_the_key(
    name: str, text: str, kind: type[NoQuote]
) -> None:
    with pytest.raises(NoQuote) as caught:
        parse_quote({name: text}, "IBM", KEY)
    assert type(caught.value) is kind
    assert KEY not in str(caught.value)


def test_the_wait_for_a_limit_per_second_is_shorter_than_for_one_per_minute() -> None:
    waits = []
    for text in (PER_SECOND, PER_MINUTE):
        with pytest.raises(Throttled) as caught:
            parse_quote({"Note": text}, "IBM")
        waits.append(caught.value.wait)
    assert waits == [2.0, 60.0]


@pytest.mark.parametrize("payload", [{}, {"Global Quote": {}}, {"Global Quote - DATA DELAYED BY 15 MINUTES": {}}])
def test_an_empty_answer_is_distinguished_from_an_unusable_quote(payload: object) -> None:
    with pytest.raises(EmptyAnswer, match="an empty answer for IBM"):
        parse_quote(payload, "IBM")


@pytest.mark.parametrize("payload", [None, [], "no", 3, {"Other": KEY, KEY: 1}, {"Global Quote": "x", "b": 1}])
def test_any_other_answer_is_refused(payload: object) -> None:
    with pytest.raises(NoQuote) as caught:
        parse_quote(payload, "IBM", KEY)
    assert type(caught.value) is NoQuote
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("day", "close"),
    [
        (date(2026, 1, 5), "2026-01-05T21:00:00+00:00"),  # winter
        (date(2026, 7, 6), "2026-07-06T20:00:00+00:00"),  # summer
        (date(2024, 11, 29), "2024-11-29T18:00:00+00:00"),  # a half day
        (date(2026, 1, 4), "2026-01-04T21:00:00+00:00"),  # a Sunday
        (date(1999, 7, 6), "1999-07-06T20:00:00+00:00"),  # before the calendar begins
    ],
)
def test_a_trading_day_closes_at_its_hour_in_new_york(day: date, close: str) -> None:
    assert NEW_YORK.close_of(day).isoformat() == close


def test_midnight_is_counted_in_new_york() -> None:
    assert seconds_to_midnight(datetime(2026, 1, 6, 4, 59, 50, tzinfo=UTC)) == 15
    assert seconds_to_midnight(datetime(2026, 7, 6, 4, 0, 0, tzinfo=UTC)) == 86_405


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving() as state:
        yield state


class Waits(list[float]):
    """Records each wait instead of waiting, and asks to stop after `most` waits."""

    def __init__(self, most: int = 100) -> None:
        self.most = most

    def __call__(self, seconds: float) -> bool:
        self.append(seconds)
        return len(self) >= self.most


def source(stub: Stub, *symbols: str, timeout: float = 5, now: datetime = LATER) -> AlphaVantageSource:
    client = Client(KEY, base_url=stub.url, timeout=timeout)
    return AlphaVantageSource(client, symbols, interval=3600, call_gap=0, now=lambda: now)


def ticks(one: AlphaVantageSource, waits: Waits, most: int = 100) -> list[Tick]:
    return [tick for batch in islice(one.batches(waits), most) for tick in batch]


def test_the_package_asks_for_a_global_quote_with_the_key(stub: Stub) -> None:
    stub.answers = {"IBM": [answer()]}
    assert Client(KEY, base_url=stub.url).quote("IBM").price == 301.5
    assert stub.queries == [{"function": "GLOBAL_QUOTE", "symbol": "IBM", "apikey": KEY, "datatype": "json"}]


def test_a_quote_becomes_a_tick_at_its_days_close(stub: Stub) -> None:
    stub.answers = {"IBM": [answer()]}
    expected = Tick("IBM", 301.5, datetime(2026, 1, 5, 21, tzinfo=UTC), 4_211_873, 1.04, "alpha_vantage")
    assert ticks(source(stub, "IBM"), Waits(1)) == [expected]


def test_a_quote_of_the_running_day_has_the_time_of_its_request(stub: Stub) -> None:
    stub.answers = {"IBM": [answer()]}
    noon = datetime(2026, 1, 5, 17, tzinfo=UTC)
    assert ticks(source(stub, "IBM", now=noon), Waits(1))[0].timestamp == noon


def test_an_unchanged_quote_is_not_published_again(stub: Stub) -> None:
    stub.answers = {"IBM": [answer(), answer(), answer(change_percent="9%"), answer(price="302"), answer()]}
    assert [tick.price for tick in ticks(source(stub, "IBM"), Waits(5))] == [301.5, 302, 301.5]
    assert len(stub.queries) == 5


def test_a_throttled_request_is_repeated_after_a_wait(stub: Stub, caplog: pytest.LogCaptureFixture) -> None:
    stub.answers = {"IBM": [{"Information": PER_SECOND}, {"Information": PER_SECOND}, answer()]}
    waits = Waits(3)
    assert [tick.price for tick in ticks(source(stub, "IBM"), waits)] == [301.5]
    assert waits[:2] == [2.0, 4.0]
    assert "1 request per second" in caplog.text


def test_after_the_daily_limit_the_source_waits_until_midnight_in_new_york(
    stub: Stub, caplog: pytest.LogCaptureFixture
) -> None:
    stub.answers = {"IBM": [{"Information": PER_DAY}, answer()]}
    waits = Waits(2)
    assert [tick.price for tick in ticks(source(stub, "IBM"), waits)] == [301.5]
    assert waits[0] == 16 * 3600 + 5, "08:00 in New York"
    assert "waiting 16.0 hours, until midnight in New York" in caplog.text
    assert KEY not in caplog.text


def test_the_wait_for_the_daily_limit_can_be_interrupted(stub: Stub) -> None:
    stub.answers = {"IBM": [{"Information": PER_DAY}]}
    with pytest.raises(Stopped):
        ticks(source(stub, "IBM"), Waits(1))


@pytest.mark.parametrize("payload", [{"Error Message": BAD_KEY}, {"Information": PREMIUM}, {"Information": DEMO_KEY}])
def test_a_refused_key_ends_the_run_with_a_sentence_that_does_not_show_it(stub: Stub, payload: object) -> None:
    stub.answers = {"IBM": [payload]}
    with pytest.raises(SettingError, match=r"^ALPHA_VANTAGE_API_KEY is '\*+'; expected a key that may ask") as caught:
        ticks(source(stub, "IBM"), Waits(1))
    assert KEY not in str(caught.value)


EMPTY = [{}, {"Global Quote": {}}, {"Global Quote - DATA DELAYED BY 15 MINUTES": {}}, {"Error Message": BAD_CALL}]
"""Every form in which Alpha Vantage answers without a quote."""


@pytest.mark.parametrize("empty", EMPTY)
def test_a_symbol_that_gave_a_quote_survives_any_number_of_empty_answers(
    stub: Stub, caplog: pytest.LogCaptureFixture, empty: object
) -> None:
    stub.answers = {"IBM": [answer(), *[empty] * 30, answer(price="302")]}
    one = source(stub, "IBM")
    assert [tick.price for tick in ticks(one, Waits(32))] == [301.5, 302]
    assert len(stub.queries) == 32, "it is asked in every round"
    assert one.symbols == ("IBM",)
    assert caplog.text.count("has had quotes before, and is requested again in the next round") == 30
    assert "may not know" not in caplog.text


@pytest.mark.parametrize("empty", EMPTY)
def test_empty_answers_before_the_first_quote_are_rounds_without_one(stub: Stub, empty: object) -> None:
    stub.answers = {"IBM": [*[empty] * (UNKNOWN_AFTER - 1), answer()]}
    assert [tick.price for tick in ticks(source(stub, "IBM"), Waits(UNKNOWN_AFTER))] == [301.5]


@pytest.mark.parametrize("empty", EMPTY)
def test_a_symbol_that_never_had_a_quote_counts_as_unknown_after_some_rounds(
    stub: Stub, caplog: pytest.LogCaptureFixture, empty: object
) -> None:
    stub.answers = {"NOPE": [empty], "IBM": [answer()]}
    one = source(stub, "NOPE", "IBM")
    ticks(one, Waits(UNKNOWN_AFTER + 2 * UNKNOWN_EVERY))
    asked = [query["symbol"] for query in stub.queries]
    assert asked.count("NOPE") == UNKNOWN_AFTER + 2
    assert asked.count("IBM") == UNKNOWN_AFTER + 2 * UNKNOWN_EVERY
    assert one.symbols == ("IBM",)
    assert "no quote of NOPE in 3 rounds: Alpha Vantage may not know it; check SYMBOLS" in caplog.text


def test_an_unknown_symbol_becomes_a_usual_one_with_its_first_quote(stub: Stub) -> None:
    stub.answers = {"NEW": [*[{}] * UNKNOWN_AFTER, answer("NEW"), answer("NEW", "302")]}
    one = source(stub, "NEW")
    found = ticks(one, Waits(UNKNOWN_AFTER + UNKNOWN_EVERY + 1))
    assert [tick.price for tick in found] == [301.5, 302]
    assert one.symbols == ("NEW",)


def test_without_any_known_symbol_the_run_continues_with_a_warning(
    stub: Stub, caplog: pytest.LogCaptureFixture
) -> None:
    stub.answers = {"NOPE": [{"Global Quote": {}}]}
    assert ticks(source(stub, "NOPE"), Waits(UNKNOWN_AFTER + 2)) == []
    assert "has no quote for any of SYMBOLS=NOPE: nothing is published" in caplog.text
    assert "is not set" not in caplog.text


@pytest.mark.parametrize("bad", ["hang", b"<html>Bad gateway</html>", [], {"Information": "We are at work."}])
def test_a_failed_fetch_is_logged_not_replaced_and_repeated_in_the_next_round(
    stub: Stub, caplog: pytest.LogCaptureFixture, bad: object
) -> None:
    stub.answers = {"IBM": [bad, answer()], "SPY": [answer("SPY", "640")]}
    published = ticks(source(stub, "IBM", "SPY", timeout=2), Waits(2))
    assert [(tick.symbol, tick.price) for tick in published] == [("SPY", 640), ("IBM", 301.5)]
    assert "nothing is published for IBM in this round" in caplog.text
    assert "apikey=K3Y" not in caplog.text


def test_an_absent_server_is_reported_without_the_key(stub: Stub) -> None:
    stub.released.set()
    client = Client(KEY, base_url="http://127.0.0.1:1/query?", timeout=1)
    with pytest.raises(NoQuote, match="cannot be reached") as caught:
        client.quote("IBM")
    assert "K3Y" not in str(caught.value)


def test_calls_are_spaced_in_time(stub: Stub) -> None:
    stub.answers = {name: [answer(name)] for name in ("A", "B", "C")}
    client = Client(KEY, base_url=stub.url)
    one = AlphaVantageSource(client, ["A", "B", "C"], interval=36_000, call_gap=1_000, now=lambda: LATER)
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return seconds > 1_000

    list(one.batches(wait))
    assert len(stub.times) == 3
    assert [900 < seconds <= 1_000 for seconds in waits] == [True, True, False]  # the last wait is for the next round


def test_a_daily_limit_that_will_not_suffice_causes_a_warning_at_the_start(
    stub: Stub, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(KEY, base_url=stub.url)
    seven = ("AAPL", "GOOGL", "MSFT", "AMZN", "TSLA", "NVDA", "META")
    AlphaVantageSource(client, seven, interval=60).warn_of_budget()
    assert "7 symbols every 60 s are 10,080 requests a day" in caplog.text
    assert "PRODUCER_INTERVAL=24192" in caplog.text
    caplog.clear()
    AlphaVantageSource(client, seven, interval=24_192).warn_of_budget()
    assert caplog.text == ""

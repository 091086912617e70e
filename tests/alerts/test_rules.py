"""Tests of the user's rules: their meaning, and the reported position of an error."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.alerts.batches import alerts_of, batch
from tests.metrics.detectors.oracle import Trade
from tickflow.alerts.rules import Rule, RuleError, parse
from tickflow.alerts.watch import Terms
from tickflow.ticks.tick import SYMBOL_CHARACTERS

SECOND = 1_000_000
SYMBOLS = st.text("ABC.*^$/=", min_size=1, max_size=8).filter(lambda text: text[0] not in "=")
NUMBERS = st.integers(1, 10**9).map(lambda whole: whole / 1000)
SPANS = st.tuples(st.integers(1, 700), st.sampled_from("smh")).map(lambda pair: f"{pair[0]}{pair[1]}")
RULES = st.one_of(
    st.tuples(SYMBOLS, st.just("price"), st.sampled_from([">", "<", ">=", "<="]), NUMBERS.map(str)),
    st.tuples(SYMBOLS, SPANS.map("change_{}".format), st.sampled_from([">", "<"]), NUMBERS.map(lambda n: f"{-n}%")),
    st.tuples(SYMBOLS, SPANS.map("volume_{}".format), st.sampled_from([">", "<"]), NUMBERS.map("{}x".format)),
    st.tuples(SYMBOLS, st.just("silence"), st.sampled_from([">", ">="]), NUMBERS.map(str)),
)
BLANKS = st.sampled_from([" ", "  ", "\t"])


@settings(max_examples=300)
@given(st.lists(RULES, max_size=5), BLANKS)
def test_a_written_rule_can_be_parsed_and_written_back(rules: list[tuple[str, str, str, str]], blank: str) -> None:
    text = ";".join(blank.join(rule) for rule in rules)
    read = parse(text)
    assert [rule.pattern for rule in read] == [rule[0] for rule in dict.fromkeys(map(normal, rules))]
    assert parse("; ".join(map(str, read))) == read


def normal(rule: tuple[str, str, str, str]) -> tuple[str, str]:
    (read,) = parse(" ".join(rule))
    return rule[0], read.name


@settings(max_examples=500)
@given(
    st.one_of(
        st.text(max_size=60), st.text(string.printable, max_size=60), st.text("A*; _price<>=5mx%change", max_size=40)
    )
)
def test_any_text_gives_rules_or_an_error_with_a_position(text: str) -> None:
    error = error_of(text)
    if error is None:
        assert all(isinstance(rule, Rule) for rule in parse(text))
    else:
        assert 1 <= error.place <= len(text) + 1
        assert f"at character {error.place}" in str(error)
        assert text[error.place - 1 :].startswith(error.found)


def error_of(text: str) -> RuleError | None:
    try:
        parse(text)
    except RuleError as error:
        return error
    return None


@settings(max_examples=300)
@given(RULES, st.data())
def test_an_error_points_at_the_broken_word(rule: tuple[str, str, str, str], data: st.DataObject) -> None:
    """The position of a wrong word is reported, even after a correct rule."""
    words = list(rule)
    at = data.draw(st.integers(1, 3))
    words[at] = "§"
    text = "IBM price > 5; " + " ".join(words)
    with pytest.raises(RuleError) as caught:
        parse(text)
    assert text[caught.value.place - 1] == "§"


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("AAPL", 5, "price, silence, or a span"),
        ("AAPL prize > 5", 6, "price, silence, or a span"),
        ("AAPL price = 5", 12, ">, <, >= or <="),
        ("AAPL price > five", 14, "a number"),
        ("AAPL price > 5 6", 16, "the end of the rule"),
        ("AAPL price > 5x", 15, "the end of the rule"),
        ("AAPL price > -5", 14, "a number above 0"),
        ("A price > 5; * change_5 < 3", 16, "price, silence, or a span"),
        ("* silence < 60", 11, "> or >="),
        ("* change_31d < 3", 3, "30 days at most"),
        ("=A price > 5", 1, "a symbol such as AAPL"),
        (f"{'A' * (SYMBOL_CHARACTERS + 1)} price > 5", 1, "a symbol such as AAPL"),
    ],
)
def test_an_error_names_its_position(text: str, place: int, expected: str) -> None:
    with pytest.raises(RuleError, match=expected) as caught:
        parse(text)
    assert caught.value.place == place


def test_a_rule_may_name_the_longest_symbol() -> None:
    longest = "A" * SYMBOL_CHARACTERS
    assert [rule.pattern for rule in parse(f"{longest} price > 5")] == [longest]


def alerts(text: str, made: list[Trade]) -> list[tuple[str, str, float, int]]:
    found = alerts_of([batch(made)], Terms(detectors=frozenset(), rules=parse(text)))
    return [(each.symbol, each.detector, each.score, each.opened // 10**9) for each in found.values()]


def test_a_price_rule_alerts_once_until_it_has_not_held_for_a_minute() -> None:
    prices = [199, 201, 202, *[150] * 30, 203, *[150] * 70, 204]
    made = [Trade("AAPL", n * SECOND, float(price), 1) for n, price in enumerate(prices)]
    assert alerts("AAPL price > 200; MSFT price > 1", made) == [
        ("AAPL", "price > 200", 201.0, 1),
        ("AAPL", "price > 200", 204.0, 104),
    ]


@pytest.mark.parametrize("rule", ["price < 200", "price <= 150", "price >= 150"])
def test_a_rule_that_holds_for_long_alerts_once(rule: str) -> None:
    before = 250.0 if "<" in rule else 50.0
    made = [Trade("AAPL", n * SECOND, before if n == 0 else 150.0, 1) for n in range(300)]
    assert alerts(f"AAPL {rule}", made) == [("AAPL", rule, 150.0, 1)]


def test_change_compares_with_the_last_price_before_the_span() -> None:
    made = [Trade("A", n * SECOND, 100.0 if n < 400 else 96.0, 1) for n in range(420)]
    assert alerts("* change_5m < -3", made) == [("A", "change_5m < -3", (96 / 100 - 1) * 100, 400)]
    assert alerts("* change_5m < -3", made[150:]) == []  # warm-up: no price is five minutes old


def test_volume_counts_within_the_span_and_relative_to_the_usual_volume() -> None:
    made = [Trade("A", n * SECOND, 5.0, 100 if n < 700 else 1_000) for n in range(720)]
    ((_, _, score, at),) = alerts("A volume_1m > 1.5x", made)
    assert 1.5 < score < 1.8
    assert at in (702, 703, 704)
    assert alerts("A volume_1m > 6500", made)[0][3] in (700, 701, 702)
    assert alerts("A volume_1m > 1.5x", made[400:]) == []


def test_silence_shows_in_other_symbols_ticks() -> None:
    both = sorted(
        [Trade("A", n * SECOND, 5.0, 1) for n in range(10)] + [Trade("B", n * SECOND, 5.0, 1) for n in range(100)],
        key=lambda trade: trade.time_us,
    )
    assert alerts("* silence > 60", both) == [("A", "silence > 60", 61.0, 70)]

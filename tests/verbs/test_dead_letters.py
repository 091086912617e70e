"""The list of dead letters counts them by reason, each record once, and prints them harmlessly."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.records import body, entry
from tickflow.ticklog.base import Entry, Headers
from tickflow.ticks.cures import CURES
from tickflow.ticks.tick import Refused
from tickflow.verbs.dead_letters import Letter, Listing, lines, parse, printable
from tickflow.worker.dead_letters import DECODE, letter_of


def letter(offset: int, reason: str = "not_json", value: bytes | None = b"nonsense", refused_ms: int = 0) -> Letter:
    return Letter(0, offset, DECODE, reason, b"AAPL", value, refused_ms)


def test_published_letters_are_read_back() -> None:
    record = entry(b"\x00nonsense", b"k", offset=41)
    headers = letter_of("ticks", Refused(record, "not_json"), DECODE).headers
    back = Entry(7, 99, record.key, record.value, 1_767_623_400_000, headers=headers)
    assert parse(back, "ticks") == Letter(0, 41, DECODE, "not_json", b"k", b"\x00nonsense", 1_767_623_400_000)
    assert parse(back, "others") is None


def test_a_cut_letter_is_listed_with_the_size_that_its_record_has() -> None:
    record = entry(b"x" * 3_000_000, b"k", offset=41)
    written = letter_of("ticks", Refused(record, "too_large"), DECODE, largest=100_000)
    back = parse(Entry(7, 99, written.key, written.value, 0, headers=written.headers), "ticks")
    assert back is not None
    assert (back.value, back.size) == (b"x" * 65_536, 3_000_000)
    assert "3,000,000" in lines(Listing.of(iter([back]), limit=20))[-1]


_names = st.sampled_from(
    [
        *(f"__connect.errors.{each}" for each in ("topic", "partition", "offset", "stage", "exception.message")),
        *("tickflow.value.bytes", "other"),
    ]
)
_contents = st.none() | st.binary(max_size=9) | st.sampled_from([b"ticks", b"0", b"5", b"-7", b"9" * 5_000, b"1_0"])


@given(
    st.lists(st.tuples(_names, _contents), max_size=9),
    st.none() | st.binary(max_size=9),
    st.none() | st.binary(max_size=90),
    st.integers(-(2**63), 2**63 - 1),
)
@example([(name, b"ticks") for name in ("__connect.errors.topic",)], None, None, 2**63 - 1)
def test_any_record_in_the_topic_is_listed_or_counted_as_foreign(
    headers: list[tuple[str, bytes]], key: bytes | None, value: bytes | None, time_ms: int
) -> None:
    whole = [("__connect.errors.topic", b"ticks"), ("__connect.errors.stage", b"s"), ("__connect.errors.offset", b"1")]
    whole += [("__connect.errors.partition", b"1"), ("__connect.errors.exception.message", b"m")]
    for each in (headers, [*whole, *headers]):
        found = parse(Entry(0, 0, key, value, time_ms, headers=each), "ticks")
        shown = lines(Listing.of(iter([found]), limit=20))
        assert all(line.isprintable() for line in shown)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("__connect.errors.topic", b"ticks"),),
        tuple(
            (f"__connect.errors.{name}", value)
            for name, value in {
                "topic": b"ticks",
                "partition": b"x",
                "offset": b"1",
                "stage": b"s",
                "exception.message": b"m",
            }.items()
        ),
        (("__connect.errors.topic", b"\xff"),),
        (("__connect.errors.topic", b"ticks"), ("__connect.errors.exception.message", None)),  # from Kafka Connect
    ],
)
def test_a_record_without_the_headers_is_not_a_letter(headers: Headers) -> None:
    assert parse(Entry(0, 0, None, body(), 0, headers=headers), "ticks") is None


def test_each_refused_record_counts_once_under_its_reason() -> None:
    found = Listing.of(iter([letter(1), letter(2, "price_range"), letter(1), None, letter(3)]), limit=2)
    assert found.by_reason == {"not_json": 2, "price_range": 1}
    assert (found.repeated, found.strangers) == (1, 1)
    assert [each.offset for each in found.newest] == [2, 3]


def test_the_newest_of_all_partitions_are_kept_in_time_order() -> None:
    all_of_them = [letter(n, refused_ms=n)._replace(partition=n % 3) for n in range(50)]
    found = Listing.of(iter(all_of_them[25:] + all_of_them[:25]), limit=5)
    assert [each.offset for each in found.newest] == [45, 46, 47, 48, 49]


def test_the_listing_shows_no_control_characters_and_no_endless_line() -> None:
    odd = letter(5, value=b"\x1b[2J\r\n" + b"x" * 100_000)._replace(key="é\n".encode(), reason="a\nb" * 50)
    text = lines(Listing.of(iter([odd]), limit=20))
    assert text[0] == "1 record refused"
    assert text[-1].isprintable()
    assert len(text[-1]) < 170
    assert "100,006" in text[-1]
    assert r"\x1b[2J\r\n" in text[-1]


def test_with_explain_each_reason_is_followed_by_cause_and_cure() -> None:
    found = Listing.of(iter([letter(1, "key_missing"), letter(2, "time outside range")]), limit=0)
    shown = lines(found, explain=True)
    at = next(n for n, line in enumerate(shown) if line.endswith("key_missing"))
    assert [line.strip() for line in shown[at + 1 : at + 3]] == list(CURES["key_missing"])
    assert len(shown) == len(lines(found)) + 2, "what a store says has no explanation"


def test_an_empty_listing_gives_one_sentence() -> None:
    assert lines(Listing.of(iter([]), limit=20)) == ["no record was refused"]


def test_nothing_shorter_than_the_width_is_cut() -> None:
    assert printable(b"x" * 60, 60) == "x" * 60
    assert printable(b"x" * 61, 60) == "x" * 59 + "…"
    assert printable(b"", 60) == ""

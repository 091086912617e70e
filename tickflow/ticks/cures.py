"""The usual cause of each reason for refusal, and its cure: for log lines, `dead-letters` and docs/feeds.md."""

from collections.abc import Mapping
from typing import NamedTuple

from tickflow.ticks.reasons import Reason


class Cure(NamedTuple):
    """The most common cause of a refusal, and what to do about it; two sentences."""

    cause: str
    cure: str


CURES: Mapping[str, Cure] = {
    Reason.TOMBSTONE: Cure(
        "The value is null: a delete marker for compaction, or a producer that sent no value.",
        "Send the tick's JSON as the value; prices are never deleted.",
    ),
    Reason.TOO_LARGE: Cure(
        "The value is larger than MAX_RECORD_BYTES: an array of ticks, or a whole order book.",
        "Send one record per tick.",
    ),
    Reason.BATCH_TOO_LARGE: Cure(
        "The record's compressed batch unpacks to more than a worker takes: a compression bomb, or a huge batch.size.",
        "Lower the producer's batch.size; a batch of ticks needs no more than a few MB unpacked.",
    ),
    Reason.NESTING: Cure(
        "The value nests or lists more than 100 objects and arrays: a batch, not a tick.",
        "Send one flat JSON object per tick, or translate the topic with --source topic and a map.",
    ),
    Reason.NOT_UTF8: Cure(
        "The bytes are not UTF-8 text: a binary format such as Avro or Protobuf, or compression by the program itself.",
        "Send JSON in UTF-8, and leave compression to Kafka (compression.type).",
    ),
    Reason.NOT_JSON: Cure(
        "The value is not JSON: CSV, Python's single quotes, NaN, or the magic byte 0 of a schema registry before it.",
        "Send plain JSON without a schema registry's serializer; print one record with kcat to see its first bytes.",
    ),
    Reason.NOT_AN_OBJECT: Cure(
        "The value is JSON, but not an object: an array of ticks, a bare number, or JSON encoded twice into a string.",
        "Send one JSON object per tick, encoded once.",
    ),
    Reason.TOO_MANY_SYMBOLS: Cure(
        "The partition has MAX_SYMBOLS symbols, and this one is new: names made up by a defect, or on purpose.",
        "Find the producer of the new names; raise MAX_SYMBOLS on every worker if they are real.",
    ),
    Reason.TOO_MANY_SOURCES: Cure(
        "The symbol has MAX_SOURCES sources, and this one is new: a source with the id of a run in it.",
        "Send one short, constant name per feed as `source`; raise MAX_SOURCES on every worker if they are real.",
    ),
    Reason.SYMBOL_MISSING: Cure(
        "The object has no `symbol`: another name (s, ticker), or Connect's envelope of schema and payload.",
        'Name the field "symbol"; for Connect set value.converter.schemas.enable=false; or use --source topic.',
    ),
    Reason.SYMBOL_TYPE: Cure(
        "`symbol` is not a string: a number as an instrument's id, or null.",
        'Send the symbol as a JSON string such as "AAPL".',
    ),
    Reason.SYMBOL_INVALID: Cure(
        "`symbol` has characters that a symbol cannot have, or it is empty or too long.",
        "Trim it, and keep to the characters that docs/feeds.md lists.",
    ),
    Reason.KEY_MISSING: Cure(
        "The record has no key: a console producer without key, or a client that sends only the value.",
        "Send the symbol as the record's key, in plain bytes: the order of a symbol's ticks depends on it.",
    ),
    Reason.KEY_MISMATCH: Cure(
        "The key is not the symbol: a key in JSON quotes, another id, or another spelling than in `symbol`.",
        "Send exactly the bytes of `symbol` as the key (in Connect: key.converter=StringConverter).",
    ),
    Reason.PRICE_MISSING: Cure(
        "The object has no `price`: another name (p, last, close), or a quote that has only bid and ask.",
        'Name the field "price"; for quotes, compute a midpoint yourself; or use --source topic and a map.',
    ),
    Reason.PRICE_TYPE: Cure(
        'The price is text such as "187.5" (exchanges do so to keep digits), null, or a boolean.',
        "Send a JSON number without quotes; --source topic and a map turn text into numbers.",
    ),
    Reason.PRICE_RANGE: Cure(
        "The price is zero, negative, or beyond 1e12; vendors send 0 for an unknown price.",
        "Leave such ticks out. Prices below zero, as of oil in April 2020, cannot be stored.",
    ),
    Reason.TIMESTAMP_MISSING: Cure(
        "The object has no `timestamp`: another name (t, ts, time, T).",
        'Name the field "timestamp", or use --source topic and a map.',
    ),
    Reason.TIMESTAMP_TYPE: Cure(
        "The time is a number: seconds or milliseconds since 1970.",
        "Send RFC 3339 text such as 2026-01-05T14:30:00.123Z; --source topic and a map turn epochs into it.",
    ),
    Reason.TIMESTAMP_INVALID: Cure(
        "The time is not an RFC 3339 date and time: a date alone, m/d/Y, a zone's name, or a day that does not exist.",
        "Send text such as 2026-01-05T14:30:00.123Z, with Z or an offset such as -05:00.",
    ),
    Reason.TIMESTAMP_RANGE: Cure(
        "The year lies outside 1970 to 2261: milliseconds taken for seconds, or a default date such as 0001-01-01.",
        "Check the unit of the epoch before it is turned into text.",
    ),
    Reason.TIMESTAMP_FUTURE: Cure(
        "The time lies more than 5 minutes ahead of the broker's clock: local time marked Z, or a wrong clock.",
        "Send the time in UTC, and let NTP set the clocks of the feed's machine and of the broker.",
    ),
    Reason.TIMESTAMP_TOO_OLD: Cure(
        "The tick is older than MAX_TICK_AGE, which is set: a replay of old days, or a feed that lags.",
        "Unset MAX_TICK_AGE for replays, or give the worker of the live feed a topic of its own.",
    ),
    Reason.VOLUME_TYPE: Cure(
        'The volume is text such as "100", a boolean, or a kind of number that this version does not take.',
        "Send a JSON number without quotes, or leave `volume` out.",
    ),
    Reason.VOLUME_RANGE: Cure(
        "The volume is negative, or 2^53 and more: -1 for unknown, or a signed size for the seller's side.",
        "Leave `volume` out where it is unknown, and send sizes without a sign.",
    ),
    Reason.CHANGE_PERCENT_TYPE: Cure(
        'The change is text such as "1.04%".',
        "Send a JSON number in percent such as 1.04, or leave it out.",
    ),
    Reason.CHANGE_PERCENT_RANGE: Cure(
        "The change is not a finite number, as after a division by zero.",
        "Leave `change_percent` out where there is none.",
    ),
    Reason.SOURCE_TYPE: Cure("`source` is not a string.", "Send a short name of your feed, or leave it out."),
    Reason.SOURCE_INVALID: Cure(
        "`source` has capitals, blanks or other characters, or more than 32 of them.",
        "Use 1 to 32 of a-z, 0-9 and underscore, such as my_feed.",
    ),
    Reason.PRODUCER_TYPE: Cure("`producer` is not a string.", "Send the run's name as a string, or leave it out."),
    Reason.PRODUCER_INVALID: Cure(
        "`producer` is empty or longer than 64 characters.",
        "Send 1 to 64 characters that are new for every run, or leave it out.",
    ),
    Reason.SEQ_TYPE: Cure(
        "`seq` is not a whole number.",
        "Send a counter per symbol that starts at 1 in every run, or leave it out.",
    ),
    Reason.SEQ_RANGE: Cure("`seq` is negative.", "Send a counter per symbol that starts at 1, or leave it out."),
}
"""The cure for each reason. docs/feeds.md has the same table; a test keeps them equal."""


def advice(reason: str) -> str:
    """Cause and cure of a reason in one line; empty for a reason that is not in the table, such as a store's own
    message.

    >>> advice("source_type")
    '`source` is not a string. Send a short name of your feed, or leave it out.'
    """
    found = CURES.get(reason)
    return f"{found.cause} {found.cure}" if found else ""

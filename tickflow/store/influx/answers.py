"""What InfluxDB's refusals mean: which points, how many, and what an operator must do.

The bodies are those of InfluxDB 2.9. 400: lines that it cannot parse; nothing of the request is written, and the body
quotes the bad lines. 422: points that it dropped; all others are written, and the body has `dropped=N`. Everything
else: JSON with `message`.
"""

import re
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime

import orjson
from influxdb_client.rest import ApiException

from tickflow.errors import StoreError, StoreMisconfigured, StoreUnavailable

TOO_LARGE = 413
UNPARSABLE = 400
DROPPED = 422

LONGEST_WAIT = 300.0
"""The longest time, in seconds, that this program waits before it tries again, even if a server asks for more."""

REFUSED_SHARE = 0.01
"""If a larger share of a batch is refused, the cause is a mistake in the setup rather than a few odd ticks."""

_BAD_LINE = re.compile(r"^unable to parse '(.*?)': (.*)$", re.MULTILINE)
_OUTSIDE_RETENTION = re.compile(r"outside retention policy.*dropped=([0-9]{1,18})(?![0-9])", re.DOTALL)
_TYPE_CONFLICT = re.compile(
    r'field type conflict: input field "(.+?)" on measurement "(.+?)" is type (\w+), already exists as type (\w+)'
)


def message_of(body: bytes | str | None) -> str:
    """The message in the body of an error response; of a body that is not InfluxDB's JSON, at most 300 characters."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else body or ""
    try:
        return str(orjson.loads(text)["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return text.strip()[:300]


def bad_lines(message: str) -> dict[str, str]:
    """The lines that the body of a 400 quotes, each with its reason.

    >>> bad_lines("unable to parse 'm a=x 1': invalid boolean")
    {'m a=x 1': 'invalid boolean'}
    """
    return dict(_BAD_LINE.findall(message))


def expired(message: str) -> int | None:
    """How many points a 422 dropped because they lie outside the bucket's retention; `None` for another reason.

    InfluxDB names the retention only if nothing else was wrong: a conflict of field types hides it.

    >>> expired("partial write: dropped 2 points outside retention policy of duration 1h0m0s - ... dropped=2 for ...")
    2
    """
    if _TYPE_CONFLICT.search(message):
        return None
    found = _OUTSIDE_RETENTION.search(message)
    return int(found[1]) if found else None


def is_expired(error: ApiException) -> bool:
    """Whether a refusal dropped only points outside the bucket's retention; everything else is written."""
    return error.status == DROPPED and expired(message_of(error.body)) is not None


def retry_after(header: str | None, now: float) -> float | None:
    """The delay, in seconds, that a `Retry-After` header asks for with a number or a date (RFC 9110, 10.2.3).

    >>> retry_after("7", now=0.0), retry_after("Thu, 01 Jan 1970 00:00:30 GMT", now=10.0), retry_after("soon", now=0.0)
    (7.0, 20.0, None)
    """
    if header is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", header.strip()):
        return min(float(header), LONGEST_WAIT)
    try:
        return min(max(0.0, parsedate_to_datetime(header).timestamp() - now), LONGEST_WAIT)
    except (ValueError, TypeError, OverflowError):
        return None


def failure(status: int, message: str, headers: Mapping[str, str], *, org: str, bucket: str, now: float) -> StoreError:
    """The error for a refusal; its sentence names the setting and what to do."""
    words = message[:300]
    if status in (408, 429) or status >= 500:
        return StoreUnavailable(
            f"InfluxDB is overloaded ({status}: {words})", retry_after(headers.get("Retry-After"), now)
        )
    if status == 401:
        sentence = f"does not know the token ({words}): set INFLUXDB_TOKEN to a valid token of the org {org!r}"
    elif status == 403:
        sentence = (
            f"does not allow it with this token ({words}): set INFLUXDB_TOKEN to a token that may write to and read "
            f"from the bucket {bucket!r} of INFLUXDB_BUCKET"
        )
    elif status == 404 and "organization" in message:
        sentence = f"has no org {org!r} for this token: set INFLUXDB_ORG to the org that INFLUXDB_TOKEN belongs to"
    elif status == 404:
        sentence = (
            f"finds no bucket {bucket!r} ({words}): create it in the org {org!r}, or set INFLUXDB_BUCKET to one that "
            "exists and that INFLUXDB_TOKEN may use"
        )
    elif conflict := _TYPE_CONFLICT.search(message):
        field, measurement, given, existing = conflict.groups()
        sentence = (
            f"holds the field {field!r} of {measurement!r} as {existing}, and is now given {given}: another program, "
            f"or an earlier version of this one, wrote it first; delete what is there (influx delete --org '{org}' "
            f"--bucket '{bucket}' --start 1970-01-01T00:00:00Z --stop 2262-01-01T00:00:00Z --predicate '_measurement="
            f'"{measurement}"\'), or set INFLUXDB_BUCKET to a new bucket'
        )
    elif status == TOO_LARGE:
        sentence = (
            f"refuses even a single point as too large ({words}): raise the limit of "
            "the server or proxy at INFLUXDB_URL"
        )
    elif "HTTPS" in message:  # influxd answers "... to an HTTPS server", nginx "... to HTTPS port"
        sentence = f"speaks TLS there ({words}): begin INFLUXDB_URL with https://"
    else:
        sentence = f"refuses the request ({status}: {words}): check that INFLUXDB_URL leads to InfluxDB 2.4 or later"
    return StoreMisconfigured(f"InfluxDB {sentence}.")


def check_share(refused: Sequence[tuple[int, str]], total: int) -> None:
    """Raise `StoreMisconfigured` if more than one point and more than 1 % of a batch are refused: too many to be a few
    odd ticks.
    """
    if len(refused) > max(1, REFUSED_SHARE * total):
        raise StoreMisconfigured(
            f"InfluxDB refuses {len(refused):,} of {total:,} points, the first with these words: {refused[0][1]}; "
            "so many mean that INFLUXDB_URL leads to something that does not understand this program."
        )

"""Which passwords are refused: those that are too short, and those that attackers try first."""

import functools
import re
import string

LEAST, MOST = 12, 256
"""The minimum and the maximum number of characters in a password."""
_OURS = frozenset(
    (
        "administrator",
        "anomaly",
        "broker",
        "dashboard",
        "finance",
        "market",
        "secrets",
        "stocks",
        "tickflow",
        "trading",
        "viewer",
    )
)
"""Words that suggest themselves here and are not among the breached passwords."""
_ROWS = ("1234567890", "0123456789", "9876543210", "0987654321", string.ascii_lowercase, "qwertyuiopasdfghjklzxcvbnm")
_LONGEST_RUN, _LONGEST_ENDING = 32, 8


def refusal_of(password: str) -> str | None:
    """Why this text is refused as a password, as a sentence; `None` if it is accepted."""
    if not LEAST <= len(password) <= MOST:
        return f"A password has {LEAST} to {MOST} characters."
    if _is_common(password.lower()):
        return "This password is among those that attackers try first. Choose another, such as four words of your own."
    return None


def _is_common(password: str) -> bool:
    """Whether a lower-case password is a breached one or a word of ours: as it is, with up to `_LONGEST_ENDING` digits
    and signs at its end, or repeated; or one character repeated, or neighbours on the keyboard or in the alphabet.
    """
    shortest = max(len(password.rstrip(string.digits + string.punctuation)), len(password) - _LONGEST_ENDING)
    stems = {password[:length] for length in range(shortest, len(password) + 1)}
    stems.add(re.sub(r"^(.{2,16}?)\1+$", r"\1", password))
    if not (stems.isdisjoint(_breached()) and stems.isdisjoint(_OURS)):
        return True
    if len(set(password)) == 1:
        return len(password) <= _LONGEST_RUN
    return any(password in row * _LONGEST_RUN for row in _ROWS)


@functools.cache
def _breached() -> frozenset[str]:
    """The 30,000 most frequent passwords of published breaches, in lower case, from the library zxcvbn."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # loads a megabyte, which only a new password needs

    return frozenset(FREQUENCY_LISTS["passwords"])

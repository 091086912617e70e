"""Secrets: read from a file, and kept out of the messages about wrong settings."""

import os
import re
import stat
from collections.abc import Collection

from tickflow.errors import SettingError

HIDDEN = "**********"
MAX_BYTES = 64 * 1024
OF_CONTAINERS = "/run/secrets/"
EXPECTED = "a regular file of at most 64 KiB that holds the secret"


def read_secret(key: str, path: str) -> tuple[str, str | None]:
    """The secret in the file that the setting `key` names, and a warning if others can read the file.

    Raises `SettingError`. The error shows the path only if the file exists: otherwise the value may be the secret
    itself.
    """
    try:
        # Opened this way, a pipe without a writer does not block, and a device is not read for ever.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        is_there = os.path.lexists(path) if "\0" not in path else False
        reason = getattr(error, "strerror", None) or "not the path of a file"
        raise SettingError(key, path if is_there else HIDDEN, f"{EXPECTED} ({reason})") from None
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode):
        os.close(file)
        raise SettingError(key, path, f"{EXPECTED}; this is not one")
    with os.fdopen(file, "rb") as opened:
        content = opened.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise SettingError(key, path, f"{EXPECTED}; this one is larger")
    try:
        secret = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise SettingError(key, path, f"{EXPECTED}, as text in UTF-8") from None
    if not secret:
        raise SettingError(key, path, f"{EXPECTED}; this one is empty")
    # A file in that folder is mounted for this container alone; its mode is the mode that it has on the host.
    if found.st_mode & (stat.S_IRGRP | stat.S_IROTH) and not path.startswith(OF_CONTAINERS):
        return secret, f"others can read {path} ({key}): chmod 600 {path}"
    return secret, None


def without_secrets(value: str, secrets: Collection[str] = ()) -> str:
    """The value in a form that can be shown: whatever looks like a secret in the wrong place is hidden.

    This hides known secrets, the user and password of an address, the parameters of a URL, and a value that looks like
    a token.

    >>> without_secrets("http://me:hush@localhost:8086"), without_secrets("http://localhost:8086?token=hush")
    ('http://**********@localhost:8086', 'http://localhost:8086?token=**********')
    >>> without_secrets("fQ8xT0v2kM1bWz7LrYp3sA=="), without_secrets("stock ticks")
    ('**********', 'stock ticks')
    """
    if any(secret in value for secret in secrets if len(secret) > 3) or _looks_like_a_token(value):
        return HIDDEN
    value = re.sub(r"//[^/]*@", f"//{HIDDEN}@", value)
    value = re.sub(r"(^|[\s,])[^\s,/@]+@", rf"\1{HIDDEN}@", value)
    return re.sub(r"([?&#;][^=&#;\s]*=)[^&#;\s]*", rf"\1{HIDDEN}", value)


def _looks_like_a_token(value: str) -> bool:
    """Whether the text is as long and as mixed as a generated token.

    >>> [_looks_like_a_token(each) for each in ("stock-ticks.of-the-second", "sk_live_9aF3bC77Q0pLmX2d")]
    [False, True]
    """
    if not re.fullmatch(r"[A-Za-z0-9+/_\-.~=]{16,}", value):
        return False
    kinds = [re.search(kind, value) for kind in ("[a-z]", "[A-Z]", "[0-9]")]
    is_hex = (
        re.fullmatch("[0-9a-f]{32,}", value) is not None and re.search("[0-9]", value) and re.search("[a-f]", value)
    )
    return all(kinds) or value.endswith("==") or bool(is_hex)

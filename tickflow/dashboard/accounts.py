"""Who may sign in: people with roles and passwords (hashed by scrypt), scripts with tokens; one file of mode 0600."""

import fcntl
import hashlib
import hmac
import os
import re
import secrets
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec

from tickflow.dashboard.passwords import MOST, refusal_of
from tickflow.errors import SettingError

Role = Literal["viewer", "operator"]
ROLES: tuple[Role, ...] = ("viewer", "operator")
KEY = "AUTH_USERS_FILE"

COST, BLOCK = 2**15, 8
"""The parameters of scrypt: hashing a password takes 32 MB and about 100 ms."""
MAX_ACCOUNTS = 1_000

_NAME = re.compile(r"[A-Za-z0-9._@\-]{1,64}")


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user's account. `stamp` changes with each new password; this ends all sessions that began before the change."""

    role: Role
    salt: str
    digest: str
    stamp: str


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A script's token; only its digest is stored. It expires at `until`, in seconds since 1970."""

    role: Role
    digest: str
    until: float


class _File(msgspec.Struct, forbid_unknown_fields=True):
    users: Annotated[dict[str, Account], msgspec.Meta(max_length=MAX_ACCOUNTS)] = {}
    tokens: Annotated[dict[str, Token], msgspec.Meta(max_length=MAX_ACCOUNTS)] = {}


class Person(NamedTuple):
    """Who makes a request, and in which role."""

    name: str
    role: Role


class Accounts:
    """The accounts of a file, read again when it changes. Thread-safe."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._hashing = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._file = _File()
        self._nobody = _digest("nobody", b"0" * 16)

    def check(self) -> None:
        """Raise `SettingError` for a file that cannot be read, or that other users can read."""
        if not self._path.exists():
            expected = "a file with a user in it: python stock_dashboard.py --add-user NAME --role operator"
            raise SettingError(KEY, str(self._path), expected)
        mode = self._path.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SettingError(KEY, str(self._path), f"a file that only its owner may read: chmod 600 {self._path}")
        self._read()

    def find(self, name: str) -> Account | None:
        """The account with the name `name`; `None` if there is none."""
        with self._lock:
            self._reread()
            return self._file.users.get(name)

    def users(self) -> dict[str, Account]:
        """All accounts by name."""
        with self._lock:
            self._reread()
            return dict(self._file.users)

    def is_right(self, name: str, password: str, *, seconds: float = 5.0) -> bool | None:
        """Whether the password is the one for the name; `None` if other checks took longer than `seconds`.

        Passwords are hashed one at a time. They are hashed for unknown names too, so that the duration does not reveal
        which names exist.
        """
        account = self.find(name)
        if not self._hashing.acquire(timeout=seconds):
            return None
        try:
            salt = bytes.fromhex(account.salt) if account else b"0" * 16
            digest = _digest(password[:MOST], salt)
        finally:
            self._hashing.release()
        return hmac.compare_digest(digest, account.digest if account else self._nobody) and account is not None

    def bearer(self, token: str) -> Person | None:
        """The owner of the token, or `None` if it is unknown or expired."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
        with self._lock:
            self._reread()
            for name, each in self._file.tokens.items():
                if hmac.compare_digest(each.digest, digest) and self._clock() < each.until:
                    return Person(f"token {name}", each.role)
        return None

    def add_user(self, name: str, role: Role, password: str) -> None:
        """Add a user, or give one a new password and role.

        Raises `ValueError`, with a message for the user, if the name or the password is not allowed.
        """
        self._check_name(name)
        account = self._made(role, password)
        self._change(lambda file: file.users.__setitem__(name, account))

    def change_password(self, name: str, password: str) -> Account:
        """Give a user a new password, which ends all sessions; return the new account.

        Raises `ValueError`, with a message for the user, if the password is not allowed or there is no such user, and
        `OSError` if the file cannot be written.
        """
        made = self._made("viewer", password)

        def change(file: _File) -> None:
            nonlocal made
            if name not in file.users:
                raise ValueError("This user was removed.")
            made = msgspec.structs.replace(made, role=file.users[name].role)
            file.users[name] = made

        self._change(change)
        return made

    def sign_out(self, name: str) -> bool:
        """End all sessions of a user; return whether there is one of this name."""
        found = []

        def change(file: _File) -> None:
            if name in file.users:
                found.append(name)
                file.users[name] = msgspec.structs.replace(file.users[name], stamp=secrets.token_hex(8))

        self._change(change)
        return bool(found)

    def _made(self, role: Role, password: str) -> Account:
        if sentence := refusal_of(password):
            raise ValueError(sentence)
        salt = os.urandom(16)
        with self._hashing:
            digest = _digest(password, salt)
        return Account(role, salt.hex(), digest, secrets.token_hex(8))

    def add_token(self, name: str, role: Role, days: float) -> str:
        """Create a token and return it; it is shown only this once.

        Raises `ValueError`, with a message for the user, if the name is not allowed.
        """
        self._check_name(name)
        token = secrets.token_urlsafe(32)
        kept = Token(role, hashlib.sha256(token.encode()).hexdigest(), self._clock() + days * 86_400)
        self._change(lambda file: file.tokens.__setitem__(name, kept))
        return token

    def remove(self, name: str) -> bool:
        """Remove the user and the token with this name; return whether either existed."""
        found = []
        self._change(lambda file: found.extend([file.users.pop(name, None), file.tokens.pop(name, None)]))
        return any(each is not None for each in found)

    def _check_name(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError("A name has 1 to 64 letters, digits, dots, hyphens, underscores and @.")

    def _change(self, change: Callable[[_File], object]) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock, _alone(self._path.parent):
            if self._path.exists():
                self._read()
            self._seen = None  # a change that cannot be written has no effect
            change(self._file)
            beside = self._path.with_name(f"{self._path.name}.{secrets.token_hex(4)}")
            file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(file, "wb") as opened:
                    opened.write(msgspec.json.format(msgspec.json.encode(self._file)))
                    opened.flush()
                    os.fsync(opened.fileno())
                beside.replace(self._path)
            except OSError:
                beside.unlink(missing_ok=True)
                raise

    def _reread(self) -> None:
        try:
            found = self._path.stat()
        except OSError:
            self._file, self._seen = (
                _File(),
                None,
            )  # the file is gone for the moment: nobody may sign in until it is back
            return
        if self._seen != (found.st_mtime_ns, found.st_ino):
            self._read()
            self._seen = (found.st_mtime_ns, found.st_ino)

    def _read(self) -> None:
        try:
            self._file = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._file = _File()
            raise SettingError(KEY, str(self._path), f"a file that --add-user wrote ({error})") from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process changes the accounts: the page and the script's flags may do so at the same time."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _digest(password: str, salt: bytes) -> str:
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=COST, r=BLOCK, p=1, maxmem=2**26, dklen=32).hex()

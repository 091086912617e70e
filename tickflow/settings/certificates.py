"""The TLS context from the files that the settings name, and a sentence for each TLS failure: it names the setting to
change.
"""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from tickflow.errors import SettingError

_CERTIFICATE, _KEY = "-----BEGIN CERTIFICATE-----", "PRIVATE KEY-----"


@dataclass(frozen=True)
class Certificates:
    """Whom a client trusts and how it identifies itself; without `cafile` it trusts the system's certificate
    authorities.

    `settings` is the common prefix of these settings' names, `address` the setting that names the server, and
    `without_tls` the setting and value that turn TLS off.
    """

    settings: str
    address: str
    without_tls: str
    cafile: Path | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    password: str | None = field(default=None, repr=False)

    def context(self) -> ssl.SSLContext:
        """The TLS context of these files. Raises `SettingError`; its message distinguishes a wrong password from a
        wrong file.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.cafile is None:
            context.load_default_certs()
        else:
            _text_of(f"{self.settings}_CAFILE", self.cafile, _CERTIFICATE, "the certificates to trust")
            try:
                context.load_verify_locations(self.cafile)
            except OSError as error:
                expected = f"a file with the certificates to trust, in PEM form ({error})"
                raise SettingError(f"{self.settings}_CAFILE", str(self.cafile), expected) from error
        if self.certfile is not None:
            self._load_own(context, self.certfile)
        return context

    def _load_own(self, context: ssl.SSLContext, certfile: Path) -> None:
        _text_of(f"{self.settings}_CERTFILE", certfile, _CERTIFICATE, "the certificate of this client")
        key = f"{self.settings}_KEYFILE" if self.keyfile else f"{self.settings}_CERTFILE"
        _text_of(key, self.keyfile or certfile, _KEY, "the key of the certificate")
        asked: list[bool] = []

        def password() -> str:  # without a password OpenSSL would ask the terminal
            asked.append(True)
            return self.password or ""

        try:
            context.load_cert_chain(certfile, self.keyfile, password)
        except (OSError, ValueError) as error:
            if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
                expected = f"the key of the certificate in {self.settings}_CERTFILE; this is the key of another one"
                raise SettingError(key, str(self.keyfile or certfile), expected) from error
            if asked:
                value = None if self.password is None else "**********"
                expected = f"the password of the encrypted key in {key}"
                raise SettingError(f"{self.settings}_PASSWORD", value, expected) from error
            expected = f"a certificate and its key in PEM form ({error})"
            raise SettingError(f"{self.settings}_CERTFILE", str(certfile), expected) from error

    def explain(self, words: str) -> str | None:
        """The meaning of a TLS failure that OpenSSL describes with `words`, and what to do; `None` if the words are
        unknown.

        >>> own = Certificates("KAFKA_SSL", "KAFKA_SERVERS", "KAFKA_SECURITY_PROTOCOL=PLAINTEXT")
        >>> own.explain("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c)")
        'a certificate has expired: renew that of the server, or of its authority in KAFKA_SSL_CAFILE'
        >>> own.explain("connection refused")
        """
        low = words.lower().replace("_", " ")
        if any(sign in low for sign in _OF_CLIENT):
            if self.certfile is None:
                return (
                    f"the server asks for a certificate of this client: set {self.settings}_CERTFILE and "
                    f"{self.settings}_KEYFILE"
                )
            return (
                f"the server does not accept the certificate of this client: set {self.settings}_CERTFILE to one that "
                "has not expired and that an authority of the server's signed"
            )
        for signs, meaning in _MEANINGS:
            if any(sign in low for sign in signs):
                trusted = f"{self.settings}_CAFILE" + (
                    "" if self.cafile else " (not set: the system's authorities count)"
                )
                return meaning.format(
                    trusted=trusted,
                    ca=f"{self.settings}_CAFILE",
                    address=self.address,
                    without=self.without_tls,
                )
        return None


_OF_CLIENT = ("alert certificate", "certificate required", "alert unknown ca", "alert bad certificate")
"""How a server words its refusal of a client's certificate. Kafka says "bad certificate" if there is none, and
"unknown" if it has expired.
"""
_MEANINGS = (
    (
        ("certificate has expired",),
        "a certificate has expired: renew that of the server, or of its authority in {ca}",
    ),
    (
        ("not yet valid",),
        "a certificate is not valid yet: check the clock of this machine, then the certificate of the server",
    ),
    (
        ("hostname mismatch", "ip address mismatch", "doesn't match", "not valid for"),
        "the certificate is for another host: set {address} to a name that the certificate has",
    ),
    (
        ("unable to get", "self-signed", "self signed", "certificate verify failed", "invalid ca"),
        "the certificate was signed by an authority that is not trusted here: set {trusted} to the file with that "
        "authority's certificate",
    ),
    (
        (
            "wrong version number",
            "record layer failure",
            "http request",
            "eof occurred",
            "reset by peer",
            "packet length too long",
            "unexpected message",
        ),
        "the server does not speak TLS there: set {address} to its TLS port, or {without}",
    ),
    (
        ("handshake failure", "protocol version", "no protocols available", "unsupported protocol", "no shared cipher"),
        "server and client have no version of TLS in common: TLS 1.2 or later is needed",
    ),
)
"""Words of OpenSSL's messages with their meaning, the most specific first."""


def _text_of(key: str, path: Path, wanted: str, what: str) -> None:
    """Raise `SettingError` if the file cannot be read, or does not contain `wanted`."""
    try:
        content = path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise SettingError(key, str(path), f"a file with {what}, in PEM form ({error.strerror})") from error
    if wanted not in content:
        found = "; this is a key" if _KEY in content else "; this is a certificate" if _CERTIFICATE in content else ""
        raise SettingError(key, str(path), f"a file with {what}, in PEM form{found}")

"""A private certificate authority for tests, which writes certificates as files for Kafka, InfluxDB and clients."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

LONG_AGO, YESTERDAY = (datetime.now(UTC) - timedelta(days=days) for days in (30, 1))
HERE = ("127.0.0.1", "localhost")
KEY_PASSWORD = "the words of the key"


class Authority:
    """A certificate authority whose files are in `folder`: `ca.pem`, and those that `issue` writes."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._authority = trustme.CA()
        self.ca = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.ca))

    def issue(
        self, name: str, *identities: str, common_name: str | None = None, expired: bool = False, password: str = ""
    ) -> "Issued":
        """Issue a certificate for these hosts; its key is in PKCS#8, as Kafka requires."""
        made = self._authority.issue_cert(
            *(identities or HERE),
            common_name=common_name,
            not_before=LONG_AGO if expired else None,
            not_after=YESTERDAY if expired else None,
        )
        encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        key = load_pem_private_key(made.private_key_pem.bytes(), None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, encryption
        )
        chain = b"".join(each.bytes() for each in made.cert_chain_pems)
        issued = Issued(*(self._folder / f"{name}.{kind}.pem" for kind in ("cert", "key", "both")))
        for path, content in ((issued.cert, chain), (issued.key, key), (issued.both, key + chain)):
            path.write_bytes(content)
            path.chmod(0o600)
        return issued


class Issued:
    """The paths of a certificate, of its key, and of a file with both."""

    def __init__(self, cert: Path, key: Path, both: Path) -> None:
        self.cert, self.key, self.both = cert, key, both

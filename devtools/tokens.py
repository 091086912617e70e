"""Makes InfluxDB tokens that allow no more than their owners need: `make tokens`, or

python -m devtools.tokens                 for the InfluxDB that the settings name; writes into the folder secrets
python -m devtools.tokens --folder DIR    writes into DIR

`INFLUXDB_TOKEN` has to be the operator's token. Each run makes new tokens, in files of mode 0600 for
`INFLUXDB_TOKEN_FILE`. The producer needs its token only for `--steer`.
"""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from config import Settings, load_settings
from devtools.influxdb import InfluxServer
from devtools.process import ServerError
from tickflow.errors import SettingError

METRICS, ACKS, RULES = "{bucket}", "{bucket}_acks", "{bucket}_rules"
RIGHTS: dict[str, dict[str, tuple[str, ...]]] = {
    "worker": {METRICS: ("read", "write"), ACKS: ("read",), RULES: ("read", "write")},
    "page": {METRICS: ("read",), ACKS: ("read", "write"), RULES: ("read", "write")},
    "auditor": {METRICS: ("read",), RULES: ("read",)},
    "grafana": {METRICS: ("read",)},
}
"""The permissions of each token, by bucket. The notifier, which reads mutes, uses the worker's token."""
STEERED: dict[str, dict[str, tuple[str, ...]]] = {"producer": {ACKS: ("read", "write")}}
"""The permissions of a producer with `--steer`. Compose's producer replays no file, and is given no token."""


def make_tokens(
    server: InfluxServer, bucket: str, owners: Mapping[str, Mapping[str, tuple[str, ...]]] = RIGHTS
) -> dict[str, tuple[str, str]]:
    """Make a token for each of `owners`, and the page's buckets if missing; return each token with the id to revoke it.

    Raises `ServerError`.
    """
    found = {
        each["name"]: each for each in server.call("GET", f"/api/v2/buckets?org={server.org}&limit=100")["buckets"]
    }
    if bucket not in found:
        raise ServerError(f"InfluxDB has no bucket {bucket!r} in the org {server.org!r}: see INFLUXDB_BUCKET")
    for page_bucket in (ACKS.format(bucket=bucket), RULES.format(bucket=bucket)):
        if page_bucket in found:
            continue
        server.create_bucket(page_bucket)
        found |= {each["name"]: each for each in server.call("GET", f"/api/v2/buckets?name={page_bucket}")["buckets"]}
    made = {}
    for who, rights in owners.items():
        may = [
            {"action": action, "resource": {"type": "buckets", "id": found[name.format(bucket=bucket)]["id"]}}
            for name, actions in rights.items()
            for action in actions
        ]
        body = {"orgID": found[bucket]["orgID"], "description": f"tickflow {who}", "permissions": may}
        answer = server.call("POST", "/api/v2/authorizations", body)
        made[who] = (answer["token"], answer["id"])
    return made


def operated(settings: Settings) -> InfluxServer:
    """The InfluxDB that the settings name, with its operator's token. Raises `SettingError` if no token is set."""
    token = settings.secret("INFLUXDB_TOKEN", "the operator's token of your InfluxDB")
    return InfluxServer(settings.influxdb_url.rstrip("/"), settings.influxdb_org, token, settings.influxdb_ssl_cafile)


def write_secret(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file by one that has had this `mode` since its creation, so that nobody else could ever read it."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 0 when done, 2 for a wrong setting, 1 for any other error, with a message."""
    parser = argparse.ArgumentParser(prog="python -m devtools.tokens", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("secrets"), help="where to write them (default: secrets)")
    chosen = parser.parse_args(arguments)
    try:
        settings = load_settings()
        made = make_tokens(operated(settings), settings.influxdb_bucket, RIGHTS | STEERED)
    except SettingError as error:
        print(error, file=sys.stderr)
        return 2
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1
    chosen.folder.mkdir(mode=0o700, exist_ok=True)
    for who, (token, identity) in made.items():
        path = chosen.folder / f"influxdb-{who}-token"
        write_secret(path, token)
        print(f"{path}: set INFLUXDB_TOKEN_FILE of the {who} to it (to revoke it: influx auth delete --id {identity})")
    return 0


if __name__ == "__main__":
    sys.exit(main())

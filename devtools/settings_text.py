"""Writes `.env.example` and the table of docs/settings.md from config.py: `make settings`; a test compares them."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from config import KEYS, PUBLIC_TOKEN, SECRETS, explained

PROJECT = Path(__file__).parent.parent
ENV_EXAMPLE = PROJECT / ".env.example"
TABLE = PROJECT / "docs" / "settings.md"
GROUPS = {
    "STACK": "Stack",
    "INFLUXDB_URL": "InfluxDB",
    "KAFKA_SERVERS": "Kafka",
    "SOURCE": "Producer",
    "MAX_RECORD_BYTES": "Worker",
    "DASHBOARD_HOST": "Page",
    "METRICS_HOST": "All scripts",
}
"""The first key of each group, and the heading above it."""
EXAMPLES = {
    "INFLUXDB_TOKEN": (
        PUBLIC_TOKEN,
        "This one is public: docker-compose gives it to a new InfluxDB. Put your own here before the first start, or"
        " before any other machine can reach InfluxDB. It is refused for an INFLUXDB_URL that is not on loopback.",
    )
}
"""Keys for which `.env.example` shows a value other than the default, each with that value and a comment."""
HEAD = """\
Copy this file to .env: as it stands, it fits docker-compose.yml. It has every key with its default; an empty key counts
as absent. A flag overrides the environment, which overrides .env. For a secret (token, password, API key), KEY_FILE may
name a file that holds it. A wrong value ends a script at its start with one sentence and exit code 2. Written by
`make settings`.
"""
WIDTH = 120


def env_example() -> str:
    """The whole text of `.env.example`."""
    return "\n".join([*_comment(" ".join(HEAD.split())), *_entries()]) + "\n"


def _entries() -> Iterator[str]:
    for key in KEYS:
        if key in GROUPS:
            yield from ("", f"# --- {GROUPS[key]} ".ljust(WIDTH, "-"))
        meaning, expected, default = explained(key)
        value, note = EXAMPLES.get(key, (default, ""))
        sentences = [meaning, expected and f"expected: {expected}", note, "" if value else "none by default"]
        if key in SECRETS:
            sentences.insert(1, "a secret")
        yield from _comment(" ".join(f"{each[0].upper()}{each[1:].rstrip('.')}." for each in sentences if each))
        yield f"{key}={value}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def with_table(text: str) -> str:
    """The text of docs/settings.md with its table replaced."""
    rows = ["| key | default | meaning | expected |", "|---|---|---|---|"]
    for key in KEYS:
        meaning, expected, default = explained(key)
        cells = [f"`{key}`", f"`{default}`" if default else "none", meaning, expected]
        rows.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    table = "\n".join(rows)
    return re.sub(r"(<!-- settings -->\n).*?(\n<!-- end -->)", lambda m: m[1] + table + m[2], text, flags=re.DOTALL)


def main() -> None:
    """Write both files."""
    ENV_EXAMPLE.write_text(env_example(), encoding="utf-8")
    TABLE.write_text(with_table(TABLE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()

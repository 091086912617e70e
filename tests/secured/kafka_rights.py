"""The permissions on Kafka that docs/security.md lists for each script, in the form in which the tests grant them."""

import re
from collections.abc import Mapping

from devtools.init import Rights
from tests.markdown import table

_ON = re.compile(r"(topic|group) `([^`]+)`")


def documented() -> dict[str, Rights]:
    """The document's table: for each script, the permissions that it needs, with the names that the document uses."""
    found: dict[str, dict[tuple[str, str], tuple[str, ...]]] = {}
    scripts: list[str] = []
    for who, on, rights in table("docs/security.md", "Least privilege"):
        scripts = [each.replace("`", "").strip() for each in who.split(",")] if who else scripts
        matched = _ON.fullmatch(on)
        assert matched, on
        for script in scripts:
            found.setdefault(script, {})[matched[1].upper(), matched[2]] = tuple(rights.split(", "))
    return dict(found)


def named(rights: Rights, topic: str) -> Rights:
    """The permissions with the document's names replaced by those of a test's topic, group and foreign topic."""

    def name(documented: str) -> str:
        known = documented.replace("raw", foreign_topic(topic))
        return known.replace("stock-ticks", topic).replace("stock-analytics", group_of(topic))

    return {(kind, name(on)): operations for (kind, on), operations in rights.items()}


def without(rights: Rights, lacking: Rights) -> Rights:
    """`rights` without those in `lacking`."""
    left = {on: tuple(each for each in may if each not in lacking.get(on, ())) for on, may in rights.items()}
    return {on: may for on, may in left.items() if may}


def part_of(rights: Rights, kind: str, name: str, *operations: str) -> Rights:
    """The permissions for operations on a topic or group; without `operations`, all that `rights` allows on it."""
    may = rights[kind, name]
    assert set(operations) <= set(may), (operations, may)
    return {(kind, name): operations or tuple(may)}


def group_of(topic: str) -> str:
    """The consumer group of a test."""
    return f"group-of-{topic}"


def foreign_topic(topic: str) -> str:
    """The topic that `--source topic` reads in a test."""
    return f"{topic}-foreign"


RIGHTS: Mapping[str, Rights] = documented()

"""The page's scripts are ES modules, named after their exports, served with a version, and given the server's facts."""

import json
import re

import pytest
from flask import Flask

from tests.scripts import PROJECT
from tickflow.dashboard.drawing.facts import as_script, facts
from tickflow.dashboard.modules import ENTRY, FIRST, START, Modules
from tickflow.dashboard.queries.ranges import RANGES
from tickflow.ticks.tick import is_symbol

MODULES = {path.stem: path.read_text() for path in (PROJECT / "assets").glob("*.js") if path.stem != FIRST}


@pytest.mark.parametrize("name", sorted(set(MODULES) - {ENTRY, START, "dragging", "keys", "roving"}))
def test_a_module_is_named_after_the_one_thing_that_it_exports(name: str) -> None:
    """Exceptions: `dragging`, `keys` and `roving` export nothing: they only listen to events of the document."""
    assert re.findall(r"^export (?:const|function|class) (\w+)", MODULES[name], re.M) == [name]


def test_every_import_names_a_module_and_the_last_one_reaches_all_of_them() -> None:
    imports = {
        name: set(re.findall(r'from "\./(\w+)\.js"|import "\./(\w+)\.js"', text)) for name, text in MODULES.items()
    }
    named = {name: {a or b for a, b in pairs} for name, pairs in imports.items()}
    reached, ahead = set[str](), [START]
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += named[name]
    assert reached == set(MODULES)


def test_browsers_cache_modules_only_under_a_versioned_address() -> None:
    server, modules = Flask("test"), Modules()
    modules.serve(server)
    addresses = re.findall(r'(?:href|src)="([^"]+)"', modules.tags() + modules.tag(START))
    assert len(addresses) == len(MODULES)
    client = server.test_client()
    for address in addresses:
        answer = client.get(f"/{address}")
        assert (answer.status_code, answer.mimetype) == (200, "text/javascript")
        assert "immutable" in answer.headers["Cache-Control"]
    assert client.get(f"/{addresses[0].replace(modules.version, 'older')}").status_code == 404
    assert client.get(f"/modules/{modules.version}/first.js").status_code == 404


def test_the_facts_are_those_that_the_server_uses() -> None:
    read = json.loads(as_script())
    assert read == facts()
    assert list(read["ranges_ms"]) == list(RANGES)
    pattern = re.compile(read["symbol_pattern"])
    for text in ("AAPL", "BRK.B", "", " ", "<", "A" * 40):
        assert bool(pattern.match(text)) is is_symbol(text)
    assert "<" not in as_script()

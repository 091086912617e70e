"""The documents are true: what they name exists, what they show works, and their lists are complete."""

import ast
import csv
import doctest
import math
import re
import shlex
import shutil
import subprocess
import threading
import time
import tomllib
from pathlib import Path

import pytest

import tickflow
from config import KEYS, SECRETS, Settings, load_settings
from devtools.servers import InfluxServer
from tests import command_lines, markdown, records
from tests.loaded_settings import load
from tests.markdown import DOCS, blocks, code, commands, section, table, text
from tests.point_examples import a_row, points_of
from tests.scripts import PROJECT
from tickflow.metrics.detectors.zscore import MAX_Z_SCORE
from tickflow.metrics.fields import DEPTH, FIELDS, FLOAT_FIELDS, INTEGER_FIELDS, MEASURED
from tickflow.metrics.measures import measure
from tickflow.metrics.windows import Windows
from tickflow.process import BAD_SETTING, DONE, UNDONE
from tickflow.sources.replay import Replay
from tickflow.store.influx.store import InfluxStore
from tickflow.ticks.tick import decode

README, CONTRIBUTING = "README.md", "CONTRIBUTING.md"
SETTINGS, SOURCES, POINTS, OPERATING = (f"docs/{name}.md" for name in ("settings", "sources", "points", "operate"))
SCRIPTS = ("stock_producer.py", "stock_analytics.py", "stock_dashboard.py")
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
QUERIES = (
    'SELECT last("price") FROM "stock_metrics" GROUP BY "symbol"',
    """SELECT "price", "ma_10" FROM "stock_metrics" WHERE "symbol" = 'AAPL' AND time > now() - 1h""",
)
PASTED = {
    "self.symbols = ['AAPL', 'GOOGL', 'MSFT', 'AMZN', 'TSLA', 'NVDA', 'META']": "stock_producer.py",
    "self.price_history = defaultdict(lambda: deque(maxlen=200))": "stock_analytics.py",
    "is_anomaly = z_score > 1.5": "tickflow/metrics/detectors/zscore.py",
    "producer.start_streaming(use_real_data=False, interval=2)": "stock_producer.py",
    'producer.start_streaming(use_real_data=True, api_key="YOUR_API_KEY", interval=60)': "stock_producer.py",
}
MADE_BY_RECIPES = {"tickflow/sources/countdown.py", "tickflow/metrics/detectors/round_price.py"}
MADE_AT_RUN = {
    "benchmarks/results/", ".env", ".venv", "data/", "data/stocks.db", "data/users.json", "data/outbox.db",
    "trades.csv", "secrets/", "sbom.json",
}  # fmt: skip
SERVED = {"/account", "/login", "/logout", "/session", "/metrics", "/health/live", "/health/ready"}


def unquoted(cell: str) -> str:
    return cell.strip("`")


# --- settings ---


def test_the_settings_table_has_all_keys_in_their_order_and_their_defaults() -> None:
    rows = table(SETTINGS, "All keys")
    assert [unquoted(key) for key, *_ in rows] == list(KEYS)
    for cell, default, meaning, _ in rows:
        key = unquoted(cell)
        shown = None if default == "none" else getattr(load({key: unquoted(default)}), key.lower())
        assert shown == Settings.model_fields[key.lower()].default, f"{key}: {default}"
        assert meaning


def test_the_documented_secrets_are_complete() -> None:
    prose = text(SETTINGS).partition("\n|")[0]
    assert set(re.findall(r"`(\w+)_FILE`", prose)) - {"KEY"} == set(SECRETS)


def test_each_setting_that_is_named_anywhere_exists() -> None:
    compose = re.findall(r"\$\{(\w+)", (PROJECT / "docker-compose.yml").read_text(encoding="utf-8"))
    known = {*KEYS, *(f"{key}_FILE" for key in SECRETS), *compose, "KEY_FILE"}
    beginnings = "|".join(sorted({key.partition("_")[0] for key in KEYS} | {"KEY"}))
    named = {found for name in DOCS for found in re.findall(rf"(?<![-\w])(?:{beginnings})_[A-Z_]+\b", text(name))}
    assert len(named) > 20
    assert named <= known


# --- commands ---


def script_commands() -> list[str]:
    return sorted({line for name in DOCS for line in commands(name) if line.startswith("python stock_")})


def test_each_script_is_shown_being_started() -> None:
    assert {shlex.split(line)[1] for line in script_commands()} == set(SCRIPTS)


@pytest.mark.parametrize("line", script_commands())
def test_each_shown_command_is_accepted_by_its_script(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, script, *arguments = shlex.split(line)
    load_settings({}, env_file=None, flags=command_lines.parsed(script, arguments, monkeypatch))


def test_each_flag_that_is_named_exists() -> None:
    known = set().union(*map(command_lines.flags, SCRIPTS))
    named = {
        flag
        for name in DOCS
        for line in commands(name)
        if line.startswith(("--", "python stock_"))
        for flag in re.findall(r"(?<!\S)--[a-z-]+", line)
    }
    assert len(named) > 8
    assert named <= known


def test_settings_put_before_a_command_are_accepted() -> None:
    found = [line for name in DOCS for line in commands(name) if re.match(r"[A-Z_]+=\S+ .*make ", line)]
    assert found
    for line in found:
        load(dict(re.findall(r"([A-Z_]+)=(\S+)", line)))


def test_each_named_make_target_exists_and_contributing_lists_them_all() -> None:
    named = {target for name in DOCS for line in commands(name) for target in re.findall(r"\bmake ([a-z-]+)", line)}
    assert {"run", "test"} < named <= TARGETS
    assert set(re.findall(r"`make ([a-z-]+)`", text(CONTRIBUTING))) == TARGETS - {"help"}


def test_each_module_that_is_run_by_name_exists() -> None:
    named = {match for name in DOCS for line in commands(name) for match in re.findall(r"python -m ([\w.]+)", line)}
    own = {module for module in named if module != "pytest"}
    assert own
    assert [module for module in own if not (PROJECT / f"{module.replace('.', '/')}.py").is_file()] == []


def test_the_variables_for_the_servers_of_tests_are_those_that_ci_sets() -> None:
    ci = (PROJECT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    pattern = r"TICKFLOW_TEST_[A-Z_]+"
    assert set(re.findall(pattern, text(CONTRIBUTING))) == set(re.findall(pattern, ci))


def test_the_exit_codes_are_those_of_the_scripts() -> None:
    assert [int(row[0]) for row in table(OPERATING, "Exit codes")] == [DONE, UNDONE, BAD_SETTING]


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_says_what_each_flag_is_for(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    entries = re.findall(r"^  (-.*(?:\n {8,}.*)*)", command_lines.help_text(script), re.MULTILINE)
    assert len(entries) > 8
    assert [entry for entry in entries if len(re.split(r"\s{2,}", entry, maxsplit=1)[-1].split()) < 3] == []


# --- files ---


@pytest.mark.parametrize("name", DOCS)
def test_each_link_leads_somewhere(name: str) -> None:
    for link in markdown.links(name):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (PROJECT / name).parent / file if file else PROJECT / name
        assert target.is_file(), link
        assert not anchor or anchor in markdown.anchors(str(target.relative_to(PROJECT))), link


def test_each_file_that_is_named_exists() -> None:
    endings = (".py", ".md", ".yml", ".toml", ".sh", ".lock", ".txt", ".js", ".css", ".example", "/")
    named = {
        each
        for name in DOCS
        for each in code(name)
        if re.fullmatch(r"[\w.\-/]*[a-z][\w.\-/]*", each) and (each.endswith(endings) or "/" in each)
    }
    assert len(named) > 25
    assert [
        each for each in sorted(named - MADE_AT_RUN - MADE_BY_RECIPES - SERVED) if not (PROJECT / each).exists()
    ] == []


def test_each_file_that_code_names_exists() -> None:
    """Docstrings, comments and strings name a file as `folder/module.py` or by its name alone."""
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout.split()
    sources = [name for name in tracked if name.endswith((".py", ".js", ".css", ".sh")) and "vendor" not in name]
    named = {
        (each, name)
        for name in sources
        if not name.startswith("tests/")
        for each in re.findall(r"`([\w/.-]+\.(?:py|js|css|md|sh|yml))`", text(name))
    }
    assert len(named) > 20
    assert (
        sorted((each, name) for each, name in named if not any(f"/{one}".endswith(f"/{each}") for one in tracked)) == []
    )


# --- what is stored ---


def test_the_documented_queries_are_shown() -> None:
    assert blocks(POINTS, "sql") == ["\n".join(QUERIES) + "\n"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize(("query", "expected"), [(QUERIES[0], {"last": "3.5"}), (QUERIES[1], {"ma_10": "3"})])
def test_the_shown_request_answers(influx: InfluxServer, bucket: str, query: str, expected: dict[str, str]) -> None:
    """The request runs with the address, token and bucket of this test instead of those of .env.example."""
    store = InfluxStore(influx.url, token=influx.token, org=influx.org, bucket=bucket, stop=threading.Event())
    with store:
        store.write(points_of(a_row(time_ns=time.time_ns() - 10**9, price=3.5, ma_10=3.0)))
    shown = load_settings({}, env_file=PROJECT / ".env.example")
    (command,) = [block for block in blocks(POINTS, "sh") if block.startswith("curl")]
    for old, new in {
        shown.influxdb_url: influx.url,
        shown.secret("INFLUXDB_TOKEN", ""): influx.token,
        f"db={shown.influxdb_bucket}": f"db={bucket}",
        QUERIES[0]: query,
    }.items():
        assert command.count(old) == 1
        command = command.replace(old, new)
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30)
    (row,) = csv.DictReader(done.stdout.splitlines())
    assert row.items() >= expected.items()


def test_the_table_of_a_point_has_its_tags_and_fields_with_their_kinds() -> None:
    kinds = dict.fromkeys(FLOAT_FIELDS, "float") | dict.fromkeys(INTEGER_FIELDS, "integer")
    expected = {"symbol": "tag", "source": "tag", "is_anomaly": "boolean"} | kinds
    assert set(FIELDS) < set(expected)
    assert {unquoted(row[0]): row[1] for row in table(POINTS, "Fields")} == expected


def test_each_value_is_there_from_the_tick_that_the_table_says() -> None:
    entries = [records.entry(records.body(price=100 + number % 3), offset=number) for number in range(DEPTH + 5)]
    ticks, _ = decode(entries)
    metrics = measure(Windows().advance(ticks), 2.0)
    names = [each.name for each in MEASURED if each.name in FLOAT_FIELDS]
    first = {name: next(i for i, value in enumerate(metrics[name], 1) if value == value) for name in names}
    rows = {unquoted(row[0]): row[3] for row in table(POINTS, "Fields")}
    said = {name: int(re.match(r"\d+", rows[name])[0]) for name in names}  # type: ignore[index]  # it begins with a number
    assert said == first


def test_the_documented_highest_score_is_right() -> None:
    assert f"|z| <= {math.floor(MAX_Z_SCORE * 1000) / 1000}" in section(README, "Limits")


# --- lines to paste ---


@pytest.mark.parametrize("line", PASTED)
def test_each_line_to_paste_is_in_the_readme_and_fits_one_place(line: str) -> None:
    (row,) = [row for row in table(README, "Lines to edit") if unquoted(row[1]) == line]
    assert unquoted(row[2]) == PASTED[line]
    beginning = re.match(r"[\w.]+(?: =|\()", line)
    assert beginning
    source = (PROJECT / PASTED[line]).read_text(encoding="utf-8")
    assert len(re.findall(rf"^ *{re.escape(beginning[0])}", source, re.MULTILINE)) == 1


def test_the_shown_file_can_be_replayed_whole(tmp_path: Path) -> None:
    (body,) = blocks(SOURCES, "csv")
    (tmp_path / "trades.csv").write_text(body, encoding="utf-8")
    replay = Replay(tmp_path / "trades.csv", speed=math.inf)
    ticks = [tick for batch in replay.batches(lambda _: False) for tick in batch]
    assert [(tick.symbol, tick.price, tick.volume) for tick in ticks] == [("AAPL", 187.5, 100), ("MSFT", 421.07, 50)]
    assert replay.refused == 0


def test_the_shown_tick_is_accepted() -> None:
    (body,) = blocks(SOURCES, "json")
    ticks, _ = decode([records.entry(body.encode())])
    assert (ticks.symbols, ticks.sources) == (["AAPL"], ["my_feed"])


# --- the documents themselves ---


def test_each_example_in_a_document_runs() -> None:
    runner = doctest.DocTestRunner(verbose=False)
    for name in DOCS:
        source = "\n".join([*blocks(name, "pycon"), *blocks(name, "python")])
        report: list[str] = []
        runner.run(doctest.DocTestParser().get_doctest(source, {}, name, name, 0), out=report.append)
        assert not report, "".join(report)
    assert runner.tries > 0


def test_each_finding_about_the_page_has_its_test_or_a_reason() -> None:
    defined = {
        each.name
        for path in PROJECT.glob("tests/**/test_*.py")
        for each in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(each, ast.FunctionDef)
    }
    rows = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", text("docs/page-findings.md"), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 34))
    for number, held_by in rows:
        named = re.findall(r"`(?:tests/[\w/]+\.py|(test_\w+))`", held_by)
        assert set(filter(None, named)) <= defined, number
        assert named or len(held_by.split()) > 5, f"finding {number} has neither a test nor a reason"


def test_no_placeholder_for_a_measured_number_is_left() -> None:
    assert [name for name in DOCS if "MEASURED:" in text(name)] == []


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert len(text(README).splitlines()) <= 200


def test_the_changelog_has_this_version() -> None:
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f" {version}" in text("CHANGELOG.md").replace("[", " ").replace(".\n", "\n")
    assert "## [Unreleased]" in text("CHANGELOG.md")


# --- the map ---


def modules() -> list[str]:
    found = (path.relative_to(PROJECT / "tickflow") for path in (PROJECT / "tickflow").rglob("*.py"))
    return sorted(str(path) for path in found)


def test_the_map_in_the_package_names_each_folder_and_script_once() -> None:
    shown = tickflow.__doc__ or ""
    folders = {path.parent.name for path in (PROJECT / "tickflow").glob("*/__init__.py")}
    assert sorted(re.findall(r"^    (\w+)/ ", shown, re.MULTILINE)) == sorted(folders)
    assert re.findall(r"stock_\w+\.py", shown) == list(SCRIPTS)


@pytest.mark.parametrize("name", modules())
def test_each_module_has_a_docstring(name: str) -> None:
    assert ast.get_docstring(ast.parse((PROJECT / "tickflow" / name).read_text(encoding="utf-8")))

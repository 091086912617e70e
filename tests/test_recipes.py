"""Recipes of CONTRIBUTING.md, followed in a copy. The one for a field: tests/browser/test_new_field.py."""

from pathlib import Path

from tests.edits import EditedCopy

SETTING = '    ticks_shown: Annotated[int, _whole(1, 9)] = _setting(3, "ticks shown, as an example")'


def test_a_setting(tmp_path: Path) -> None:
    copy = EditedCopy(tmp_path / "project", whole=True)
    copy.add("config.py", SETTING, before="anomaly_threshold:")
    assert copy.python("-m", "devtools.settings_text").returncode == 0
    copy.add("stock_analytics.py", '    "TICKS_SHOWN",', before='*("ANOMALY_THRESHOLD"')
    copy.add("docker-compose.yml", "  TICKS_SHOWN:", before="HISTORY_SIZE:")
    copy.add(
        "tests/settings/test_bad_settings.py", '    ("TICKS_SHOWN", "0", "from 1 to 9"),', before='("HISTORY_SIZE", "0"'
    )
    copy.add("tests/settings/test_config.py", '    "TICKS_SHOWN": "3",', before='"HISTORY_SIZE": "200"')
    shown = copy.python("stock_analytics.py", "--help").stdout
    assert "--ticks-shown" in shown
    assert "ticks shown, as an example" in shown
    assert "TICKS_SHOWN=3" in (copy.folder / ".env.example").read_text(encoding="utf-8")
    options = ("-q", "-n", "0", "-p", "no:cacheprovider", "-m", "not kafka and not influx")
    done = copy.python("-m", "pytest", *options, "tests/settings/test_config.py", "tests/settings/test_bad_settings.py")
    assert done.returncode == 0, done.stdout[-4000:]

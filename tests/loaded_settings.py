"""Settings for tests, made from given values only; or the error that refuses them."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from config import Settings, load_settings
from tickflow.errors import SettingError


def load(values: Mapping[str, str] | None = None, **more: str) -> Settings:
    """The settings with these values, without the environment and without a `.env`."""
    return load_settings({**(values or {}), **more}, env_file=None)


def refusal(values: Mapping[str, str], env_file: Path | None = None) -> SettingError:
    """The error that refuses these values."""
    with pytest.raises(SettingError) as caught:
        load_settings(values, env_file=env_file)
    return caught.value

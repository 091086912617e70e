"""Loads settings from given values alone, or returns the error that refuses them."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from config import Settings, load_settings
from tickflow.errors import SettingError


def load(values: Mapping[str, str] | None = None, **more: str) -> Settings:
    """Load settings from these values, ignoring the environment and any `.env`."""
    return load_settings({**(values or {}), **more}, env_file=None)


def refusal(values: Mapping[str, str], env_file: Path | None = None) -> SettingError:
    """Load settings from values that must be refused; return the error."""
    with pytest.raises(SettingError) as caught:
        load_settings(values, env_file=env_file)
    return caught.value

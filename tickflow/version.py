"""The version of this program. `pyproject.toml` repeats it, and a test checks that both are equal."""

VERSION = "0.1.0"

"""The version of this program, in one place; `pyproject.toml` repeats it, and a test holds the two equal."""

VERSION = "0.1.0"

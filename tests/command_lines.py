"""The command lines of the scripts, parsed in this process without running the scripts."""

import importlib
import io
import re
import shlex
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout

import pytest

from config import Settings, flags_of
from tickflow.process import StopEvent


class _Parsed(Exception):
    """Carries the flags of a command line out of a script, which would otherwise run."""

    def __init__(self, flags: Mapping[str, str]) -> None:
        self.flags = flags


def parsed(script: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """The settings that a command line gives. Raises AssertionError with the script's message if it is refused."""
    module = importlib.import_module(script.removesuffix(".py"))

    def instead(*, flags: Mapping[str, str]) -> Settings:
        raise _Parsed(flags)

    monkeypatch.setattr(module, "load_settings", instead)
    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            if hasattr(module, "parser"):
                return flags_of(module.parser().parse_args(arguments))
            module.main(StopEvent(), arguments)
    except _Parsed as found:
        return found.flags
    except SystemExit:
        raise AssertionError(f"{script} {shlex.join(arguments)}: {complaint.getvalue()}") from None
    raise AssertionError(f"{script} did not load its settings")


def flags(script: str) -> set[str]:
    """All flags that the script's help lists."""
    return set(re.findall(r"(?<!\S)--[a-z-]+", help_text(script)))


def help_text(script: str) -> str:
    """The text that the script prints for --help."""
    module = importlib.import_module(script.removesuffix(".py"))
    printed = io.StringIO()
    with redirect_stdout(printed):
        if hasattr(module, "parser"):
            module.parser().print_help()
        else:
            with pytest.raises(SystemExit):
                module.main(StopEvent(), ["--help"])
    return printed.getvalue()

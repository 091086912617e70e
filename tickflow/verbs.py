"""What `stock_analytics.py` can do beside running: its verbs, their flags, and what each is given."""

import argparse

from tickflow import letters, statuses
from tickflow.process import DONE, Parser, StopEvent
from tickflow.stack import StackSettings, open_log, open_store

VERBS = ("run", "status", "dead-letters")
LISTED = 20

_OWNERS = {"limit": "dead-letters"}


def add_arguments(parser: Parser) -> None:
    """Give a parser the verb and the flags of single verbs."""
    parser.add_argument("verb", nargs="?", choices=VERBS, default="run", help="what to do (default: run)")
    group = parser.add_argument_group("flags of single verbs")
    group.add_argument("--limit", type=count, metavar="N", help=f"dead-letters: list the newest N (default: {LISTED})")


def check(parser: Parser, arguments: argparse.Namespace) -> None:
    """Complain of a flag that was given to another verb than its own."""
    for flag, verb in _OWNERS.items():
        if getattr(arguments, flag) is not None and arguments.verb != verb:
            parser.error(f"--{flag} belongs to the verb {verb}")


def perform(arguments: argparse.Namespace, settings: StackSettings, stop: StopEvent) -> int:
    """Do what any verb but `run` says; the exit code comes back."""
    if arguments.verb == "status":
        statuses.show(open_store(settings, stop))
    else:
        letters.show(open_log(settings, stop), LISTED if arguments.limit is None else arguments.limit)
    return DONE


def count(text: str) -> int:
    """A whole number from 0 on, from a command line."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 999999999")
    return int(text)

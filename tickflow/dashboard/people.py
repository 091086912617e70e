"""The flags that change the accounts, such as `stock_dashboard.py --add-user NAME --role viewer`."""

import argparse
import getpass
import sys
from pathlib import Path

from tickflow.dashboard.accounts import ROLES, Accounts
from tickflow.errors import TickflowError

FILE = "AUTH_USERS_FILE"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags to the parser."""
    group = parser.add_argument_group("accounts", "each flag changes AUTH_USERS_FILE and then ends the program")
    only = group.add_mutually_exclusive_group()
    only.add_argument(
        "--add-user", metavar="NAME", help="add a user, or set a user's new password; asks for the password"
    )
    only.add_argument("--add-token", metavar="NAME", help="create a token for a script; it is shown only once")
    only.add_argument("--remove-user", metavar="NAME", help="remove the user and the token of that name")
    only.add_argument("--sign-out", metavar="NAME", help="end all sessions of that user, who may sign in again")
    only.add_argument("--list-users", action="store_true", help="list the users and their roles")
    group.add_argument(
        "--role", choices=ROLES, default="viewer", help="what that user or token may do (default: viewer)"
    )
    group.add_argument("--days", type=float, default=90.0, help="for how long the token is valid (default: 90 days)")


def changes(arguments: argparse.Namespace) -> bool:
    """Whether one of the flags was given."""
    asked = (arguments.add_user, arguments.add_token, arguments.remove_user, arguments.sign_out, arguments.list_users)
    return any(asked)


def change(arguments: argparse.Namespace, path: Path) -> str:
    """Do what the flags request; return the text to print. Raises `TickflowError` with a message for the user."""
    accounts = Accounts(path)
    try:
        if arguments.add_user:
            accounts.add_user(arguments.add_user, arguments.role, _asked())
            return f"{arguments.add_user} may sign in as {arguments.role}."
        if arguments.add_token:
            token = accounts.add_token(arguments.add_token, arguments.role, arguments.days)
            return f"{token}\nIt is valid for {arguments.days:g} days, and is not shown again."
        if arguments.remove_user:
            if not accounts.remove(arguments.remove_user):
                raise TickflowError(f"There is no user or token named {arguments.remove_user}.")
            return f"{arguments.remove_user} is removed; open sessions have ended."
        if arguments.sign_out:
            if not accounts.sign_out(arguments.sign_out):
                raise TickflowError(f"There is no user named {arguments.sign_out}.")
            return f"All sessions of {arguments.sign_out} have ended."
    except (ValueError, OSError) as error:
        raise TickflowError(str(error)) from error
    return (
        "\n".join(f"{name}\t{each.role}" for name, each in sorted(accounts.users().items()))
        or "There are no users yet."
    )


def _asked() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("The same again: ") != password:
        raise ValueError("The two passwords differ.")
    return password

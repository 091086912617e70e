"""The standing rules on the page: their list, and what an operator adds to it and removes from it."""

from typing import Any

from tickflow.alerts.rules import RuleError
from tickflow.alerts.standing import MAX_STANDING, StandingRule, standing
from tickflow.store.rules import RuleStore


class Ruled:
    """The rules in `store`. Thread-safe."""

    def __init__(self, store: RuleStore) -> None:
        self._store = store

    def told(self) -> list[dict[str, Any]]:
        """The rules in force, for the browser, newest first; `begun` says whether a worker has begun to apply the rule.
        Raises `StoreError`.
        """
        begun = self._store.begun()
        return [
            {"id": each.id, "text": each.text, "by": each.made_by, "begun": each.id in begun}
            for each in reversed(self._standing())
        ]

    def make(self, text: str, number: str, now_ns: int, person: str) -> str:
        """Store a rule with the id `number`; return why it cannot be made, or an empty string. Raises `StoreError`."""
        try:
            rule = str(standing(text))
        except RuleError as error:
            return f"This is not a valid rule: {error}."
        known = self._standing()
        if any(each.text == rule for each in known):
            return f"The rule {rule} already exists."
        if len(known) >= MAX_STANDING:
            return f"There are already {MAX_STANDING} rules: remove one first."
        self._store.keep(StandingRule(number, now_ns, rule, person))
        return ""

    def remove(self, number: str) -> None:
        """Remove the rule with the id `number`, if it is in force. Raises `StoreError`."""
        for each in self._standing():
            if each.id == number:
                self._store.keep(StandingRule(each.id, each.made_ns, each.text, each.made_by, removed=True))

    def _standing(self) -> list[StandingRule]:
        return [each for each in self._store.rules() if not each.removed]

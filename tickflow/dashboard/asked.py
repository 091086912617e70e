"""Checks the whole body of a callback request before Dash sees it, and rebuilds it from the checked values."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from tickflow.dashboard.accounts import Role
from tickflow.dashboard.shapes import SHAPES, Shape

MALFORMED = "it is not JSON of a callback's form"
UNKNOWN = "it does not name a callback of this page"
OTHER_PARTS = "it names other inputs or states than the callback has"


class Refused(Exception):
    """The body cannot come from our page; `callback` is the callback that it names, if there is such a callback."""

    def __init__(self, callback: str | None, why: str) -> None:
        self.callback = callback
        self.why = why
        super().__init__(f"{callback or 'a callback'}: {why}")


class _Value(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    property: str
    value: msgspec.Raw = msgspec.Raw(b"null")


class _Place(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    property: str


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    output: str
    outputs: _Place | list[_Place]
    inputs: list[_Value]
    changedPropIds: list[str] = []  # noqa: N815 - Dash's name
    parsedChangedPropsIds: list[str] = []  # noqa: N815
    state: list[_Value] = []


class Checked(NamedTuple):
    """A checked body: its callback, its values by input or state (such as `drawn.data`), and its bytes."""

    callback: str
    values: dict[str, Any]
    body: bytes
    role: Role


class Bodies:
    """Checks bodies against the callbacks of an app (`app.callback_map`), each against its row in `shapes`."""

    def __init__(self, callback_map: Mapping[str, Mapping[str, Any]], shapes: Mapping[str, Shape] = SHAPES) -> None:
        self._body = msgspec.json.Decoder(_Body)
        self._known = {
            output: _Callback(callback, shapes[output])
            for output, callback in callback_map.items()
            if output in shapes and is_of_the_server(callback)
        }

    def checked(self, body: bytes) -> "Checked":
        """The body, rebuilt from the checked values only. Raises `Refused`."""
        try:
            asked = self._body.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Refused(None, MALFORMED) from None
        callback = self._known.get(asked.output)
        if callback is None:
            raise Refused(None, UNKNOWN)
        try:
            return callback.checked(asked)
        except (msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(asked.output, _without_foreign_names(str(error))) from None
        except msgspec.DecodeError:
            raise Refused(asked.output, MALFORMED) from None


def _without_foreign_names(words: str) -> str:
    return "an unknown field" if words.startswith("Object contains unknown field") else words


class _Callback:
    """A callback: the components that its values come from, and the types of the values."""

    def __init__(self, callback: Mapping[str, Any], shape: Shape) -> None:
        self._role = shape.role
        self._inputs = _parts(callback["inputs"], shape.inputs)
        self._states = _parts(callback["state"], shape.states)
        output = callback["output"]
        several = isinstance(output, list)
        places = [
            {"id": each.component_id, "property": each.component_property} for each in (output if several else [output])
        ]
        self._outputs: Any = places if several else places[0]

    def checked(self, asked: _Body) -> "Checked":
        outputs = msgspec.to_builtins(asked.outputs)
        if outputs != self._outputs:
            raise Refused(asked.output, OTHER_PARTS)
        inputs, states = (
            _values(asked.output, asked.inputs, self._inputs),
            _values(asked.output, asked.state, self._states),
        )
        names = {f"{each.id}.{each.property}" for each in asked.inputs}
        if not names.issuperset(asked.changedPropIds) or len(asked.changedPropIds) > len(names):
            raise Refused(asked.output, OTHER_PARTS)
        body = msgspec.json.encode({
            "output": asked.output,
            "outputs": outputs,
            "inputs": inputs,
            "changedPropIds": asked.changedPropIds,
            "state": states,
        })  # fmt: skip
        return Checked(
            asked.output,
            {f"{each['id']}.{each['property']}": each["value"] for each in [*inputs, *states]},
            body,
            self._role,
        )


_Parts = list[tuple[str, str, "msgspec.json.Decoder[Any]"]]


def _parts(named: list[dict[str, str]], types: tuple[Any, ...]) -> _Parts:
    return [(each["id"], each["property"], msgspec.json.Decoder(kind)) for each, kind in zip(named, types, strict=True)]


def _values(output: str, given: list[_Value], parts: _Parts) -> list[dict[str, Any]]:
    if [(each.id, each.property) for each in given] != [(name, prop) for name, prop, _ in parts]:
        raise Refused(output, OTHER_PARTS)
    return [
        {"id": each.id, "property": each.property, "value": decoder.decode(each.value)}
        for each, (_, _, decoder) in zip(given, parts, strict=True)
    ]


def is_of_the_server(callback: Mapping[str, Any]) -> bool:
    """Whether the server answers this callback of `app.callback_map`, rather than the browser."""
    return "callback" in callback

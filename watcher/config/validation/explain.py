"""Turn pydantic's errors into problems and remedies for the author of the file.

Only the type of an error's input is used: the value may be a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from watcher.config.document import (
    HEADERS,
    PLANNED_KEYS,
    RECEIVER_KINDS,
    shape_of,
    table_at,
)
from watcher.config.faults import KeyPath, UnplacedFault, did_you_mean, nearest, quoted
from watcher.config.models.base import Settings, keys_of
from watcher.config.renamed import RENAMED_KEYS

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

NOT_YET: Final = "this version does not have it yet"

TYPE_NAMES: Final[Mapping[type, str]] = MappingProxyType(
    {
        str: "text",
        bool: "true or false",
        int: "a whole number",
        float: "a number with a point",
        datetime: "a date with a time",
        date: "a date",
        time: "a time of day",
        list: "a list",
        tuple: "a list",
        dict: "a table",
    }
)

_TABLE: Final = ("a table", "write it as { key = value } or under a header of its own")
_LIST: Final = ("a list", 'write it in brackets, e.g. ["a", "b"]')

EXPECTED: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "string_type": ("text", "write it in quotes"),
        "bool_type": ("true or false", "write true or false without quotes"),
        "int_type": ("a whole number", "write it without quotes and without a point"),
        "float_type": ("a number", "write it without quotes"),
        "is_instance_of": ("the path of a file", "write it in quotes"),
        "list_type": _LIST,
        "tuple_type": _LIST,
        "dict_type": _TABLE,
        "mapping_type": _TABLE,
        "model_type": _TABLE,
        "model_attributes_type": _TABLE,
    }
)


@dataclass(frozen=True, slots=True)
class _Error:
    """One error of pydantic, with its path in the file."""

    path: KeyPath
    receiver_kind: str | None
    code: str
    input: object
    context: Mapping[str, object]

    @property
    def key(self) -> str:
        return str(self.path[-1])

    @property
    def table(self) -> type[Settings] | None:
        return table_at(self.path[:-1], self.receiver_kind)

    @property
    def known_keys(self) -> tuple[str, ...]:
        return tuple(keys_of(self.table)) if self.table else ()


def explain(errors: Iterable[ErrorDetails]) -> tuple[UnplacedFault, ...]:
    """Return the problem and the remedy of each error."""
    parsed = [_read(details) for details in errors]
    misspelt = {_intended_path(error) for error in parsed if error.code == "extra_forbidden"}
    # A misspelt key is one fault, not two.
    return tuple(_explained(error) for error in parsed if error.code != "missing" or error.path not in misspelt)


def _read(details: ErrorDetails) -> _Error:
    path, receiver_kind = _path_of(details["loc"])
    return _Error(path, receiver_kind, details["type"], details["input"], details.get("ctx", {}))


def _path_of(loc: KeyPath) -> tuple[KeyPath, str | None]:
    """Return the path in the file, without pydantic's additions, and the kind of its receiver."""
    path = loc[:-1] if loc[-1] == "[key]" else loc
    if len(path) > len(("receiver", "NAME")) and path[0] == "receiver" and path[2] in RECEIVER_KINDS:
        return path[:2] + path[3:], str(path[2])
    return path, None


def _intended_path(error: _Error) -> KeyPath:
    return (*error.path[:-1], nearest(error.key, error.known_keys) or "")


def _explained(error: _Error) -> UnplacedFault:
    handler = HANDLERS.get(error.code)
    if handler is not None:
        return handler(error)
    if error.code in EXPECTED:
        return _wrong_type(error)
    return UnplacedFault(error.path, "is not accepted", f"see docs/configuration.md ({error.code})")


def _invalid(error: _Error) -> UnplacedFault:
    return UnplacedFault(error.path, str(error.context["problem"]), str(error.context["remedy"]))


def _missing(error: _Error) -> UnplacedFault:
    examples = keys_of(error.table)[error.key].examples if error.table else None
    return UnplacedFault(error.path, "is missing", f"write {error.key} = {examples[0]}" if examples else "write it")


def _unknown_key(error: _Error) -> UnplacedFault:
    table = shape_of(error.path[:-1])
    if (present := RENAMED_KEYS.get(".".join(map(str, table)), {}).get(error.key)) is not None:
        return UnplacedFault(error.path, "has another name now", f"write {present}")
    if error.key in PLANNED_KEYS.get(table, ()):
        return UnplacedFault(error.path, NOT_YET, "take it out")
    return UnplacedFault(error.path, "is no known key", did_you_mean(error.key, error.known_keys))


def _receiver_kind(error: _Error) -> UnplacedFault:
    path = (*error.path, "kind")
    kind = error.input.get("kind") if isinstance(error.input, dict) else None
    remedy = f"write kind = {' or '.join(quoted(known) for known in RECEIVER_KINDS)}"
    if kind is None:
        return UnplacedFault(path, "is missing", remedy)
    if not isinstance(kind, str):
        return UnplacedFault(path, "is no kind of receiver", remedy)
    return UnplacedFault(path, f"{quoted(kind)} is no kind of receiver", did_you_mean(kind, RECEIVER_KINDS))


def _too_small(error: _Error) -> UnplacedFault:
    return UnplacedFault(error.path, "is too small", f"write {error.context['ge']} or more")


def _too_large(error: _Error) -> UnplacedFault:
    return UnplacedFault(error.path, "is too large", f"write {error.context['le']} or less")


def _not_finite(error: _Error) -> UnplacedFault:
    return UnplacedFault(error.path, "is no finite number", "write a number such as 1.0")


def _wrong_type(error: _Error) -> UnplacedFault:
    expected, remedy = EXPECTED[error.code]
    header = HEADERS.get(str(error.path[0]))
    depth = {_TABLE: len(("account", "NAME")), _LIST: len(("watch",))}.get((expected, remedy), 0)
    if header and len(error.path) <= depth:
        return UnplacedFault(error.path, f"is not written as {header}", f"begin it with the line {header}")
    given = TYPE_NAMES.get(type(error.input), "something else")
    return UnplacedFault(error.path, f"is {given} where {expected} is expected", remedy)


HANDLERS: Final[Mapping[str, Callable[[_Error], UnplacedFault]]] = MappingProxyType(
    {
        "invalid": _invalid,
        "missing": _missing,
        "extra_forbidden": _unknown_key,
        "union_tag_invalid": _receiver_kind,
        "union_tag_not_found": _receiver_kind,
        "greater_than_equal": _too_small,
        "less_than_equal": _too_large,
        "finite_number": _not_finite,
    }
)

"""The configuration as JSON Schema, for editors: what may stand where, as a person writes it in TOML.

It is looser than the program: what only several keys show together, or a reference to another table, it does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from watcher.config.document import Document
from watcher.config.secrets import SecretKind, SecretRef
from watcher.core.duration import UNITS, format_duration

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
DURATION: Final = {
    "type": "string",
    "pattern": f"^(?=.)(?:{''.join(f'(?:[0-9]{{1,7}}{unit})?' for unit, _ in UNITS)})$",
    "examples": ["500ms", "30s", "5m", "2h", "3d"],
}
SECRET: Final = {
    "type": "object",
    "description": "Where a secret is found: a variable, a file, or a credential of systemd.",
    "properties": {kind.value: {"type": "string", "minLength": 1} for kind in SecretKind},
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of a whole file."""
    schema = Document.model_json_schema(schema_generator=_AsWritten, mode="validation")
    return {"$schema": DIALECT, "title": "Configuration of aitems-watcher", **_without_nothing(schema)}


class _AsWritten(GenerateJsonSchema):
    """What TOML holds instead of what it becomes."""

    def timedelta_schema(self, _schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        return dict(DURATION)

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        return dict(SECRET) if schema["cls"] is SecretRef else super().dataclass_schema(schema)

    def tuple_schema(self, schema: core_schema.TupleSchema) -> JsonSchemaValue:
        written = super().tuple_schema(schema)
        # Wherever a list is taken one alone may be written without brackets, but for `to`; the program refuses that.
        return {"anyOf": [written["items"], written]} if "items" in written else written

    def encode_default(self, dft: object) -> object:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)

    def field_title_should_be_set(self, _schema: object) -> bool:
        return False


def _without_nothing(value: Any) -> Any:  # noqa: ANN401 - it is JSON
    """Take ``null`` out, which TOML does not have, and the titles that only repeat a key."""
    if isinstance(value, list):
        return [_without_nothing(item) for item in value if item != {"type": "null"}]
    if not isinstance(value, Mapping):
        return value
    kept = {key: _without_nothing(item) for key, item in value.items() if not _says_nothing(key, item)}
    choices = kept.get("anyOf")
    if isinstance(choices, list) and len(choices) == 1:
        del kept["anyOf"]
        return {**choices[0], **kept}
    return kept


_SAYS_NOTHING: Final[Mapping[str, Callable[[object], bool]]] = {
    "default": lambda item: item is None,
    "title": lambda item: isinstance(item, str),
}


def _says_nothing(key: str, item: object) -> bool:
    return key in _SAYS_NOTHING and _SAYS_NOTHING[key](item)

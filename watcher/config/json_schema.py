"""The configuration as JSON Schema, for editors: the keys and values as a person writes them in TOML.

It is looser than the program: it checks each key alone, and no references between tables.
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
    "description": "The source of a secret: a variable, a file, or a credential of systemd.",
    "properties": {kind.value: {"type": "string", "minLength": 1} for kind in SecretKind},
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of a configuration file."""
    schema = Document.model_json_schema(schema_generator=_WrittenForm, mode="validation")
    return {"$schema": DIALECT, "title": "Configuration of aitems-watcher", **_without_null(schema)}


class _WrittenForm(GenerateJsonSchema):
    """Generates the schema of the TOML values instead of the parsed ones."""

    def timedelta_schema(self, _schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        return dict(DURATION)

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        return dict(SECRET) if schema["cls"] is SecretRef else super().dataclass_schema(schema)

    def tuple_schema(self, schema: core_schema.TupleSchema) -> JsonSchemaValue:
        written = super().tuple_schema(schema)
        # A list of one may be written without brackets, except for `to`; there the program rejects it.
        return {"anyOf": [written["items"], written]} if "items" in written else written

    def encode_default(self, dft: object) -> object:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)

    def field_title_should_be_set(self, _schema: object) -> bool:
        return False


def _without_null(value: Any) -> Any:  # noqa: ANN401 - it is JSON
    """Remove ``null``, which TOML does not have, and the titles, which only repeat a key."""
    if isinstance(value, list):
        return [_without_null(item) for item in value if item != {"type": "null"}]
    if not isinstance(value, Mapping):
        return value
    kept = {key: _without_null(item) for key, item in value.items() if not _is_redundant(key, item)}
    choices = kept.get("anyOf")
    if isinstance(choices, list) and len(choices) == 1:
        del kept["anyOf"]
        return {**choices[0], **kept}
    return kept


_REDUNDANT: Final[Mapping[str, Callable[[object], bool]]] = {
    "default": lambda item: item is None,
    "title": lambda item: isinstance(item, str),
}


def _is_redundant(key: str, item: object) -> bool:
    return key in _REDUNDANT and _REDUNDANT[key](item)

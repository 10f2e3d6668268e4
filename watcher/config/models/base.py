"""The common base of all tables of settings."""

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo


class Settings(BaseModel):
    """A table of the file: no conversions, no unknown keys, no changes, and no values in error texts."""

    model_config = ConfigDict(
        defer_build=True,
        strict=True,
        extra="forbid",
        frozen=True,
        validate_default=True,
        hide_input_in_errors=True,
    )


def keys_of(table: type[Settings]) -> dict[str, FieldInfo]:
    """Return the keys of a table as they are written in the file."""
    return {field.alias or name: field for name, field in table.model_fields.items()}

"""What all tables of settings have in common."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A table of the file: no conversions, no unknown keys, no changes, and no value in an error's text."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        validate_default=True,
        hide_input_in_errors=True,
    )

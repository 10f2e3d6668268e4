"""Checks of single objects in AiTEMS' answers: a valid name, or the reason why an object is bad."""

from __future__ import annotations

from typing import Final, NoReturn

from watcher.aitems.errors import ApiError, ErrorShape, envelope_in

LISTS: Final = frozenset({"trains", "services", "updates"})
"""The fields that hold the lists of answers."""
MAX_NAME_LENGTH: Final = 256
"""Characters of an id, type or status; AiTEMS' own have at most 17."""

Record = dict[str, object]


class BadAnswerError(ValueError):
    """Carries the reason from a helper to the public function."""


def object_of(value: object) -> Record:
    """Return the object that is a whole answer.

    Raises:
        BadAnswerError: It is no object, or an error in an answer of success.
    """
    if not isinstance(value, dict):
        refuse(f"the body is {kind_of(value)}, not an object")
    _refuse_envelope(value)
    return value


def _refuse_envelope(record: Record) -> None:
    error = envelope_in(record)
    if error is None or _is_complete_despite(error, record):
        return
    text = " ".join(part for part in (error.code, error.message) if part)
    refuse(f"an error inside a success: {text or error.shape}")


def _is_complete_despite(error: ApiError, record: Record) -> bool:
    # AiTEMS may add a field such as errorCode or message to a training.
    return error.shape in {ErrorShape.TOP_LEVEL, ErrorShape.ERROR_TEXT, ErrorShape.CODE_MSG} and (
        record.keys() >= {"serviceId", "status"} or not LISTS.isdisjoint(record)
    )


def segment_in(record: Record, name: str) -> str:
    """Return a name that can be a segment of a path.

    Raises:
        BadAnswerError: It is none.
    """
    segment = name_in(record, name)
    if segment in {".", ".."}:
        refuse(f"{name} is {segment!r}, which is no path segment")
    return segment


def name_in(record: Record, name: str) -> str:
    """Return an id, type or status.

    Raises:
        BadAnswerError: It is missing, or is none.
    """
    value = record.get(name)
    if isinstance(value, str) and value.strip() and len(value) <= MAX_NAME_LENGTH and "\x00" not in value:
        return value
    if name not in record:
        refuse(f"{name} is missing")
    if not isinstance(value, str):
        refuse(f"{name} is {kind_of(value)}, not a text")
    return refuse(f"{name} is blank, longer than {MAX_NAME_LENGTH} characters, or contains a NUL")


def kind_of(value: object) -> str:
    """Return the kind of a JSON value with its article."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case list():
            return "an array"
        case _:
            return "an object"


def refuse(reason: str) -> NoReturn:
    """Raise ``BadAnswerError``."""
    raise BadAnswerError(reason)

"""Errors of AiTEMS: the shapes of their bodies, and the cause of each.

Sources: the gateway's table of codes ("Legacy API: error handling", api-gov.ncloud-docs.com), and shapes reported by
other clients of the same gateway. The gateway's ``errorCode`` 200, 400 and 500 are no HTTP statuses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from watcher import http
from watcher.core.polling.result import Cause

MAX_BYTES: Final = 64 * 1024
"""The length to which an error body is read."""

MAX_RETRY_AFTER_SECONDS: Final = 900.0

MAX_SKEW: Final = timedelta(minutes=5)
"""The gateway's limit for the difference between the signed timestamp and its clock."""


class ErrorShape(StrEnum):
    """The shape of an error body."""

    SPRING = "spring"
    RESPONSE_ERROR = "responseError"
    ERROR_OBJECT = "error-object"
    ERROR_TEXT = "error-text"
    TOP_LEVEL = "top-level"
    CODE_MSG = "code-msg"
    STATUS_OBJECT = "status-object"
    JSON = "json"
    """JSON of an unknown shape."""
    XML = "xml"
    HTML = "html"
    TEXT = "text"
    """Anything else, such as a truncated body."""
    EMPTY = "empty"


NO_JSON: Final = frozenset({ErrorShape.XML, ErrorShape.HTML, ErrorShape.TEXT, ErrorShape.EMPTY})
"""Shapes that AiTEMS does not use: they come from a system in front of it."""


@dataclass(frozen=True, slots=True)
class ApiError:
    """The content of an error body; ``code`` is the envelope's, never an HTTP status."""

    shape: ErrorShape
    code: str | None = None
    message: str | None = None


def read_error(headers: Mapping[str, str], body: bytes) -> ApiError:
    """Return the error in a body; it never raises, for any body."""
    if encoding := http.content_encoding(headers):
        return ApiError(ErrorShape.TEXT, message=f"a body encoded as {encoding}")
    text = body[:MAX_BYTES].decode(errors="replace").strip()
    if not text:
        return ApiError(ErrorShape.EMPTY)
    if text.startswith("<"):
        return _read_markup(text)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ApiError(ErrorShape.TEXT, message=text)
    return envelope_in(value) or ApiError(ErrorShape.JSON, message=text)


def envelope_in(value: object) -> ApiError | None:
    """Return the error in a JSON value; ``None`` where it has no known shape.

    The order of ``READERS`` matters: a later shape can contain the fields of an earlier one.
    """
    if not isinstance(value, dict):
        return None
    return next((error for read in READERS if (error := read(value)) is not None), None)


def _spring(body: dict[str, object]) -> ApiError | None:
    if "timestamp" not in body or not isinstance(body.get("status"), int):
        return None
    return ApiError(ErrorShape.SPRING, _text(body.get("code")), _first(body, "message", "error"))


def _response_error(body: dict[str, object]) -> ApiError | None:
    match body.get("responseError"):
        case dict() as inner:
            return ApiError(ErrorShape.RESPONSE_ERROR, _text(inner.get("returnCode")), _first(inner, "returnMessage"))
    return None


def _error_object(body: dict[str, object]) -> ApiError | None:
    match body.get("error"):
        case dict() as inner:
            parts = [_first(inner, "message"), _first(inner, "details")]
            message = ": ".join(part for part in parts if part)
            return ApiError(ErrorShape.ERROR_OBJECT, _first(inner, "errorCode", "code"), message or None)
    return None


def _error_text(body: dict[str, object]) -> ApiError | None:
    match body.get("error"):
        case str() as text if text:
            return ApiError(ErrorShape.ERROR_TEXT, _first(body, "errorCode", "code"), _first(body, "message") or text)
    return None


def _top_level(body: dict[str, object]) -> ApiError | None:
    message = _first(body, "message", "errorMessage")
    if "errorCode" not in body and message is None:
        return None
    return ApiError(ErrorShape.TOP_LEVEL, _first(body, "errorCode", "code"), message)


def _code_msg(body: dict[str, object]) -> ApiError | None:
    if "code" not in body or "msg" not in body:
        return None
    return ApiError(ErrorShape.CODE_MSG, _text(body["code"]), _text(body["msg"]))


def _status_object(body: dict[str, object]) -> ApiError | None:
    match body.get("status"):
        case dict() as inner:
            return ApiError(ErrorShape.STATUS_OBJECT, _text(inner.get("code")), _first(inner, "message"))
    return None


READERS: Final[tuple[Callable[[dict[str, object]], ApiError | None], ...]] = (
    _spring,
    _response_error,
    _error_object,
    _error_text,
    _top_level,
    _code_msg,
    _status_object,
)


def _first(body: Mapping[str, object], *names: str) -> str | None:
    texts = (_text(body.get(name)) for name in names)
    return next((text for text in texts if text is not None), None)


def _text(value: object) -> str | None:
    """Return a code or message as text, also where it is a number; ``None`` for any other value."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None


# XML is searched, never parsed: a parser would expand the entities that a body declares.
XML_CODE: Final = re.compile(r"<(?:returnCode|errorCode|code)>([^<]{1,200})<", re.IGNORECASE)
XML_MESSAGE: Final = re.compile(r"<(?:returnMessage|errorMessage|message)>([^<]{1,1000})<", re.IGNORECASE)
HTML_TITLE: Final = re.compile(r"<title>([^<]{1,1000})<", re.IGNORECASE)
HTML_START: Final = re.compile(r"<(?:!doctype html|html)", re.IGNORECASE)


def _read_markup(text: str) -> ApiError:
    if HTML_START.search(text):
        return ApiError(ErrorShape.HTML, message=_first_match(HTML_TITLE, text) or "a page of HTML")
    return ApiError(ErrorShape.XML, _first_match(XML_CODE, text), _first_match(XML_MESSAGE, text))


def _first_match(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match.group(1).strip() if match else None


UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
TOO_MANY_REQUESTS: Final = 429
MISSING: Final = frozenset({404, 410})
CLIENT_ERRORS: Final = range(400, 500)
SERVER_ERRORS: Final = range(500, 600)

PERMISSION_DENIED: Final = "210"
URL_NOT_FOUND: Final = "300"
"""The gateway's own 404: it has no such path."""
LIMITS: Final[Mapping[str | None, Cause]] = {"400": Cause.QUOTA, "410": Cause.THROTTLE, "420": Cause.RATE}


def cause_of(status: int, error: ApiError, server_date: datetime | None, now: datetime) -> Cause:
    """Return the cause of an unsuccessful answer, by its HTTP status and then by the gateway's code.

    A refusal means a wrong clock where the server's ``Date`` is more than five minutes from ``now``.
    """
    if status in MISSING:
        return _cause_of_missing(error)
    cause = _cause_by_status(status, error.code)
    if cause in {Cause.KEY, Cause.REFUSED} and server_date is not None and abs(server_date - now) > MAX_SKEW:
        return Cause.CLOCK
    return cause


def _cause_by_status(status: int, code: str | None) -> Cause:
    if status == UNAUTHORIZED:
        return Cause.PERMISSION if code == PERMISSION_DENIED else Cause.KEY
    if status == FORBIDDEN:
        return Cause.PERMISSION
    if status == TOO_MANY_REQUESTS:
        return LIMITS.get(code, Cause.RATE)
    if status in SERVER_ERRORS:
        return Cause.SERVER
    return Cause.REFUSED if status in CLIENT_ERRORS else Cause.BAD_ANSWER


def _cause_of_missing(error: ApiError) -> Cause:
    """Return the cause of a 404 or 410: only AiTEMS itself can say that a service or training does not exist."""
    if error.shape in NO_JSON:
        return Cause.BAD_ANSWER
    return Cause.REFUSED if error.code == URL_NOT_FOUND else Cause.NOT_FOUND


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that ``Retry-After`` requests, at most 15 minutes; ``None`` where it is absent or invalid."""
    return http.retry_after_seconds(headers, now, at_most=MAX_RETRY_AFTER_SECONDS)

"""The checks of NAVER's API gateway before AiTEMS: access key, signature and clock.

Separate from the client's code on purpose: both must match the same fixed vectors, so a mistake cannot be in both.
Sources: pages "Ncloud API" (signature v2, the five minutes) and "Error handling" (the codes).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from watcher.core.secret import Secret

TIMESTAMP: Final = "x-ncp-apigw-timestamp"
ACCESS_KEY: Final = "x-ncp-iam-access-key"
SIGNATURE: Final = "x-ncp-apigw-signature-v2"
TOLERANCE: Final = timedelta(minutes=5)
"""The largest accepted error of a timestamp, inclusive (the pages leave that open)."""

_DIGITS: Final = re.compile(r"[0-9]{1,18}")

MISSING: Final = "Authentication information are missing."
INVALID: Final = "Invalid authentication information."


@dataclass(frozen=True, slots=True)
class GatewayError:
    """A row of the gateway's table of errors; ``code`` is not an HTTP status, although it resembles one."""

    http_status: int
    code: str
    message: str


BAD_REQUEST: Final = GatewayError(400, "100", "Bad Request Exception")
AUTHENTICATION_FAILED: Final = GatewayError(401, "200", "Authentication Failed")
PERMISSION_DENIED: Final = GatewayError(401, "210", "Permission Denied")
NOT_FOUND: Final = GatewayError(404, "300", "Not Found Exception")
QUOTA_EXCEEDED: Final = GatewayError(429, "400", "Quota Exceeded")
THROTTLE_LIMITED: Final = GatewayError(429, "410", "Throttle Limited")
RATE_LIMITED: Final = GatewayError(429, "420", "Rate Limited")
ENDPOINT_ERROR: Final = GatewayError(503, "500", "Endpoint Error")
ENDPOINT_TIMEOUT: Final = GatewayError(504, "510", "Endpoint Timeout")
UNEXPECTED_ERROR: Final = GatewayError(500, "900", "Unexpected Error")


def envelope(error: GatewayError, details: str | None = None) -> dict[str, object]:
    """Return the body of a gateway error, with ``details`` if given."""
    fields = {"errorCode": error.code, "message": error.message}
    if details is not None:
        fields["details"] = details
    return {"error": fields}


class Rejection(StrEnum):
    """The reason for a rejected request; the gateway's answer is less precise."""

    HEADER_MISSING = "header-missing"
    KEY_UNKNOWN = "key-unknown"
    TIMESTAMP_UNREADABLE = "timestamp-unreadable"
    TIMESTAMP_OFF = "timestamp-off"
    SIGNATURE_WRONG = "signature-wrong"
    CONTENT_TYPE = "content-type"


ANSWERS: Final[Mapping[Rejection, tuple[GatewayError, str]]] = {
    Rejection.HEADER_MISSING: (AUTHENTICATION_FAILED, MISSING),
    Rejection.KEY_UNKNOWN: (AUTHENTICATION_FAILED, INVALID),
    Rejection.TIMESTAMP_UNREADABLE: (AUTHENTICATION_FAILED, INVALID),
    Rejection.TIMESTAMP_OFF: (AUTHENTICATION_FAILED, INVALID),
    Rejection.SIGNATURE_WRONG: (AUTHENTICATION_FAILED, INVALID),
    Rejection.CONTENT_TYPE: (BAD_REQUEST, "Content-Type must be application/json."),
}
"""The gateway's answer for each reason."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The parts of a request that the gateway checks."""

    method: str
    uri: bytes
    """Path and query, byte for byte as received."""
    headers: Mapping[str, str]
    """Headers, with names in lower case."""


def signature(method: str, uri: bytes, timestamp: str, access_key: str, secret_key: Secret) -> str:
    """Return the signature v2: Base64 of an HMAC-SHA256 over method, URI, timestamp and access key."""
    signed = b"%s %s\n%s\n%s" % (method.encode(), uri, timestamp.encode(), access_key.encode())
    digest = hmac.digest(secret_key.reveal().encode(), signed, hashlib.sha256)
    return base64.b64encode(digest).decode()


def check(request: SignedRequest, keys: Mapping[str, Secret], now: datetime) -> Rejection | None:
    """Return the reason to reject a request, or ``None`` if it passes.

    Args:
        request: the received request.
        keys: the secret key of each access key.
        now: the gateway's own time, UTC.
    """
    timestamp, access_key, given = (request.headers.get(name) for name in (TIMESTAMP, ACCESS_KEY, SIGNATURE))
    if not timestamp or not access_key or not given:
        return Rejection.HEADER_MISSING
    if access_key not in keys:
        return Rejection.KEY_UNKNOWN
    wrong_time = _check_timestamp(timestamp, now)
    if wrong_time is not None:
        return wrong_time
    expected = signature(request.method, request.uri, timestamp, access_key, keys[access_key])
    if not hmac.compare_digest(expected.encode(), given.encode()):
        return Rejection.SIGNATURE_WRONG
    return _check_content_type(request.headers.get("content-type", ""))


def _check_timestamp(timestamp: str, now: datetime) -> Rejection | None:
    if not _DIGITS.fullmatch(timestamp):
        return Rejection.TIMESTAMP_UNREADABLE
    off_milliseconds = abs(int(timestamp) - round(now.timestamp() * 1000))
    return Rejection.TIMESTAMP_OFF if off_milliseconds > TOLERANCE / timedelta(milliseconds=1) else None


def _check_content_type(content_type: str) -> Rejection | None:
    media_type = content_type.partition(";")[0].strip().lower()
    return None if media_type == "application/json" else Rejection.CONTENT_TYPE

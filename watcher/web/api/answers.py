"""Answers of the API: JSON with an ETag, and errors as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

PROBLEM_TYPE: Final = "application/problem+json"
JSON_TYPE: Final = "application/json"
KEPT_HEADERS: Final[Mapping[str, str]] = {"Cache-Control": "private, no-cache"}
"""A client may keep an answer, and asks with its ETag whether it still holds."""


class ProblemError(Exception):
    """An error that the client is to see."""

    def __init__(
        self, status: HTTPStatus, code: str, detail: str, headers: Mapping[str, str] | None = None, **more: object
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}
        self.more = more


def answer(request: Request, data: object) -> Response:
    """Return data as JSON; 304 without a body where the client has it already."""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return tagged(request, body, JSON_TYPE)


def tagged(request: Request, body: bytes, media_type: str) -> Response:
    """Return a body with its ETag; 304 without a body where the client has it already."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {**KEPT_HEADERS, "ETag": tag}
    if _has(request, tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def problem(error: ProblemError) -> Response:
    """Return an error as a problem; its ``code`` stays the same when its text changes."""
    data = {
        "title": error.status.phrase,
        "status": error.status.value,
        "detail": error.detail,
        "code": error.code,
        **error.more,
    }
    body = json.dumps(data, ensure_ascii=True).encode()
    return Response(body, error.status, headers=dict(error.headers), media_type=PROBLEM_TYPE)


def _has(request: Request, tag: str) -> bool:
    wanted = request.headers.get("If-None-Match", "")
    return wanted.strip() == "*" or tag in (item.strip().removeprefix("W/") for item in wanted.split(","))

"""JSON responses with the date of the simulator's own clock."""

from __future__ import annotations

import json
from datetime import datetime
from email.utils import format_datetime
from typing import Final

from starlette.responses import Response

JSON: Final = "application/json"


def to_json(document: object) -> bytes:
    """Return a document as the bytes of a body."""
    return json.dumps(document, ensure_ascii=False).encode()


def http_date(time: datetime) -> str:
    """Return a UTC time in the format of HTTP headers."""
    return format_datetime(time, usegmt=True)


def json_response(document: object, http_status: int, server_now: datetime) -> Response:
    """Return a response that carries a document."""
    return Response(to_json(document), http_status, {"date": http_date(server_now)}, JSON)

"""Paths as the client has sent them: below the base path or not, and with names that may contain any character."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from watcher.core.training.model import ServiceRef, TrainingRef

_ESCAPE: Final = re.compile("~(2E|2F|7E)", re.IGNORECASE)


class EncodedPaths:
    """Lets routes match the encoded path without the base path.

    A server has decoded the path, and a slash in a name would split it. A proxy passes the base path or strips it.
    """

    def __init__(self, app: ASGIApp, base_path: str = "") -> None:
        self._app = app
        self._base_path = base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as the ASGI specification requires."""
        raw = scope.get("raw_path")
        if isinstance(raw, bytes):
            scope = {**scope, "path": without_base_path(raw.decode("ascii", "replace"), self._base_path)}
        await self._app(scope, receive, send)


def without_base_path(path: str, base_path: str) -> str:
    """Return a path below the base path as the listener has it; any other path as it is."""
    if base_path and (path == base_path or path.startswith(f"{base_path}/")):
        return path.removeprefix(base_path) or "/"
    return path


def segment(name: str) -> str:
    """Write a name as one part of a path that every client and proxy leaves as it is.

    Percent-encoding is not enough: a browser resolves ``%2E%2E`` as ``..``, and many proxies decode ``%2F``. So
    ``~2E``, ``~2F`` and ``~7E`` stand for a dot, a slash and a tilde.
    """
    text = _ESCAPE.sub(r"~7E\1", name).replace("/", "~2F")
    return quote(text if text.strip(".") else text.replace(".", "~2E"), safe="")


def name_of(part: str) -> str:
    """Return the name that a part of a path stands for."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), unquote(part))


def service_in(request: Request) -> ServiceRef:
    """Return the service that a path names."""
    return ServiceRef(*(name_of(request.path_params[name]) for name in ("account", "service")))


def training_in(request: Request) -> TrainingRef:
    """Return the training that a path names."""
    return TrainingRef(*(name_of(request.path_params[name]) for name in ("account", "service", "type", "version")))

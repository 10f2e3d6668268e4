"""Paths as the client has sent them: a name in a path may contain a slash or a line break, percent-encoded."""

from __future__ import annotations

from urllib.parse import unquote

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from watcher.core.training.model import ServiceRef, TrainingRef


class EncodedPaths:
    """Lets routes match the encoded path: a server has decoded it, and a slash in a name would split it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as the ASGI specification requires."""
        raw = scope.get("raw_path")
        if isinstance(raw, bytes):
            scope = {**scope, "path": raw.decode("ascii", "replace")}
        await self._app(scope, receive, send)


def service_in(request: Request) -> ServiceRef:
    """Return the service that a path names."""
    return ServiceRef(*(unquote(request.path_params[name]) for name in ("account", "service")))


def training_in(request: Request) -> TrainingRef:
    """Return the training that a path names."""
    return TrainingRef(*(unquote(request.path_params[name]) for name in ("account", "service", "type", "version")))

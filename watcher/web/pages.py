"""The pages ``/``, ``/healthz``, ``/readyz`` and ``/metrics``: GET and HEAD only, with a token if one is configured."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watcher.core.health.readiness import NotReadyReason
from watcher.core.secret import Secret
from watcher.web.api.answers import ApiError, problem

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
OPEN_PATHS: Final = frozenset({"/", "/healthz"})
"""Pages without a token: they show only that the process responds."""
REFUSALS: Final[Mapping[HTTPStatus, str]] = {
    HTTPStatus.METHOD_NOT_ALLOWED: "the API is read-only: GET and HEAD",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "send no body",
    HTTPStatus.UNAUTHORIZED: "send the token of [web] as Authorization: Bearer",
}
INDEX: Final = (
    "aitems-watcher\n"
    "/healthz  200 while the process runs\n"
    "/readyz   200, or 503 with every reason\n"
    "/metrics  metrics for Prometheus\n"
    "/api/v1   the same data as JSON; /api/v1/openapi.json describes it\n"
)
"""The page ``/``."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the watcher is ready, with every reason against it."""

    reasons: Sequence[NotReadyReason]

    @property
    def ready(self) -> bool:
        """Whether there is no reason against it."""
        return not self.reasons

    def as_json(self) -> dict[str, object]:
        """Return the readiness as plain JSON."""
        reasons = [{"reason": reason.code.value, "detail": reason.detail} for reason in self.reasons]
        return {"ready": self.ready, "reasons": reasons}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The sources of the pages."""

    readiness: Callable[[], Awaitable[Readiness]]
    metrics: Callable[[], Awaitable[bytes]]
    metrics_type: str
    routes: Sequence[BaseRoute] = ()
    """Further routes, such as those of the API."""
    token: Callable[[], Secret] | None = None
    """Read at each request, so that a rotated file takes effect; ``None`` requires no token."""
    hosts: Sequence[str] = ("*",)
    """The accepted ``Host`` names; any other may come from a web page that rebinds its name to this machine."""


def build_app(pages: Pages) -> ASGIApp:
    """Return the application that serves the pages."""

    async def index(_request: Request) -> Response:
        return PlainTextResponse(INDEX)

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        readiness = await pages.readiness()
        status = HTTPStatus.OK if readiness.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse(readiness.as_json(), status)

    async def metrics(_request: Request) -> Response:
        return Response(await pages.metrics(), headers={"Content-Type": pages.metrics_type})

    routes = [
        Route("/", index),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        *pages.routes,
    ]
    trusted = TrustedHostMiddleware(Starlette(routes=routes), pages.hosts, www_redirect=False)
    return Guard(trusted, pages.token)


class Guard:
    """Refuses requests with another method, with a body or without the token, before reading anything."""

    def __init__(self, app: ASGIApp, token: Callable[[], Secret] | None) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as the ASGI specification requires."""
        request = Request(scope)
        refusal = self._refusal(request)
        await (refusal or self._app)(scope, receive, _with_security_headers(send))

    def _refusal(self, request: Request) -> Response | None:
        path = request.url.path
        if request.method not in {"GET", "HEAD"}:
            return _refused(path, HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET, HEAD"})
        if request.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in request.headers:
            return _refused(path, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {})
        if path not in OPEN_PATHS and not self._is_authorized(request):
            return _refused(path, HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": "Bearer"})
        return None

    def _is_authorized(self, request: Request) -> bool:
        if self._token is None:
            return True
        expected = f"Bearer {self._token().reveal()}"
        given = request.headers.get("Authorization", "")
        # In constant time: the time of a comparison must not reveal the token.
        return hmac.compare_digest(given.encode("latin-1"), expected.encode())


def _refused(path: str, status: HTTPStatus, headers: Mapping[str, str]) -> Response:
    if path.startswith("/api/"):
        code = status.phrase.lower().replace(" ", "-")
        return problem(ApiError(status, code, REFUSALS[status], {**headers, "Connection": "close"}))
    return PlainTextResponse(f"{status.phrase}\n", status, headers={**headers, "Connection": "close"})


def _with_security_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers

"""The application of the web listener: health, metrics, the pages and the API, with a token if one is configured."""

from __future__ import annotations

import asyncio
import hmac
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

import structlog
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watcher.core.health.readiness import NotReadyReason
from watcher.core.secret import Secret
from watcher.installed import UpgradedError
from watcher.web.api.answers import ProblemError, problem
from watcher.web.clients import BY_OTHER_PROXY, ForwardedHeaders, TrustedProxies, client_of
from watcher.web.encoded_paths import EncodedPaths
from watcher.web.guesses import TokenGuesses, TooManyGuessesError

log = structlog.get_logger()

BEARER: Final = "Bearer "
SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
OPEN_PATHS: Final = frozenset({"/healthz", "/login", "/static/style.css", "/static/live.js", "/static/icon.svg"})
"""Paths without a token: they show only that the process responds, and the form for the token."""
WITHOUT_SESSION: Final = OPEN_PATHS - {"/login"}
"""Paths whose answer is the same for everybody, so that nobody can try a cookie at them."""
FORM_PATHS: Final = frozenset(
    {
        *("/login", "/signout", "/silences", "/silences/end", "/receivers/test"),
        *("/deliveries/retry", "/deliveries/retry-all", "/deliveries/drop"),
    }
)
"""Paths that take a form."""
THROUGH_PROXY: Final = (
    "a proxy has passed this request on, so others may read here: set token in [web], and name the proxy in "
    "trusted_proxies"
)
FOR_PROGRAMS: Final = ("/api/", "/metrics", "/readyz", "/healthz")
"""Paths that a browser is not sent to the form for the token from."""
REFUSALS: Final[Mapping[HTTPStatus, str]] = {
    HTTPStatus.METHOD_NOT_ALLOWED: "the API is read-only: GET and HEAD",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "send no body",
    HTTPStatus.UNAUTHORIZED: "send the token of [web] as Authorization: Bearer",
    HTTPStatus.TOO_MANY_REQUESTS: "this address has sent too many wrong tokens; until Retry-After, none is accepted",
}
CODES: Final[Mapping[HTTPStatus, str]] = {
    HTTPStatus.METHOD_NOT_ALLOWED: "method-not-allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "request-entity-too-large",
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.TOO_MANY_REQUESTS: "too-many-requests",
    HTTPStatus.SERVICE_UNAVAILABLE: "upgraded",
}
"""The codes of problems; the phrase of a status differs between versions of Python."""


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
    trusted_proxies: Sequence[str] = ()
    """Addresses of proxies that say which client asks, for which host, and whether by HTTPS."""
    base_path: str = ""
    """The path of a reverse proxy below which everything is."""
    guesses: TokenGuesses | None = None
    """Limits the wrong tokens of a client."""
    is_signed_in: Callable[[Request], bool] = lambda _request: False
    """Whether a request has the cookie of a session; may raise ``TooManyGuessesError``."""
    others: Callable[[], Sequence[BaseRoute]] = tuple
    """Makes the routes of the status page and the API at the first request for one of them."""
    token: Callable[[], Secret] | None = None
    """Read at each request, so that a rotated file takes effect; ``None`` requires no token."""
    hosts: Sequence[str] = ("*",)
    """The accepted ``Host`` names; any other may come from a web page that rebinds its name to this machine."""


def build_app(pages: Pages) -> ASGIApp:
    """Return the application that serves the pages."""

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        readiness = await pages.readiness()
        status = HTTPStatus.OK if readiness.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse(readiness.as_json(), status)

    async def metrics(_request: Request) -> Response:
        return Response(await pages.metrics(), headers={"Content-Type": pages.metrics_type})

    routes = [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
    ]
    application = Starlette(routes=routes)
    application.router.default = Later(pages.others)
    trusted = TrustedHostMiddleware(application, pages.hosts, www_redirect=False)
    guard = Guard(trusted, pages.token, pages.is_signed_in, guesses=pages.guesses, base_path=pages.base_path)
    return ForwardedHeaders(EncodedPaths(guard, pages.base_path), TrustedProxies(pages.trusted_proxies))


class Later:
    """Loads the status page and the API at their first request: many daemons are never asked for them.

    They load in a thread, since that takes a third of a second, in which polls would be late. After an upgrade of the
    installed files they do not load: their modules would be of another version than the loaded ones. To load them at
    the start would take 4.5 MB in every daemon.
    """

    def __init__(self, routes: Callable[[], Sequence[BaseRoute]]) -> None:
        self._routes = routes
        self._made: asyncio.Future[ASGIApp] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as the ASGI specification requires."""
        if self._made is None or (self._made.done() and self._made.exception() is not None):
            self._made = asyncio.ensure_future(asyncio.to_thread(self._make))
        try:
            # A client that goes away must not end the loading for others.
            app = await asyncio.shield(self._made)
        except UpgradedError as error:
            app = _refused(scope["path"], HTTPStatus.SERVICE_UNAVAILABLE, {}, str(error))
        await app(scope, receive, send)

    def _make(self) -> ASGIApp:
        return Starlette(routes=[*self._routes()])


class Guard:
    """Refuses requests with another method, with a body or without the token, before reading anything."""

    def __init__(
        self,
        app: ASGIApp,
        token: Callable[[], Secret] | None,
        is_signed_in: Callable[[Request], bool],
        *,
        guesses: TokenGuesses | None = None,
        base_path: str = "",
    ) -> None:
        self._app = app
        self._token = token
        self._is_signed_in = is_signed_in
        self._guesses = guesses
        self._base_path = base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as the ASGI specification requires."""
        request = Request(scope)
        refusal = self._refusal(request)
        await (refusal or self._app)(scope, receive, _with_security_headers(send))

    def _refusal(self, request: Request) -> Response | None:
        # The path that the routes match, and not the one of ``request.url``, which is made with the client's Host.
        path: str = request.scope["path"]
        is_form = request.method == "POST" and path in FORM_PATHS
        if request.method not in {"GET", "HEAD"} and not is_form:
            return _refused(path, HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET, HEAD"})
        # A form itself is checked where it is read: its length, its session and its origin.
        if not is_form and _has_body(request):
            return _refused(path, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {})
        if path in WITHOUT_SESSION:
            return None
        if self._token is None and request.scope.get(BY_OTHER_PROXY):
            return _refused(path, HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": "Bearer"}, THROUGH_PROXY)
        try:
            is_authorized = self._is_authorized(request)
        except TooManyGuessesError as error:
            wait = {"Retry-After": str(math.ceil(error.wait_seconds))}
            return _refused(path, HTTPStatus.TOO_MANY_REQUESTS, wait)
        is_open = is_authorized or is_form or path in OPEN_PATHS
        return None if is_open else self._without_token(request, path)

    def _without_token(self, request: Request, path: str) -> Response:
        if not path.startswith(FOR_PROGRAMS) and "text/html" in request.headers.get("Accept", ""):
            return to_login(request, self._base_path)
        return _refused(path, HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": "Bearer"})

    def _is_authorized(self, request: Request) -> bool:
        if self._token is None or self._is_signed_in(request):
            return True
        given = request.headers.get("Authorization", "")
        if not given.startswith(BEARER):
            return False
        # In constant time: the time of a comparison must not reveal the token.
        expected = f"{BEARER}{self._token().reveal()}"
        is_right = hmac.compare_digest(given.encode("latin-1"), expected.encode())
        client = client_of(request)
        if self._guesses is not None and self._guesses.note(client, given, is_right=is_right):
            log.warning("web.token_refused", client=client)
        return is_right


def _has_body(request: Request) -> bool:
    return request.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in request.headers


def to_login(request: Request, base_path: str) -> Response:
    """Send a browser without a session to the form, and back to its page after it."""
    path, query = request.scope["path"], request.url.query
    target = f"{path}?{query}" if query else path
    return RedirectResponse(f"{base_path}/login?next={quote(target, safe='')}", HTTPStatus.SEE_OTHER)


def _refused(path: str, status: HTTPStatus, headers: Mapping[str, str], detail: str = "") -> Response:
    if path.startswith("/api/"):
        return problem(
            ProblemError(status, CODES[status], detail or REFUSALS[status], {**headers, "Connection": "close"})
        )
    text = f"{status.phrase}: {detail}\n" if detail else f"{status.phrase}\n"
    return PlainTextResponse(text, status, headers={**headers, "Connection": "close"})


def _with_security_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers

"""The simulator as an ASGI application: AiTEMS' calls under ``/api/v1``, the control endpoint beside them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from watcher.simulator import calls, control, gateway
from watcher.simulator.calls import Answer, Call, CallKind, gateway_answer
from watcher.simulator.faults.exchange import ClientGoneError, Exchange
from watcher.simulator.faults.kinds import KINDS
from watcher.simulator.faults.plan import Fault
from watcher.simulator.request_log import UNKNOWN_KEY
from watcher.simulator.responses import json_response
from watcher.simulator.simulator import Simulator

TRANSPORT: Final = "transport"
"""The key under which the protocol leaves its transport in the scope's state."""


def build_app(simulator: Simulator) -> ASGIApp:
    """Return the application that serves a simulator."""
    routes = [Route(path, _endpoint(simulator, kind)) for kind, path in calls.PATHS.items()]
    unknown = _unknown_path(simulator)
    app = Starlette(
        routes=[*routes, *control.control_routes(simulator)], exception_handlers={404: unknown, 405: unknown}
    )
    app.router.redirect_slashes = False
    return _route_as_received(app)


def _route_as_received(app: ASGIApp) -> ASGIApp:
    """Route by the path as it was received, so that a %2F within an id does not part it."""

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "path": scope["raw_path"].decode("ascii")}, receive, send)

    return routed


def _endpoint(simulator: Simulator, kind: CallKind) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        _note(simulator, request, kind)
        refusal = gateway.check(_signed(request), simulator.keys, simulator.server_now())
        if refusal is not None:
            simulator.requests.note_refusal(refusal)
            return _respond(simulator, gateway_answer(*gateway.ANSWERS[refusal]))
        call = _call(request, kind)
        fault = simulator.fault_for(call)
        return _Misbehaving(simulator, call, fault) if fault else _respond(simulator, simulator.answer(call))

    return endpoint


def _note(simulator: Simulator, request: Request, kind: CallKind | None) -> None:
    access_key = request.headers.get(gateway.ACCESS_KEY, "")
    known = access_key if access_key in simulator.keys else UNKNOWN_KEY
    simulator.requests.note(known, kind, simulator.monotonic())


def _signed(request: Request) -> gateway.SignedRequest:
    path, query = request.scope["raw_path"], request.scope["query_string"]
    return gateway.SignedRequest(request.method, path + b"?" + query if query else path, request.headers)


def _call(request: Request, kind: CallKind) -> Call:
    named = {name: unquote(value) for name, value in request.path_params.items()}
    query = request.scope["query_string"].decode("ascii")
    return Call(kind=kind, path=request.scope["path"], query=query, **named)


def _respond(simulator: Simulator, answer: Answer) -> Response:
    return json_response(answer.document, answer.http_status, simulator.server_now())


def _unknown_path(simulator: Simulator) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def unknown_path(request: Request, _error: Exception) -> Response:
        path = request.scope["path"]
        if path.startswith(control.PREFIX):
            told = {"error": f"no such control: {request.method} {path}"}
            return json_response(told, 404, simulator.server_now())
        _note(simulator, request, None)
        return _respond(simulator, gateway_answer(gateway.NOT_FOUND, "URL not found."))

    return unknown_path


class _Misbehaving(Response):
    """The answer to a call that a fault strikes."""

    def __init__(self, simulator: Simulator, call: Call, fault: Fault) -> None:
        super().__init__()
        self._simulator = simulator
        self._call = call
        self._fault = fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(
            fault=self._fault,
            server_now=self._simulator.server_now(),
            honest=self._honest,
            transport=scope["state"][TRANSPORT],
            receive=receive,
            send=send,
        )
        try:
            await KINDS[self._fault.kind].act(exchange)
        except ClientGoneError:
            await exchange.expire_orphans()

    def _honest(self, ago_seconds: float) -> Answer:
        return self._simulator.answer(self._call, ago_seconds)

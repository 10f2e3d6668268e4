"""The simulator as an ASGI application: the calls of AiTEMS under ``/api/v1``, and the control endpoint."""

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
from watcher.simulator.calls import Call, CallKind, SimulatedAnswer, gateway_answer
from watcher.simulator.faults.exchange import ClientGoneError, Exchange
from watcher.simulator.faults.kinds import KINDS
from watcher.simulator.faults.plan import Fault
from watcher.simulator.request_log import UNKNOWN_KEY
from watcher.simulator.responses import json_response
from watcher.simulator.simulator import Simulator

TRANSPORT: Final = "transport"
"""The key of the transport in the scope's state; the protocol sets it."""


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
    """Route by the received path, so that a %2F within an id does not split it."""

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "path": scope["raw_path"].decode("ascii")}, receive, send)

    return routed


def _endpoint(simulator: Simulator, kind: CallKind) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        _count(simulator, request, kind)
        rejection = gateway.check(_signed(request), simulator.keys, simulator.server_now())
        if rejection is not None:
            simulator.requests.count_rejection(rejection)
            return _respond(simulator, gateway_answer(*gateway.ANSWERS[rejection]))
        call = _call(request, kind)
        fault = simulator.fault_for(call)
        return _Misbehaving(simulator, call, fault) if fault else _respond(simulator, simulator.answer(call))

    return endpoint


def _count(simulator: Simulator, request: Request, kind: CallKind | None) -> None:
    access_key = request.headers.get(gateway.ACCESS_KEY, "")
    counted_as = access_key if access_key in simulator.keys else UNKNOWN_KEY
    simulator.requests.add(counted_as, kind, simulator.monotonic())


def _signed(request: Request) -> gateway.SignedRequest:
    path, query = request.scope["raw_path"], request.scope["query_string"]
    return gateway.SignedRequest(request.method, path + b"?" + query if query else path, request.headers)


def _call(request: Request, kind: CallKind) -> Call:
    ids = {name: unquote(value) for name, value in request.path_params.items()}
    query = request.scope["query_string"].decode("ascii")
    return Call(kind=kind, path=request.scope["path"], query=query, **ids)


def _respond(simulator: Simulator, answer: SimulatedAnswer) -> Response:
    return json_response(answer.document, answer.http_status, simulator.server_now())


def _unknown_path(simulator: Simulator) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def unknown_path(request: Request, _error: Exception) -> Response:
        path = request.scope["path"]
        if path.startswith(control.PREFIX):
            document = {"error": f"no such control: {request.method} {path}"}
            return json_response(document, 404, simulator.server_now())
        _count(simulator, request, None)
        return _respond(simulator, gateway_answer(gateway.NOT_FOUND, "URL not found."))

    return unknown_path


class _Misbehaving(Response):
    """The response to a call that a fault affects."""

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
            await exchange.drop_connection()

    def _honest(self, ago_seconds: float) -> SimulatedAnswer:
        return self._simulator.answer(self._call, ago_seconds)

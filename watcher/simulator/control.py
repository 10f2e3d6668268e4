"""The control endpoint: JSON under ``/_control`` to change the simulated account and to read its true history.

It needs no signature. By default, only clients on the same machine may use it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Final, TypeVar
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from watcher.core.secret import Secret
from watcher.core.timestamps import to_text
from watcher.simulator.faults.kinds import KINDS
from watcher.simulator.faults.model import FaultModel, as_document
from watcher.simulator.faults.plan import PlannedFault
from watcher.simulator.invented.durations import SignedSeconds
from watcher.simulator.responses import JSON, json_response
from watcher.simulator.simulator import ControlAccess, DatedChange, Simulator
from watcher.simulator.truth import UpdateChange
from watcher.simulator.world import ServiceType, SimulatedService

PREFIX: Final = "/_control"
_TRAINING: Final = f"{PREFIX}/services/{{service}}/trains/{{train_type}}/versions/{{version}}"
_MAX_BODY_BYTES: Final = 1_000_000

_BodyModel = TypeVar("_BodyModel", bound=BaseModel)

Handler = Callable[[Simulator, Request], Awaitable[object]]
"""Executes a request and returns the JSON document of the answer."""


_Name = Annotated[str, StringConstraints(min_length=1)]


class ControlRequestError(Exception):
    """A control request that cannot be executed."""

    def __init__(self, http_status: int, message: str) -> None:
        super().__init__(message)
        self.http_status = http_status


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _TrainingBody(_Body):
    status: _Name
    inference: bool | None = None
    hp_config: dict[str, str | bool | int | float] | None = Field(default=None, alias="hpConfig")
    description: str | None = None
    created_date: str | None = Field(default=None, alias="createdDate")


class _UpdateBody(_Body):
    status: _Name
    users: int | None = Field(default=None, ge=0)


class _ServiceBody(_Body):
    name: _Name | None = None
    type: ServiceType = Field(default=ServiceType.BATCH, strict=False)
    interval: str | None = None
    status: _Name | None = None
    description: str | None = None


class _ClockBody(_Body):
    offset: SignedSeconds


class _KeyBody(_Body):
    secret_key: _Name


def control_routes(simulator: Simulator) -> list[Route]:
    """Return the routes of the control endpoint."""
    return [
        Route(path, _endpoint(simulator, handler), methods=[method]) for (method, path), handler in _HANDLERS.items()
    ]


def _endpoint(simulator: Simulator, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            _check_access(simulator.control, request)
            document = await handler(simulator, request)
        except ControlRequestError as error:
            return json_response({"error": str(error)}, error.http_status, simulator.server_now())
        return json_response(document, 200, simulator.server_now())

    return endpoint


def _check_access(access: ControlAccess, request: Request) -> None:
    if access is ControlAccess.NOBODY:
        raise ControlRequestError(403, "the control endpoint is turned off")
    host = request.client.host if request.client else ""
    if access is ControlAccess.LOOPBACK and not _is_loopback(host):
        raise ControlRequestError(403, f"the control endpoint is for this machine only, not for {host or 'others'}")
    if request.method in {"POST", "PUT"} and request.headers.get("content-type", "").partition(";")[0] != JSON:
        raise ControlRequestError(415, f"send the header Content-Type: {JSON}")


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


async def _read(request: Request, model: type[_BodyModel]) -> _BodyModel:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            raise ControlRequestError(413, f"the body is larger than {_MAX_BODY_BYTES} bytes")
    try:
        return model.model_validate_json(bytes(body))
    except ValidationError as error:
        problems = [_error_text(detail["loc"], detail["msg"]) for detail in error.errors()]
        raise ControlRequestError(400, "; ".join(problems)) from error


def _error_text(location: tuple[int | str, ...], message: str) -> str:
    key = ".".join(str(part) for part in location)
    return f"{key or 'the body'}: {message.removeprefix('Value error, ')}"


def _path(request: Request, name: str) -> str:
    return unquote(request.path_params[name])


async def _get_overview(simulator: Simulator, _request: Request) -> object:
    seconds = simulator.seconds
    return {
        "started_at": to_text(simulator.started_at),
        "seconds": seconds,
        "monotonic": simulator.monotonic(),
        "clock_offset_seconds": simulator.clock_offset_seconds,
        "access_keys": sorted(simulator.keys),
        "services": [_service_document(simulator, service, seconds) for service in simulator.truth.services],
        "fault_kinds": {name: {"says": kind.says, "takes": list(kind.takes)} for name, kind in KINDS.items()},
    }


def _service_document(simulator: Simulator, service: SimulatedService, seconds: float) -> dict[str, object]:
    return {
        "id": service.id,
        "name": service.name,
        "type": service.type.value,
        "trainings": [
            {
                "type": state.training.type,
                "version": state.training.version,
                "status": state.status,
                "inference": state.inference,
            }
            for state in simulator.truth.trainings(service.id, seconds)
        ],
    }


async def _put_service(simulator: Simulator, request: Request) -> object:
    body = await _read(request, _ServiceBody)
    service_id = _path(request, "service")
    facts = body.model_dump(exclude={"name"})
    try:
        service = SimulatedService(id=service_id, name=body.name or service_id, **facts)
    except ValueError as error:
        raise ControlRequestError(400, str(error)) from error
    simulator.put_service(service)
    return _service_document(simulator, service, simulator.seconds)


async def _delete_service(simulator: Simulator, request: Request) -> object:
    service_id = _path(request, "service")
    if not simulator.delete_service(service_id):
        raise ControlRequestError(404, f"there is no service {service_id!r}")
    return {"deleted": service_id}


async def _put_training(simulator: Simulator, request: Request) -> object:
    body = await _read(request, _TrainingBody)
    service_id, train_type, version = _training_path(request)
    simulator.set_training(
        service_id,
        train_type,
        version,
        body.status,
        inference=body.inference,
        hp_config=body.hp_config,
        description=body.description,
        created_date=body.created_date,
    )
    return {"service": service_id, "type": train_type, "version": version, "status": body.status}


async def _delete_training(simulator: Simulator, request: Request) -> object:
    service_id, train_type, version = _training_path(request)
    if not simulator.delete_training(service_id, train_type, version):
        raise ControlRequestError(404, f"there is no training {service_id!r} {train_type!r} {version!r}")
    return {"deleted": version}


def _training_path(request: Request) -> tuple[str, str, str]:
    return _path(request, "service"), _path(request, "train_type"), _path(request, "version")


async def _put_update(simulator: Simulator, request: Request) -> object:
    body = await _read(request, _UpdateBody)
    training, update = _training_path(request), _path(request, "update")
    if not simulator.set_update(*training, update, body.status, users=body.users):
        raise ControlRequestError(404, f"there is no training {' '.join(map(repr, training))} in an interval service")
    return {"update": update, "status": body.status}


async def _add_fault(simulator: Simulator, request: Request) -> object:
    body = await _read(request, FaultModel)
    return {"id": simulator.add_fault(body.fault())}


async def _get_faults(simulator: Simulator, _request: Request) -> object:
    seconds = simulator.seconds
    return {"faults": [_fault_document(planned, seconds) for planned in simulator.faults.planned]}


def _fault_document(planned: PlannedFault, seconds: float) -> dict[str, object]:
    ended = planned.has_ended(seconds)
    return {"id": planned.id, "struck": planned.struck, "ended": ended, **as_document(planned.fault)}


async def _clear_faults(simulator: Simulator, _request: Request) -> object:
    count = len(simulator.faults.planned)
    simulator.faults.clear()
    return {"removed": count}


async def _remove_fault(simulator: Simulator, request: Request) -> object:
    fault_id = _path(request, "fault")
    if not (fault_id.isdecimal() and simulator.faults.remove(int(fault_id))):
        raise ControlRequestError(404, f"there is no fault {fault_id!r}")
    return {"removed": 1}


async def _get_requests(simulator: Simulator, _request: Request) -> object:
    return {"monotonic": simulator.monotonic(), **simulator.requests.as_document()}


async def _reset_requests(simulator: Simulator, _request: Request) -> object:
    count = simulator.requests.total
    simulator.requests.reset()
    return {"forgotten": count}


async def _get_history(simulator: Simulator, request: Request) -> object:
    after = request.query_params.get("after", "-1")
    try:
        after_seconds = float(after)
    except ValueError as error:
        raise ControlRequestError(400, f"after: {after!r} is not a number of seconds") from error
    until_seconds = simulator.seconds
    changes = [_change_document(dated) for dated in simulator.history(after_seconds, until_seconds)]
    updates = [_update_document(simulator, change) for change in simulator.update_history(after_seconds, until_seconds)]
    return {
        "started_at": to_text(simulator.started_at),
        "until": until_seconds,
        "changes": changes,
        "updates": updates,
    }


def _change_document(dated: DatedChange) -> dict[str, object]:
    change = dated.change
    return {
        "service": change.service,
        "type": change.type,
        "version": change.version,
        "previous": change.previous,
        "status": change.status,
        "at": to_text(dated.at),
        "seconds": change.at_seconds,
        "cause": change.origin.value,
    }


def _update_document(simulator: Simulator, change: UpdateChange) -> dict[str, object]:
    return {
        "service": change.service,
        "type": change.type,
        "version": change.version,
        "update": change.update,
        "status": change.status,
        "at": to_text(simulator.started_at + timedelta(seconds=change.at_seconds)),
        "seconds": change.at_seconds,
    }


async def _set_clock(simulator: Simulator, request: Request) -> object:
    body = await _read(request, _ClockBody)
    simulator.clock_offset_seconds = body.offset
    return {"clock_offset_seconds": body.offset}


async def _put_key(simulator: Simulator, request: Request) -> object:
    body = await _read(request, _KeyBody)
    simulator.keys[_path(request, "access_key")] = Secret(body.secret_key)
    return {"access_keys": sorted(simulator.keys)}


async def _delete_key(simulator: Simulator, request: Request) -> object:
    access_key = _path(request, "access_key")
    if simulator.keys.pop(access_key, None) is None:
        raise ControlRequestError(404, f"there is no access key {access_key!r}")
    return {"access_keys": sorted(simulator.keys)}


_HANDLERS: Final[dict[tuple[str, str], Handler]] = {
    ("GET", PREFIX): _get_overview,
    ("PUT", f"{PREFIX}/services/{{service}}"): _put_service,
    ("DELETE", f"{PREFIX}/services/{{service}}"): _delete_service,
    ("PUT", _TRAINING): _put_training,
    ("DELETE", _TRAINING): _delete_training,
    ("PUT", f"{_TRAINING}/updates/{{update}}"): _put_update,
    ("GET", f"{PREFIX}/faults"): _get_faults,
    ("POST", f"{PREFIX}/faults"): _add_fault,
    ("DELETE", f"{PREFIX}/faults"): _clear_faults,
    ("DELETE", f"{PREFIX}/faults/{{fault}}"): _remove_fault,
    ("GET", f"{PREFIX}/requests"): _get_requests,
    ("DELETE", f"{PREFIX}/requests"): _reset_requests,
    ("GET", f"{PREFIX}/history"): _get_history,
    ("PUT", f"{PREFIX}/clock"): _set_clock,
    ("PUT", f"{PREFIX}/keys/{{access_key}}"): _put_key,
    ("DELETE", f"{PREFIX}/keys/{{access_key}}"): _delete_key,
}

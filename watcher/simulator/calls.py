"""The five simulated calls of AiTEMS, with their answers when no fault applies."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeVar
from urllib.parse import parse_qs

from watcher.core.training.model import Phase, phase_of
from watcher.simulator import gateway, records
from watcher.simulator.truth import TrainingState, Truth
from watcher.simulator.world import SimulatedService

PREFIX: Final = "/api/v1"
_DEFAULT_LIMIT: Final = 1000
_DIGITS: Final = re.compile(r"[0-9]{1,9}")

Listed = TypeVar("Listed")


class CallKind(StrEnum):
    """The kind of a call."""

    VIEW = "view"
    LIST = "list"
    SERVICE = "service"
    SERVICES = "services"
    UPDATES = "updates"


PATHS: Final[Mapping[CallKind, str]] = MappingProxyType(
    {
        CallKind.SERVICES: f"{PREFIX}/services",
        CallKind.SERVICE: f"{PREFIX}/services/{{service}}",
        CallKind.LIST: f"{PREFIX}/services/{{service}}/trains",
        CallKind.UPDATES: f"{PREFIX}/services/{{service}}/updates",
        CallKind.VIEW: f"{PREFIX}/services/{{service}}/trains/{{train_type}}/versions/{{version}}",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One received call; ids that it does not have are empty."""

    kind: CallKind
    path: str
    """As received, percent-encoded."""
    query: str = ""
    service: str = ""
    train_type: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class SimulationTime:
    """The time of an answer: seconds since the simulator's start, and that start in UTC."""

    seconds: float
    started_at: datetime

    @property
    def utc(self) -> datetime:
        """The same time in UTC."""
        return self.utc_of(self.seconds)

    def utc_of(self, seconds: float) -> datetime:
        """Return another time of the same simulator in UTC."""
        return self.started_at + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class SimulatedAnswer:
    """The status and the JSON document of an answer."""

    http_status: int
    document: object


def gateway_answer(error: gateway.GatewayError, details: str | None = None) -> SimulatedAnswer:
    """Return a gateway error as an answer."""
    return SimulatedAnswer(error.http_status, gateway.envelope(error, details))


def not_found(call: Call, now: SimulationTime) -> SimulatedAnswer:
    """Return AiTEMS' own answer for an unknown service or training.

    It has the form that other services behind this gateway use; AiTEMS documents none.
    """
    timestamp = now.utc.astimezone(UTC).isoformat(timespec="milliseconds")
    return SimulatedAnswer(404, {"timestamp": timestamp, "status": 404, "error": "Not Found", "path": call.path})


def answer(call: Call, truth: Truth, now: SimulationTime) -> SimulatedAnswer:
    """Return the honest answer to a call at a time."""
    try:
        return _ANSWERS[call.kind](call, truth, now)
    except _BadQueryError as bad:
        return gateway_answer(gateway.BAD_REQUEST, str(bad))


class _BadQueryError(ValueError):
    """A value in the query is unreadable."""


def _view(call: Call, truth: Truth, now: SimulationTime) -> SimulatedAnswer:
    state = truth.training(call.service, call.train_type, call.version, now.seconds)
    if state is None:
        return not_found(call, now)
    return SimulatedAnswer(200, records.training_record(call.service, state, now.started_at))


def _list(call: Call, truth: Truth, now: SimulationTime) -> SimulatedAnswer:
    if truth.service(call.service) is None:
        return not_found(call, now)
    states = truth.trainings(call.service, now.seconds)
    if _flag(call, "isRecent"):
        states = _latest_of_each_type(states)
    return _page(call, "trains", states, lambda state: records.training_record(call.service, state, now.started_at))


def _service(call: Call, truth: Truth, now: SimulationTime) -> SimulatedAnswer:
    service = truth.service(call.service)
    if service is None:
        return not_found(call, now)
    return SimulatedAnswer(200, records.service_record(_service_state(service, truth, now)))


def _services(call: Call, truth: Truth, now: SimulationTime) -> SimulatedAnswer:
    def item(service: SimulatedService) -> object:
        return records.service_item(_service_state(service, truth, now))

    return _page(call, "services", truth.services, item)


def _updates(call: Call, truth: Truth, now: SimulationTime) -> SimulatedAnswer:
    train_type, version = _required(call, "type"), _required(call, "trainVersion")
    if truth.service(call.service) is None:
        return not_found(call, now)
    states = truth.updates(call.service, train_type, version, now.seconds)
    return SimulatedAnswer(200, {"updates": [records.update_record(state, now.started_at) for state in states]})


_ANSWERS: Final[Mapping[CallKind, Callable[[Call, Truth, SimulationTime], SimulatedAnswer]]] = MappingProxyType(
    {
        CallKind.VIEW: _view,
        CallKind.LIST: _list,
        CallKind.SERVICE: _service,
        CallKind.SERVICES: _services,
        CallKind.UPDATES: _updates,
    }
)


def _service_state(service: SimulatedService, truth: Truth, now: SimulationTime) -> records.ServiceState:
    trainings = truth.trainings(service.id, now.seconds)
    is_training = any(phase_of(state.status) is Phase.IN_PROGRESS for state in trainings)
    return records.ServiceState(
        service=service,
        is_busy=is_training or truth.is_updating(service.id, now.seconds),
        created_at=now.started_at,
        updated_at=now.utc_of(truth.last_change_seconds(service.id, now.seconds)),
        scheduled_at=_next_start(service, truth, now),
    )


def _next_start(service: SimulatedService, truth: Truth, now: SimulationTime) -> datetime | None:
    """Return the next planned update; behind the last one, the cycle continues from it."""
    if service.interval_seconds is None:
        return None
    planned = truth.planned_updates(service.id)
    later = next((seconds for seconds in planned if seconds > now.seconds), None)
    if later is not None:
        return now.utc_of(later)
    begins = now.utc_of(planned[-1]) if planned else now.started_at.replace(minute=0, second=0, microsecond=0)
    interval = timedelta(seconds=service.interval_seconds)
    return begins + ((now.utc - begins) // interval + 1) * interval


def _latest_of_each_type(trainings: list[TrainingState]) -> list[TrainingState]:
    latest: dict[str, TrainingState] = {}
    for state in trainings:
        known = latest.get(state.training.type)
        if known is None or state.born_seconds >= known.born_seconds:
            latest[state.training.type] = state
    return list(latest.values())


def _page(call: Call, name: str, listed: Sequence[Listed], record_of: Callable[[Listed], object]) -> SimulatedAnswer:
    """Return one page; only its own records are built, so that a long list costs no more than its pages."""
    offset, limit = _number(call, "offset", 0), _number(call, "limit", _DEFAULT_LIMIT)
    records_of_page = [record_of(item) for item in listed[offset : offset + limit]]
    return SimulatedAnswer(200, {name: records_of_page, "offset": offset, "limit": limit})


def _required(call: Call, name: str) -> str:
    text = _value(call, name)
    if not text:
        raise _BadQueryError(f"{name} is required.")
    return text


def _number(call: Call, name: str, default: int) -> int:
    text = _value(call, name)
    if text is None:
        return default
    if not _DIGITS.fullmatch(text):
        raise _BadQueryError(f"{name} must be a number, zero or more.")
    return int(text)


def _flag(call: Call, name: str) -> bool:
    text = _value(call, name)
    if text not in {None, "true", "false"}:
        raise _BadQueryError(f"{name} must be true or false.")
    return text == "true"


def _value(call: Call, name: str) -> str | None:
    return parse_qs(call.query, keep_blank_values=True).get(name, [None])[0]

"""The four calls of AiTEMS that are simulated, and what each one answers when nothing is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qs

from watcher.simulator import gateway, records
from watcher.simulator.truth import PollResult, Truth
from watcher.simulator.world import Service

PREFIX: Final = "/api/v1"
_DEFAULT_LIMIT: Final = 1000
_DIGITS: Final = re.compile(r"[0-9]{1,9}")


class CallKind(StrEnum):
    """Which call it is."""

    VIEW = "view"
    LIST = "list"
    SERVICE = "service"
    SERVICES = "services"


PATHS: Final[Mapping[CallKind, str]] = MappingProxyType(
    {
        CallKind.SERVICES: f"{PREFIX}/services",
        CallKind.SERVICE: f"{PREFIX}/services/{{service}}",
        CallKind.LIST: f"{PREFIX}/services/{{service}}/trains",
        CallKind.VIEW: f"{PREFIX}/services/{{service}}/trains/{{train_type}}/versions/{{version}}",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call as it was received; what it does not name is empty."""

    kind: CallKind
    path: str
    """As received, percent-encoded."""
    query: str = ""
    service: str = ""
    train_type: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a call is answered: seconds since the simulator started, and when that was in UTC."""

    seconds: float
    started_at: datetime

    @property
    def utc(self) -> datetime:
        """The same moment in UTC."""
        return self.at(self.seconds)

    def at(self, seconds: float) -> datetime:
        """Return another moment of the same simulator in UTC."""
        return self.started_at + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and the JSON document that goes with it."""

    http_status: int
    document: object


def gateway_answer(error: gateway.GatewayError, details: str | None = None) -> Answer:
    """Return a gateway error as an answer."""
    return Answer(error.http_status, gateway.envelope(error, details))


def not_found(call: Call, moment: Moment) -> Answer:
    """Return what AiTEMS itself says of a service or training that it does not know.

    The shape is the one that services behind this gateway answer with; AiTEMS documents none of its own.
    """
    timestamp = moment.utc.astimezone(UTC).isoformat(timespec="milliseconds")
    return Answer(404, {"timestamp": timestamp, "status": 404, "error": "Not Found", "path": call.path})


def answer(call: Call, truth: Truth, moment: Moment) -> Answer:
    """Return the honest answer to a call at a moment."""
    try:
        return _ANSWERS[call.kind](call, truth, moment)
    except _BadQueryError as bad:
        return gateway_answer(gateway.BAD_REQUEST, str(bad))


class _BadQueryError(ValueError):
    """A value in the query cannot be read."""


def _view(call: Call, truth: Truth, moment: Moment) -> Answer:
    seen = truth.training(call.service, call.train_type, call.version, moment.seconds)
    if seen is None:
        return not_found(call, moment)
    return Answer(200, records.training_record(call.service, seen, moment.started_at))


def _list(call: Call, truth: Truth, moment: Moment) -> Answer:
    if truth.service(call.service) is None:
        return not_found(call, moment)
    seen = truth.trainings(call.service, moment.seconds)
    if _flag(call, "isRecent"):
        seen = _latest_of_each_type(seen)
    trains = [records.training_record(call.service, training, moment.started_at) for training in seen]
    return _page(call, "trains", trains)


def _service(call: Call, truth: Truth, moment: Moment) -> Answer:
    service = truth.service(call.service)
    if service is None:
        return not_found(call, moment)
    return Answer(200, records.service_record(service, *_service_facts(service, truth, moment)))


def _services(call: Call, truth: Truth, moment: Moment) -> Answer:
    items = [records.service_item(service, *_service_facts(service, truth, moment)) for service in truth.services]
    return _page(call, "services", items)


_ANSWERS: Final[Mapping[CallKind, Callable[[Call, Truth, Moment], Answer]]] = MappingProxyType(
    {CallKind.VIEW: _view, CallKind.LIST: _list, CallKind.SERVICE: _service, CallKind.SERVICES: _services}
)


def _service_facts(service: Service, truth: Truth, moment: Moment) -> tuple[list[PollResult], datetime, datetime]:
    trainings = truth.trainings(service.id, moment.seconds)
    updated_at = moment.at(truth.last_change_seconds(service.id, moment.seconds))
    return trainings, updated_at, moment.started_at


def _latest_of_each_type(trainings: list[PollResult]) -> list[PollResult]:
    latest: dict[str, PollResult] = {}
    for seen in trainings:
        known = latest.get(seen.training.type)
        if known is None or seen.born_seconds >= known.born_seconds:
            latest[seen.training.type] = seen
    return list(latest.values())


def _page(call: Call, name: str, items: list[object] | list[dict[str, object]]) -> Answer:
    offset, limit = _number(call, "offset", 0), _number(call, "limit", _DEFAULT_LIMIT)
    return Answer(200, {name: items[offset : offset + limit], "offset": offset, "limit": limit})


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

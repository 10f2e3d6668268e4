"""Reads AiTEMS' answers: from bytes to observations, or to the reason why an answer is bad.

Sources: the pages "View training", "View training list", "Get service list" and "Get service" of AiTEMS' API guide.
An undocumented status, train type or field is data and is kept unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, NoReturn, TypeVar

from watcher.aitems.errors import ApiError, ErrorShape, envelope_in
from watcher.aitems.strict_json import NotStrictJsonError, loads
from watcher.core.training.model import TRAIN_TYPES, Observation, ServiceRef, Source, TrainingRef

MAX_NAME_LENGTH: Final = 256
"""Characters of an id, type or status; AiTEMS' own have at most 17."""

MAX_DEVIATIONS: Final = 20
MAX_DEVIATION_LENGTH: Final = 100

Record = dict[str, object]

IDENTITY: Final = frozenset({"serviceId", "type", "version", "status"})

DOCUMENTED: Final[Mapping[str, type]] = {
    "hpConfig": dict,
    "description": str,
    "createdDate": str,
    "inference": bool,
}
"""A training's other documented fields, with their types."""

OPTIONAL: Final = frozenset({"description"})

KNOWN_FIELDS: Final = IDENTITY | DOCUMENTED.keys() | {"actionName", "permission"}
"""The last two are fields of items in AiTEMS' other lists."""

KNOWN_PAGE_FIELDS: Final = frozenset({"trains", "services", "offset", "limit"})


@dataclass(frozen=True, slots=True)
class BadAnswer:
    """An answer unlike the documents; ``reason`` is one line for a person."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Start of a request and end of its answer, UTC."""

    asked_at: datetime
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class ViewedTraining:
    """The answer to a view."""

    observation: Observation
    deviations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """A service in the answer to a list or a view."""

    ref: ServiceRef
    status: str
    """The service's own status, e.g. ``learnable``; services and trainings have different statuses."""
    record: Mapping[str, object]
    """The other fields, unchanged: ``name``, ``type``, ``createdDate``, …"""

    @property
    def name(self) -> str | None:
        """The service's display name; ``None`` where it is absent or no text."""
        name = self.record.get("name")
        return name if isinstance(name, str) else None


Item = TypeVar("Item", Observation, ServiceInfo)


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list; ``offset`` and ``limit`` are those in the answer, ``None`` where they are missing."""

    items: tuple[Item, ...]
    offset: int | None
    limit: int | None
    deviations: tuple[str, ...]


class _BadAnswerError(ValueError):
    """Carries the reason from a helper to the public function."""


def read_training(body: bytes, ref: TrainingRef, times: Times) -> ViewedTraining | BadAnswer:
    """Return the training in the answer to a view of ``ref``."""
    try:
        record = _object(body)
        observation = _observation(record, ref.service_ref, times, Source.VIEW)
        _expect("type", observation.ref.type, ref.type)
        _expect("version", observation.ref.version, ref.version)
    except _BadAnswerError as bad:
        return BadAnswer(str(bad))
    missing = [f"missing field: {name}" for name in DOCUMENTED.keys() - OPTIONAL - record.keys()]
    return ViewedTraining(observation, _unique(missing + _deviations(record)))


def read_trainings(body: bytes, service: ServiceRef, times: Times) -> Page[Observation] | BadAnswer:
    """Return one page of a service's trainings; one bad item makes the whole page bad."""
    deviations: list[str] = []

    def read_item(record: Record) -> Observation:
        observation = _observation(record, service, times, Source.LIST)
        deviations.extend(_deviations(record))
        return observation

    return _read_page(body, "trains", read_item, deviations)


def read_services(body: bytes, account: str) -> Page[ServiceInfo] | BadAnswer:
    """Return one page of an account's services."""
    return _read_page(body, "services", lambda record: _service(record, account), [])


def read_service(body: bytes, ref: ServiceRef) -> ServiceInfo | BadAnswer:
    """Return the service in the answer to a view of it."""
    try:
        service = _service(_object(body), ref.account)
        _expect("serviceId", service.ref.service, ref.service)
    except _BadAnswerError as bad:
        return BadAnswer(str(bad))
    return service


def _observation(record: Record, service: ServiceRef, times: Times, source: Source) -> Observation:
    _expect("serviceId", _name(record, "serviceId"), service.service)
    ref = TrainingRef(service.account, service.service, _segment(record, "type"), _segment(record, "version"))
    return Observation(
        ref=ref,
        status=_name(record, "status"),
        asked_at=times.asked_at,
        answered_at=times.answered_at,
        source=source,
        record={name: value for name, value in record.items() if name not in IDENTITY},
    )


def _service(record: Record, account: str) -> ServiceInfo:
    ref = ServiceRef(account, _segment(record, "serviceId"))
    rest = {name: value for name, value in record.items() if name not in {"serviceId", "status"}}
    return ServiceInfo(ref, _name(record, "status"), rest)


def _read_page(
    body: bytes, name: str, read_item: Callable[[Record], Item], deviations: list[str]
) -> Page[Item] | BadAnswer:
    try:
        page = _object(body)
        items = tuple(_items(page, name, read_item))
    except _BadAnswerError as bad:
        return BadAnswer(str(bad))
    deviations += [f"new field beside {name}: {field}" for field in page.keys() - KNOWN_PAGE_FIELDS]
    offset, limit = (_count(page, field, deviations) for field in ("offset", "limit"))
    return Page(items, offset, limit, _unique(deviations))


def _items(page: Record, name: str, read_item: Callable[[Record], Item]) -> list[Item]:
    listed = page.get(name)
    if not isinstance(listed, list):
        _bad(f"{name} is {_kind(listed)}, not an array" if name in page else f"{name} is missing")
    items: list[Item] = []
    for index, record in enumerate(listed):
        if not isinstance(record, dict):
            _bad(f"{name}[{index}] is {_kind(record)}, not an object")
        try:
            items.append(read_item(record))
        except _BadAnswerError as bad:
            _bad(f"{name}[{index}]: {bad}")
    return items


def _count(page: Record, name: str, deviations: list[str]) -> int | None:
    value = page.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    deviations.append(
        f"unlike the documents: {name} is {repr(value)[:20]}" if name in page else f"missing field: {name}"
    )
    return None


def _object(body: bytes) -> Record:
    try:
        value = loads(body)
    except NotStrictJsonError as error:
        _bad(str(error))
    if not isinstance(value, dict):
        _bad(f"the body is {_kind(value)}, not an object")
    _refuse_envelope(value)
    return value


def _refuse_envelope(record: Record) -> None:
    error = envelope_in(record)
    if error is None or _is_complete_despite(error, record):
        return
    text = " ".join(part for part in (error.code, error.message) if part)
    _bad(f"an error inside a success: {text or error.shape}")


def _is_complete_despite(error: ApiError, record: Record) -> bool:
    # AiTEMS may add a field such as errorCode or message to a training.
    return error.shape in {ErrorShape.TOP_LEVEL, ErrorShape.ERROR_TEXT, ErrorShape.CODE_MSG} and (
        record.keys() >= {"serviceId", "status"} or "trains" in record or "services" in record
    )


def _deviations(record: Record) -> list[str]:
    found = []
    if not record.keys() <= KNOWN_FIELDS:
        found += [f"new field: {name}" for name in record.keys() - KNOWN_FIELDS]
    for name, documented in DOCUMENTED.items():
        if name in record and not isinstance(record[name], documented):
            found.append(f"unlike the documents: {name} is {_kind(record[name])}")
    if record["type"] not in TRAIN_TYPES:
        found.append(f"new train type: {record['type']}")
    return found


def _unique(deviations: list[str]) -> tuple[str, ...]:
    return tuple(sorted({description[:MAX_DEVIATION_LENGTH] for description in deviations})[:MAX_DEVIATIONS])


def _segment(record: Record, name: str) -> str:
    segment = _name(record, name)
    if segment in {".", ".."}:
        _bad(f"{name} is {segment!r}, which is no path segment")
    return segment


def _name(record: Record, name: str) -> str:
    value = record.get(name)
    if isinstance(value, str) and 0 < len(value) <= MAX_NAME_LENGTH and "\x00" not in value:
        return value
    if name not in record:
        _bad(f"{name} is missing")
    if not isinstance(value, str):
        _bad(f"{name} is {_kind(value)}, not a text")
    return _bad(f"{name} is empty, longer than {MAX_NAME_LENGTH} characters, or contains a NUL")


def _expect(name: str, answered: str, requested: str) -> None:
    if answered != requested:
        _bad(f"{name} is {answered!r}, but {requested!r} was requested")


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case list():
            return "an array"
        case _:
            return "an object"


def _bad(reason: str) -> NoReturn:
    raise _BadAnswerError(reason)

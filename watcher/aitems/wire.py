"""What AiTEMS' answers say: bytes in, observations out, or the reason why the answer is a bad one.

Sources: the pages "View training", "View training list", "Get service list" and "Get service" of AiTEMS' API guide.
Words that those do not have (a status, a train type, a field) are data and pass as they came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, NoReturn, TypeVar

from watcher.aitems.errors import ApiError, ErrorShape, envelope_in
from watcher.aitems.strict_json import NotStrictJsonError, loads
from watcher.core.training.model import TRAIN_TYPES, Observation, ServiceRef, Source, TrainingRef

MAX_WORD_LENGTH: Final = 256
"""For ids, types and status words; AiTEMS' own have at most 17 characters."""

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
"""A training's other fields on the page, with the type that they have there."""

OPTIONAL: Final = frozenset({"description"})

KNOWN_FIELDS: Final = IDENTITY | DOCUMENTED.keys() | {"actionName", "permission"}
"""The last two come with the items of AiTEMS' other lists."""

KNOWN_PAGE_FIELDS: Final = frozenset({"trains", "services", "offset", "limit"})


@dataclass(frozen=True, slots=True)
class BadAnswer:
    """The answer is not what the documents promise; ``reason`` is one line for a person."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When an answer was asked for and when it was whole."""

    asked_at: datetime
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class ViewedTraining:
    """The answer to a view."""

    observation: Observation
    deviations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """A service as a list or a view of it shows it."""

    ref: ServiceRef
    status: str
    """One of the service's own words, e.g. ``learnable``; they are not those of a training."""
    record: Mapping[str, object]
    """The other fields as they came: ``name``, ``type``, ``createdDate``, …"""

    @property
    def name(self) -> str | None:
        """The name that people gave it, where it is one."""
        name = self.record.get("name")
        return name if isinstance(name, str) else None


Item = TypeVar("Item", Observation, ServiceInfo)


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list; ``offset`` and ``limit`` as the answer states them, ``None`` where it does not."""

    items: tuple[Item, ...]
    offset: int | None
    limit: int | None
    deviations: tuple[str, ...]


class _BadAnswerError(ValueError):
    """Carries the reason from where it is found to the function that was called."""


def read_training(body: bytes, ref: TrainingRef, times: Times) -> ViewedTraining | BadAnswer:
    """Read the answer to a view of ``ref``."""
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
    """Read one page of a service's trainings; one wrong item makes the whole page bad."""
    deviations: list[str] = []

    def read_item(record: Record) -> Observation:
        observation = _observation(record, service, times, Source.LIST)
        deviations.extend(_deviations(record))
        return observation

    return _read_page(body, "trains", read_item, deviations)


def read_services(body: bytes, account: str) -> Page[ServiceInfo] | BadAnswer:
    """Read one page of an account's services."""
    return _read_page(body, "services", lambda record: _service(record, account), [])


def read_service(body: bytes, ref: ServiceRef) -> ServiceInfo | BadAnswer:
    """Read the answer to a view of a service."""
    try:
        service = _service(_object(body), ref.account)
        _expect("serviceId", service.ref.service, ref.service)
    except _BadAnswerError as bad:
        return BadAnswer(str(bad))
    return service


def _observation(record: Record, service: ServiceRef, times: Times, source: Source) -> Observation:
    _expect("serviceId", _word(record, "serviceId"), service.service)
    ref = TrainingRef(service.account, service.service, _segment(record, "type"), _segment(record, "version"))
    return Observation(
        ref=ref,
        status=_word(record, "status"),
        asked_at=times.asked_at,
        answered_at=times.answered_at,
        source=source,
        record={name: value for name, value in record.items() if name not in IDENTITY},
    )


def _service(record: Record, account: str) -> ServiceInfo:
    ref = ServiceRef(account, _segment(record, "serviceId"))
    rest = {name: value for name, value in record.items() if name not in {"serviceId", "status"}}
    return ServiceInfo(ref, _word(record, "status"), rest)


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
    if error is None or _is_whole_in_spite_of(error, record):
        return
    words = " ".join(part for part in (error.code, error.message) if part)
    _bad(f"an error inside a success: {words or error.shape}")


def _is_whole_in_spite_of(error: ApiError, record: Record) -> bool:
    # A training that gains a field such as errorCode or message is still a training.
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
    word = _word(record, name)
    if word in {".", ".."}:
        _bad(f"{name} is {word!r}, which cannot stand in a path")
    return word


def _word(record: Record, name: str) -> str:
    value = record.get(name)
    if isinstance(value, str) and 0 < len(value) <= MAX_WORD_LENGTH and "\x00" not in value:
        return value
    if name not in record:
        _bad(f"{name} is missing")
    if not isinstance(value, str):
        _bad(f"{name} is {_kind(value)}, not a text")
    return _bad(f"{name} is empty, longer than {MAX_WORD_LENGTH} characters, or holds a NUL")


def _expect(name: str, came: str, asked: str) -> None:
    if came != asked:
        _bad(f"{name} is {came!r} where {asked!r} was asked for")


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

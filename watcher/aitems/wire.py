"""Reads AiTEMS' answers: from bytes to observations, or to the reason why an answer is bad.

Sources: the pages "View training", "View training list", "Get service list" and "Get service" of AiTEMS' API guide.
An undocumented status, train type or field is data and is kept unchanged.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from watcher.aitems.list_page import ItemReader, KnownList, ListPage, read_page, unique
from watcher.aitems.record import BadAnswerError, Record, kind_of, name_in, object_of, refuse, segment_in
from watcher.aitems.strict_json import NotStrictJsonError, loads
from watcher.core.json_object import JsonObject, json_object
from watcher.core.training.model import TRAIN_TYPES, ListedTraining, Observation, ServiceRef, Source, TrainingRef

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


@dataclass(frozen=True, slots=True)
class BadAnswer:
    """An answer unlike the documents; ``reason`` is one line for a person."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerTimes:
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


Item = TypeVar("Item", ListedTraining, ServiceInfo)


def read_training(body: bytes, ref: TrainingRef, times: AnswerTimes) -> ViewedTraining | BadAnswer:
    """Return the training in the answer to a view of ``ref``."""
    try:
        record = _strict_object(body)
        shown, status = _ref(record, ref.service_ref), _status(record)
        _expect("type", shown.type, ref.type)
        _expect("version", shown.version, ref.version)
        observation = Observation(
            ref=shown,
            status=status,
            asked_at=times.asked_at,
            answered_at=times.answered_at,
            source=Source.VIEW,
            record=_others(record),
        )
    except BadAnswerError as bad:
        return BadAnswer(str(bad))
    missing = [f"missing field: {name}" for name in DOCUMENTED.keys() - OPTIONAL - record.keys()]
    return ViewedTraining(observation, unique(missing + _deviations(record)))


def read_trainings(
    body: bytes, service: ServiceRef, known: KnownList[ListedTraining] | None = None
) -> ListPage[ListedTraining] | BadAnswer:
    """Return one page of a service's trainings, without the records that cannot be read.

    Args:
        body: the answer.
        service: the service.
        known: the latest list of the service, to which this page is added.
    """

    def read(record: Record, text: bytes | None) -> tuple[ListedTraining, list[str]]:
        if name_in(record, "serviceId") != service.service:
            refuse("serviceId is another service's")
        return _listed(record, text, service), _deviations(record)

    return _read_page(body, ItemReader(list_name="trains", identity=("type", "version"), read=read), known)


def read_services(body: bytes, account: str) -> ListPage[ServiceInfo] | BadAnswer:
    """Return one page of an account's services, without the records that cannot be read."""

    def read(record: Record, _text: bytes | None) -> tuple[ServiceInfo, list[str]]:
        return _service(record, account), []

    return _read_page(body, ItemReader(list_name="services", identity=("serviceId",), read=read))


def _read_page(
    body: bytes, reader: ItemReader[Item], known: KnownList[Item] | None = None
) -> ListPage[Item] | BadAnswer:
    try:
        return read_page(body, reader, known)
    except BadAnswerError as bad:
        return BadAnswer(str(bad))


def read_service(body: bytes, ref: ServiceRef) -> ServiceInfo | BadAnswer:
    """Return the service in the answer to a view of it."""
    try:
        service = _service(_strict_object(body), ref.account)
        _expect("serviceId", service.ref.service, ref.service)
    except BadAnswerError as bad:
        return BadAnswer(str(bad))
    return service


def _strict_object(body: bytes) -> Record:
    try:
        return object_of(loads(body))
    except NotStrictJsonError as error:
        refuse(str(error))


def _listed(record: Record, text: bytes | None, service: ServiceRef) -> ListedTraining:
    """Return a training of a list; ``text`` are the bytes of its record, where they are known."""
    others = _others(record) if text is None else JsonObject(text, IDENTITY)
    return ListedTraining(_ref(record, service), _status(record), others)


def _ref(record: Record, service: ServiceRef) -> TrainingRef:
    _expect("serviceId", name_in(record, "serviceId"), service.service)
    # Thousands of trainings share a type, and a status below.
    kind = sys.intern(segment_in(record, "type"))
    return TrainingRef(service.account, service.service, kind, segment_in(record, "version"))


def _status(record: Record) -> str:
    return sys.intern(name_in(record, "status"))


def _others(record: Record) -> JsonObject:
    return json_object({name: value for name, value in record.items() if name not in IDENTITY})


def _service(record: Record, account: str) -> ServiceInfo:
    ref = ServiceRef(account, segment_in(record, "serviceId"))
    rest = {name: value for name, value in record.items() if name not in {"serviceId", "status"}}
    return ServiceInfo(ref, name_in(record, "status"), rest)


def _deviations(record: Record) -> list[str]:
    found = []
    if not record.keys() <= KNOWN_FIELDS:
        found += [f"new field: {name}" for name in record.keys() - KNOWN_FIELDS]
    for name, documented in DOCUMENTED.items():
        if name in record and not isinstance(record[name], documented):
            found.append(f"unlike the documents: {name} is {kind_of(record[name])}")
    if record["type"] not in TRAIN_TYPES:
        found.append(f"new train type: {record['type']}")
    return found


def _expect(name: str, answered: str, requested: str) -> None:
    if answered != requested:
        refuse(f"{name} is {answered!r}, but {requested!r} was requested")

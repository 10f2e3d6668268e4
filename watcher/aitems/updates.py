"""Reads the answers about interval services: the schedule of a service, and the updates of a version.

Sources: the pages "Get service" and "Get update list" of AiTEMS' API guide. The latter documents no values of a
status. An undocumented status or field is data.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, urlencode

from watcher.aitems.list_page import ItemReader, read_page, unique
from watcher.aitems.paths import path_of
from watcher.aitems.record import BadAnswerError, Record, kind_of, name_in, refuse, segment_in
from watcher.aitems.wire import BadAnswer, ServiceInfo
from watcher.core.training.model import Phase, TrainingRef
from watcher.core.updates.decision import update_phase
from watcher.core.updates.model import ShownUpdate
from watcher.core.updates.result import ScheduleResult, UpdateList
from watcher.core.updates.schedule import CYCLES, ServiceSchedule
from watcher.http import Answered, server_date

LIST_NAME: Final = "updates"
MAX_COUNTS: Final = 20
"""Counters of one update that are kept."""
MAX_DATE_LENGTH: Final = 40
DOCUMENTED: Final[Mapping[str, type]] = MappingProxyType(
    {"createdDate": str, "finishedDate": str, "updateResult": dict, "type": str}
)
KNOWN_FIELDS: Final = DOCUMENTED.keys() | {"updateVersion", "status", "serviceId", "trainVersion"}
"""The last two are not documented; they would repeat the query."""


def updates_path(ref: TrainingRef) -> str:
    """Return the path and the query of the list of a version's updates."""
    query = urlencode({"type": ref.type, "trainVersion": ref.version}, quote_via=quote)
    return f"{path_of('services', ref.service, LIST_NAME)}?{query}"


def read_updates(answer: Answered, ref: TrainingRef) -> UpdateList | BadAnswer:
    """Return the updates of a version, without the records that cannot be read."""

    def read(record: Record, _text: bytes | None) -> tuple[ShownUpdate, list[str]]:
        _refuse_others(record, ref)
        return _update(record), _deviations(record)

    try:
        page = read_page(
            answer.body, ItemReader(list_name=LIST_NAME, identity=("updateVersion",), has_pages=False, read=read)
        )
    except BadAnswerError as bad:
        return BadAnswer(str(bad))
    if page.no_list is not None:
        return BadAnswer(page.no_list)
    return UpdateList(
        training=ref,
        shown=page.items,
        asked_at=answer.asked_at,
        answered_at=answer.answered_at,
        deviations=page.deviations,
        unreadable=page.unreadable,
        server_date=server_date(answer.headers, answer.answered_at),
    )


def schedule_in(service: ServiceInfo) -> ScheduleResult:
    """Return the schedule of a service, and its differences from the documents."""
    schedule = ServiceSchedule(
        type=_text(service.record, "type"),
        status=service.status,
        learning_interval=_text(service.record, "learningInterval"),
    )
    is_known = not schedule.has_updates or schedule.learning_interval in CYCLES
    deviations = () if is_known else unique([f"new learningInterval: {schedule.learning_interval}"])
    return ScheduleResult(schedule=schedule, deviations=deviations)


def _refuse_others(record: Record, ref: TrainingRef) -> None:
    for name, requested in (("type", ref.type), ("serviceId", ref.service), ("trainVersion", ref.version)):
        if name in record and name_in(record, name) != requested:
            refuse(f"{name} is not the one that was requested")


def _update(record: Record) -> ShownUpdate:
    return ShownUpdate(
        version=segment_in(record, "updateVersion"),
        status=name_in(record, "status"),
        created_date=_date(record, "createdDate"),
        finished_date=_date(record, "finishedDate"),
        counts=_counts(record.get("updateResult")),
    )


def _date(record: Record, name: str) -> str | None:
    text = _text(record, name)
    return text if text is not None and len(text) <= MAX_DATE_LENGTH else None


def _counts(result: object) -> Mapping[str, int]:
    if not isinstance(result, dict):
        return MappingProxyType({})
    counts = {name: value for name, value in result.items() if isinstance(value, int) and not isinstance(value, bool)}
    return MappingProxyType(dict(list(counts.items())[:MAX_COUNTS]))


def _text(record: Mapping[str, object], name: str) -> str | None:
    value = record.get(name)
    return value if isinstance(value, str) and value.strip() else None


def _deviations(record: Record) -> list[str]:
    found = [f"new field of an update: {name}" for name in record.keys() - KNOWN_FIELDS]
    for name, documented in DOCUMENTED.items():
        if record.get(name) is not None and not isinstance(record[name], documented):
            found.append(f"unlike the documents: {name} of an update is {kind_of(record[name])}")
    if update_phase(str(record["status"])) is Phase.UNKNOWN:
        found.append(f"new status of an update: {record['status']}")
    return found

"""Reads one page of a list: its readable items, and the records that cannot be read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from watcher.aitems import tolerant_json
from watcher.aitems.record import BadAnswerError, Record, kind_of, object_of, refuse, segment_in
from watcher.aitems.strict_json import MAX_VALUES, NotStrictJsonError, check_size, loads
from watcher.core.polling.deviation import shape_of
from watcher.core.polling.result import UnreadableRecord

MAX_DEVIATIONS: Final = 20
MAX_DEVIATION_LENGTH: Final = 100

MAX_RECORDS: Final = 100_000
"""Records of one list."""
MAX_LIST_BYTES: Final = 64 * 1024 * 1024
"""Bytes of all pages of one list; a record has about 300."""
MAX_RECORD_BYTES: Final = 16 * 1024
"""Bytes of a record on average, in a page of more than the usual size."""
MAX_VALUES_PER_RECORD: Final = 60
"""Values of a record on average; AiTEMS' own have about 20."""
RECORD_MARK: Final = b'"serviceId"'
"""A field of each record, in both lists."""

TOTAL_FIELDS: Final = ("totalCount", "total", "totalElements")
KNOWN_PAGE_FIELDS: Final = frozenset({"trains", "services", "offset", "limit"})

_COUNT: Final = re.compile(r"[0-9]{1,9}", re.ASCII)

ListItem = TypeVar("ListItem")


@dataclass(frozen=True, slots=True)
class Page(Generic[ListItem]):
    """One page of a list; ``offset`` and ``limit`` are those in the answer, ``None`` where they are missing."""

    items: tuple[ListItem, ...]
    offset: int | None
    limit: int | None
    deviations: tuple[str, ...]
    unreadable: tuple[UnreadableRecord, ...] = ()
    total: int | None = None
    """The number of records of the whole list; AiTEMS' documents have no such field."""
    no_list: str | None = None
    """The reason why the page has no list; a fault of a first page, and the end of the list behind others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemReader(Generic[ListItem]):
    """The way to read the records of one list."""

    list_name: str
    """The field of the answer that holds the list."""
    identity: tuple[str, ...]
    """The fields that identify a record within the list."""
    read: Callable[[Record], tuple[ListItem, Sequence[str]]]
    """Returns the item of a record and its deviations.

    Raises:
        BadAnswerError: The record cannot be read; the text holds no value of it.
    """


def read_page(body: bytes, reader: ItemReader[ListItem]) -> Page[ListItem]:
    """Return one page of a list.

    Raises:
        BadAnswerError: The page itself cannot be read.
    """
    document, is_strict = _parse(body)
    page = object_of(document)
    if not is_strict:
        _refuse_faults_beside(page, reader.list_name)
    if reader.list_name in page and page[reader.list_name] is None:
        return Page((), None, None, (), no_list=f"{reader.list_name} is null, not an array")
    records = _records(page, reader.list_name)
    items: list[ListItem] = []
    unreadable: list[UnreadableRecord] = []
    deviations: list[str] = []
    for record in records:
        try:
            item, differences = reader.read(_checked(record, is_strict=is_strict))
        except BadAnswerError as bad:
            unreadable.append(_unreadable(record, reader, str(bad)))
            continue
        items.append(item)
        deviations += differences
    deviations += [f"new field beside {reader.list_name}: {field}" for field in page.keys() - KNOWN_PAGE_FIELDS]
    offset, limit = (_count(page, field, deviations) for field in ("offset", "limit"))
    totals = (_number_in(page.get(field)) for field in TOTAL_FIELDS)
    return Page(
        tuple(items),
        offset,
        limit,
        unique(deviations),
        tuple(unreadable),
        total=next((total for total in totals if total is not None), None),
    )


def consists_of_records(body: bytearray) -> bool:
    """Return whether the beginning of a large body has as many records as its size lets expect."""
    return body.count(RECORD_MARK) * MAX_RECORD_BYTES >= len(body)


def unique(deviations: Sequence[str]) -> tuple[str, ...]:
    """Return the different deviations, shortened and limited."""
    return tuple(sorted({description[:MAX_DEVIATION_LENGTH] for description in deviations})[:MAX_DEVIATIONS])


def _parse(body: bytes) -> tuple[object, bool]:
    """Return the document, and whether it is strict JSON."""
    max_values = max(MAX_VALUES, MAX_VALUES_PER_RECORD * min(body.count(RECORD_MARK), MAX_RECORDS))
    with suppress(NotStrictJsonError):
        return loads(body, max_values=max_values), True
    try:
        check_size(body, max_values)
        return tolerant_json.loads(body), False
    except NotStrictJsonError as error:
        refuse(str(error))


def _records(page: Record, name: str) -> list[object]:
    listed = page.get(name)
    if not isinstance(listed, list):
        refuse(f"{name} is {kind_of(listed)}, not an array" if name in page else f"{name} is missing")
    return listed


def _refuse_faults_beside(page: Record, name: str) -> None:
    fault = tolerant_json.fault_beside(page, name)
    if fault is not None:
        refuse(fault)


def _checked(record: object, *, is_strict: bool) -> Record:
    if not isinstance(record, dict):
        refuse(f"it is {kind_of(record)}, not an object")
    if not is_strict and (fault := tolerant_json.fault_in(record)) is not None:
        refuse(fault)
    return record


def _unreadable(record: object, reader: ItemReader[ListItem], reason: str) -> UnreadableRecord:
    return UnreadableRecord(
        reason=f"unreadable record in {reader.list_name}: {reason}",
        identity=tuple(_identity_part(record, name) for name in reader.identity),
        sample=_sample(record),
    )


def _identity_part(record: object, name: str) -> str | None:
    if isinstance(record, dict) and name not in tolerant_json.repeated_in(record):
        with suppress(BadAnswerError):
            part = segment_in(record, name)
            return None if tolerant_json.fault_in(part) else part
    return None


def _sample(record: object) -> dict[str, object]:
    """Return the names and types of a record; names that are no text become question marks."""
    shape = shape_of(record) if isinstance(record, dict) else {"record": shape_of(record)}
    encoded = json.dumps(shape, ensure_ascii=False).encode(errors="replace")
    return dict(json.loads(encoded))


def _count(page: Record, name: str, deviations: list[str]) -> int | None:
    value = page.get(name)
    if not _is_count(value):
        deviations.append(
            f"unlike the documents: {name} is {repr(value)[:20]}" if name in page else f"missing field: {name}"
        )
    return _number_in(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _number_in(value: object) -> int | None:
    """Return a count, also one that is written as a text or with a fraction of zero; ``None`` for anything else."""
    match value:
        case bool():
            return None
        case int() | float() if value >= 0 and value == int(value):
            return int(value)
        case str() if _COUNT.fullmatch(value.strip()):
            return int(value)
    return None

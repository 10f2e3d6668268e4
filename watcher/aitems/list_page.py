"""Reads one page of a list: its readable items, and the records that cannot be read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, Generic, TypeVar

from watcher.aitems import tolerant_json
from watcher.aitems.record import BadAnswerError, Record, kind_of, object_of, refuse, segment_in
from watcher.aitems.split_list import record_in, split
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
KNOWN_PAGE_FIELDS: Final = frozenset({"trains", "services", "updates", "offset", "limit"})

_COUNT: Final = re.compile(r"[0-9]{1,9}", re.ASCII)

ListItem = TypeVar("ListItem")


@dataclass(frozen=True, slots=True)
class ListPage(Generic[ListItem]):
    """One page of a list; ``offset`` and ``limit`` are those in the answer, ``None`` where they are missing."""

    items: tuple[ListItem, ...]
    offset: int | None
    limit: int | None
    deviations: tuple[str, ...]
    unreadable: tuple[UnreadableRecord, ...] = ()
    total: int | None = None
    """The number of records of the whole list; AiTEMS' documents have no such field."""
    digest: bytes = b""
    """SHA-256 of its bytes."""
    no_list: str | None = None
    """The reason why the page has no list; a fault of a first page, and the end of the list behind others."""


class KnownList(Generic[ListItem]):
    """The latest list: its readable records and its pages by their bytes, with what each became."""

    def __init__(self) -> None:
        self.items: dict[bytes, ListItem] = {}
        self.deviations: dict[bytes, Sequence[str]] = {}
        """Only of records with deviations."""
        self._pages: dict[bytes, ListPage[ListItem]] = {}
        self._latest_pages: dict[bytes, ListPage[ListItem]] = {}

    def page(self, digest: bytes) -> ListPage[ListItem] | None:
        """Return the page with these bytes, if the latest list had it."""
        page = self._pages.get(digest)
        if page is not None:
            self._latest_pages[digest] = page
        return page

    def add(self, text: bytes, item: ListItem, deviations: Sequence[str]) -> None:
        """Add a record with the item that it became."""
        self.items[text] = item
        if deviations:
            self.deviations[text] = deviations

    def add_page(self, digest: bytes, page: ListPage[ListItem]) -> None:
        """Add a page of the present list."""
        self._latest_pages[digest] = page

    def keep(self, items: Collection[ListItem]) -> None:
        """Drop what the present list does not have; it is complete, with these items."""
        self._pages, self._latest_pages = self._latest_pages, {}
        if len(self.items) <= len(items):
            return
        shown = set(map(id, items))
        # Copied first: a thread may read another list of the same service meanwhile.
        for text in [text for text, item in list(self.items.items()) if id(item) not in shown]:
            del self.items[text]
            self.deviations.pop(text, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemReader(Generic[ListItem]):
    """The way to read the records of one list."""

    list_name: str
    """The field of the answer that holds the list."""
    identity: tuple[str, ...]
    """The fields that identify a record within the list."""
    has_pages: bool = True
    """Whether an answer is one page of the list."""
    read: Callable[[Record, bytes | None], tuple[ListItem, Sequence[str]]]
    """Returns the item of a record and its deviations; the bytes of the record are given where they are known.

    Raises:
        BadAnswerError: The record cannot be read; the text holds no value of it.
    """


@dataclass(slots=True)
class _Records(Generic[ListItem]):
    """The records of one page."""

    items: list[ListItem] = field(default_factory=list)
    deviations: list[str] = field(default_factory=list)
    unreadable: list[UnreadableRecord] = field(default_factory=list)


def read_page(
    body: bytes, reader: ItemReader[ListItem], known: KnownList[ListItem] | None = None
) -> ListPage[ListItem]:
    """Return one page of a list; what the latest list has shown is not parsed again.

    Raises:
        BadAnswerError: The page itself cannot be read.
    """
    digest = hashlib.sha256(body).digest()
    page = known.page(digest) if known is not None else None
    if page is None:
        page = replace(_read(body, reader, known), digest=digest)
        if known is not None:
            known.add_page(digest, page)
    return page


def _read(body: bytes, reader: ItemReader[ListItem], known: KnownList[ListItem] | None) -> ListPage[ListItem]:
    max_values = max(MAX_VALUES, MAX_VALUES_PER_RECORD * min(body.count(RECORD_MARK), MAX_RECORDS))
    _refuse_size(body, max_values)
    parts = None if known is None else split(body, reader.list_name)
    if known is not None and parts is not None:
        records = _read_parts(parts.records, reader, known)
        if records is not None:
            return _page(object_of(parts.page), reader, records)
    return _read_whole(body, reader, max_values)


def _read_parts(
    parts: Sequence[bytes], reader: ItemReader[ListItem], known: KnownList[ListItem]
) -> _Records[ListItem] | None:
    """Return the records of a list that was split; ``None`` where one of them is no strict JSON."""
    records = _Records[ListItem]()
    for text in parts:
        item = known.items.get(text)
        if item is not None:
            records.items.append(item)
            records.deviations += known.deviations.get(text, ())
            continue
        record = record_in(text)
        if record is None:
            return None
        try:
            item, deviations = reader.read(record, text)
        except BadAnswerError as bad:
            records.unreadable.append(_unreadable(record, reader, str(bad)))
            continue
        known.add(text, item, deviations)
        records.items.append(item)
        records.deviations += deviations
    return records


def _read_whole(body: bytes, reader: ItemReader[ListItem], max_values: int) -> ListPage[ListItem]:
    document, is_strict = _parse(body, max_values)
    page = object_of(document)
    if not is_strict:
        _refuse_faults_beside(page, reader.list_name)
    if reader.list_name in page and page[reader.list_name] is None:
        return ListPage((), None, None, (), no_list=f"{reader.list_name} is null, not an array")
    records = _Records[ListItem]()
    for record in _listed(page, reader.list_name):
        try:
            item, deviations = reader.read(_checked(record, is_strict=is_strict), None)
        except BadAnswerError as bad:
            records.unreadable.append(_unreadable(record, reader, str(bad)))
            continue
        records.items.append(item)
        records.deviations += deviations
    return _page(page, reader, records)


def _page(page: Record, reader: ItemReader[ListItem], records: _Records[ListItem]) -> ListPage[ListItem]:
    deviations = [
        *records.deviations,
        *(f"new field beside {reader.list_name}: {name}" for name in page.keys() - KNOWN_PAGE_FIELDS),
    ]
    offset = _count(page, "offset", deviations) if reader.has_pages else None
    limit = _count(page, "limit", deviations) if reader.has_pages else None
    totals = (_number_in(page.get(name)) for name in TOTAL_FIELDS)
    return ListPage(
        tuple(records.items),
        offset,
        limit,
        unique(deviations),
        tuple(records.unreadable),
        total=next((total for total in totals if total is not None), None),
    )


def consists_of_records(body: bytearray) -> bool:
    """Return whether the beginning of a large body has as many records as its size lets expect."""
    return body.count(RECORD_MARK) * MAX_RECORD_BYTES >= len(body)


def unique(deviations: Sequence[str]) -> tuple[str, ...]:
    """Return the different deviations, shortened and limited."""
    return tuple(sorted({description[:MAX_DEVIATION_LENGTH] for description in deviations})[:MAX_DEVIATIONS])


def _refuse_size(body: bytes, max_values: int) -> None:
    try:
        check_size(body, max_values)
    except NotStrictJsonError as error:
        refuse(str(error))


def _parse(body: bytes, max_values: int) -> tuple[object, bool]:
    """Return the document, and whether it is strict JSON."""
    with suppress(NotStrictJsonError):
        return loads(body, max_values=max_values), True
    try:
        return tolerant_json.loads(body), False
    except NotStrictJsonError as error:
        refuse(str(error))


def _listed(page: Record, name: str) -> list[object]:
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

"""Splits the bytes of a list into those of its records, without parsing them.

The bytes between the first two records are where it splits. That is a guess, so each part needs a proof: a reader knows
it from an earlier list, or it is strict JSON by itself. What remains of the list without its records is parsed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from watcher.aitems.record import Record
from watcher.aitems.strict_json import NotStrictJsonError, loads

MARK: Final = "records"
"""Stands for the records in what remains of a list."""
MAX_HEAD_BYTES: Final = 64
"""The longest beginning of a record, up to its first value."""


@dataclass(frozen=True, slots=True)
class SplitList:
    """The parts of a list's bytes."""

    page: Record
    """The answer, without its records."""
    records: Sequence[bytes]


def split(body: bytes, list_name: str) -> SplitList | None:
    """Return the parts of a list; ``None`` where its bytes are not as regular as AiTEMS' own."""
    start, end = body.find(b"[") + 1, body.rfind(b"]")
    if not 0 < start < end:
        return None
    records = _records(body[start:end].strip())
    page = _page(body[:start], body[end:], list_name)
    return None if records is None or page is None else SplitList(page, records)


def record_in(text: bytes) -> Record | None:
    """Return the one object that a part of a list is, at the depth of a record; ``None`` where it is none."""
    try:
        value = loads(b"[[" + text + b"]]")
    except NotStrictJsonError:
        return None
    match value:
        case [[dict() as record]]:
            return record
    return None


def _page(before: bytes, after: bytes, list_name: str) -> Record | None:
    """Return the answer without its records, if these are all of the list with this name."""
    try:
        page = loads(b'%b"%b"%b' % (before, MARK.encode(), after))
    except NotStrictJsonError:
        return None
    return page if isinstance(page, dict) and page.get(list_name) == [MARK] else None


def _records(text: bytes) -> Sequence[bytes] | None:
    """Split the records of a list, at the bytes from the end of a record to the first value of the next one."""
    head = text[: text.find(b":") + 1]
    second = text.find(head, len(head))
    if not head.startswith(b"{") or len(head) > MAX_HEAD_BYTES or not text.endswith(b"}"):
        return None
    if second < 0:
        return [text]
    end = text.rfind(b"}", 0, second) + 1
    if end == 0 or text[end:second].strip() != b",":
        return None
    first, *others = text[len(head) : -1].split(text[end - 1 : second] + head)
    return [head + part + b"}" for part in (first, *others)]

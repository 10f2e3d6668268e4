"""Joins the pages of a list: the complete list, or the reason why it cannot be read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Generic

from watcher.aitems.list_end import ListEnd, hash_of
from watcher.aitems.list_page import MAX_LIST_BYTES, MAX_RECORDS, ListPage
from watcher.aitems.wire import AnswerTimes, Item, ServiceInfo
from watcher.core.polling.result import PollFailure, UnreadableRecord
from watcher.core.training.model import ListedTraining, ServiceRef, TrainingRef
from watcher.http import Answered, server_date

MAX_DURATION: Final = timedelta(minutes=15)
"""The time for all pages; limits a server that invents new items without end, a few at a time."""

REFUSED_OFFSET: Final = frozenset({400, 404, 410, 416, 422})
"""Statuses by which a server may refuse an offset behind the end of its list."""

Contradictions = dict[TrainingRef | ServiceRef, UnreadableRecord]

MEBIBYTE: Final = 1024 * 1024

GAP: Final = UnreadableRecord(
    reason="unreadable part of a list: a page begins behind the requested offset", identity=(), sample={}
)
IGNORED_OFFSET: Final = "unlike the documents: offset is ignored, the next page repeats the whole list"
SHORT_PAGES: Final = "unlike the documents: a page has fewer records than its limit, and more records follow"
REPEATED_PAGE: Final = UnreadableRecord(
    reason="unreadable part of a list: a page repeats some earlier ones, so more may follow", identity=(), sample={}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteList(Generic[Item]):
    """A list with all its pages."""

    items: tuple[Item, ...]
    times: AnswerTimes
    """From the first page's request to the last page's answer."""
    pages: tuple[tuple[AnswerTimes, tuple[Item, ...]], ...]
    """The times and the items of each page."""
    digest: bytes
    """SHA-256 of the body of the one page with records, or of the digests of several."""
    deviations: tuple[str, ...]
    unreadable: tuple[UnreadableRecord, ...]
    server_date: datetime | None


class PageCollector(Generic[Item]):
    """Collects the pages of one list.

    The first request has no paging parameters, because AiTEMS' documents of 2026 name ``offset`` and ``limit`` only in
    the answer. The next page is requested until a page brings nothing new, its offset is refused, or the total of the
    answer is reached. A server that repeats the whole list for an offset does not know the parameter, so the list is
    complete. A page shorter than its limit ends the list where an earlier list with the same records ended there.

    Args:
        earlier: the end of the earlier lists of the same path.
    """

    def __init__(self, earlier: ListEnd | None = None) -> None:
        self.complete = False
        self.end = earlier or ListEnd()
        """The end of this list, for the next one."""
        self._short: int | None = None
        """The number of records of the last page, where it is shorter than its limit."""
        self._items: dict[TrainingRef | ServiceRef, Item] = {}
        self._bytes = 0
        self._times: AnswerTimes | None = None
        self._digests: list[bytes] = []
        self._pages: list[tuple[AnswerTimes, tuple[Item, ...]]] = []
        self._date: datetime | None = None
        self._deviations: set[str] = set()
        self._unreadable: list[UnreadableRecord] = []
        self._faulty_pages: set[bytes] = set()
        """Digests of the pages with unreadable records."""
        self._faults: set[tuple[object, ...]] = set()
        """What is known of the unreadable records."""
        self._offset = 0
        self._limit = 0

    @property
    def query(self) -> str:
        """The query of the next page's request; empty for the first."""
        if not self._offset:
            return ""
        return f"?offset={self._offset}" + (f"&limit={self._limit}" if self._limit else "")

    @property
    def stands(self) -> bool:
        """Return whether the pages are the whole list unless another one brings something new."""
        return bool(self._short) and self.end.cap is None

    def add(self, page: ListPage[Item], answer: Answered) -> str | None:
        """Add a page and return its fault; ``None`` where it has none."""
        if page.no_list is not None and not self._items:
            return page.no_list
        if self._repeats_all(page):
            self._end(page, answer)
            return self._fault()
        known = len(self._items)
        items: dict[TrainingRef | ServiceRef, Item] = {item.ref: item for item in page.items}
        is_unique = len(items) == len(page.items)
        contradictions: Contradictions = {} if is_unique else _contradictions(page.items)
        for ref in contradictions:
            del items[ref]
        # A later page is newer: a training may change its status while the pages are requested.
        self._items |= items
        self._note(page, answer)
        has_new = self._has_new_faults(page) or len(self._items) > known
        if self._short and not has_new:
            self._confirm_end()
            return self._fault()
        self._unreadable += [*page.unreadable, *contradictions.values()]
        if page.offset is not None and page.offset > self._offset:
            self._unreadable.append(GAP)
        self._advance(page, has_new=has_new)
        return self._fault()

    def ends_at(self, answer: Answered | PollFailure) -> bool:
        """End the list where an offset is refused or has no content behind it; return whether this answer says so."""
        nothing = answer.http_status in REFUSED_OFFSET if isinstance(answer, PollFailure) else not answer.body.strip()
        if self._items and nothing:
            self._confirm_end()
        return self.complete

    def note_failed_request(self) -> None:
        """End the list at a short page, as the request behind it failed."""
        self.complete = True
        self.end = self.end.failed()

    def note_no_room(self) -> None:
        """End the list at a short page, as its account has no room for the request behind it."""
        self.complete = True
        self.end = self.end.without_room()

    def _confirm_end(self) -> None:
        """End the list at a page behind which there is nothing new."""
        self.complete = True
        self.end = self.end.confirmed(self._hash)

    def _repeats_all(self, page: ListPage[Item]) -> bool:
        return bool(self._items) and {item.ref for item in page.items} == self._items.keys()

    def _end(self, page: ListPage[Item], answer: Answered) -> None:
        """End the list at a page that repeats all of it; its records are the newer ones."""
        self._items |= {item.ref: item for item in page.items}
        self._note(page, answer)
        if not self._short:
            self._deviations.add(IGNORED_OFFSET)
        self._confirm_end()

    def _has_new_faults(self, page: ListPage[Item]) -> bool:
        # An unreadable record may have no identity, so the same bytes tell that a page is the same. Its ``offset``
        # makes other bytes of the same records: a page that is not full ends a list where it has no other ones.
        if not page.unreadable:
            return False
        faults = {(record.reason, record.identity, repr(record.sample)) for record in page.unreadable}
        is_full = page.limit is not None and len(page.items) + len(page.unreadable) >= page.limit
        is_new = page.digest not in self._faulty_pages and (is_full or not faults <= self._faults)
        self._faulty_pages.add(page.digest)
        self._faults |= faults
        return is_new

    def _note(self, page: ListPage[Item], answer: Answered) -> None:
        self._bytes += len(answer.body)
        asked_at = self._times.asked_at if self._times else answer.asked_at
        if page.items:
            times = AnswerTimes(asked_at=answer.asked_at, answered_at=answer.answered_at)
            self._pages.append((times, page.items))
        self._times = AnswerTimes(asked_at=asked_at, answered_at=answer.answered_at)
        # A page without records only confirms the end, and not each list asks for it.
        if page.items or page.unreadable or not self._digests:
            self._digests.append(page.digest)
        self._date = server_date(answer.headers, answer.answered_at)
        self._deviations.update(page.deviations)

    def _advance(self, page: ListPage[Item], *, has_new: bool) -> None:
        count = len(page.items) + len(page.unreadable)
        is_short = self._shows_end(page, count)
        if count and not has_new and not is_short:
            self._unreadable.append(REPEATED_PAGE)
        if has_new and self._short:
            self._note_more_behind(self._short)
        if not self._offset:
            self.end = self.end.after_first_page(count)
        self._offset += count
        self._limit = page.limit or 0
        self._short = count if is_short else None
        self.complete = not has_new or (is_short and self._ends_at_short(page))

    def _note_more_behind(self, short: int) -> None:
        # Once alone it may be a training that was created between two requests.
        if self.end.cap is not None:
            self._deviations.add(SHORT_PAGES)
        self.end = self.end.more_behind(short)

    def _ends_at_short(self, page: ListPage[Item]) -> bool:
        """Return whether the list ends at a short page without a request behind it."""
        if page.total is not None or not self._items:
            return True
        if not self.end.is_known(self._hash):
            return False
        self.end = self.end.repeated()
        return True

    @property
    def _hash(self) -> int:
        return hash_of(self._items, len(self._unreadable))

    def _shows_end(self, page: ListPage[Item], count: int) -> bool:
        """Return whether a page shows that none follows: it has less than its limit, and the list reaches its total.

        An answer may lack the one or the other. Without both, only the next page shows the end.
        """
        signs = [count < page.limit] if page.limit else []
        if page.total is not None:
            signs.append(len(self._items) + len(self._unreadable) >= page.total)
        return bool(signs) and all(signs)

    def _fault(self) -> str | None:
        count = len(self._items) + len(self._unreadable)
        if count > MAX_RECORDS:
            return f"the list has more than {MAX_RECORDS:,} records"
        if self._bytes > MAX_LIST_BYTES:
            return f"the list is larger than {MAX_LIST_BYTES // MEBIBYTE} MiB"
        if not self.complete and self.duration > MAX_DURATION:
            return f"the list does not end within {MAX_DURATION}; it has {count:,} records so far"
        if self.complete and self._unreadable and not self._items:
            # A list without a single readable record shows another format, and no list without trainings.
            return f"{self._unreadable[0].reason}; no record of the list can be read"
        return None

    @property
    def duration(self) -> timedelta:
        """The time from the first page's request to the latest answer."""
        return self._times.answered_at - self._times.asked_at if self._times else timedelta()

    def complete_list(self) -> CompleteList[Item]:
        """Return the complete list.

        Raises:
            ValueError: ``complete`` and ``stands`` are false.
        """
        if self._times is None or not (self.complete or self.stands):
            raise ValueError("the list is not complete yet")
        return CompleteList(
            items=tuple(self._items.values()),
            times=self._times,
            pages=tuple(self._pages),
            digest=_joined(self._digests),
            deviations=tuple(sorted(self._deviations)),
            unreadable=tuple(self._unreadable),
            server_date=self._date,
        )


def _joined(digests: Sequence[bytes]) -> bytes:
    return digests[0] if len(digests) == 1 else hashlib.sha256(b"".join(digests)).digest()


def _contradictions(items: Sequence[ListedTraining | ServiceInfo]) -> Contradictions:
    """Return the trainings that one page lists with several statuses; a service's own status changes nothing."""
    statuses: dict[TrainingRef, str] = {}
    trainings = [item for item in items if isinstance(item, ListedTraining)]
    found = {item.ref for item in trainings if statuses.setdefault(item.ref, item.status) != item.status}
    return {ref: _contradiction(ref) for ref in found}


def _contradiction(ref: TrainingRef) -> UnreadableRecord:
    return UnreadableRecord(
        reason="unreadable record in trains: listed twice, with different statuses",
        identity=(ref.type, ref.version),
        sample={},
    )

"""Joins the pages of a list: the complete list, or the reason why it cannot be read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic

from watcher.aitems.list_page import Page
from watcher.aitems.wire import Item, ServiceInfo, Times
from watcher.core.polling.result import UnreadableRecord
from watcher.core.training.model import Observation, ServiceRef, TrainingRef
from watcher.http import Answered, server_date

MAX_PAGES: Final = 50
"""Pages of one list, at AiTEMS' 1,000 items a page; limits a server whose list never ends."""

MAX_ITEMS: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteList(Generic[Item]):
    """A list with all its pages."""

    items: tuple[Item, ...]
    times: Times
    """From the first page's request to the last page's answer."""
    digest: bytes
    """SHA-256 of the bodies of the pages."""
    deviations: tuple[str, ...]
    unreadable: tuple[UnreadableRecord, ...]
    server_date: datetime | None


class PageCollector(Generic[Item]):
    """Collects the pages of one list.

    The first request has no paging parameters, because AiTEMS' documents of 2026 name ``offset`` and ``limit`` only in
    the answer. After a full page the next one is requested, until a page brings nothing new.
    """

    def __init__(self) -> None:
        self.complete = False
        self._items: dict[TrainingRef | ServiceRef, Item] = {}
        self._answers = 0
        self._times: Times | None = None
        self._digest = hashlib.sha256()
        self._date: datetime | None = None
        self._deviations: set[str] = set()
        self._unreadable: list[UnreadableRecord] = []
        self._offset = 0
        self._limit = 0

    @property
    def query(self) -> str:
        """The query of the next page's request; empty for the first."""
        return f"?offset={self._offset}&limit={self._limit}" if self._offset else ""

    def add(self, page: Page[Item], answer: Answered) -> str | None:
        """Add a page and return its fault; ``None`` where it has none."""
        if page.offset not in {None, self._offset}:
            return f"the page begins at {page.offset}, not at {self._offset}: the list is incomplete"
        known = len(self._items)
        contradictions: dict[TrainingRef | ServiceRef, UnreadableRecord] = _contradictions(page.items)
        # A later page is newer: a training may change its status while the pages are requested.
        self._items |= {item.ref: item for item in page.items if item.ref not in contradictions}
        self._unreadable += [*page.unreadable, *contradictions.values()]
        self._note(page, answer)
        self._advance(page, has_new_items=len(self._items) > known)
        return self._fault()

    def _fault(self) -> str | None:
        if not self.complete:
            if self._answers >= MAX_PAGES or len(self._items) >= MAX_ITEMS:
                return f"the list does not end after {self._answers} pages with {len(self._items)} items"
        elif self._unreadable and not self._items:
            # A list without a single readable record shows another format, and no list without trainings.
            return f"{self._unreadable[0].reason}; no record of the list can be read"
        return None

    def _note(self, page: Page[Item], answer: Answered) -> None:
        self._answers += 1
        asked_at = self._times.asked_at if self._times else answer.asked_at
        self._times = Times(asked_at=asked_at, answered_at=answer.answered_at)
        self._digest.update(answer.body)
        self._date = server_date(answer.headers)
        self._deviations.update(page.deviations)

    def _advance(self, page: Page[Item], *, has_new_items: bool) -> None:
        count = len(page.items) + len(page.unreadable)
        full = page.limit is not None and 0 < page.limit <= count
        self.complete = not (full and has_new_items)
        self._offset += count
        self._limit = page.limit or 0

    def complete_list(self) -> CompleteList[Item]:
        """Return the complete list.

        Raises:
            ValueError: ``complete`` is not set yet.
        """
        if self._times is None or not self.complete:
            raise ValueError("the list is not complete yet")
        return CompleteList(
            items=tuple(self._items.values()),
            times=self._times,
            digest=self._digest.digest(),
            deviations=tuple(sorted(self._deviations)),
            unreadable=tuple(self._unreadable),
            server_date=self._date,
        )


def _contradictions(items: Sequence[Observation | ServiceInfo]) -> dict[TrainingRef | ServiceRef, UnreadableRecord]:
    """Return the trainings that one page lists with several statuses; a service's own status changes nothing."""
    statuses: dict[TrainingRef, str] = {}
    trainings = [item for item in items if isinstance(item, Observation)]
    found = {item.ref for item in trainings if statuses.setdefault(item.ref, item.status) != item.status}
    return {ref: _contradiction(ref) for ref in found}


def _contradiction(ref: TrainingRef) -> UnreadableRecord:
    return UnreadableRecord(
        reason="unreadable record in trains: listed twice, with different statuses",
        identity=(ref.type, ref.version),
        sample={},
    )

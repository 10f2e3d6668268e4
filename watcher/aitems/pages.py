"""Puts the pages of a list together: the whole list, or the reason why it cannot be had."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic

from watcher.aitems.wire import Item, Page, Times
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.http import Answered, server_date

MAX_PAGES: Final = 50
"""With AiTEMS' 1,000 items a page; a server that never ends its list does not keep us."""

MAX_ITEMS: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteList(Generic[Item]):
    """A list of which every page was read."""

    items: tuple[Item, ...]
    times: Times
    """From the first page's request to the last page's answer."""
    digest: bytes
    """SHA-256 over the bodies of the pages."""
    deviations: tuple[str, ...]
    server_date: datetime | None


class PageCollector(Generic[Item]):
    """Collects pages.

    The first is asked for without paging: AiTEMS' documents of 2026 name ``offset`` and ``limit`` in the answer
    alone. A full page makes us ask for the next, until one brings nothing new.
    """

    def __init__(self) -> None:
        self.complete = False
        self._found: dict[TrainingRef | ServiceRef, Item] = {}
        self._answers = 0
        self._times: Times | None = None
        self._digest = hashlib.sha256()
        self._date: datetime | None = None
        self._deviations: set[str] = set()
        self._offset = 0
        self._limit = 0

    @property
    def query(self) -> str:
        """What asks for the next page."""
        return f"?offset={self._offset}&limit={self._limit}" if self._offset else ""

    def add(self, page: Page[Item], answer: Answered) -> str | None:
        """Take a page; return what is wrong with it, if anything."""
        if page.offset not in {None, self._offset}:
            return f"the page begins at {page.offset}, not at {self._offset} as asked: the list cannot be read whole"
        known = len(self._found)
        for item in page.items:
            twin = self._found.setdefault(item.ref, item)
            if twin.status != item.status:
                return f"{item.ref.subject} stands there twice, as {twin.status} and as {item.status}"
        self._note(page, answer)
        self._go_on(page, brought_news=len(self._found) > known)
        if not self.complete and (self._answers >= MAX_PAGES or len(self._found) >= MAX_ITEMS):
            return f"the list does not end after {self._answers} pages with {len(self._found)} items"
        return None

    def _note(self, page: Page[Item], answer: Answered) -> None:
        self._answers += 1
        begun = self._times.asked_at if self._times else answer.asked_at
        self._times = Times(asked_at=begun, answered_at=answer.answered_at)
        self._digest.update(answer.body)
        self._date = server_date(answer.headers)
        self._deviations.update(page.deviations)

    def _go_on(self, page: Page[Item], *, brought_news: bool) -> None:
        full = page.limit is not None and 0 < page.limit <= len(page.items)
        self.complete = not (full and brought_news)
        self._offset += len(page.items)
        self._limit = page.limit or 0

    def complete_list(self) -> CompleteList[Item]:
        """Return the list; only once a page was taken and ``complete`` says so."""
        if self._times is None or not self.complete:
            raise ValueError("the list is not complete yet")
        return CompleteList(
            items=tuple(self._found.values()),
            times=self._times,
            digest=self._digest.digest(),
            deviations=tuple(sorted(self._deviations)),
            server_date=self._date,
        )

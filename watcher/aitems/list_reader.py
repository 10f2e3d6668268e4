"""Reads the lists of an account, page by page, and confirms the end behind a short page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final, Protocol

from watcher.aitems.budget import Need, NoRoomError
from watcher.aitems.list_end import ListEnd
from watcher.aitems.list_page import ListPage
from watcher.aitems.pages import CompleteList, PageCollector
from watcher.aitems.wire import BadAnswer, Item
from watcher.core.polling.result import PollFailure
from watcher.http import Answered

MAX_BYTES_IN_LOOP: Final = 1024 * 1024
"""The size of a body up to which it is read in the event loop."""

CONFIRMATION: Final = timedelta(seconds=2)
"""The time that a request behind a short page has at least; a list whose pages took longer gives it as long."""

ReadPage = Callable[[Answered], ListPage[Item] | BadAnswer]
"""Reads an answer as a page."""


class GetPage(Protocol):
    """Requests a page; ``within`` may shorten the deadline of the request, not its wait for the budget."""

    async def __call__(
        self, path: str, *, first: bool, need: Need, within: timedelta | None = None
    ) -> Answered | PollFailure:
        """Return the answer, or the failure.

        Raises:
            NoRoomError: the request is optional, and the budget has no room for it.
        """


class ListReader:
    """Reads the lists of one account, and keeps the end of each for the next one.

    Args:
        get: requests a page.
        bad: makes the failure of an answer that cannot be read.
        patient: whether lists wait for the confirmation of their end: it takes its turn, and has the whole deadline.
            Otherwise it holds nothing up.
    """

    def __init__(self, get: GetPage, bad: Callable[[Answered, str], PollFailure], *, patient: bool) -> None:
        self._get = get
        self._bad = bad
        self._patient = patient
        self.ends: dict[str, ListEnd] = {}
        """The end of the last list of each path."""

    async def read(self, path: str, read_page: ReadPage[Item], *, first: bool) -> CompleteList[Item] | PollFailure:
        """Return the list of a path with every page, or the failure of a page that is needed."""
        pages = PageCollector[Item](self.ends.get(path))
        while not pages.complete:
            may_end = pages.stands
            try:
                failure = await self._add_page(pages, path, read_page, first=first)
            except NoRoomError:
                # The list is not held back for a request that may bring nothing; a later list asks again.
                pages.note_no_room()
                break
            if failure is not None:
                if not (may_end and pages.stands):
                    return failure
                pages.note_failed_request()
        self.ends[path] = pages.end
        return pages.complete_list()

    async def _add_page(
        self, pages: PageCollector[Item], path: str, read_page: ReadPage[Item], *, first: bool
    ) -> PollFailure | None:
        answer = await self._get(path + pages.query, first=first, need=self._need(pages), within=self._deadline(pages))
        if pages.ends_at(answer):
            return None
        if isinstance(answer, PollFailure):
            return answer
        problem = await _read_into(pages, answer, read_page)
        return None if problem is None else self._bad(answer, problem)

    def _need(self, pages: PageCollector[Item]) -> Need:
        """Return how much the next page is needed: less where the pages may be the whole list already."""
        if not pages.stands:
            return Need.REQUIRED
        return Need.IN_TURN if self._patient or pages.end.is_overdue else Need.IF_FREE

    def _deadline(self, pages: PageCollector[Item]) -> timedelta | None:
        """Return the deadline of the next page where it is shorter than that of every request."""
        if self._patient or not pages.stands:
            return None
        return max(CONFIRMATION, pages.duration)


async def _read_into(pages: PageCollector[Item], answer: Answered, read_page: ReadPage[Item]) -> str | None:
    """Read a page and add it; return its fault. A large page is read in a thread, to leave the loop free."""

    def add() -> str | None:
        page = read_page(answer)
        return page.reason if isinstance(page, BadAnswer) else pages.add(page, answer)

    return await asyncio.to_thread(add) if len(answer.body) > MAX_BYTES_IN_LOOP else add()

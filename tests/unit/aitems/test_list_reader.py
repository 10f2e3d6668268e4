"""How a list is read: which page is needed, how long it may take, and what a failed confirmation leaves."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from watcher.aitems.budget import Need, NoRoomError
from watcher.aitems.list_end import MAX_POSTPONED, ListEnd
from watcher.aitems.list_page import ListPage
from watcher.aitems.list_reader import CONFIRMATION, ListReader
from watcher.aitems.pages import CompleteList
from watcher.aitems.wire import ServiceInfo
from watcher.core.polling.result import Cause, PollFailure
from watcher.core.training.model import ServiceRef
from watcher.http import Answered, Headers

START = datetime(2026, 11, 29, tzinfo=UTC)
PATH = "/services"
SHORT = 2
"""The records of a page whose limit says more."""


@dataclass
class Server:
    """Answers each request after some seconds; behind the short page comes another, or a failure."""

    count: int = SHORT
    seconds: float = 0.2
    behind: Cause | None = None
    no_room: bool = False
    asked: list[tuple[Need, timedelta | None]] = field(default_factory=list)
    now: datetime = START

    async def get(
        self, path: str, *, first: bool, need: Need, within: timedelta | None = None
    ) -> Answered | PollFailure:
        del first
        self.asked.append((need, within))
        asked_at, self.now = self.now, self.now + timedelta(seconds=self.seconds)
        if path != PATH and self.no_room:
            raise NoRoomError
        if path != PATH and self.behind is not None:
            return PollFailure(cause=self.behind, detail="", asked_at=asked_at, ended_at=self.now)
        offset = int(path.partition("offset=")[2].partition("&")[0] or 0)
        return Answered(
            status=200, headers=Headers(), body=str(offset).encode(), asked_at=asked_at, answered_at=self.now
        )

    def page(self, answer: Answered) -> ListPage[ServiceInfo]:
        offset = int(answer.body)
        shown = range(offset, min(offset + SHORT, self.count))
        return ListPage(
            items=tuple(
                ServiceInfo(ref=ServiceRef("main", f"s{number}"), status="learnable", record={}) for number in shown
            ),
            offset=offset,
            limit=1000,
            deviations=(),
            digest=hashlib.sha256(answer.body).digest(),
        )


def read(server: Server, *, patient: bool, end: ListEnd | None = None) -> int:
    """Read the list, and return the number of its records."""

    def bad(_answer: Answered, reason: str) -> PollFailure:
        raise AssertionError(reason)

    reader = ListReader(server.get, bad, patient=patient)
    if end is not None:
        reader.ends[PATH] = end
    complete = asyncio.run(reader.read(PATH, server.page, first=False))
    assert isinstance(complete, CompleteList)
    return len(complete.items)


FIRST = (Need.REQUIRED, None)
OVERDUE = ListEnd(postponed=MAX_POSTPONED)


@pytest.mark.parametrize(
    ("patient", "end", "confirmation"),
    [
        (True, None, (Need.IN_TURN, None)),
        (True, OVERDUE, (Need.IN_TURN, None)),
        (False, None, (Need.IF_FREE, CONFIRMATION)),
        (False, OVERDUE, (Need.IN_TURN, CONFIRMATION)),
        (False, ListEnd(cap=SHORT), FIRST),
        (True, ListEnd(cap=SHORT), FIRST),
    ],
    ids=["once", "once, overdue", "daemon", "daemon, overdue", "daemon, more is known", "once, more is known"],
)
def test_the_end_behind_a_short_page_is_confirmed_in_turn_or_in_little_time(
    *, patient: bool, end: ListEnd | None, confirmation: tuple[Need, timedelta | None]
) -> None:
    server = Server()
    assert read(server, patient=patient, end=end) == SHORT
    assert server.asked == [FIRST, confirmation]


@pytest.mark.parametrize("seconds", [0.0, 1.9, 2.1, 15.0])
def test_a_slow_server_has_as_long_for_the_confirmation_as_it_took_for_the_list(seconds: float) -> None:
    server = Server(seconds=seconds)
    read(server, patient=False)
    assert server.asked[1][1] == max(CONFIRMATION, timedelta(seconds=seconds))


@pytest.mark.parametrize("patient", [True, False])
@pytest.mark.parametrize("cause", [Cause.DEADLINE, Cause.SERVER, Cause.RESET, None])
def test_a_list_stands_whose_confirmation_fails_or_has_no_room(*, patient: bool, cause: Cause | None) -> None:
    server = Server(count=2 * SHORT, behind=cause, no_room=cause is None)
    assert read(server, patient=patient) == SHORT


@pytest.mark.parametrize("patient", [True, False])
@pytest.mark.parametrize("count", [3, 4, 7])
def test_records_behind_short_pages_have_the_whole_deadline(*, patient: bool, count: int) -> None:
    server = Server(count=count)
    assert read(server, patient=patient) == count
    assert server.asked[2:] == [FIRST] * len(server.asked[2:])

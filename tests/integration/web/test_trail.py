"""Why somebody or nobody was notified, as it is read from a store and shown on the page of a training."""

from __future__ import annotations

import asyncio
import re
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.cli.test_stats import NOW
from tests.integration.web.invented_store import make_store
from tests.integration.web.test_html import SignedSite
from tests.support import routing
from tests.unit.reports.facts import event
from watcher.core.batch import Batch
from watcher.core.event import Kind
from watcher.core.routing.reason import NO_ROUTE, routed
from watcher.core.routing.routes import Recipient, RoutingDecision
from watcher.core.training.model import TrainingRef
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import open_database

REF = TrainingRef("main", "shop0000001", "pop", "w0")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = make_store(tmp_path_factory.mktemp("trail"))
    asyncio.run(fill(path))
    answer = asyncio.run(SignedSite(path, None).get("/training/main/shop0000001/pop/w0"))
    assert answer.status == 200
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", answer.body.decode()))


async def fill(path: Path) -> None:
    common = {"subject": REF.subject, "service": REF.service, "version": REF.version, "recorded_at": NOW}
    events = [
        event(id="evt_failed00001", seq=1, kind=Kind.FAILED, **common),
        event(id="evt_stuck000001", seq=2, kind=Kind.STUCK, **common),
        event(id="evt_progress001", seq=3, kind=Kind.PROGRESS, **common),
    ]
    to_console = RoutingDecision(to=(Recipient(receiver="console"),), reason=routed(1))
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        await PollStore(database).record(Batch(events=tuple(events)))
        # The silence of the store begins after that.
        before = NOW - timedelta(minutes=1)
        await routing.enqueue(Outbox(database), [(events[0], to_console)], lambda *_: b"x", before)
        nobody = RoutingDecision(to=(), reason=NO_ROUTE)
        await routing.enqueue(Outbox(database), [(events[1], to_console), (events[2], nobody)], lambda *_: b"x", NOW)


def test_a_delivery_that_is_due_names_no_time_of_the_past(page: str) -> None:
    assert "console Waiting. 0 attempts." in page
    assert "Next attempt" not in page


def test_a_silenced_event_notified_nobody_and_says_who_silenced_it_and_why(page: str) -> None:
    assert re.search(r"Nobody was notified: Silenced until .* by kim: moving the data \( service=shop0000001 \)", page)


def test_an_event_that_no_route_takes_names_the_setting_that_would(page: str) -> None:
    assert "Nobody was notified: no route matches." in page
    assert "Route 1 No match: progress is not one of the default kinds. Add kind = &#34;progress&#34;" in page


def test_a_delivery_to_a_failing_receiver_says_why_it_waits(tmp_path: Path) -> None:
    path = make_store(tmp_path)
    asyncio.run(fill(path))
    asyncio.run(let_console_fail(path))
    answer = asyncio.run(SignedSite(path, None).get("/training/main/shop0000001/pop/w0"))
    page = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", answer.body.decode()))
    assert "console Waiting. 0 attempts. Reason: receiver failing: http 410" in page


async def let_console_fail(path: Path) -> None:
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        await routing.park(database, "console", NOW)

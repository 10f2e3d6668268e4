"""The overview, as it is read from a store: the last good version, removed receivers, and who was notified."""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.event import listen

from tests.integration.cli.test_stats import NOW, run_days_ago
from tests.integration.web.invented_store import make_store, sources
from tests.unit.reports.facts import event
from watcher.core.batch import Batch
from watcher.core.durations.past_runs import Outcome
from watcher.core.event import Kind
from watcher.core.health.problems import RUNNING
from watcher.core.polling.result import PollState
from watcher.core.training.absence import Missing, OverdueFacts
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.core.training.retraining import Retraining, RetrainingRef
from watcher.reading.overview import read_overview
from watcher.reports.overview import Overview
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import open_database
from watcher.store.views import Views

FAILURES = 12


@pytest.fixture(scope="module")
def overview(tmp_path_factory: pytest.TempPathFactory) -> Overview:
    path = make_store(tmp_path_factory.mktemp("overview"))
    runs = [
        replace(
            run_days_ago(number, outcome=Outcome.COMPLETED if number > FAILURES else Outcome.FAILED),
            ref=TrainingRef("main", "shop0000001", "relatedItem", f"f{number}"),
        )
        for number in range(1, FAILURES + 2)
    ]
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        asyncio.run(PollStore(database).record(Batch(runs=tuple(runs))))
    return asyncio.run(_read(path))


async def _read(path: Path) -> Overview:
    found = sources(path, NOW)
    return await found.read(lambda views: read_overview(found.config(), views, RUNNING, found.place, NOW))


def test_a_long_row_of_failures_still_has_its_last_good_version(overview: Overview) -> None:
    (problem,) = (item for item in overview.problems if item.of.type == "relatedItem")
    assert problem.failures == FAILURES
    assert problem.last_good is not None
    assert problem.last_good.ref.version == f"f{FAILURES + 1}"


def test_a_service_is_untried_until_a_poll_of_it_has_ended(tmp_path: Path) -> None:
    path = make_store(tmp_path)
    (before,) = asyncio.run(_read(path)).services
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        answered = PollState(key=before.service.subject, good_asked_at=NOW, good_answered_at=NOW)
        asyncio.run(PollStore(database).record(Batch(polls=(answered,))))
    (after,) = asyncio.run(_read(path)).services
    assert (before.untried, after.untried) == (True, False)


def test_a_removed_receiver_has_a_row_as_long_as_deliveries_wait_for_it(overview: Overview) -> None:
    rows = {item.name: item.kind for item in overview.receivers}
    assert rows == {"console": "log", "hook": ""}


def test_a_missing_start_and_a_missing_completion_have_each_their_own_event(tmp_path: Path) -> None:
    path, of = make_store(tmp_path), RetrainingRef("main", "shop0000001", "pop")
    due = {missing: NOW - timedelta(hours=hours) for missing, hours in ((Missing.START, 5), (Missing.COMPLETED, 2))}
    events = tuple(
        event(
            id=f"evt_{missing.value}",
            kind=Kind.OVERDUE,
            subject=of.subject,
            seq=seq,
            overdue=OverdueFacts(
                missing=missing, last=None, expected_at=time, deadline=time, period=timedelta(hours=1), starts=None
            ),
        )
        for seq, (missing, time) in enumerate(due.items(), start=1)
    )
    state = Retraining(ref=of, since=NOW - timedelta(days=9), reported=frozenset(due), seq=2)
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        asyncio.run(PollStore(database).record(Batch(events=events, retrainings=(state,))))
    found = {item.missing: item.overdue for item in asyncio.run(_read(path)).problems if item.missing is not None}
    assert {missing: facts.expected_at for missing, facts in found.items() if facts is not None} == due


def test_a_version_that_the_first_poll_found_completed_is_the_last_good_one(tmp_path: Path) -> None:
    path, ref = make_store(tmp_path), TrainingRef("main", "shop0000001", "relatedItem", "new")
    found = Snapshot(
        ref=replace(ref, version="old"),
        status="completed",
        seen_after=NOW,
        first_seen_at=NOW,
        record={"createdDate": "2026-11-01T09:00:00"},
    )
    failed = replace(run_days_ago(1, outcome=Outcome.FAILED), ref=ref)
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        asyncio.run(PollStore(database).record(Batch(snapshots=(found,), runs=(failed,))))
    problems = asyncio.run(_read(path)).problems
    assert [item.found_good for item in problems if item.of.type == "relatedItem"] == ["old"]


def test_the_number_of_statements_does_not_depend_on_the_number_of_services(tmp_path: Path) -> None:
    path = make_store(tmp_path)
    few = asyncio.run(_statements(path))
    runs = [
        replace(run_days_ago(number), ref=TrainingRef("main", f"shop{service:07}", kind, f"v{number}"))
        for service in range(2, 40)
        for kind in ("pop", "relatedItem")
        for number in (1, 2)
    ]
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        asyncio.run(PollStore(database).record(Batch(runs=tuple(runs))))
    assert asyncio.run(_statements(path)) == few


async def _statements(path: Path) -> list[str]:
    """Return the statements of a read of the overview."""
    found, statements = sources(path, NOW), list[str]()

    def read(views: Views) -> None:
        listen(
            views.connection, "before_cursor_execute", lambda _c, _cursor, statement, *_: statements.append(statement)
        )
        read_overview(found.config(), views, RUNNING, found.place, NOW)

    await found.read(read)
    return statements

"""The questions about runs: which of them a period, a population or a training has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.runs import DAY, FIRST_END, ended_run
from watcher.core.batch import Batch
from watcher.core.durations.past_runs import Outcome, Population
from watcher.core.training.earlier_runs import KnownVersion, RunGroup, RunsWanted
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.core.training.run import EndedRun
from watcher.store.polls import PollStore
from watcher.store.runs import history, latest, queries
from watcher.store.sqlite.database import Database
from watcher.store.views import open_views

NOW = FIRST_END + 100 * DAY
EVER = queries.Period(since=FIRST_END - DAY, before=NOW)
POP = Population("main", "pop", "s", hpo=False)


def of(run: EndedRun, **ref: str) -> EndedRun:
    return replace(run, ref=replace(run.ref, **ref))


async def keep(database: Database, runs: Sequence[EndedRun]) -> None:
    await PollStore(database).record(Batch(runs=tuple(runs)))


@pytest.mark.parametrize(
    ("run", "seconds"),
    [
        (ended_run(1), 3000.0),
        (ended_run(1, outcome=Outcome.FAILED), None),
        (ended_run(1, outcome=Outcome.STOPPED), None),
        (replace(ended_run(1), restored=True), None),
        (replace(ended_run(1), start=None), None),
        (ended_run(1, minutes=0), None),
        (ended_run(1, width=timedelta(minutes=5)), 3000.0),
        (ended_run(1, width=timedelta(minutes=5, seconds=1)), None),
    ],
    ids=["completed", "failed", "stopped", "restored", "start unknown", "no time", "a tenth", "more than a tenth"],
)
async def test_a_line_has_the_duration_of_a_run_that_teaches(
    database: Database, run: EndedRun, seconds: float | None
) -> None:
    await keep(database, [run])
    with open_views(database.url) as views:
        ((line,),) = queries.run_lines(views.connection, EVER)
        taught = history.past_runs(views.connection, POP, NOW)
    assert tuple(line) == ("main", "s", "pop", run.outcome.value, seconds)
    assert (len(taught), run.past_run is not None and run.past_run.teaches and run.outcome is Outcome.COMPLETED) in {
        (0, False),
        (1, True),
    }


async def test_lines_are_those_of_the_period_in_the_order_of_their_ends(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "PAGE", 2)
    await keep(database, [ended_run(number, minutes=10 * number) for number in (5, 1, 4, 2, 3)])
    period = queries.Period(since=ended_run(2).ended.before, before=ended_run(5).ended.before)
    with open_views(database.url) as views:
        pages = list(queries.run_lines(views.connection, period))
        before = list(queries.run_lines(views.connection, period.previous))
    assert [[line[-1] for line in page] for page in pages] == [[1200.0, 1800.0], [2400.0]]
    assert [[line[-1] for line in page] for page in before] == [[600.0]]


async def test_a_population_is_one_of_its_service_type_and_hpo(database: Database) -> None:
    others = [
        of(ended_run(2), service="t"),
        of(ended_run(3), account="test"),
        of(ended_run(4), type="relatedItem"),
        replace(ended_run(5), hpo=True),
        replace(ended_run(6), hpo=None),
        ended_run(-90),
    ]
    await keep(database, [ended_run(1), *others])
    with open_views(database.url) as views:
        found = {
            population: len(history.past_runs(views.connection, population, NOW))
            for population in (POP, replace(POP, hpo=None), Population("main", "pop"))
        }
    assert list(found.values()) == [1, 3, 4]


async def test_a_stage_teaches_its_own_duration(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    others = [ended_run(7, outcome=Outcome.FAILED), replace(ended_run(8), restored=True)]
    await keep(database, [*(ended_run(number, minutes=100) for number in range(3)), *others])
    with open_views(database.url) as views:
        waiting, learning, other = (
            history.past_runs(views.connection, replace(POP, stage=status), NOW)
            for status in ("waiting", "learning", "requesting")
        )
        lines = [tuple(line) for page in queries.stage_lines(views.connection, EVER) for line in page]
        monkeypatch.setattr(queries, "STAGED_RUNS", 2)
        ((*newest,),) = queries.stage_lines(views.connection, EVER)
    assert {run.duration for run in waiting} == {timedelta(minutes=10)}
    assert {run.duration for run in learning} == {timedelta(minutes=90)}
    assert other == ()
    of_pop = ("main", "s", "pop")
    assert sorted(lines) == [(*of_pop, "learning", 5400.0)] * 3 + [(*of_pop, "waiting", 600.0)] * 3
    assert len(newest) == 4


async def test_a_training_has_its_latest_runs(database: Database) -> None:
    own = [replace(ended_run(7), seq=seq) for seq in (3, 6, 9)]
    await keep(database, own)
    with open_views(database.url) as views:
        assert queries.runs_of(views.connection, own[0].ref, 2) == own[1:]


async def test_messages_and_reports_name_the_same_last_good_version(database: Database) -> None:
    good, failed, again = ended_run(5), ended_run(6, outcome=Outcome.FAILED), replace(ended_run(7), seq=9)
    await keep(database, [ended_run(4), good, failed, again, of(ended_run(8), type="relatedItem")])
    group = RunGroup("main", "s", "pop", hpo=None)
    sent = (await PollStore(database).earlier_runs({group: RunsWanted(streak=True)}, NOW))[group].last_good
    with open_views(database.url) as views:
        # A version that is restarted may have completed before.
        shown = history.last_good(views.connection, again.ref, NOW)
        before = [history.last_good(views.connection, again.ref, run.ended.before) for run in (again, good)]
    assert shown == sent == KnownVersion(version="v7", ended=again.ended, config=None)
    assert [item.version for item in before if item is not None] == ["v5", "v4"]


async def test_messages_and_reports_name_the_same_version_that_the_first_poll_found_completed(
    database: Database,
) -> None:
    found = [
        Snapshot(
            ref=TrainingRef("main", "s", "pop", version),
            status="completed",
            seen_after=NOW,
            first_seen_at=NOW,
            record={"createdDate": f"2026-11-0{day}T09:00:00"},
        )
        for day, version in enumerate(("old1", "old2"), 1)
    ]
    await PollStore(database).record(Batch(snapshots=tuple(found)))
    group = RunGroup("main", "s", "pop", hpo=None)
    sent = (await PollStore(database).earlier_runs({group: RunsWanted(streak=True)}, NOW))[group].last_good
    with open_views(database.url) as views:
        shown = history.last_good(views.connection, TrainingRef("main", "s", "pop", "new"), NOW)
        of_itself = history.last_good(views.connection, found[1].ref, NOW)
    assert shown == sent == KnownVersion(version="old2", ended=None, config=None)
    assert of_itself is not None
    assert of_itself.version == "old1"


async def test_each_service_and_type_with_runs_is_found_in_order_with_whether_its_latest_run_failed(
    database: Database,
) -> None:
    ends: dict[tuple[str, str, str], Sequence[EndedRun]] = {
        ("main", "s", "pop"): [ended_run(1, outcome=Outcome.FAILED), ended_run(2)],
        ("main", "s", "related"): [ended_run(1), ended_run(2, outcome=Outcome.FAILED)],
        ("main", "t", "pop"): [ended_run(1, outcome=Outcome.STOPPED)],
        ("main", "t%", "a"): [ended_run(1, outcome=Outcome.FAILED), ended_run(2, outcome=Outcome.STOPPED)],
        ("main", "\u00e9", "pop"): [ended_run(1), replace(ended_run(1, outcome=Outcome.FAILED), seq=4)],
        ("other", "a", "pop"): [ended_run(3)],
        ("other", "s", "pop"): [ended_run(4, outcome=Outcome.FAILED)],
    }
    runs = [
        of(run, account=account, service=service, type=kind)
        for (account, service, kind), own in ends.items()
        for run in own
    ]
    await keep(database, runs[::-1])
    with open_views(database.url) as views:
        found = latest.types_with_runs(views.connection)
        by_results = {
            item: bool(results) and results[-1].outcome is Outcome.FAILED
            for item in found
            for results in [latest.latest_results(views.connection, item, 1)]
        }
    assert [(item.account, item.service, item.type) for item in found] == list(ends)
    assert found == by_results
    assert list(found.values()) == [False, True, False, True, True, False, True]


def test_a_store_without_runs_has_no_types(database: Database) -> None:
    with open_views(database.url) as views:
        assert latest.types_with_runs(views.connection) == {}

"""The overview, as it is read from a store: the last good version, removed receivers, and who was notified."""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.cli.test_stats import NOW, run_days_ago
from tests.integration.web.invented_store import make_store, sources
from watcher.core.batch import Batch
from watcher.core.durations.past_runs import Outcome
from watcher.core.health.problems import RUNNING
from watcher.core.training.model import TrainingRef
from watcher.reading.overview import read_overview
from watcher.reports.overview import Overview
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import open_database

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


def test_a_removed_receiver_has_a_row_as_long_as_deliveries_wait_for_it(overview: Overview) -> None:
    rows = {item.name: item.kind for item in overview.receivers}
    assert rows == {"console": "log", "hook": ""}

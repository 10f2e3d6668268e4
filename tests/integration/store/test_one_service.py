"""A page of one service reads the polls and the counts of this service alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from watcher.core.batch import Batch
from watcher.core.polling.plan import EVERY_SERVICE, joined_key
from watcher.core.polling.result import PollState
from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef
from watcher.pipeline.polling.updates.changes import updates_key
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import Database
from watcher.store.views import open_views

SERVICES = [ServiceRef("main", "s"), ServiceRef("main", "s%"), ServiceRef("main", "ss"), ServiceRef("other", "s")]


def keys_of(service: ServiceRef) -> set[str]:
    training, discovery = TrainingRef(service.account, service.service, "pop", "v1"), discovery_of(service.account)
    return {service.subject, joined_key(service), updates_key(service), training.subject, discovery}


def discovery_of(account: str) -> str:
    return ServiceRef(account, EVERY_SERVICE).subject


@pytest.mark.parametrize("service", SERVICES, ids=str)
async def test_the_polls_of_one_service_are_those_of_its_lists_its_trainings_and_the_list_of_services(
    database: Database, service: ServiceRef
) -> None:
    polls = tuple(PollState(key=key) for key in sorted(set().union(*map(keys_of, SERVICES))))
    await PollStore(database).record(Batch(polls=polls))
    with open_views(database.url) as views:
        assert views.polls(service).keys() == keys_of(service)
        assert len(views.polls()) == len(polls)


async def test_the_counts_of_one_service_are_those_of_its_trainings(
    database: Database, make_snapshot: Callable[..., Snapshot]
) -> None:
    snapshots = (make_snapshot("v1"), make_snapshot("v2"))
    await PollStore(database).record(Batch(snapshots=snapshots))
    own = snapshots[0].ref.service_ref
    with open_views(database.url) as views:
        assert [(item.service, item.count) for item in views.training_counts(own)] == [(own, 2)]
        assert views.training_counts(ServiceRef("main", "another")) == []
        assert views.training_counts() == views.training_counts(own)


async def test_each_status_of_one_service_counts_also_none_and_those_that_are_gone(
    database: Database, make_snapshot: Callable[..., Snapshot]
) -> None:
    statuses = ("waiting", None, "completed", "an unknown one", "completed", "learning")
    snapshots = [
        replace(make_snapshot(f"v{number}"), status=status, gone=number == 4) for number, status in enumerate(statuses)
    ]
    await PollStore(database).record(Batch(snapshots=tuple(snapshots)))
    with open_views(database.url) as views:
        found = views.training_counts(snapshots[0].ref.service_ref)
    assert {(item.status, item.gone): item.count for item in found} == dict.fromkeys(
        zip(statuses, [False] * 4 + [True, False], strict=True), 1
    )
    assert len(found) == len(statuses)

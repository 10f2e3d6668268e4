"""``check --online`` believes a list rather than a 404 for a service or training that the list shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import cast

import pytest

from tests.support.virtual import service_polls
from watcher.aitems.client import ServicesResult
from watcher.aitems.wire import ServiceInfo
from watcher.core.polling.result import Cause, PollFailure, PollOutcome, PollResult
from watcher.core.training.model import Observation, ServiceRef, Source, TrainingRef
from watcher.wiring import online_checks

NOW = datetime(2026, 11, 23, tzinfo=UTC)
MISSING = PollFailure(cause=Cause.NOT_FOUND, detail="HTTP 404", asked_at=NOW, ended_at=NOW, http_status=404)


@dataclass
class Account:
    """An account whose views, and by default its lists of trainings, are all answered by a 404."""

    listed: list[str] | None
    trainings: PollOutcome = MISSING

    async def list(self, _service: ServiceRef) -> PollOutcome:
        return self.trainings

    async def view(self, _ref: TrainingRef) -> PollFailure:
        return MISSING

    async def services(self) -> ServicesResult | PollFailure:
        if self.listed is None:
            return MISSING
        found = tuple(
            ServiceInfo(ref=ServiceRef("main", service), status="learnable", record={}) for service in self.listed
        )
        return ServicesResult(services=found, asked_at=NOW, answered_at=NOW, digest=b"")


@pytest.mark.parametrize(("listed", "cause"), [(["s1", "s2"], "refused"), (["s2"], "not-found"), (None, "refused")])
async def test_a_404_for_a_service_counts_only_where_the_list_of_services_lacks_it(
    listed: list[str] | None, cause: str
) -> None:
    (poll,) = service_polls(["s1"])
    check = await online_checks._check_poll("watch", poll, "s1", cast("online_checks.AccountCalls", Account(listed)))
    assert check.cause == cause


V1 = TrainingRef("main", "s1", "pop", "v1")


def shown(*refs: TrainingRef) -> PollResult:
    """Return a list of these trainings."""
    found = [
        Observation(ref=ref, status="learning", asked_at=NOW, answered_at=NOW, source=Source.LIST, record={})
        for ref in refs
    ]
    return PollResult(shown=tuple(found), asked_at=NOW, answered_at=NOW, digest=b"")


@pytest.mark.parametrize(
    ("trainings", "cause"),
    [
        (shown(V1), "refused"),
        (shown(replace(V1, version="v2")), "not-found"),
        (MISSING, "refused"),
        (replace(MISSING, cause=Cause.REFUSED, code="300"), "refused"),
        (replace(MISSING, cause=Cause.SERVER, http_status=503), "refused"),
        (replace(MISSING, cause=Cause.PERMISSION, http_status=403), "not-found"),
    ],
    ids=["listed", "not listed", "a 404", "the gateway's 404", "a server error", "forbidden"],
)
async def test_a_404_for_a_training_counts_only_where_the_list_of_its_service_does_not_contradict(
    trainings: PollOutcome, cause: str
) -> None:
    (poll,) = service_polls(["s1"])
    api = cast("online_checks.AccountCalls", Account(["s1"], trainings))
    check = await online_checks._check_poll("watch", replace(poll, training=V1), "s1", api)
    assert check.cause == cause

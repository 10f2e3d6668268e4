"""``check --online`` believes the list of services rather than a 404 for one of its services."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import pytest

from tests.support.virtual import service_polls
from watcher.aitems.client import ServicesResult
from watcher.aitems.wire import ServiceInfo
from watcher.core.polling.result import Cause, PollFailure
from watcher.core.training.model import ServiceRef
from watcher.wiring import online_checks

NOW = datetime(2026, 11, 23, tzinfo=UTC)
MISSING = PollFailure(cause=Cause.NOT_FOUND, detail="HTTP 404", asked_at=NOW, ended_at=NOW, http_status=404)


@dataclass
class Account:
    """An account whose lists of trainings are all answered by a 404."""

    listed: list[str] | None

    async def list(self, _service: ServiceRef) -> PollFailure:
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

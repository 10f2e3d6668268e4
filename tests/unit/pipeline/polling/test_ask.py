"""The call of a poll, and the views that replace a list."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from watcher.clock import Clock
from watcher.core.polling.plan import Poll, WatchAttributes
from watcher.core.polling.result import Cause, PollFailure, PollOutcome, PollResult
from watcher.core.polling.schedule import Cadence
from watcher.core.training.model import Observation, ServiceRef, Source, TrainingRef
from watcher.pipeline.polling.ask import Caller

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SERVICE = ServiceRef("main", "s")
CADENCE = Cadence(interval=timedelta(seconds=1), idle_interval=timedelta(seconds=1))
REFS = [TrainingRef("main", "s", "pop", version) for version in ("v1", "v2")]


@dataclass
class Lists:
    """An API whose list fails with one cause and whose views succeed."""

    cause: Cause
    calls: list[str] = field(default_factory=list)

    async def list(self, service: ServiceRef) -> PollOutcome:
        self.calls.append("list")
        return PollFailure(cause=self.cause, detail=service.service, asked_at=NOW, ended_at=NOW)

    async def view(self, ref: TrainingRef, *, first: bool = False) -> PollOutcome:
        self.calls.append("view")
        seen = Observation(ref=ref, status="learning", asked_at=NOW, answered_at=NOW, source=Source.VIEW, record={})
        assert not first
        return PollResult(shown=(seen,), asked_at=NOW, answered_at=NOW, digest=b"")

    async def services(self, *, first: bool = False) -> PollFailure:
        return PollFailure(cause=self.cause, detail="services", asked_at=NOW, ended_at=NOW)


def joined(*, whole_service: bool) -> Poll:
    single = dict.fromkeys(REFS, WatchAttributes())
    return Poll(service=SERVICE, cadence=CADENCE, whole_service=whole_service, single=single)


@pytest.mark.parametrize(
    ("cause", "second"),
    [
        (Cause.BAD_ANSWER, ["list", "view", "view"]),
        (Cause.PERMISSION, ["view", "view"]),
        (Cause.NOT_FOUND, ["view", "view"]),
    ],
)
async def test_views_replace_a_joined_list_that_is_unreadable_or_refused(cause: Cause, second: list[str]) -> None:
    api, caller = Lists(cause), Caller(Clock())
    for _ in range(2):
        outcome = await caller.call(joined(whole_service=False), api)
        assert isinstance(outcome, PollResult)
        assert len(outcome.observations) == len(REFS)
    assert api.calls == ["list", "view", "view", *second]


@pytest.mark.parametrize("cause", [Cause.SERVER, Cause.DEADLINE, Cause.KEY])
async def test_a_joined_list_that_fails_otherwise_is_a_failure(cause: Cause) -> None:
    outcome = await Caller(Clock()).call(joined(whole_service=False), Lists(cause))
    assert isinstance(outcome, PollFailure)


async def test_the_list_of_a_whole_service_is_not_replaced() -> None:
    outcome = await Caller(Clock()).call(joined(whole_service=True), Lists(Cause.BAD_ANSWER))
    assert isinstance(outcome, PollFailure)

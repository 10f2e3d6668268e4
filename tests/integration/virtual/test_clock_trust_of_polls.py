"""The answers of polls that make the wall clock trusted, and those that end this."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.support.virtual import FakeApi, FakeReceiver, VirtualClock, run, running_pipeline
from watcher.core.polling.plan import Poll, Watch, plan_polls
from watcher.core.polling.schedule import Cadence
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.http import Answered, FailureReason, Headers, HttpResult, MaybeSent, NotSent

Phase = Callable[[FakeApi, str], HttpResult]
CADENCE: Final = Cadence(interval=timedelta(seconds=30), idle_interval=timedelta(seconds=30))
PHASE_SECONDS: Final = 90.0
AHEAD: Final = timedelta(hours=3)
SERVICE: Final = (Watch(service=ServiceRef("main", "s1"), cadence=CADENCE),)
PATTERN: Final = (Watch(service=ServiceRef("main", "s*"), cadence=CADENCE),)
TWO_TRAININGS: Final = tuple(
    Watch(service=ServiceRef("main", "s1"), training=TrainingRef("main", "s1", "pop", version), cadence=CADENCE)
    for version in ("v1", "v2")
)


def trust_after(folder: Path, watches: Sequence[Watch], phases: Sequence[Phase]) -> list[bool]:
    """Return after each phase of answers whether the clock is trusted."""

    async def main(clock: VirtualClock) -> list[bool]:
        api, trusted = FakeApi(clock), list[bool]()
        api.trainings = {("s1", "v1"): "learning", ("s1", "v2"): "learning"}
        polls: tuple[Poll, ...] = plan_polls(watches)
        api.fault = lambda _, path: phases[0](api, path)
        async with running_pipeline(folder, api, FakeReceiver(), polls, tick_seconds=5) as poller:
            for phase in phases:
                api.fault = lambda _, path, phase=phase: phase(api, path)  # type: ignore[misc]  # bound at once
                await asyncio.sleep(PHASE_SECONDS)
                trusted.append(poller._incident_monitor._clock_trust.trusted)
        return trusted

    return run(main)


def not_sent(reason: FailureReason) -> Phase:
    return lambda api, _: NotSent(reason=reason, detail="", asked_at=api.clock.utc_now(), ended_at=api.clock.utc_now())


def maybe_sent(reason: FailureReason) -> Phase:
    return lambda api, _: MaybeSent(
        reason=reason, detail="", asked_at=api.clock.utc_now(), ended_at=api.clock.utc_now()
    )


def true_answer(api: FakeApi, path: str) -> Answered:
    return api.true_answer(path)


def refusal(status: int, code: str = "") -> Phase:
    document = {"error": {"errorCode": code, "message": "no"}}
    return lambda api, _: api.answer(status, document)


def without_date(phase: Phase) -> Phase:
    def answer(api: FakeApi, path: str) -> HttpResult:
        answered = phase(api, path)
        assert isinstance(answered, Answered)
        return replace(answered, headers=Headers([]))

    return answer


def ahead(phase: Phase) -> Phase:
    def answer(api: FakeApi, path: str) -> HttpResult:
        api.date_offset = AHEAD
        try:
            return phase(api, path)
        finally:
            api.date_offset = timedelta()

    return answer


def no_service(api: FakeApi, path: str) -> Answered:
    api.services = []
    return api.true_answer(path)


def views_only(api: FakeApi, path: str) -> Answered:
    return api.true_answer(path) if "/versions/" in path else api.answer(403, {})


@pytest.mark.parametrize(
    ("watches", "phase"),
    [
        (SERVICE, not_sent(FailureReason.DNS)),
        (SERVICE, maybe_sent(FailureReason.DEADLINE)),
        (SERVICE, maybe_sent(FailureReason.TRUNCATED)),
        (PATTERN, not_sent(FailureReason.CONNECT)),
    ],
    ids=["dns", "deadline", "truncated", "services"],
)
def test_a_poll_without_an_answer_says_nothing_about_the_clock(
    tmp_path: Path, watches: Sequence[Watch], phase: Phase
) -> None:
    assert trust_after(tmp_path, watches, [phase, ahead(true_answer), true_answer]) == [False, False, True]


@pytest.mark.parametrize(
    ("undated", "wrong"),
    [(true_answer, refusal(401, "200")), (refusal(503), true_answer), (refusal(403), refusal(503))],
    ids=["rejected", "answered", "refused"],
)
def test_a_date_that_disagrees_ends_the_trust_of_answers_without_one(
    tmp_path: Path, undated: Phase, wrong: Phase
) -> None:
    phases = [without_date(undated), ahead(wrong), without_date(undated), true_answer]
    assert trust_after(tmp_path, SERVICE, phases) == [True, False, False, True]


@pytest.mark.parametrize("wrong", [true_answer, refusal(401, "200")], ids=["answered", "rejected"])
def test_after_a_date_that_agreed_another_one_ends_no_trust(tmp_path: Path, wrong: Phase) -> None:
    assert trust_after(tmp_path, SERVICE, [true_answer, ahead(wrong)]) == [True, True]


@pytest.mark.parametrize(
    ("watches", "answer"),
    [(SERVICE, true_answer), (PATTERN, no_service), (TWO_TRAININGS, views_only)],
    ids=["list", "services", "views"],
)
def test_every_kind_of_poll_compares_the_clocks(tmp_path: Path, watches: Sequence[Watch], answer: Phase) -> None:
    assert trust_after(tmp_path, watches, [ahead(answer), answer]) == [False, True]

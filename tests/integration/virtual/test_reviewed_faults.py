"""Regression tests for faults that reviews found."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.virtual import FakeApi, FakeReceiver, VirtualClock, run, running_pipeline, service_polls
from tests.support.virtual_delivery import running_deliveries
from watcher.core.delivery.model import Delivered, Policy, TryLater
from watcher.core.delivery.reason import text_reason
from watcher.core.event import Kind
from watcher.core.polling.plan import Poll
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.http import HttpResult
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.delivery.worker import workers
from watcher.store.deliveries import Deliveries
from watcher.store.sqlite.database import open_database

HOUR = 3600.0


def end_with_one_stale_view(folder: Path, shows: str) -> FakeReceiver:
    """Let a training end while its first view shows another status, as a lagging replica does."""

    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {("s1", "v1"): "learning"}
        async with running_pipeline(folder, api, receiver, service_polls(["s1"])):
            await asyncio.sleep(600)
            api.trainings = {("s1", "v1"): "completed"}
            stale = [True]

            def replica(_now: float, path: str) -> HttpResult | None:
                if "versions" not in path or not stale:
                    return None
                stale.clear()
                old = FakeApi(clock, trainings={("s1", "v1"): shows})
                return old.answer(200, old.document(path))

            api.fault = replica
            await asyncio.sleep(600)
        return receiver

    return run(main)


def test_one_stale_confirming_view_does_not_hide_an_end(tmp_path: Path) -> None:
    receiver = end_with_one_stale_view(tmp_path, shows="learning")
    assert receiver.kinds == ["succeeded"]
    (event,) = receiver.events
    assert (event.before - event.after).total_seconds() < 40


def test_an_end_in_a_list_is_announced_after_a_confirming_view_with_an_earlier_stage(
    tmp_path: Path,
) -> None:
    receiver = end_with_one_stale_view(tmp_path, shows="stopping")
    assert [event.to_status for event in receiver.events] == ["stopping", "completed"]


def test_one_unreachable_service_is_no_account_incident_while_others_are_not_due(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {("s1", "v1"): "completed", ("s2", "v1"): "completed"}

        def outage(now: float, path: str) -> HttpResult | None:
            return api.answer(503, {}) if now > 1000 and "/s1/" in path else None

        api.fault = outage
        async with running_pipeline(tmp_path, api, receiver, service_polls(["s1", "s2"]), tick_seconds=2):
            await asyncio.sleep(4 * HOUR)
        return receiver

    receiver = run(main)
    assert [(event.kind.value, event.subject) for event in receiver.events] == [("unreachable", "service:main/s1")]


def test_an_incident_of_an_unwatched_service_is_closed_without_a_message(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {("s1", "v1"): "learning", ("s2", "v1"): "learning"}
        api.fault = lambda _now, path: api.answer(503, {}) if "/s1/" in path else None
        async with running_pipeline(tmp_path, api, receiver, service_polls(["s1", "s2"])) as poller:
            await asyncio.sleep(600)
            assert len(poller.cache.open_incidents()) == 1
        async with running_pipeline(tmp_path, api, receiver, service_polls(["s2"])) as poller:
            await asyncio.sleep(60)
            assert poller.cache.open_incidents() == []
        return receiver

    assert run(main).kinds == ["unreachable"]


def test_a_missing_training_is_found_in_the_list_of_its_service(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {("s1", "v0"): "learning"}
        ref = TrainingRef("main", "s1", "pop", "v1")
        (listed,) = service_polls(["s1"])
        alone = Poll(service=ServiceRef("main", "s1"), training=ref, cadence=listed.cadence)
        api.fault = lambda _now, path: api.answer(404, {}) if path.endswith("v1") and not found else None
        found = False
        async with running_pipeline(tmp_path, api, receiver, [alone]):
            await asyncio.sleep(600)
        found = True
        api.trainings["s1", "v1"] = "learning"
        joined = replace(listed, single={ref: alone.attributes})
        async with running_pipeline(tmp_path, api, receiver, [joined]) as poller:
            await asyncio.sleep(600)
            assert poller.cache.open_incidents() == []
        return receiver

    assert run(main).kinds == ["not-found", "recovered"]


def test_a_list_with_different_ends_in_each_answer_is_not_polled_without_a_pause(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> FakeApi:
        api, receiver = FakeApi(clock), FakeReceiver()
        statuses = ("completed", "learningFailed", "requestFailed", "refinedFailed")

        def changing_ends(now: float, _path: str) -> HttpResult | None:
            status = statuses[int(now * 100) % 4] if now > 60 else "learning"
            api.trainings = {("s1", f"v{number}"): status for number in range(9)}
            return None

        api.fault = changing_ends
        api.trainings = {("s1", f"v{number}"): "learning" for number in range(9)}
        async with running_pipeline(tmp_path, api, receiver, service_polls(["s1"])):
            await asyncio.sleep(660)
        return api

    api = run(main)
    assert len(api.request_times) < 100


def test_no_delivery_expires_before_a_server_has_confirmed_the_clock(
    tmp_path: Path,
) -> None:
    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {("s1", "v1"): "learning"}
        async with running_pipeline(tmp_path, api, receiver, service_polls(["s1"])):
            await asyncio.sleep(60)
            receiver.outcome = lambda _: TryLater(reason=text_reason("http 503"))
            api.trainings = {("s1", "v1"): "completed"}
            await asyncio.sleep(60)
        database = open_database(tmp_path / "watcher.db", purpose="test", now=clock.utc_now())
        try:
            clock.step += timedelta(days=3650)
            # The next start begins with the wrong clock.
            worker = workers({"hook": receiver}, Deliveries(database), Policy(), clock, ClockTrust(clock))["hook"]
            await worker.finish()
            await worker.sweep()
            receiver.outcome = lambda _: Delivered()
            clock.step = timedelta(days=3651)
            await worker.finish()
            await worker.sweep()
        finally:
            database.close()
        return receiver

    assert run(main).kinds == ["succeeded"]


@pytest.mark.parametrize("step", [timedelta(minutes=20), timedelta(days=5), timedelta(days=3653)])
def test_an_attempt_right_after_a_step_neither_expires_nor_reports_the_receiver(
    tmp_path: Path, step: timedelta
) -> None:
    async def main(clock: VirtualClock) -> tuple[FakeReceiver, list[Kind]]:
        receiver = FakeReceiver(outcome=lambda _: TryLater(reason=text_reason("http 503")))
        async with running_deliveries(tmp_path, clock, [receiver]) as deliveries:
            await deliveries.record(["v1"])
            await asyncio.sleep(30)
            clock.step = step
            for worker in deliveries.workers.values():
                await worker.finish()
                await worker.sweep()
            receiver.outcome = lambda _: Delivered()
            await asyncio.sleep(HOUR)
            return receiver, [item.event.kind for item in deliveries.announced()]

    receiver, recorded = run(main)
    assert receiver.kinds == ["progress"]
    assert recorded == [Kind.PROGRESS]


def test_one_failure_long_after_a_training_was_gone_is_no_outage(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings, api.services = {("s1", "v1"): "learning"}, ["s1", "s2"]
        (listed,) = service_polls(["s1"])
        alone = Poll(
            service=ServiceRef("main", "s1"), training=TrainingRef("main", "s1", "pop", "v1"), cadence=listed.cadence
        )
        failures: list[bool] = []

        def deleted(_now: float, path: str) -> HttpResult | None:
            api.trainings.clear()
            return api.answer(503, {}) if "versions" in path and failures and failures.pop() else None

        async with running_pipeline(tmp_path, api, receiver, [alone, *service_polls(["s2"])]):
            await asyncio.sleep(60)
            api.fault = deleted
            for number in (2, 1):
                failures += [True] * number
                await asyncio.sleep(1500)
        async with running_pipeline(tmp_path, api, receiver, [alone, *service_polls(["s2"])]):
            await asyncio.sleep(60)
            failures += [True]
            await asyncio.sleep(1500)
        return receiver

    assert run(main).kinds == ["gone"]


def test_an_outage_of_a_service_ends_although_its_only_training_is_gone(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings, api.services = {("s1", "v1"): "learning"}, ["s1", "s2", "s3"]
        ref = TrainingRef("main", "s1", "pop", "v1")
        (listed,) = service_polls(["s1"])

        def outage(now: float, path: str) -> HttpResult | None:
            if now < 600 or "/s1/" not in path:
                return None
            if now < 1200:
                return api.answer(503, {})
            api.trainings.clear()
            return None

        api.fault = outage
        alone = Poll(service=ServiceRef("main", "s1"), training=ref, cadence=listed.cadence)
        async with running_pipeline(tmp_path, api, receiver, [alone, *service_polls(["s2", "s3"], idle_seconds=30)]):
            await asyncio.sleep(4000)
        return receiver

    assert sorted(run(main).kinds) == ["gone", "recovered", "unreachable"]

"""What a sceptic broke once, and what must never break again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tests.support.virtual import Ear, VirtualClock, World, run, service_polls, watching
from watcher.core.delivery.model import Delivered, Policy, TryLater
from watcher.core.polling.plan import Poll
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.http import HttpResult
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.delivery.worker import workers
from watcher.store.deliveries import Deliveries
from watcher.store.sqlite.database import open_database

HOUR = 3600.0


def end_with_one_stale_view(folder: Path, shows: str) -> Ear:
    """Let a training end, and the first view of it show another status: as a replica does that is behind."""

    async def main(clock: VirtualClock) -> Ear:
        world, ear = World(clock), Ear()
        world.trainings = {("s1", "v1"): "learning"}
        async with watching(folder, world, ear, service_polls(["s1"])):
            await asyncio.sleep(600)
            world.trainings = {("s1", "v1"): "completed"}
            stale = [True]

            def replica(_now: float, path: str) -> HttpResult | None:
                if "versions" not in path or not stale:
                    return None
                stale.clear()
                old = World(clock, trainings={("s1", "v1"): shows})
                return old.answer(200, old.document(path))

            world.trouble = replica
            await asyncio.sleep(600)
        return ear

    return run(main)


def test_one_stale_confirming_view_does_not_swallow_an_end(tmp_path: Path) -> None:
    ear = end_with_one_stale_view(tmp_path, shows="learning")
    assert ear.kinds == ["succeeded"]
    (event,) = ear.events
    assert (event.before - event.after).total_seconds() < 40


def test_an_end_is_announced_that_a_list_still_shows_after_a_confirming_view_has_shown_a_stage_on_the_way(
    tmp_path: Path,
) -> None:
    ear = end_with_one_stale_view(tmp_path, shows="stopping")
    assert [event.to_status for event in ear.events] == ["stopping", "completed"]


def test_one_unreachable_service_is_not_taken_for_the_account_because_others_are_not_due(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> Ear:
        world, ear = World(clock), Ear()
        world.trainings = {("s1", "v1"): "completed", ("s2", "v1"): "completed"}

        def dark(now: float, path: str) -> HttpResult | None:
            return world.answer(503, {}) if now > 1000 and "/s1/" in path else None

        world.trouble = dark
        async with watching(tmp_path, world, ear, service_polls(["s1", "s2"]), ring_seconds=2):
            await asyncio.sleep(4 * HOUR)
        return ear

    ear = run(main)
    assert [(event.kind.value, event.subject) for event in ear.events] == [("unreachable", "service:main/s1")]


def test_an_incident_of_what_is_no_longer_watched_is_closed_without_a_word(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> Ear:
        world, ear = World(clock), Ear()
        world.trainings = {("s1", "v1"): "learning", ("s2", "v1"): "learning"}
        world.trouble = lambda _now, path: world.answer(503, {}) if "/s1/" in path else None
        async with watching(tmp_path, world, ear, service_polls(["s1", "s2"])) as poller:
            await asyncio.sleep(600)
            assert len(poller.cache.open_incidents()) == 1
        async with watching(tmp_path, world, ear, service_polls(["s2"])) as poller:
            await asyncio.sleep(60)
            assert poller.cache.open_incidents() == []
        return ear

    assert run(main).kinds == ["unreachable"]


def test_a_training_that_was_never_found_is_found_by_its_services_list(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> Ear:
        world, ear = World(clock), Ear()
        world.trainings = {("s1", "v0"): "learning"}
        ref = TrainingRef("main", "s1", "pop", "v1")
        (listed,) = service_polls(["s1"])
        alone = Poll(service=ServiceRef("main", "s1"), training=ref, cadence=listed.cadence)
        world.trouble = lambda _now, path: world.answer(404, {}) if path.endswith("v1") and not found else None
        found = False
        async with watching(tmp_path, world, ear, [alone]):
            await asyncio.sleep(600)
        found = True
        world.trainings["s1", "v1"] = "learning"
        joined = replace(listed, single={ref: alone.naming})
        async with watching(tmp_path, world, ear, [joined]) as poller:
            await asyncio.sleep(600)
            assert poller.cache.open_incidents() == []
        return ear

    assert run(main).kinds == ["not-found", "recovered"]


def test_a_list_that_shows_other_ends_at_each_answer_is_not_asked_for_without_a_pause(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> World:
        world, ear = World(clock), Ear()
        words = ("completed", "learningFailed", "requestFailed", "refinedFailed")

        def turning(now: float, _path: str) -> HttpResult | None:
            word = words[int(now * 100) % 4] if now > 60 else "learning"
            world.trainings = {("s1", f"v{number}"): word for number in range(9)}
            return None

        world.trouble = turning
        world.trainings = {("s1", f"v{number}"): "learning" for number in range(9)}
        async with watching(tmp_path, world, ear, service_polls(["s1"])):
            await asyncio.sleep(660)
        return world

    world = run(main)
    assert len(world.asked) < 100


def test_nothing_is_expired_for_its_age_by_a_clock_that_no_server_agreed_with_yet(
    tmp_path: Path,
) -> None:
    async def main(clock: VirtualClock) -> Ear:
        world, ear, clock_trust = World(clock), Ear(), ClockTrust()
        world.trainings = {("s1", "v1"): "learning"}
        async with watching(tmp_path, world, ear, service_polls(["s1"])):
            await asyncio.sleep(60)
            ear.outcome = lambda _: TryLater(reason="http 503")
            world.trainings = {("s1", "v1"): "completed"}
            await asyncio.sleep(60)
        database = open_database(tmp_path / "watcher.db", purpose="test", now=clock.utc_now())
        try:
            worker = workers({"hook": ear}, Deliveries(database), Policy(), clock, clock_trust)["hook"]
            clock.step += timedelta(days=3650)
            await worker.sweep()
            ear.outcome = lambda _: Delivered()
            clock.step = timedelta(days=3651)
            await worker.sweep()
        finally:
            database.close()
        return ear

    assert run(main).kinds == ["succeeded"]


def test_one_failure_after_a_training_was_gone_for_long_is_no_outage_since_before(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> Ear:
        world, ear = World(clock), Ear()
        world.trainings = {("s1", "v1"): "learning"}
        (listed,) = service_polls(["s1"])
        alone = Poll(
            service=ServiceRef("main", "s1"), training=TrainingRef("main", "s1", "pop", "v1"), cadence=listed.cadence
        )
        failures: list[bool] = []

        def deleted(_now: float, path: str) -> HttpResult | None:
            return world.answer(503 if failures and failures.pop() else 404, {}) if "versions" in path else None

        async with watching(tmp_path, world, ear, [alone, *service_polls(["s2"])]):
            await asyncio.sleep(60)
            world.trouble = deleted
            for number in (2, 1):
                failures += [True] * number
                await asyncio.sleep(1500)
        async with watching(tmp_path, world, ear, [alone, *service_polls(["s2"])]):
            await asyncio.sleep(60)
            failures += [True]
            await asyncio.sleep(1500)
        return ear

    assert run(main).kinds == ["gone"]


def test_an_outage_of_a_service_ends_also_where_its_one_training_is_gone_after_it(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> Ear:
        world, ear = World(clock), Ear()
        world.trainings = {("s1", "v1"): "learning"}
        ref = TrainingRef("main", "s1", "pop", "v1")
        (listed,) = service_polls(["s1"])

        def away(now: float, path: str) -> HttpResult | None:
            if now < 600 or "/s1/" not in path:
                return None
            return world.answer(503 if now < 1200 else 404, {})

        world.trouble = away
        alone = Poll(service=ServiceRef("main", "s1"), training=ref, cadence=listed.cadence)
        async with watching(tmp_path, world, ear, [alone, *service_polls(["s2", "s3"], idle_seconds=30)]):
            await asyncio.sleep(4000)
        return ear

    assert sorted(run(main).kinds) == ["gone", "recovered", "unreachable"]

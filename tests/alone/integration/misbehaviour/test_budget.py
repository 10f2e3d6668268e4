"""The request budget of an account, measured at the server by the times of the requests."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from tests.alone.integration.misbehaviour.call_log import CallLog, busiest_second
from tests.support import daemon_in_process
from tests.support.changing_trainings import SERVICES, changes_under_way, wait_until_settled
from tests.support.fault_table import remark, rounds
from tests.support.invariants import DaemonRun, violations
from tests.support.servers import Inbox, listening
from watcher.app import Daemon
from watcher.core.training.model import Snapshot
from watcher.simulator import CallKind, Fault, serve
from watcher.store.url import sqlite_url
from watcher.store.views import open_views

# A machine that stalls delivers requests together that were sent apart. A rerun does not repeat that.
pytestmark = pytest.mark.flaky(reruns=2)

Training = tuple[str, str]
"""Service and version."""

WATCH: Final = '\n[[watch]]\nservice = "{service}"\ninterval = "1s"\nidle_interval = "1s"\n'
# The calls about interval services are counted elsewhere.
WHOLE: Final = f"{WATCH}updates = false\n"
SINGLE: Final = 'type = "pop"\nversion = "{version}"\n'


def world(services: int, trainings: int) -> list[Training]:
    """Return trainings, spread evenly over services."""
    return [(f"s{number % services:03}", f"v{number:04}") for number in range(trainings)]


def single(trainings: Iterable[Training]) -> str:
    """Return one watch per training."""
    return "".join(WATCH.format(service=service) + SINGLE.format(version=version) for service, version in trainings)


def whole_services(trainings: Iterable[Training]) -> str:
    """Return one watch per service."""
    return "".join(WHOLE.format(service=service) for service in sorted({service for service, _ in trainings}))


@asynccontextmanager
async def watched(
    folder: Path, trainings: list[Training], watches: str, rate: float, hook: Inbox | None = None
) -> AsyncIterator[tuple[CallLog, Daemon]]:
    """Run the daemon with a budget of ``rate`` requests per second."""
    api = CallLog()
    for service, version in trainings:
        api.set_training(service, "pop", version, "learning")
    async with serve(api) as simulator, listening(hook or Inbox()) as inbox:
        text = daemon_in_process.settings(simulator.base_url, [], {"hook": inbox.url}) + watches
        text = text.replace("requests_per_second = 100.0", f"requests_per_second = {rate}")
        async with daemon_in_process.running(folder, text.replace('timeout = "2s"', 'timeout = "10s"')) as daemon:
            yield api, daemon


async def arrived(api: CallLog, count: int) -> None:
    """Wait for this number of requests."""
    await daemon_in_process.eventually(lambda: len(api.arrivals) >= count, seconds=120.0)


def recorded(folder: Path) -> list[Snapshot]:
    """Return every training in the store."""
    with open_views(sqlite_url(folder / "watcher.db")) as views:
        return views.trainings()


def polls_ahead(services: Iterable[str]) -> int:
    """Return the largest lead of one service over another, in polls."""
    counts = Counter(dict.fromkeys(sorted(set(services)), 0))
    ahead = 0
    for service in services:
        counts[service] += 1
        ahead = max(ahead, counts[service] - min(counts.values()))
    return ahead


async def test_two_hundred_single_trainings_stay_within_three_hundred_requests_a_second(tmp_path: Path) -> None:
    trainings = world(200, 200)
    async with watched(tmp_path, trainings, single(trainings), 300.0) as (api, _):
        await arrived(api, 800)
    assert busiest_second(item.at for item in api.arrivals) <= 300
    assert {(item.service, item.version) for item in api.arrivals} == set(trainings)
    assert min(Counter(item.service for item in api.arrivals).values()) >= 3
    assert {item.kind for item in api.arrivals} == {CallKind.VIEW}


@pytest.mark.parametrize("services", [60, pytest.param(200, marks=pytest.mark.torture)])
async def test_a_tight_budget_is_never_exceeded_and_shared_evenly(tmp_path: Path, services: int) -> None:
    trainings = world(services, services)
    async with watched(tmp_path, trainings, single(trainings), 5.0) as (api, _):
        await arrived(api, services + 30)
    assert busiest_second(item.at for item in api.arrivals) <= 5
    asked = [item.service for item in api.arrivals]
    assert set(asked) == {service for service, _ in trainings}
    assert polls_ahead(asked) <= 2, "a service was polled three times before another was polled once"


@pytest.mark.parametrize("watches", [whole_services, single])
async def test_a_thousand_trainings_in_ten_services_cost_ten_list_calls_a_second(
    tmp_path: Path, watches: Callable[[Iterable[Training]], str]
) -> None:
    trainings = world(10, 1000)
    async with watched(tmp_path, trainings, watches(trainings), 10.0) as (api, daemon):
        await arrived(api, 40)
        failing = daemon.poller.failing()
    assert busiest_second(item.at for item in api.arrivals) <= 10
    assert {item.kind for item in api.arrivals} == {CallKind.LIST}
    assert failing == []
    assert {(snapshot.ref.service, snapshot.ref.version) for snapshot in recorded(tmp_path)} == set(trainings)


async def test_a_service_is_listed_no_more_often_than_its_interval_less_its_jitter(tmp_path: Path) -> None:
    trainings = world(10, 1000)
    async with watched(tmp_path, trainings, whole_services(trainings), 100.0) as (api, _):
        await arrived(api, 60)
    elapsed_seconds = api.arrivals[-1].at - api.arrivals[0].at
    most = max(Counter(item.service for item in api.arrivals).values())
    # A poll may come a tenth of its interval early. The two extra ones are the first, and one under way.
    assert most <= elapsed_seconds / 0.9 + 2


async def test_a_confirmation_comes_before_the_polls_that_wait_for_the_budget(tmp_path: Path) -> None:
    trainings, hook = world(20, 20), Inbox()
    async with watched(tmp_path, trainings, whole_services(trainings), 5.0, hook) as (api, _):
        await arrived(api, 30)
        service, version = trainings[0]
        api.set_training(service, "pop", version, "completed")
        await daemon_in_process.eventually(lambda: bool(hook.events()), seconds=30.0)
        (event,) = hook.events()
    assert (event["service"], event["to"], event["confirmed"]) == (service, "completed", True)
    view = next(place for place, item in enumerate(api.arrivals) if item.kind is CallKind.VIEW)
    listed = max(place for place, item in enumerate(api.arrivals[:view]) if item.service == service)
    assert view - listed <= 2, "more than one request came before the confirmation"
    assert busiest_second(item.at for item in api.arrivals) <= 5


MANY_429S: Final = (
    Fault(kind="429-rate", retry_after="1", rate=0.2),
    Fault(kind="429-throttle", retry_after_date_seconds=1, rate=0.2),
    Fault(kind="429-quota", retry_after="0", rate=0.2),
    Fault(kind="429-rate", retry_after="soon", rate=0.01),
    Fault(kind="429-throttle", retry_after="-5", rate=0.01),
)


async def test_r7_many_429s_from_a_real_server_stay_within_the_budget_and_lose_no_change(tmp_path: Path) -> None:
    api, runs, seconds = CallLog(), list[DaemonRun](), rounds(few=20, full=120)
    async with serve(api) as simulator, listening(Inbox()) as hook:
        text = daemon_in_process.settings(simulator.base_url, list(SERVICES), {"hook": hook.url})
        text = text.replace("requests_per_second = 100.0", "requests_per_second = 4.0")
        started_at = datetime.now(UTC)
        async with daemon_in_process.running(tmp_path, text):
            async with changes_under_way(api, 7):
                numbers = [api.add_fault(fault) for fault in MANY_429S]
                await asyncio.sleep(seconds)
                for number in numbers:
                    api.faults.remove(number)
            await wait_until_settled(tmp_path, api)
        runs.append(DaemonRun(started_at, datetime.now(UTC)))
    assert violations(daemon_in_process.evidence(tmp_path, api.shown, runs, {"hook": hook.received})) == []
    assert busiest_second(item.at for item in api.arrivals) <= 4
    assert api.struck() > 10, "too few requests were answered with 429"
    remark(f"at a real server {api.struck()} of {len(api.arrivals)} requests answered with 429")

"""R31, R33, R34: things that seem to be missing, and things that come and go, amid real changes."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from tests.support.daemon_in_process import history
from tests.support.fault_table import rounds
from tests.support.recording_simulator import ShownAnswer
from tests.support.virtual import (
    START,
    FakeApi,
    FakeReceiver,
    VirtualClock,
    broken_invariants,
    run,
    running_pipeline,
    service_polls,
)
from watcher.core.event import Event, Kind
from watcher.core.polling.deviation import INCOMPLETE_LIST
from watcher.core.polling.plan import Poll, Watch, plan_polls
from watcher.core.polling.schedule import Cadence
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.http import HttpResult
from watcher.simulator import CallKind

SERVICES: Final = ("s1", "s2", "s3")
VERSIONS: Final = ("v1", "v2", "v3", "v4")
STAGES: Final = ("requesting", "waiting", "learning", "completed", "learningFailed")
BODIES: Final = (
    b'{"error":{"errorCode":"300","message":"Not Found Exception"}}',
    b'{"error":{"errorCode":300}}',
    b"<html><title>404 Not Found</title></html>",
    b"<error/>",
    b"",
    b"no such page",
    b'{"timestamp":"t","status":404',
)
"""Bodies of a 404 that do not come from AiTEMS."""
UNCERTAIN: Final = (
    b'{"timestamp":"t","status":404,"error":"Not Found","path":"/x"}',
    b'{"message":"no Route matched with those values"}',
    b'{"code":404}',
)
"""Bodies of a 404 that AiTEMS or a system in front of it may have written."""
INTERVAL: Final = 30.0


Fault = Callable[[float, str], HttpResult | None]
Part = Callable[[list[Any]], list[Any]]


@dataclass(slots=True)
class Account:
    """A virtual account whose trainings change at random."""

    api: FakeApi
    receiver: FakeReceiver
    draw: random.Random
    changed_at: dict[tuple[str, str], float] = field(default_factory=dict)

    async def keep_changing(self) -> None:
        """Move a training that has not ended to its next stage now and then."""
        while True:
            await asyncio.sleep(self.draw.uniform(20, 120))
            if running := [name for name, status in self.api.trainings.items() if status in STAGES[:3]]:
                self.change(self.draw.choice(running))

    def change(self, name: tuple[str, str], status: str | None = None) -> None:
        """Set the status of a training; by default the next one."""
        self.api.trainings[name] = status or STAGES[STAGES.index(self.api.trainings[name]) + 1]
        self.changed_at[name] = self.api.clock.monotonic()


def new_account(clock: VirtualClock, seed: int) -> Account:
    draw = random.Random(seed)  # noqa: S311 - test data
    api = FakeApi(clock)
    api.trainings = {(service, version): draw.choice(STAGES[:3]) for service in SERVICES for version in VERSIONS}
    return Account(api, FakeReceiver(), draw)


def single_polls() -> list[Poll]:
    """Return a list for one service, a view of one training, and a joined list of single trainings."""
    listed, other = service_polls(["s1", "s2"])
    refs = [TrainingRef("main", "s2", "pop", version) for version in VERSIONS]
    alone = Poll(
        service=ServiceRef("main", "s3"), training=TrainingRef("main", "s3", "pop", "v1"), cadence=listed.cadence
    )
    return [listed, alone, replace(other, whole_service=False, single=dict.fromkeys(refs, other.attributes))]


def run_amid_changes(
    folder: Path,
    seed: int,
    polls: Iterable[Poll],
    fault: Callable[[Account], Fault],
) -> tuple[Account, set[str]]:
    """Run a fault for 2 to 20 polls amid changes; return the account and the deviations."""

    async def main(clock: VirtualClock) -> tuple[Account, set[str]]:
        account = new_account(clock, seed)
        api, receiver = account.api, account.receiver
        async with running_pipeline(folder, api, receiver, polls, tick_seconds=2) as poller:
            await asyncio.sleep(120)
            changing = asyncio.create_task(account.keep_changing())
            api.fault = fault(account)
            await asyncio.sleep(INTERVAL * account.draw.randint(2, 20))
            api.fault = lambda _now, _path: None
            await asyncio.sleep(400)
            changing.cancel()
            await asyncio.sleep(700)
            deviations = set(poller.cache.deviations)
            assert poller.cache.open_incidents() == []
        assert broken_invariants(folder, api, receiver) == []
        return account, deviations

    return run(main)


def test_r31_a_404_without_corroboration_is_unreachable_and_makes_nothing_gone(tmp_path: Path) -> None:
    for seed in range(rounds(few=4, full=80)):
        draw = random.Random(seed)  # noqa: S311 - test data
        everywhere, body = draw.random() < 0.5, draw.choice((*BODIES, *UNCERTAIN))
        struck = "/services" if everywhere else draw.choice(["/s1/", "/s2/", "/s3/"])
        status = draw.choice([404, 410])

        def fault(account: Account, status: int = status, body: bytes = body, struck: str = struck) -> Fault:
            def missing(_now: float, path: str) -> HttpResult | None:
                return replace(account.api.answer(status, None), body=body) if struck in path else None

            return missing

        polls = single_polls() if draw.random() < 0.5 else service_polls(SERVICES)
        (folder := tmp_path / str(seed)).mkdir()
        account, _ = run_amid_changes(folder, seed, polls, fault)
        wrong = {Kind.GONE, Kind.BACK, Kind.NOT_FOUND} & {event.kind for event in account.receiver.events}
        assert not wrong, (seed, status, body, struck)


def test_r33_an_empty_or_half_list_makes_nothing_gone_and_hides_no_failure(tmp_path: Path) -> None:
    for seed in range(rounds(few=3, full=60)):
        draw = random.Random(seed)  # noqa: S311 - test data
        part: Part = draw.choice([lambda _items: [], lambda items: items[::2], lambda items: items[2:]])

        def fault(account: Account, part: Part = part) -> Fault:
            account.change(("s1", "v1"), "learningFailed")

            def incomplete(_now: float, path: str) -> HttpResult | None:
                if not path.endswith("/trains"):
                    return None
                document = account.api.document(path)
                assert isinstance(document, dict)
                shown = list(part(document["trains"]))
                now = account.api.clock.true_now()
                account.api.shown += [
                    ShownAnswer(now, (item["serviceId"], item["type"], item["version"]), item["status"], CallKind.LIST)
                    for item in shown
                ]
                return account.api.answer(200, {**document, "trains": shown})

            return incomplete

        (folder := tmp_path / str(seed)).mkdir()
        account, deviations = run_amid_changes(folder, seed, service_polls(SERVICES), fault)
        events = account.receiver.events
        assert not {Kind.GONE, Kind.BACK} & {event.kind for event in events}, seed
        assert deviations <= {INCOMPLETE_LIST}, seed
        failed = next(event for event in events if event.kind is Kind.FAILED and event.service == "s1")
        delay = failed.recorded_at - START - timedelta(seconds=account.changed_at["s1", "v1"])
        assert delay.total_seconds() <= 2 * INTERVAL + 15, seed


def test_r34_services_and_trainings_that_come_and_go_are_each_one_event(tmp_path: Path) -> None:
    for seed in range(rounds(few=2, full=40)):
        (folder := tmp_path / str(seed)).mkdir()
        expected = run(lambda clock, folder=folder, seed=seed: come_and_go(folder, clock, seed))  # type: ignore[misc]
        events = [announced.event for announced in history(folder)]
        assert Counter(map(_fact, filter(_is_presence, events))) == expected, seed


def _is_presence(event: Event) -> bool:
    return event.kind in {Kind.GONE, Kind.BACK} or event.new


def _fact(event: Event) -> tuple[str, str | None, str | None]:
    return ("new" if event.new else event.kind.value, event.service, event.version)


async def come_and_go(folder: Path, clock: VirtualClock, seed: int) -> Counter[tuple[str, str | None, str | None]]:
    """Add and delete services and trainings, also during outages and while no watcher runs."""
    account = new_account(clock, seed)
    api, receiver, draw = account.api, account.receiver, account.draw
    api.services = list(SERVICES)
    cadence = Cadence(interval=timedelta(seconds=INTERVAL), idle_interval=timedelta(seconds=60))
    polls = plan_polls([Watch(service=ServiceRef("main", "*"), cadence=cadence)])
    expected: Counter[tuple[str, str | None, str | None]] = Counter()
    for number in range(6):
        async with running_pipeline(folder, api, receiver, polls, tick_seconds=2) as poller:
            await asyncio.sleep(400)
            assert poller.cache.open_incidents() == [], seed
            assert poller.failing() == [], seed
            outage = draw.random() < 0.4
            api.fault = lambda _now, _path, outage=outage: api.answer(503, {}) if outage else None  # type: ignore[misc]
            await asyncio.sleep(draw.uniform(0, 300))
            expected += come_or_go(api, draw, number)
            await asyncio.sleep(draw.choice([0.0, 5.0, 200.0]))
            api.fault = lambda _now, _path: None
            await asyncio.sleep(draw.choice([0.0, 400.0]))
    async with running_pipeline(folder, api, receiver, polls, tick_seconds=2) as poller:
        await asyncio.sleep(700)
        assert poller.cache.open_incidents() == [], seed
        assert poller.failing() == [], seed
    assert broken_invariants(folder, api, receiver) == []
    return expected


def come_or_go(api: FakeApi, draw: random.Random, number: int) -> Counter[tuple[str, str | None, str | None]]:
    """Add or delete a service or a training; return the expected facts."""
    assert api.services is not None
    service = draw.choice(api.services)
    match draw.choice(["new service", "new training", "service gone", "training gone"]):
        case "new service":
            name = f"n{number}"
            api.services.append(name)
            api.trainings[name, "v1"] = draw.choice(STAGES)
            return Counter({("new", name, None): 1, ("new", name, "v1"): 1})
        case "new training":
            api.trainings[service, f"w{number}"] = draw.choice(STAGES)
            return Counter({("new", service, f"w{number}"): 1})
        case "service gone" if len(api.services) > 1:
            api.services.remove(service)
            api.trainings = {name: status for name, status in api.trainings.items() if name[0] != service}
            return Counter({("gone", service, None): 1})
        case _:
            chosen = draw.choice([key for key in api.trainings if key[0] in api.services])
            del api.trainings[chosen]
            return Counter({("gone", *chosen): 1})

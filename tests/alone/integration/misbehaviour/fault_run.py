"""One misbehaviour against one service of a real daemon, while three others change in the same account."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.alone.integration.misbehaviour.call_log import CallLog, longest_gap
from tests.alone.integration.misbehaviour.cases import BEFORE, NEW_FIELDS, Case, Transition, Transitions
from tests.support import daemon_in_process
from tests.support.invariants import DaemonRun, Evidence, violations
from tests.support.servers import Inbox, listening
from watcher.app import Daemon
from watcher.core.event import Event, Kind
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.simulator import CallKind, Fault, SimulatedService, Step, Training, World, serve
from watcher.simulator import Life as Steps
from watcher.simulator.calls import Call
from watcher.simulator.world import NO_HPO
from watcher.store.views import EventHistory

INTERVAL_SECONDS: Final = 0.2
ON_TIME_SECONDS: Final = 1.0
"""A poll is on time when it starts within its interval and this time after the previous one."""
DEADLINE: Final = "1500ms"
"""Longer than eight daemons that start in one loop delay each other's responses."""
SENSITIVE: Final = '\n[incident]\nafter_failures = 2\nafter = "300ms"\nrecover_after = 2\n'
CHANGES_OF_OTHERS: Final = 4
REPEATS: Final = 2


@dataclass(slots=True)
class Row:
    """The result of one trial."""

    case: Case
    failures: int = 0
    cause: str = ""
    events: int = 0
    incidents: int = 0
    recoveries: int = 0
    lateness_seconds: float = 0.0
    """The longest delay of a poll of another service, beyond its interval."""
    problems: list[str] = field(default_factory=list)
    """Wrong or missing announcements, and wrong records."""

    @property
    def late(self) -> bool:
        """Whether a poll of another service was late."""
        return self.lateness_seconds > ON_TIME_SECONDS

    @property
    def holds(self) -> bool:
        """Whether the result is the expected one."""
        return not self.problems and not self.late

    def line(self) -> str:
        """Return the row as text."""
        figures = f"{self.events:6} {self.incidents:9} {self.recoveries:10} {self.lateness_seconds * 1000:8.0f}"
        waited = ["a poll of another service was late"] if self.late else []
        verdict = "; ".join([*self.problems, *waited]) or "holds"
        return f"{self.case.name:24} {self.failures:6} {self.cause:13} {figures}  {verdict}"


HEADER: Final = (
    f"{'kind':24} {'failed':>6} {'cause':13} {'events':>6} {'incidents':>9} {'recoveries':>10} {'late ms':>8}  verdict"
)


@dataclass(slots=True)
class Trial:
    """One case with its daemon, API and receiver."""

    case: Case
    folder: Path
    api: CallLog
    hook: Inbox
    row: Row
    daemon: Daemon
    baseline_seconds: float = 0.0

    async def until(self, expected: str, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds; a timeout is a problem of this row, and other trials go on."""
        try:
            await daemon_in_process.eventually(condition)
        except TimeoutError:
            self.row.problems.append(f"never came: {expected}")

    async def announced(self, service: str, count: int) -> None:
        """Wait for this number of changes of a service at the webhook."""
        await self.until(f"{count} changes of {service}", lambda: self._event_history(service) >= count)

    def _event_history(self, service: str) -> int:
        return sum(event["service"] == service and event["incident"] is None for event in self.hook.events())

    async def kind(self, kind: Kind) -> None:
        """Wait for an event of this kind at the webhook."""
        await self.until(kind, lambda: any(event["kind"] == kind for event in self.hook.events()))

    async def struck(self, count: int) -> None:
        """Wait until the fault has struck this many times from now."""
        enough = self.api.struck() + count
        await self.until(f"{count} strikes", lambda: self.api.struck() >= enough)

    async def asked(self, count: int) -> None:
        """Wait until each service was polled this many times from now."""
        enough = {service: self.api.asked(service) + count for service in services(self.case)}
        await self.until(f"{count} more polls", lambda: all(self.api.asked(s) >= n for s, n in enough.items()))

    def expect_unchanged(self) -> None:
        """Note a problem if failed polls have changed the recorded trainings."""
        if not self.case.fails:
            return
        for version, status in BEFORE.items():
            known = self.daemon.poller.cache.training(ref(self.case, version))
            if known is None or known.status != status or known.pending or known.absent or known.gone:
                self.row.problems.append(f"{version} is recorded as {known}")


def services(case: Case) -> tuple[str, ...]:
    """Return every service of a case."""
    return (case.struck_service, *case.others)


def ref(case: Case, version: str) -> TrainingRef:
    """Return a training of the struck service."""
    return TrainingRef("main", case.struck_service, "pop", version)


async def run_trial(case: Case, folder: Path, log: Sequence[Mapping[str, object]]) -> Row:
    """Run one case and return its result."""
    row = Row(case)
    try:
        await _run_case(case, folder, row)
    except Exception as error:  # noqa: BLE001 - a crash is a result, and other trials go on
        row.problems.append(f"crashed: {error!r}")
    row.problems += [f"logged: {entry}" for entry in log if _is_about(entry, case) and is_program_error(entry)]
    return row


async def _run_case(case: Case, folder: Path, row: Row) -> None:
    started_at = datetime.now(UTC)
    async with _trial(case, folder, row) as trial:
        await _run_timeline(trial)
        _note_lateness(trial)
    _check(trial, daemon_in_process.history(folder), DaemonRun(started_at, datetime.now(UTC)))


@asynccontextmanager
async def _trial(case: Case, folder: Path, row: Row) -> AsyncIterator[Trial]:
    api = CallLog(_world(case), every=case.every)
    async with serve(api) as simulator, listening(Inbox()) as hook:
        text = daemon_in_process.settings(simulator.base_url, list(services(case)), {"hook": hook.url})
        text = text.replace('timeout = "2s"', f'timeout = "{DEADLINE}"') + SENSITIVE
        async with daemon_in_process.running(folder, text) as daemon:
            yield Trial(case, folder, api, hook, row, daemon)


def _world(case: Case) -> World:
    others = (_service(service, {"v1": "learning"}) for service in case.others)
    return World(services=(_service(case.struck_service, BEFORE), *others))


def _service(service: str, statuses: Mapping[str, str]) -> SimulatedService:
    trainings = tuple(
        Training(type="pop", version=version, hp_config=NO_HPO, life=Steps((Step(0.0, status),)))
        for version, status in statuses.items()
    )
    return SimulatedService(id=service, name=service, trainings=trainings)


async def _run_timeline(trial: Trial) -> None:
    case, api = trial.case, trial.api
    first, second, third = case.others
    await trial.asked(2)
    trial.baseline_seconds = api.seconds
    number = api.add_fault(_fault(trial))
    api.set_training(first, "pop", "v1", "completed")
    api.set_training(second, "pop", "v1", "learningFailed")
    await _first_half(trial)
    await trial.announced(first, 1)
    api.set_training(first, "pop", "v1", "learning")
    api.set_training(third, "pop", "v2", "waiting")
    await _second_half(trial)
    api.faults.remove(number)
    await _recovery(trial)


def _fault(trial: Trial) -> Fault:
    fault = replace(trial.case.fault, service=trial.case.struck_service)
    if trial.case.name != NEW_FIELDS:
        return fault
    trial.api.set_training(trial.case.struck_service, "pop", "v1", "completed")
    return replace(fault, text=_with_new_fields(trial))


def _with_new_fields(trial: Trial) -> str:
    call = Call(kind=CallKind.LIST, path="", service=trial.case.struck_service)
    document = trial.api.answer(call).document
    assert isinstance(document, dict)
    trains = [{**training, "priority": {"level": 3}} for training in document["trains"]]
    return json.dumps({**document, "trains": trains, "next": None})


async def _first_half(trial: Trial) -> None:
    """The fault begins; the struck service does not change yet."""
    await trial.struck(3)
    if trial.case.incident is not None:
        await trial.kind(trial.case.incident)
    trial.expect_unchanged()


async def _second_half(trial: Trial) -> None:
    """A training of the struck service ends during the fault."""
    # Where polls succeed during the fault, its own changes are announced first, and so each can be counted.
    await trial.struck(3)
    trial.api.set_training(trial.case.struck_service, "pop", "v1", "completed")
    await trial.struck(4)
    trial.expect_unchanged()
    state = trial.daemon.poller.cache.poll(ServiceRef("main", trial.case.struck_service).subject)
    trial.row.failures, trial.row.cause = state.failures, state.cause or ""
    if trial.case.fails and state.cause not in trial.case.causes:
        trial.row.problems.append(f"the cause is {state.cause}: {state.detail}")


async def _recovery(trial: Trial) -> None:
    """The fault ends: the changes during it are announced, and nothing else."""
    if trial.case.incident is not None:
        await trial.kind(Kind.RECOVERED)
    await trial.announced(trial.case.struck_service, sum(map(len, trial.case.announced.values())))
    for service, count in zip(trial.case.others, (2, 1, 1), strict=True):
        await trial.announced(service, count)
    await trial.asked(4)


def _note_lateness(trial: Trial) -> None:
    now = trial.api.monotonic()
    gaps = [longest_gap([*trial.api.listed(service), now]) for service in trial.case.others]
    trial.row.lateness_seconds = max(0.0, max(gaps) - INTERVAL_SECONDS)


def _check(trial: Trial, announced: list[EventHistory], life: DaemonRun) -> None:
    events = [item.event for item in announced]
    row = trial.row
    row.events = sum(event.incident is None for event in events)
    row.problems += _wrong_transitions(trial, events)
    row.problems += _wrong_incidents(trial, events)
    row.problems += _wrong_for_others(trial, announced, life)
    row.problems += _not_arrived_once(trial.hook, events)


def _wrong_transitions(trial: Trial, events: list[Event]) -> list[str]:
    case = trial.case
    moves = _transitions_of(case.struck_service, events)
    return (
        [] if moves == {version: list(chain) for version, chain in case.announced.items()} else [f"announced {moves}"]
    )


def _transitions_of(service: str, events: list[Event]) -> Transitions:
    moves: dict[str, list[Transition]] = {}
    for event in events:
        if event.service == service and event.incident is None:
            moves.setdefault(event.version or "", []).append((event.kind.value, event.from_status, event.to_status))
    return moves


def _wrong_incidents(trial: Trial, events: list[Event]) -> list[str]:
    incidents = [event for event in events if event.incident is not None]
    ended = [event for event in incidents if event.kind is Kind.RECOVERED]
    begun = [event for event in incidents if event.kind is not Kind.RECOVERED]
    trial.row.incidents, trial.row.recoveries = len(begun), len(ended)
    expected = [] if trial.case.incident is None else [(trial.case.incident, trial.case.struck_service)]
    found = [(event.kind, event.service) for event in begun]
    return [] if found == expected and len(ended) == len(begun) else [f"incidents {found}, ended {len(ended)}"]


def _wrong_for_others(trial: Trial, announced: list[EventHistory], life: DaemonRun) -> list[str]:
    """Compare the announcements about the other services with their real changes."""
    others = set(trial.case.others)
    of_others = [item for item in announced if item.event.service in others]
    shown = [answer for answer in trial.api.shown if answer.subject[0] in others]
    problems = violations(Evidence(shown=shown, runs=[life], announced=of_others, received={}))
    changes = [dated.change for dated in trial.api.history(trial.baseline_seconds)]
    true = Counter((c.service, c.version, c.previous, c.status) for c in changes if c.service in others)
    events = [item.event for item in of_others]
    if Counter((e.service, e.version, e.from_status, e.to_status) for e in events) != true:
        problems.append(f"announced of the others {events}, true is {true}")
    return problems if true.total() == CHANGES_OF_OTHERS else [*problems, f"the others changed {true}"]


def _not_arrived_once(hook: Inbox, events: list[Event]) -> list[str]:
    arrived = Counter(event["id"] for event in hook.events())
    return [] if arrived == Counter(event.id for event in events) else [f"{arrived} arrived of {len(events)} events"]


def _is_about(entry: Mapping[str, object], case: Case) -> bool:
    return f"/{case.name}-" in f"{entry.get('poll', '')}"


def is_program_error(entry: Mapping[str, object]) -> bool:
    """Say whether a log line is an error of the program itself."""
    return entry["log_level"] in {"error", "critical"} or entry["event"] == "poll.record_failed"


async def run_trials(
    cases: Sequence[Case], folder: Path, log: Sequence[Mapping[str, object]], at_once: int
) -> list[Row]:
    """Run the cases at the same time, each with its own API; repeat late ones alone."""
    slots = asyncio.Semaphore(at_once)

    async def run(case: Case) -> Row:
        async with slots:
            return await run_trial(case, _made(folder / case.name), log)

    rows = await asyncio.gather(*map(run, cases))
    return [await _settled(row, folder, log) for row in rows]


async def _settled(row: Row, folder: Path, log: Sequence[Mapping[str, object]]) -> Row:
    """Repeat a trial that was late and nothing else: a delay that the watcher causes comes back."""
    for number in range(REPEATS):
        if row.problems or not row.late:
            break
        row = await run_trial(row.case, _made(folder / f"{row.case.name}-alone-{number}"), log)
    return row


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder

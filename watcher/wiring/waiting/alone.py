"""Waits for a training without a daemon and without a store: polls with the daemon's own poller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta

from watcher.aitems.client import AitemsClient, ServicesResult
from watcher.config import Config, WatchSettings
from watcher.config.to_core import polls_of
from watcher.core.incidents.model import Thresholds
from watcher.core.polling.plan import Poll
from watcher.core.polling.result import Cause, PollFailure
from watcher.core.polling.schedule import Cadence, interval_after
from watcher.core.training.model import ServiceRef
from watcher.core.training.waiting import PERMANENT, PollProblem, WaitReport, WaitTarget
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.polling.poller import Poller
from watcher.pipeline.waiting.estimates import Estimates
from watcher.pipeline.waiting.waiter import Waiter
from watcher.pipeline.waiting.without_store import WithoutStore
from watcher.reports.runs.wait_request import WaitRequest, only_match, service_called
from watcher.scheduler import Scheduler
from watcher.wiring.accounts import make_api
from watcher.wiring.budget_waits import BudgetUse, saying_waits
from watcher.wiring.runtime import Runtime

OnReport = Callable[[WaitReport], None]
OnProblem = Callable[[PollProblem], None]


class ServiceNotFoundError(Exception):
    """No account has the service; the text has the remedy."""


class PollingInVainError(Exception):
    """AiTEMS refuses the list of services, and only a person can change that."""

    def __init__(self, problem: PollProblem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


async def wait_alone(  # noqa: PLR0913, PLR0917 - the parts of one wait
    config: Config,
    request: WaitRequest,
    process: Runtime,
    use: BudgetUse,
    report: OnReport,
    on_problem: OnProblem,
) -> WaitReport:
    """Poll until the training ends or cannot be polled; return the last report.

    Args:
        config: has the account, and perhaps a watch of the service with its intervals.
        request: names the training.
        process: the surroundings of the program.
        use: the budgets and the listener for waits.
        report: called with the progress.
        on_problem: called once while the list of services cannot be read, which has the names.

    Raises:
        SecretsError: keys cannot be read.
        HttpSetupError: a proxy or a certificate cannot be used.
        AmbiguousServiceError: several services have the name.
        ServiceNotFoundError: none has it.
        PollingInVainError: AiTEMS refuses the list of services permanently.
    """
    polls = polls_of(config)
    service = service_called(request, polls)
    names = _accounts(config, request) if service is None else [service.account]
    async with AsyncExitStack() as stack, saying_waits(use, process.clock):
        apis = {name: make_api(name, config.accounts[name], process, stack, use.budgets) for name in names}
        if service is None:
            service = await _service_in(apis, request, _default_cadence(), on_problem)
        target = WaitTarget(service=service, type=request.type, version=request.version, after=request.after)
        poll = Poll(service=service, training=target.training, cadence=_cadence(service, polls))
        async with _polling(poll, apis[service.account], process) as poller:
            waiter = Waiter(poller, Estimates(WithoutStore(), process.clock), process.clock)
            return await waiter.wait(target, report, was_in_progress=request.in_progress)


def _accounts(config: Config, request: WaitRequest) -> list[str]:
    """Return the accounts that may have the service."""
    if request.account is not None:
        return [request.account]
    named = request.service.partition("/")[0]
    return [named] if "/" in request.service and named in config.accounts else list(config.accounts)


@asynccontextmanager
async def _polling(poll: Poll, api: AitemsClient, process: Runtime) -> AsyncIterator[Poller]:
    clock = process.clock
    poller = Poller(
        [poll],
        {poll.service.account: api},
        WithoutStore(),
        clock,
        thresholds=Thresholds(),
        clock_trust=ClockTrust(clock),
        on_events=_nothing,
        on_caught_up=lambda _key: None,
    )
    await poller.start()
    scheduling = asyncio.create_task(Scheduler(poller, clock, on_step=_nothing).run())
    try:
        yield poller
    finally:
        scheduling.cancel()
        with suppress(asyncio.CancelledError):
            await scheduling
        await poller.stop(0.0)


def _nothing() -> None:
    """Take a report that nobody needs."""


def _cadence(service: ServiceRef, polls: Iterable[Poll]) -> Cadence:
    """Return the interval of the watches of a service; it does not grow while nothing is in progress."""
    own = [poll.cadence for poll in polls if poll.service == service]
    shortest = min(own, key=lambda cadence: cadence.interval, default=_default_cadence())
    longest = max(shortest.idle_interval, shortest.interval)
    return Cadence(interval=shortest.interval, idle_interval=shortest.interval, longest_after_failures=longest)


def _default_cadence() -> Cadence:
    return Cadence(interval=_default("interval"), idle_interval=_default("idle_interval"))


def _default(key: str) -> timedelta:
    value = WatchSettings.model_fields[key].default
    assert isinstance(value, timedelta)  # noqa: S101 - the settings say so
    return value


async def _service_in(
    apis: Mapping[str, AitemsClient], request: WaitRequest, cadence: Cadence, on_problem: OnProblem
) -> ServiceRef:
    """Return the service with this id or name in the accounts' lists of services."""
    names: dict[ServiceRef, list[str]] = {}
    for account, api in apis.items():
        listed = await _services_of(api, cadence, on_problem)
        if isinstance(listed, PollFailure):
            # A key that may not list services may still read one of them, by its id.
            names[ServiceRef(account, request.service.removeprefix(f"{account}/"))] = []
        else:
            names |= {item.ref: [item.name] if item.name else [] for item in listed.services}
    found = only_match(request, names)
    if found is None:
        where = f"there is no service {request.service!r} in account {', '.join(apis)}"
        raise ServiceNotFoundError(f"{where}; aitems-watcher discover lists the services")
    return found


async def _services_of(api: AitemsClient, cadence: Cadence, on_problem: OnProblem) -> ServicesResult | PollFailure:
    """Return the services of an account, or the refusal of a key that may not list them; retry other failures.

    Raises:
        PollingInVainError: only a person can remedy the failure.
    """
    failures, said = 0, None
    while True:
        listed = await api.services()
        if isinstance(listed, ServicesResult) or listed.cause is Cause.PERMISSION:
            return listed
        problem = PollProblem(cause=listed.cause, detail=listed.detail)
        if listed.cause in PERMANENT:
            raise PollingInVainError(problem)
        if listed.cause is not said:
            on_problem(problem)
        failures, said = failures + 1, listed.cause
        wait = max(interval_after(cadence, failures).total_seconds(), listed.retry_after_seconds or 0.0)
        await asyncio.sleep(wait)

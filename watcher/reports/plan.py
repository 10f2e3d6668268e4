"""The plan of a configuration for ``check``: requests and delays, receivers, routes, and warnings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from watcher.config import (
    AccountSettings,
    Config,
    LogSettings,
    ReceiverSettings,
    SecretRef,
    SlackSettings,
    SlackWebhookSettings,
    WatchSettings,
    WebhookSettings,
)
from watcher.core.delivery.state import OnUncertain
from watcher.core.duration import format_duration
from watcher.core.polling.capacity import Demand, delay_of, demand_of, new_service_delay, rounded_up
from watcher.core.polling.plan import Poll
from watcher.core.polling.schedule import Cadence
from watcher.core.routing.matcher import ALL_KINDS, Matcher
from watcher.core.routing.routes import Route
from watcher.core.training.model import TRAIN_TYPES, ServiceRef, TrainingRef
from watcher.core.updates.schedule import most_update_calls, update_interval
from watcher.reports.polls import call_text, saving_text, serves
from watcher.reports.route_warnings import route_warnings

MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPlan:
    """An account and its requests per minute.

    ``busy`` counts every watched training as in progress, ``idle`` none; ``allowed`` is the budget.
    """

    account: str
    base_url: str
    busy_per_minute: float
    idle_per_minute: float
    updates_per_minute: float
    """The most calls about interval services: where every service is one, with each type of training."""
    allowed_per_minute: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchPlan:
    """A watch, the call that serves it, and the delay until a change is detected."""

    watch: str
    account: str
    served_by: str
    interval: str
    idle_interval: str
    typical_delay: str
    """Until a change is detected while every training of the account is in progress."""
    worst_delay_in_progress: str
    worst_delay: str
    """The longest of all, at the idle interval."""
    new_service_delay: str
    """Until a new service is polled; empty for a watch of one service."""
    saves: str
    """The calls that a list call saves; empty for a view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverPlan:
    """A receiver, without its secrets."""

    receiver: str
    kind: str
    goes_to: str
    signed: bool | None
    """``None`` for a kind without signatures."""
    after_uncertain: str
    """The action after an uncertain attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePlan:
    """A route: the events that it matches, and their receivers."""

    route: int
    kinds: tuple[str, ...]
    only: str
    """The other conditions; empty if the kind is the only one."""
    to: tuple[str, ...]
    mention: tuple[str, ...]
    group_for: str
    continues: bool
    """Whether the routes after it are tried too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollPlan:
    """The plan of a configuration."""

    file: str
    accounts: Sequence[AccountPlan]
    watches: Sequence[WatchPlan]
    receivers: Sequence[ReceiverPlan]
    routes: Sequence[RoutePlan]
    warnings: Sequence[str]
    refusals: Sequence[str]
    """One line for each account whose budget is too small."""

    def as_json(self) -> dict[str, object]:
        """Return the plan for programs."""
        return asdict(self)


def plan_of(config: Config, polls: Sequence[Poll]) -> PollPlan:
    """Return the plan of a configuration and its planned polls."""
    accounts = [_account_plan(name, settings, polls) for name, settings in config.accounts.items()]
    receivers = [
        _receiver_plan(name, settings, config.delivery.on_uncertain) for name, settings in config.receivers.items()
    ]
    routes = [_route_plan(route) for route in config.routes]
    return PollPlan(
        file=str(config.path),
        accounts=accounts,
        watches=[_watch_plan(settings, polls, config) for settings in config.watches],
        receivers=receivers,
        routes=routes,
        warnings=[
            *_single_receiver_warning(config),
            *_updates_warnings(accounts),
            *_pattern_warnings(accounts, polls),
            *_receiver_warnings(receivers, routes),
            *route_warnings(config),
        ],
        refusals=over_budget(config, polls),
    )


def over_budget(config: Config, polls: Sequence[Poll]) -> list[str]:
    """Return a line for each account whose budget is too small: the need, the limit and the remedy."""
    demands = {name: _demand(name, settings, polls) for name, settings in config.accounts.items()}
    return [_refusal(name, demand) for name, demand in demands.items() if demand.exceeds]


def _demand(name: str, settings: AccountSettings, polls: Iterable[Poll]) -> Demand:
    intervals = (poll.cadence.interval for poll in polls if poll.service.account == name)
    return demand_of(intervals, settings.requests_per_second)


def _refusal(account: str, demand: Demand) -> str:
    # Rounded up to hundredths: the advised value has to be enough.
    enough = math.ceil(demand.needed_per_second * 100) / 100
    return (
        f"account {account}: with everything in progress it needs {_rounded(demand.needed_per_second):g} requests per "
        f"second, and {demand.allowed_per_second:g} are allowed; raise requests_per_second to {enough:g}, "
        f"or interval to {_duration(demand.cycle)}"
    )


def _duration(duration: timedelta) -> str:
    return format_duration(rounded_up(duration))


def _account_plan(name: str, settings: AccountSettings, polls: Iterable[Poll]) -> AccountPlan:
    own = [poll for poll in polls if poll.service.account == name]
    cadences = [poll.cadence for poll in own]
    return AccountPlan(
        account=name,
        base_url=settings.base_url,
        busy_per_minute=_rounded(sum(MINUTE / cadence.interval for cadence in cadences)),
        idle_per_minute=_rounded(sum(MINUTE / cadence.idle_interval for cadence in cadences)),
        updates_per_minute=_rounded(sum(_update_calls(poll) for poll in own)),
        allowed_per_minute=_rounded(60 * settings.requests_per_second),
    )


def _update_calls(poll: Poll) -> float:
    if not poll.asks_updates:
        return 0.0
    return _most_updates(poll.cadence)


def _most_updates(cadence: Cadence) -> float:
    every = update_interval(cadence.interval, cadence.idle_interval)
    return most_update_calls(every, len(TRAIN_TYPES), MINUTE)


def _rounded(number: float) -> float:
    return float(f"{number:.3g}")


def poll_of(watch: WatchSettings, polls: Iterable[Poll]) -> Poll:
    """Return the poll that serves a watch; one list call may serve several watches."""
    training = None
    if watch.type is not None and watch.version is not None:
        training = TrainingRef(watch.account, watch.service, watch.type, watch.version)
    service = ServiceRef(watch.account, watch.service)
    return next(poll for poll in polls if serves(poll, service, training))


def watch_text(watch: WatchSettings) -> str:
    """Name a watch by its name or service, and by its training if it has one."""
    name = watch.name or watch.service
    return name if watch.type is None else f"{name} {watch.type} {watch.version}"


def _watch_plan(watch: WatchSettings, polls: Sequence[Poll], config: Config) -> WatchPlan:
    poll = poll_of(watch, polls)
    account = config.accounts[watch.account]
    demand = _demand(watch.account, account, polls)
    delay = delay_of(poll.cadence, account.timeout, demand, by_list=poll.training is None)
    new_service = new_service_delay(poll.cadence, account.timeout, demand) if poll.discovers else None
    return WatchPlan(
        watch=watch_text(watch),
        account=watch.account,
        served_by=call_text(poll),
        interval=_interval_text(poll.cadence),
        idle_interval=format_duration(poll.cadence.idle_interval),
        typical_delay=_duration(delay.typical),
        worst_delay_in_progress=_duration(delay.in_progress),
        worst_delay=_duration(delay.worst),
        new_service_delay="" if new_service is None else _duration(new_service),
        saves=saving_text(poll),
    )


def _interval_text(cadence: Cadence) -> str:
    interval = format_duration(cadence.interval)
    return f"{interval} on average (auto)" if cadence.adapts else interval


def _receiver_plan(name: str, settings: ReceiverSettings, policy: OnUncertain) -> ReceiverPlan:
    return ReceiverPlan(
        receiver=name,
        kind=settings.kind,
        goes_to=_destination(settings),
        signed=settings.secret is not None if isinstance(settings, WebhookSettings) else None,
        after_uncertain=_after_uncertain(settings, policy),
    )


def _after_uncertain(settings: ReceiverSettings, policy: OnUncertain) -> str:
    match settings:
        case SlackSettings():
            return "looked up"
        case SlackWebhookSettings() if policy is OnUncertain.HOLD:
            return "held"
        case SlackWebhookSettings():
            return "sent again, marked"
        case _:
            return "sent again, same id"


def _destination(settings: ReceiverSettings) -> str:
    if isinstance(settings, LogSettings):
        return "standard output"
    if isinstance(settings, SlackSettings):
        return f"{urlsplit(settings.api_url).netloc}, channel {settings.channel}"
    if isinstance(settings.url, SecretRef):
        return f"the address in {settings.url}"
    # The path of a webhook URL is often a secret.
    parts = urlsplit(settings.url)
    return f"{parts.scheme}://{parts.netloc}/…"


def _route_plan(route: Route) -> RoutePlan:
    every = ALL_KINDS in (route.match.kinds or ())
    return RoutePlan(
        route=route.number,
        kinds=("every kind",) if every else tuple(sorted(map(str, route.match.matched_kinds))),
        only=only_text(route.match),
        to=route.to,
        mention=route.mentions,
        group_for="" if route.group_for is None else format_duration(route.group_for),
        continues=route.continues,
    )


def only_text(match: Matcher) -> str:
    """Write the conditions besides the kind, e.g. ``type pop or relatedItem, labels.env prod``."""
    return ", ".join(f"{key} {' or '.join(patterns)}" for key, patterns in match.patterns.items())


def _single_receiver_warning(config: Config) -> Iterator[str]:
    if len(config.receivers) == 1 and config.heartbeat.url is None:
        (name,) = config.receivers
        yield f"receiver {name} is the only one: if it fails, nobody is notified; add another, or a [heartbeat]"


def _updates_warnings(accounts: Iterable[AccountPlan]) -> Iterator[str]:
    for plan in accounts:
        needed = plan.busy_per_minute + plan.updates_per_minute
        if plan.busy_per_minute <= plan.allowed_per_minute < needed:
            yield (
                f"account {plan.account}: with everything in progress, the updates of interval services may need "
                f"{_rounded(needed):g} requests per minute in all, and {plan.allowed_per_minute:g} are allowed; polls "
                "come later then; raise requests_per_second, or set updates = false"
            )


def _pattern_warnings(accounts: Iterable[AccountPlan], polls: Iterable[Poll]) -> Iterator[str]:
    """Yield what the services of a pattern need besides: only AiTEMS knows how many there are."""
    found = {poll.service.account: poll for poll in polls if poll.discovers}
    for plan in accounts:
        if (poll := found.get(plan.account)) is None:
            continue
        each = MINUTE / poll.cadence.interval
        updates = _most_updates(poll.cadence) if _a_pattern_asks_updates(poll) else 0.0
        enough_for = max(0, math.floor((plan.allowed_per_minute - plan.busy_per_minute) / (each + updates)))
        for_updates = f", and up to {_rounded(updates):g} for updates" if updates else ""
        yield (
            f"account {plan.account}: each service of a pattern adds up to {_rounded(each):g} requests per minute"
            f"{for_updates}; {plan.allowed_per_minute:g} are enough for {enough_for} services; with more, polls come "
            "later"
        )


def _a_pattern_asks_updates(poll: Poll) -> bool:
    asked = [pattern.attributes.updates is not False for pattern in poll.patterns]
    return any(asked) if asked else poll.attributes.updates is not False


def _receiver_warnings(receivers: Sequence[ReceiverPlan], routes: Iterable[RoutePlan]) -> Iterator[str]:
    named = {name for route in routes for name in route.to}
    for receiver in receivers:
        if receiver.signed is False:
            yield f"receiver {receiver.receiver} is unsigned: anybody could forge its messages; give it a secret"
        if receiver.receiver not in named:
            yield f"receiver {receiver.receiver} is in no route: it is never notified"

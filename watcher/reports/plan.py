"""What a configuration comes to: what is asked how often, who is told what, and what gives pause. Pure."""

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
    format_duration,
)
from watcher.core.delivery.model import OnUncertain
from watcher.core.polling.capacity import Demand, delay_of, demand_of, rounded_up
from watcher.core.polling.plan import Poll
from watcher.core.routing.matcher import ALL_KINDS, Matcher
from watcher.core.routing.routes import Route
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.reports.polls import call_text, saving_text, serves
from watcher.reports.route_warnings import route_warnings

MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPlan:
    """An account and its requests a minute: with everything in progress, with nothing, and at most."""

    account: str
    base_url: str
    busy_per_minute: float
    idle_per_minute: float
    allowed_per_minute: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchPlan:
    """A watch and the look that serves it, and how late it sees a change."""

    watch: str
    account: str
    served_by: str
    interval: str
    idle_interval: str
    typical_delay: str
    """Until a change is seen, with everything of the account in progress."""
    worst_delay: str
    saves: str
    """What a list call saves; empty for a view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverPlan:
    """A receiver, without its secrets."""

    receiver: str
    kind: str
    goes_to: str
    signed: bool | None
    """``None`` where its kind knows no signature."""
    in_doubt: str
    """What is done after an attempt whose outcome is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePlan:
    """A route: which events go to whom, and how."""

    route: int
    kinds: tuple[str, ...]
    only: str
    """What else an event must be; empty where the kind is enough."""
    to: tuple[str, ...]
    mention: tuple[str, ...]
    group_for: str
    continues: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PollPlan:
    """A whole configuration, as ``check`` shows it."""

    file: str
    accounts: Sequence[AccountPlan]
    watches: Sequence[WatchPlan]
    receivers: Sequence[ReceiverPlan]
    routes: Sequence[RoutePlan]
    warnings: Sequence[str]
    refusals: Sequence[str]
    """Why the plan cannot be kept, one line an account."""

    def as_json(self) -> dict[str, object]:
        """Return it for programs."""
        return asdict(self)


def plan_of(config: Config, polls: Sequence[Poll]) -> PollPlan:
    """Say what a configuration comes to."""
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
        warnings=[*_lonely(config), *_receiver_warnings(receivers, routes), *route_warnings(config)],
        refusals=over_budget(config, polls),
    )


def over_budget(config: Config, polls: Sequence[Poll]) -> list[str]:
    """Say for each account whose budget is not enough what is needed, what is allowed, and what to do."""
    demands = {name: _demand(name, settings, polls) for name, settings in config.accounts.items()}
    return [_refusal(name, demand) for name, demand in demands.items() if demand.exceeds]


def _demand(name: str, settings: AccountSettings, polls: Iterable[Poll]) -> Demand:
    intervals = (poll.cadence.interval for poll in polls if poll.service.account == name)
    return demand_of(intervals, settings.requests_per_second)


def _refusal(account: str, demand: Demand) -> str:
    # Cents of a request, rounded up: what is advised has to be enough.
    enough = math.ceil(demand.needed_per_second * 100) / 100
    return (
        f"account {account}: with everything in progress {_rounded(demand.needed_per_second):g} requests a second are "
        f"needed and {demand.allowed_per_second:g} are allowed; raise requests_per_second to {enough:g}, "
        f"or interval to {_duration(demand.cycle)}"
    )


def _duration(duration: timedelta) -> str:
    return format_duration(rounded_up(duration))


def _account_plan(name: str, settings: AccountSettings, polls: Iterable[Poll]) -> AccountPlan:
    cadences = [poll.cadence for poll in polls if poll.service.account == name]
    return AccountPlan(
        account=name,
        base_url=settings.base_url,
        busy_per_minute=_rounded(sum(MINUTE / cadence.interval for cadence in cadences)),
        idle_per_minute=_rounded(sum(MINUTE / cadence.idle_interval for cadence in cadences)),
        allowed_per_minute=_rounded(60 * settings.requests_per_second),
    )


def _rounded(number: float) -> float:
    return float(f"{number:.3g}")


def poll_of(watch: WatchSettings, polls: Iterable[Poll]) -> Poll:
    """Return the look that serves a watch; one list call may serve several."""
    training = None
    if watch.type is not None and watch.version is not None:
        training = TrainingRef(watch.account, watch.service, watch.type, watch.version)
    service = ServiceRef(watch.account, watch.service)
    return next(poll for poll in polls if serves(poll, service, training))


def watch_text(watch: WatchSettings) -> str:
    """Name a watch: by its name or service, and by the training where it is one."""
    name = watch.name or watch.service
    return name if watch.type is None else f"{name} {watch.type} {watch.version}"


def _watch_plan(watch: WatchSettings, polls: Sequence[Poll], config: Config) -> WatchPlan:
    poll = poll_of(watch, polls)
    account = config.accounts[watch.account]
    demand = _demand(watch.account, account, polls)
    delay = delay_of(poll.cadence.interval, account.timeout, demand, by_list=poll.training is None)
    return WatchPlan(
        watch=watch_text(watch),
        account=watch.account,
        served_by=call_text(poll),
        interval=format_duration(poll.cadence.interval),
        idle_interval=format_duration(poll.cadence.idle_interval),
        typical_delay=_duration(delay.typical),
        worst_delay=_duration(delay.worst),
        saves=saving_text(poll),
    )


def _receiver_plan(name: str, settings: ReceiverSettings, policy: OnUncertain) -> ReceiverPlan:
    return ReceiverPlan(
        receiver=name,
        kind=settings.kind,
        goes_to=_target(settings),
        signed=settings.secret is not None if isinstance(settings, WebhookSettings) else None,
        in_doubt=_in_doubt(settings, policy),
    )


def _in_doubt(settings: ReceiverSettings, policy: OnUncertain) -> str:
    match settings:
        case SlackSettings():
            return "looked up"
        case SlackWebhookSettings() if policy is OnUncertain.HOLD:
            return "held"
        case SlackWebhookSettings():
            return "sent again, says so"
        case _:
            return "sent again, same id"


def _target(settings: ReceiverSettings) -> str:
    if isinstance(settings, LogSettings):
        return "standard output"
    if isinstance(settings, SlackSettings):
        return f"{urlsplit(settings.api_url).netloc}, channel {settings.channel}"
    if isinstance(settings.url, SecretRef):
        return f"the address in {settings.url}"
    # The path of a webhook is often as good as a password.
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
    """Write what an event must be besides its kind, e.g. ``type pop or relatedItem, labels.env prod``."""
    return ", ".join(f"{key} {' or '.join(words)}" for key, words in match.patterns.items())


def _lonely(config: Config) -> Iterator[str]:
    if len(config.receivers) == 1 and config.heartbeat.url is None:
        (name,) = config.receivers
        yield f"receiver {name} is the only one: if it fails, nobody is told; add a second, or a [heartbeat]"


def _receiver_warnings(receivers: Sequence[ReceiverPlan], routes: Iterable[RoutePlan]) -> Iterator[str]:
    named = {name for route in routes for name in route.to}
    for receiver in receivers:
        if receiver.signed is False:
            yield f"receiver {receiver.receiver} is unsigned: what it gets could come from anybody; give it a secret"
        if receiver.receiver not in named:
            yield f"receiver {receiver.receiver} is named by no route: it is never told"

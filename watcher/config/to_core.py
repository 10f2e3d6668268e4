"""Translate the settings into the values of the core: polls, routes, policy, thresholds."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from watcher.config.models.settings import Config, WatchSettings
from watcher.core.incidents.model import Thresholds
from watcher.core.polling.plan import Poll, Watch, plan_polls
from watcher.core.polling.schedule import Cadence
from watcher.core.routing.routes import Routes
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.core.training.overdue import RetrainingRules

if TYPE_CHECKING:
    from watcher.core.delivery.model import Policy


AUTO_INTERVAL: Final = timedelta(seconds=30)
"""``interval = "auto"`` takes as many requests as this interval."""


def policy_of(config: Config) -> Policy:
    """Return the retry policy of deliveries."""
    from watcher.core.delivery.model import Policy  # noqa: PLC0415 - a report needs the polls alone

    delivery = config.delivery
    return Policy(
        first_retry=delivery.first_retry,
        max_retry=delivery.max_retry,
        give_up_after=delivery.give_up_after,
        failing_after=delivery.failing_after,
        on_uncertain=delivery.on_uncertain,
    )


def thresholds_of(config: Config) -> Thresholds:
    """Return the thresholds that open and close an incident."""
    incident = config.incident
    return Thresholds(failures=incident.after_failures, after=incident.after, good_polls=incident.recover_after)


def routes_of(config: Config) -> Routes:
    """Return the routes from events to receivers."""
    fallbacks = {name: item.fallback for name, item in config.receivers.items() if item.fallback is not None}
    return Routes(routes=config.routes, flap_limit=config.delivery.flap_limit, fallbacks=fallbacks)


def polls_of(config: Config) -> tuple[Poll, ...]:
    """Return the polls that cover the configured watches."""
    return _plans.of(config).polls


def polls_for(config: Config, service: ServiceRef) -> tuple[Poll, ...]:
    """Return the polls of one service, and those that may discover it."""
    plan = _plans.of(config)
    return (*plan.by_service.get(service, ()), *plan.discovering)


class _Plan:
    """The polls of a configuration, by service too."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.polls = plan_polls(map(_watch, config.watches))
        self.discovering = tuple(poll for poll in self.polls if poll.discovers)
        self.by_service: dict[ServiceRef, list[Poll]] = {}
        for poll in self.polls:
            if not poll.discovers:
                self.by_service.setdefault(poll.service, []).append(poll)


class _Plans:
    """Plans the polls of a configuration once: each page of ten thousand watches would plan them anew."""

    def __init__(self) -> None:
        self._latest: _Plan | None = None

    def of(self, config: Config) -> _Plan:
        # One read: pages are read in threads, beside a reload.
        latest = self._latest
        if latest is None or latest.config is not config:
            latest = self._latest = _Plan(config)
        return latest


_plans: Final = _Plans()


def _watch(settings: WatchSettings) -> Watch:
    service = ServiceRef(settings.account, settings.service)
    training = None
    if settings.type is not None and settings.version is not None:
        training = TrainingRef(settings.account, settings.service, settings.type, settings.version)
    return Watch(
        service=service,
        training=training,
        name=settings.name,
        labels=settings.labels,
        links=settings.links,
        stuck_rules=settings.stuck_after,
        retraining_rules=RetrainingRules(
            expect_every=settings.expect_every or {}, stale_after=settings.stale_after or {}
        ),
        updates=settings.updates,
        cadence=_cadence(settings),
    )


def _cadence(settings: WatchSettings) -> Cadence:
    if isinstance(settings.interval, timedelta):
        return Cadence(interval=settings.interval, idle_interval=settings.idle_interval)
    return Cadence(interval=AUTO_INTERVAL, idle_interval=max(settings.idle_interval, AUTO_INTERVAL), adapts=True)

"""Report each call of an account to the observer."""

from __future__ import annotations

from typing import Protocol

from watcher.core.observer import Observer
from watcher.core.polling.result import PollFailure, PollOutcome
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.core.updates.result import ScheduleResult, UpdateList
from watcher.pipeline.ports import Api, ServiceApi, ServicesResult


class _WholeApi(Api, ServiceApi, Protocol):
    """Every call of an account."""


class ObservedApi:
    """Calls the API of an account and reports each outcome."""

    def __init__(self, account: str, api: _WholeApi, observer: Observer) -> None:
        self._account = account
        self._api = api
        self._observer = observer

    async def view(self, ref: TrainingRef, *, first: bool = False) -> PollOutcome:
        """Ask for one training."""
        outcome = await self._api.view(ref, first=first)
        self._note("view", outcome)
        return outcome

    async def list(self, service: ServiceRef) -> PollOutcome:
        """Ask for all trainings of a service."""
        outcome = await self._api.list(service)
        self._note("list", outcome)
        return outcome

    async def services(self, *, first: bool = False) -> ServicesResult | PollFailure:
        """Ask which services the account has."""
        found = await self._api.services(first=first)
        self._note("services", found)
        return found

    async def schedule(self, ref: ServiceRef) -> ScheduleResult | PollFailure:
        """Ask for the schedule of a service."""
        outcome = await self._api.schedule(ref)
        self._note("service", outcome)
        return outcome

    async def updates(self, ref: TrainingRef) -> UpdateList | PollFailure:
        """Ask for the updates of a version."""
        outcome = await self._api.updates(ref)
        self._note("updates", outcome)
        return outcome

    def _note(self, call: str, answer: PollOutcome | ServicesResult | ScheduleResult | UpdateList) -> None:
        self._observer.asked(self._account, call, answer.cause if isinstance(answer, PollFailure) else "seen")

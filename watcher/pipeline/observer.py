"""The observer that stages have where nobody counts: tests, and commands that end by themselves."""

from __future__ import annotations

from typing import Final, final

from watcher.core.delivery.model import Verdict
from watcher.core.event import Event
from watcher.core.polling.result import PollFailure, PollOutcome
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.pipeline.ports import Api, Observer, ServicesResult


@final
class Unobserved:
    """Takes every report and keeps none."""

    def progressed(self, loop: str, within_seconds: float) -> None:
        """See ``Observer``."""

    def ended(self, loop: str) -> None:
        """See ``Observer``."""

    def poll_started(self, late_seconds: float) -> None:
        """See ``Observer``."""

    def asked(self, account: str, call: str, outcome: str) -> None:
        """See ``Observer``."""

    def routed(self, event: Event) -> None:
        """See ``Observer``."""

    def settled(self, receiver: str, verdict: Verdict) -> None:
        """See ``Observer``."""


UNOBSERVED: Final = Unobserved()


class ObservedApi:
    """Reports what comes of each call of an account."""

    def __init__(self, account: str, api: Api, observer: Observer) -> None:
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

    async def services(self) -> ServicesResult | PollFailure:
        """Ask which services the account has."""
        found = await self._api.services()
        self._note("services", found)
        return found

    def _note(self, call: str, answer: PollOutcome | ServicesResult) -> None:
        self._observer.asked(self._account, call, answer.cause if isinstance(answer, PollFailure) else "seen")

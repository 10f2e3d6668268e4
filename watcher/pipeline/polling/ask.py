"""The calls of polls: a list, a view, or views in place of a refused list."""

from __future__ import annotations

from typing import Final

import structlog

from watcher.core.polling.plan import Poll
from watcher.core.polling.result import Cause, PollFailure, PollOutcome, PollResult, join_results
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.pipeline.polling.corroborate import Corroborator, ListSays, failed_list_says
from watcher.pipeline.ports import Api, Clock, ServicesResult

log = structlog.get_logger()

LIST_REFUSALS: Final = frozenset({Cause.PERMISSION, Cause.REFUSED, Cause.NOT_FOUND})
"""Causes for which a list call fails while view calls may succeed."""
MISSING: Final = frozenset({404, 410})
VIEWS_INSTEAD_SECONDS: Final = 3600.0
"""The time after which a refused list is called again."""


class Caller:
    """Makes the calls of polls, corroborates each 404, and remembers which joined lists AiTEMS refuses."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._corroborator = Corroborator(clock)
        self._views_until: dict[str, float] = {}
        """By poll key, in monotonic seconds."""

    async def call(self, poll: Poll, api: Api) -> PollOutcome:
        """Make the call of a poll; single views replace an unreadable joined list, and a refused one for an hour."""
        if poll.training is not None:
            return await self.view(poll.training, api)
        if poll.whole_service:
            return await self.list(poll.service, api)
        if self._views_until.get(poll.key, 0.0) > self._clock.monotonic():
            return await self._view_each(poll, api)
        return await self._joined(poll, api)

    async def _joined(self, poll: Poll, api: Api) -> PollOutcome:
        outcome = await self.list(poll.service, api)
        if isinstance(outcome, PollResult):
            return outcome
        if outcome.cause is Cause.BAD_ANSWER:
            # The list may be too large to be read, and the next one may be readable again.
            return await self._view_each(poll, api, outcome)
        if outcome.cause not in LIST_REFUSALS:
            return outcome
        return await self._views_instead(poll, outcome, api)

    async def view(
        self, ref: TrainingRef, api: Api, *, first: bool = False, listed: ListSays | None = None
    ) -> PollOutcome:
        """View one training.

        Args:
            ref: the training.
            api: the account's.
            first: whether the view goes before scheduled polls.
            listed: the evidence of the service's list, for a 404; ``None`` to call for the list then.
        """
        started = self._clock.monotonic()
        return await self._checked(await api.view(ref, first=first), ref, started, api, listed)

    async def list(self, service: ServiceRef, api: Api) -> PollOutcome:
        """List the trainings of a service."""
        started = self._clock.monotonic()
        return await self._checked(await api.list(service), service, started, api)

    async def services(self, account: str, api: Api) -> ServicesResult | PollFailure:
        """List the services of an account."""
        outcome = await api.services()
        self._corroborator.note_services(account, outcome)
        return outcome

    async def _checked(
        self,
        outcome: PollOutcome,
        subject: ServiceRef | TrainingRef,
        started: float,
        api: Api,
        listed: ListSays | None = None,
    ) -> PollOutcome:
        if isinstance(outcome, PollFailure):
            return await self._corroborator.checked(outcome, subject, started, api, listed)
        self._corroborator.note_answer(subject)
        return outcome

    async def _views_instead(self, poll: Poll, refusal: PollFailure, api: Api) -> PollOutcome:
        outcome = await self._view_each(poll, api, refusal)
        if isinstance(outcome, PollResult):
            # Only where views succeed: a gateway that refuses everything says nothing about the list.
            log.warning("poll.list_refused", poll=poll.key, cause=refusal.cause, detail=refusal.detail, instead="views")
            self._views_until[poll.key] = self._clock.monotonic() + VIEWS_INSTEAD_SECONDS
        elif outcome.cause is Cause.NOT_FOUND and refusal.http_status in MISSING:
            # All of the service answers 404: the list of services knows whether it exists.
            return refusal
        return outcome

    async def _view_each(self, poll: Poll, api: Api, refusal: PollFailure | None = None) -> PollOutcome:
        """View each training of a joined list; the results that arrive count as one, with the failures beside it."""
        listed = None if refusal is None else failed_list_says(refusal)
        outcomes = {ref: await self.view(ref, api, listed=listed) for ref in poll.single}
        results = [outcome for outcome in outcomes.values() if isinstance(outcome, PollResult)]
        failures = {ref: outcome for ref, outcome in outcomes.items() if isinstance(outcome, PollFailure)}
        return join_results(results, failures) if results else next(iter(failures.values()))

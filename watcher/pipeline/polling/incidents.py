"""Keeps the outlook of each account: which failed looks make an incident, and what is told about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, unquote

from watcher.core.batch import Trouble
from watcher.core.event import Event
from watcher.core.incidents.events import Scope, describe, named
from watcher.core.incidents.tracker import Failure, Incident, Outlook, Streak, Thresholds, Turn, TurnKind
from watcher.core.polling.plan import Look
from watcher.core.polling.result import Cause, LookState, Unseen
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.pipeline.clock_trust import ClockDoubt
from watcher.pipeline.polling.cache import Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """What a look's outcome means for incidents: rows to write, and what to take over once they are written."""

    turns: tuple[Turn, ...] = ()
    events: tuple[Event, ...] = ()
    troubles: tuple[Trouble, ...] = ()

    def __add__(self, other: Consequence) -> Consequence:
        return Consequence(
            turns=self.turns + other.turns,
            events=self.events + other.events,
            troubles=self.troubles + other.troubles,
        )


MAX_SKEW_SECONDS: Final = 60.0
"""A ``Date`` has whole seconds and ages on its way; the gateway refuses a signature from five minutes on."""


def clock_subject(account: str) -> str:
    """Return the key of an account's clock in the store; it is seen apart from the account itself."""
    return f"clock:{quote(account, safe='')}"


class Lookout:
    """All accounts; the caller lets one account's looks be judged one after the other."""

    def __init__(self, memory: Memory, thresholds: Thresholds, doubt: ClockDoubt) -> None:
        self._doubt = doubt
        self._memory = memory
        self._thresholds = thresholds
        self._outlooks: dict[str, Outlook] = {}
        self._clocks: dict[str, Outlook] = {}
        """One more outlook an account, on whether its clock and ours agree."""
        self._services: dict[str, set[ServiceRef]] = {}
        self._discovering: set[str] = set()
        self._scopes: dict[str, Scope] = {}

    def start(self, looks: Iterable[Look]) -> None:
        """Take up what was counted and open before the start."""
        for look in looks:
            self.watch(look)
        for incident in self._memory.open_incidents():
            account = _account_of(incident.subject)
            if account in self._outlooks:
                self._outlook_of(account, incident).apply([Turn(kind=TurnKind.NOTED, incident=incident)])

    def take_over(self, looks: Iterable[Look], thresholds: Thresholds) -> None:
        """Begin anew with another plan, as a restart would: what counts is in the memory."""
        self._thresholds = thresholds
        self._discovering.clear()
        for known in (self._outlooks, self._clocks, self._services, self._scopes):
            known.clear()
        self.start(looks)

    def watch(self, look: Look) -> None:
        """Know a look's account, service and naming; take up its streak of failures."""
        account = look.service.account
        outlook = self._outlooks.setdefault(account, Outlook(account, self._thresholds))
        self._clocks.setdefault(account, Outlook(account, replace(self._thresholds, account_after=timedelta.max)))
        if look.discovers:
            self._discovering.add(account)
        else:
            self._services.setdefault(account, set()).add(look.service)
        self._scopes.setdefault(outlook.subject, Scope(account=account))
        self._know(look)
        state = self._memory.look(look.key)
        outlook.remember_good(state.good_answered_at)
        if self._is_dark(look, state) and state.cause is not None and state.failed_since is not None:
            streak = Streak(
                failures=state.failures, since=state.failed_since, cause=state.cause, detail=state.detail or ""
            )
            outlook.remember(self.subject_of(look), streak)

    def _is_dark(self, look: Look, state: LookState) -> bool:
        """Say whether what failed shows nothing: that a training which was found is no more is an answer."""
        is_gone = look.training is not None and self._memory.training(look.training) is not None
        return state.failures > 0 and not (is_gone and state.cause is Cause.NOT_FOUND)

    def _know(self, look: Look) -> None:
        naming = look.naming
        of_service = Scope(
            account=look.service.account, service=look.service, service_name=naming.name, labels=naming.labels
        )
        self._scopes[look.service.subject] = of_service
        self._scopes[look.key] = Scope(account=look.service.account) if look.discovers else of_service
        for ref in (*look.single, *((look.training,) if look.training else ())):
            own = look.naming_of(ref)
            self._scopes[ref.watch_subject] = Scope(
                account=ref.account, service=look.service, training=ref, service_name=own.name, labels=own.labels
            )

    def subject_of(self, look: Look) -> str:
        """Return what a failed look is counted for: its service, or a training that was never found."""
        if look.discovers:
            return look.key
        if look.training is not None and self._memory.training(look.training) is None:
            return look.training.watch_subject
        return look.service.subject

    def incident_over(self, look: Look) -> Incident | None:
        """Return the open incident that explains why this look shows nothing."""
        outlook = self._outlooks.get(look.service.account)
        # A look that was under way when its account was taken out of the configuration has none.
        return None if outlook is None else outlook.incident_over(self.subject_of(look))

    def failed(self, look: Look, unseen: Unseen, now: datetime) -> Consequence:
        """Judge a failed look."""
        account = look.service.account
        failure = Failure(
            subject=self.subject_of(look),
            cause=unseen.cause,
            detail=unseen.detail,
            asked_at=unseen.asked_at,
            ended_at=unseen.ended_at,
        )
        last_good_at = self._memory.look(look.key).good_asked_at
        watched = len(self._services.get(account, ()))
        return self._consequence(account, self._outlooks[account].failed(failure, last_good_at, watched, now), now)

    def missed(self, look: Look, now: datetime) -> Consequence:
        """Judge the answer that there is no such training (any more), which is as good as another."""
        account = look.service.account
        return self._consequence(account, self._outlooks[account].succeeded([self.subject_of(look)], now), now)

    def orphans(self) -> tuple[Trouble, ...]:
        """Close, without a word, the incidents of what is no longer watched; return the rows to write."""
        closed = []
        for incident in self._memory.open_incidents():
            if not self._is_watched(incident):
                self._forget(incident)
                seq = self._memory.trouble(incident.subject).seq
                closed.append(Trouble(subject=incident.subject, seq=seq, incident=None))
        return tuple(closed)

    def _is_watched(self, incident: Incident) -> bool:
        account = _account_of(incident.subject)
        if account not in self._outlooks:
            return False
        # The services that a look for every service finds are known only once it has looked.
        return account in self._discovering or incident.subject in {*self._scopes, clock_subject(account)}

    def _forget(self, incident: Incident) -> None:
        account = _account_of(incident.subject)
        if account in self._outlooks:
            turn = Turn(kind=TurnKind.ABSORBED, incident=incident, told=False)
            self._outlook_of(account, incident).apply([turn])

    def succeeded(self, look: Look, shown: Iterable[TrainingRef], now: datetime) -> Consequence:
        """Judge a look that was answered; ``shown`` are the trainings that it found."""
        account = look.service.account
        subjects = (
            [self.subject_of(look)] if look.training is None else [look.training.watch_subject, look.service.subject]
        )
        outlook = self._outlooks[account]
        if outlook.incidents:
            subjects += [ref.watch_subject for ref in shown if ref.watch_subject not in subjects]
        turns = outlook.succeeded(subjects, now)
        return self._consequence(account, turns, now)

    def dated(self, look: Look, server_date: datetime | None, now: datetime) -> Consequence:
        """Judge the server's ``Date`` beside our clock, of an answer that came just now."""
        account = look.service.account
        clocks, subject = self._clocks[account], clock_subject(account)
        if server_date is None:
            self._doubt.undated()
            return Consequence()
        skew = (server_date - now).total_seconds()
        if abs(skew) <= MAX_SKEW_SECONDS:
            self._doubt.end()
            return self._consequence(account, clocks.succeeded([subject], now), now)
        detail = f"the server's clock is {skew:+.0f} s from ours"
        failure = Failure(subject=subject, cause=Cause.CLOCK, detail=detail, asked_at=now, ended_at=now)
        return self._consequence(account, clocks.failed(failure, None, 1, now), now)

    def apply(self, look: Look, consequence: Consequence) -> None:
        """Take over what was written."""
        for turn in consequence.turns:
            self._outlook_of(look.service.account, turn.incident).apply([turn])

    def _outlook_of(self, account: str, incident: Incident) -> Outlook:
        return (self._clocks if incident.subject == clock_subject(account) else self._outlooks)[account]

    def _consequence(self, account: str, turns: Sequence[Turn], now: datetime) -> Consequence:
        kept, events, troubles = [], [], []
        for turn in turns:
            subject = turn.incident.subject
            seq = self._memory.trouble(subject).seq + turn.told
            turn = named(turn, self._memory.epoch, seq)  # noqa: PLW2901 - the same turn, with its name
            open_still = turn.kind not in {TurnKind.CLOSED, TurnKind.ABSORBED}
            troubles.append(Trouble(subject=subject, seq=seq, incident=turn.incident if open_still else None))
            if turn.told:
                scope = self._scopes.get(subject, Scope(account=account))
                events.append(describe(turn, scope, self._memory.epoch, seq, now))
            kept.append(turn)
        return Consequence(turns=tuple(kept), events=tuple(events), troubles=tuple(troubles))


def _account_of(subject: str) -> str:
    return unquote(subject.partition(":")[2].partition("/")[0])

"""A wait for the end of one training: which version it means, when it has ended, and when polling is in vain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from watcher.core.polling.result import Cause, PollState
from watcher.core.timestamps import read_date
from watcher.core.training.comparison import EndFacts, UsualFacts
from watcher.core.training.model import NOT_ENDED, Phase, ServiceRef, Snapshot, TrainingRef, phase_of

PERMANENT: Final = frozenset({Cause.KEY, Cause.PERMISSION, Cause.NOT_FOUND})
"""The causes that only a person can remedy."""
FAILURES_OF_KNOWN: Final = 3
"""Failed polls in a row with such a cause that end a wait, where AiTEMS has answered before."""
ANSWERS_WITHOUT: Final = 2
"""Answers without the named version that end a wait: a replica of AiTEMS may not have a new one yet."""


class WaitOutcome(StrEnum):
    """How a wait ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"
    """The training was in progress, and is ``ready`` again without an end."""
    GONE = "gone"
    """AiTEMS does not have the training any more."""
    TIMED_OUT = "timed-out"
    NOT_FOUND = "not-found"
    """AiTEMS does not have the named version, or that of ``after``."""
    CANNOT_POLL = "cannot-poll"
    NOT_WATCHED = "not-watched"
    """Nothing polls the training, or nothing polls it any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitTarget:
    """The training that a wait is for."""

    service: ServiceRef
    type: str
    version: str | None = None
    """``None`` stands for the latest one."""
    after: str | None = None
    """With it, the first version that is newer than this one."""

    @property
    def training(self) -> TrainingRef | None:
        """The training of a named version."""
        if self.version is None:
            return None
        return TrainingRef(self.service.account, self.service.service, self.type, self.version)


def chosen(target: WaitTarget, known: Mapping[TrainingRef, Snapshot]) -> Snapshot | None:
    """Return the training that a target means; ``None`` while there is none."""
    if target.training is not None:
        return known.get(target.training)
    versions = [item for item in known.values() if item.ref.type == target.type]
    if target.after is None:
        return max((item for item in versions if not item.gone), key=_age_key, default=None)
    before = _version(target.after, versions)
    if before is None:
        return None
    newer = [item for item in versions if not item.gone and _age_key(item) > _age_key(before)]
    return min(newer, key=_age_key, default=None)


def _version(version: str, snapshots: Iterable[Snapshot]) -> Snapshot | None:
    return next((item for item in snapshots if item.ref.version == version), None)


def _age_key(snapshot: Snapshot) -> tuple[datetime, datetime]:
    # ``createdDate`` names no zone. All are read in the same one, which keeps their order.
    return read_date(snapshot.record.get("createdDate"), UTC) or snapshot.first_seen_at, snapshot.first_seen_at


@dataclass(frozen=True, slots=True, kw_only=True)
class PollProblem:
    """The reason why the training cannot be polled at present."""

    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitProgress:
    """The state of a wait after the polls so far."""

    target: WaitTarget
    began_at: datetime
    """A poll that started earlier ends no wait: the training may have been started again since."""
    training: Snapshot | None = None
    was_in_progress: bool = False
    """Whether the training was in progress since the begin."""
    answered_at: datetime | None = None
    """The start of the latest good poll since the begin."""
    answers_without: int = 0
    """Good polls since the begin that lacked the named version."""
    problem: PollProblem | None = None
    outcome: WaitOutcome | None = None

    def after_poll(self, known: Mapping[TrainingRef, Snapshot], state: PollState) -> WaitProgress:
        """Return the progress after a poll; the same while it brought nothing new.

        Args:
            known: the recorded trainings that the poll is about.
            state: the recorded state of the poll.
        """
        training = chosen(self._pinned(), known)
        is_newer = _is_fresh(state, self.began_at) and state.good_asked_at != self.answered_at
        lacks = is_newer and self._lacks_named(training, known)
        now = replace(
            self,
            training=training,
            was_in_progress=self.was_in_progress or (training is not None and _is_in_progress(training)),
            answered_at=state.good_asked_at if is_newer else self.answered_at,
            answers_without=self.answers_without + lacks,
            problem=_problem(state),
        )
        return replace(now, outcome=now.end(state))

    def _pinned(self) -> WaitTarget:
        """Return the target with the version that was chosen first; later ones do not replace it.

        A version from before the begin may not be the latest any more.
        """
        if self.training is None or self.answered_at is None:
            return self.target
        return replace(self.target, version=self.training.ref.version)

    def _lacks_named(self, training: Snapshot | None, known: Mapping[TrainingRef, Snapshot]) -> bool:
        if self.target.version is not None:
            return training is None
        if self.target.after is None:
            return False
        return (
            _version(self.target.after, (item for item in known.values() if item.ref.type == self.target.type)) is None
        )

    def end(self, state: PollState) -> WaitOutcome | None:
        """Return the outcome, if the wait has one."""
        if _is_in_vain(self.target, state):
            return WaitOutcome.CANNOT_POLL
        if self.answers_without >= ANSWERS_WITHOUT:
            return WaitOutcome.NOT_FOUND
        # Before the first answer of the wait, the recorded end may be that of an earlier run.
        return None if self.training is None or self.answered_at is None else self._end_of(self.training)

    def _end_of(self, training: Snapshot) -> WaitOutcome | None:
        if training.gone:
            return WaitOutcome.GONE
        if training.pending is not None or training.absent:
            # An answer differs from what is recorded: the next one decides.
            return None
        match phase_of(training.status or ""):
            case Phase.SUCCEEDED:
                return WaitOutcome.COMPLETED
            case Phase.FAILED:
                return WaitOutcome.FAILED
            case Phase.IDLE if self.was_in_progress:
                return WaitOutcome.STOPPED
        return None


def _is_in_progress(training: Snapshot) -> bool:
    return training.status is not None and phase_of(training.status) in NOT_ENDED and not training.gone


def _is_fresh(state: PollState, began_at: datetime) -> bool:
    return state.good_asked_at is not None and state.good_asked_at >= began_at


def _problem(state: PollState) -> PollProblem | None:
    if not state.failures or state.cause is None:
        return None
    return PollProblem(cause=state.cause, detail=state.detail or "")


def _is_in_vain(target: WaitTarget, state: PollState) -> bool:
    """Return whether only a person can remedy the failures of a poll."""
    if not state.failures or state.cause not in PERMANENT:
        return False
    if state.good_asked_at is not None:
        return state.failures >= FAILURES_OF_KNOWN
    may_be_new = state.cause is Cause.NOT_FOUND and target.version is not None
    return state.failures >= (ANSWERS_WITHOUT if may_be_new else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitReport:
    """The progress of a wait, with the durations that earlier runs give."""

    progress: WaitProgress
    at: datetime
    usual: UsualFacts | None = None
    """How long such runs usually take; ``None`` where that is not known."""
    expected_end: EndFacts | None = None
    """``None`` where no end is claimed."""

"""The retraining of a service and type: its starts, its last completion, and the absences that were reported."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from urllib.parse import quote, unquote

from watcher.core.durations.current_run import Bounds
from watcher.core.durations.regular_starts import MOST_STARTS
from watcher.core.event import Event, Kind
from watcher.core.training.absence import GoodVersion, Missing
from watcher.core.training.model import NOT_ENDED, Phase, ServiceRef, TrainingRef, phase_of
from watcher.core.updates.cycle import Cycle

_PREFIX: Final = "retraining"
_OF_NEW: Final = frozenset({Kind.APPEARED, Kind.PROGRESS, Kind.SUCCEEDED, Kind.FAILED, Kind.UNKNOWN_STATUS})
_ENDS: Final = frozenset({Kind.SUCCEEDED, Kind.FAILED})
NOTHING: Final[frozenset[Missing]] = frozenset()


@dataclass(frozen=True, slots=True, order=True)
class RetrainingRef:
    """The identity of a retraining."""

    account: str
    service: str
    type: str

    @classmethod
    def of(cls, ref: TrainingRef) -> RetrainingRef:
        """Return the retraining that a training belongs to."""
        return cls(ref.account, ref.service, ref.type)

    @property
    def service_ref(self) -> ServiceRef:
        """Its service."""
        return ServiceRef(self.account, self.service)

    @property
    def subject(self) -> str:
        """Its key in the store, e.g. ``retraining:main/6wxgu1abcde/pop``."""
        return f"{_PREFIX}:" + "/".join(quote(part, safe="") for part in (self.account, self.service, self.type))

    @classmethod
    def from_subject(cls, subject: str) -> RetrainingRef:
        """Return the reference that ``subject`` wrote.

        Raises:
            ValueError: The text is no subject of a retraining.
        """
        kind, _, path = subject.partition(":")
        parts = [unquote(part) for part in path.split("/")]
        if kind != _PREFIX or len(parts) != len(cls.__slots__):
            raise ValueError(f"not a retraining's subject: {subject!r}")
        return cls(*parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraining:
    """The stored state of a retraining."""

    ref: RetrainingRef
    since: datetime
    """The first answer with a training of this type, UTC: none is expected before a period has passed since."""
    starts: tuple[Bounds, ...] = ()
    """The latest starts that polls saw, in their order; a training that the first poll found is none."""
    last_good: GoodVersion | None = None
    """The version that completed last, where a poll saw it complete."""
    reported: frozenset[Missing] = NOTHING
    """The absences that were reported and that go on."""
    seq: int = 0
    """The number of the latest event about it."""
    cycle: Cycle | None = None
    """The cycle of its service; ``None`` where AiTEMS does not update it by one."""
    result_waits: tuple[float, ...] = ()
    """The latest waits from a completion to the inference result, in seconds."""

    @property
    def last_start(self) -> Bounds | None:
        """The latest start; ``None`` where no poll saw one."""
        return self.starts[-1] if self.starts else None

    @property
    def latest_start(self) -> Bounds | None:
        """The latest start, where an update counts as one too."""
        update = None if self.cycle is None else self.cycle.last_update
        known = [start for start in (self.last_start, update) if start is not None]
        return max(known, key=lambda start: start.before, default=None)

    def after(self, event: Event) -> Retraining:
        """Return the state after an event about a training of this service and type."""
        start = start_in(event)
        state = self if start is None else self._after_start(start)
        # A short training may have started and completed before the first poll that shows it.
        return _after_completion(state, event) if event.kind is Kind.SUCCEEDED else state

    def _after_start(self, start: Bounds) -> Retraining:
        starts = sorted((*self.starts, start), key=lambda item: item.before)
        return replace(self, starts=tuple(starts[-MOST_STARTS:]), reported=self.reported - {Missing.START})


def start_in(event: Event) -> Bounds | None:
    """Return the bounds of the start that an event is about: of a new training, or of a new run of a known one."""
    if event.training is None or event.to_status is None:
        return None
    if event.from_status is None and event.kind in _OF_NEW:
        return None if phase_of(event.to_status) is Phase.IDLE else event.bounds
    if event.kind in _ENDS:
        # From an end or from ``ready``, so that the run began and ended between two polls.
        return None if phase_of(event.from_status or "") in NOT_ENDED else event.bounds
    begins = event.run is not None and event.run.bounds == event.bounds
    return event.bounds if begins and event.kind in {Kind.PROGRESS, Kind.RESTARTED} else None


def _after_completion(state: Retraining, event: Event) -> Retraining:
    good = GoodVersion(version=event.version or "", ended=event.bounds)
    if state.last_good is not None and state.last_good.ended.before > good.ended.before:
        # An end that waited for its confirmation may be the older one.
        good = state.last_good
    return replace(state, last_good=good, reported=state.reported - {Missing.COMPLETED})

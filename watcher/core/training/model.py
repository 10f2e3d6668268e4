"""Trainings: their identity, the observation of one answer, and the recorded snapshot.

The names are those of AiTEMS' page "View training". An undocumented status is kept unchanged.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol
from urllib.parse import quote, unquote

from watcher.core.durations.current_run import CurrentRun
from watcher.core.timestamps import read_date, require_utc
from watcher.core.training.catch_up import CatchUp
from watcher.core.updates.model import UpdateLog
from watcher.core.usability.facts import ResultState

TRAIN_TYPES: Final = ("personalRecommend", "relatedItem", "pop")
"""The three ``trainType`` values of the page."""


class Status(StrEnum):
    """The nine documented statuses; an observation may have any other status as a plain string."""

    READY = "ready"
    REQUESTING = "requesting"
    WAITING = "waiting"
    LEARNING = "learning"
    STOPPING = "stopping"
    COMPLETED = "completed"
    REQUEST_FAILED = "requestFailed"
    REFINED_FAILED = "refinedFailed"
    LEARNING_FAILED = "learningFailed"


class Phase(StrEnum):
    """Our interpretation of a status; AiTEMS publishes no state machine."""

    IDLE = "idle"
    IN_PROGRESS = "in-progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


NOT_ENDED: Final = frozenset({Phase.IN_PROGRESS, Phase.UNKNOWN})
"""The phases of a run that goes on; a status that AiTEMS does not document may be one of progress."""

PHASES: Final[Mapping[str, Phase]] = MappingProxyType(
    {
        # Plain texts: each change asks a dozen times, and the members of an enumeration are compared more slowly.
        Status.READY.value: Phase.IDLE,
        Status.REQUESTING.value: Phase.IN_PROGRESS,
        Status.WAITING.value: Phase.IN_PROGRESS,
        Status.LEARNING.value: Phase.IN_PROGRESS,
        Status.STOPPING.value: Phase.IN_PROGRESS,
        Status.COMPLETED.value: Phase.SUCCEEDED,
        Status.REQUEST_FAILED.value: Phase.FAILED,
        Status.REFINED_FAILED.value: Phase.FAILED,
        Status.LEARNING_FAILED.value: Phase.FAILED,
    }
)
ENDED: Final = frozenset({Phase.SUCCEEDED, Phase.FAILED})


def phase_of(status: str) -> Phase:
    """Return the phase of a status; ``UNKNOWN`` for an undocumented one."""
    return PHASES.get(status, Phase.UNKNOWN)


def goes_on(status: str | None) -> bool:
    """Return whether a training with this status moves towards its end; one that is being stopped does not."""
    return status != Status.STOPPING and phase_of(status or "") is Phase.IN_PROGRESS


def is_final(status: str) -> bool:
    """Return whether a training with this status has ended."""
    return phase_of(status) in ENDED


@dataclass(frozen=True, slots=True, order=True)
class ServiceRef:
    """The identity of a service; ``account`` is the account's name in the configuration."""

    account: str
    service: str

    @property
    def subject(self) -> str:
        """The service's key in the store, e.g. ``service:main/6wxgu1abcde``."""
        return f"service:{_path(self.account, self.service)}"

    @property
    def presence_subject(self) -> str:
        """The key of the events that it appeared, is gone, or is back; its incidents have a numbering of their own."""
        return f"presence:{_path(self.account, self.service)}"

    @classmethod
    def from_subject(cls, subject: str) -> ServiceRef | None:
        """Return the reference that ``subject`` wrote; ``None`` for any other subject."""
        kind, _, path = subject.partition(":")
        parts = [unquote(part) for part in path.split("/")]
        return cls(*parts) if kind == "service" and len(parts) == len(cls.__slots__) else None


@dataclass(frozen=True, slots=True, order=True)
class TrainingRef:
    """The identity of a training: account, service, type and version."""

    account: str
    service: str
    type: str
    version: str

    @property
    def subject(self) -> str:
        """The training's key in the store, e.g. ``training:main/6wxgu1abcde/pop/maqll0abcde``."""
        return f"training:{_path(self.account, self.service, self.type, self.version)}"

    @property
    def watch_subject(self) -> str:
        """The key of its incidents, before it is first found or while its list does not show it.

        Their events have a numbering of their own.
        """
        return f"{WATCH_PREFIX}{_path(self.account, self.service, self.type, self.version)}"

    @property
    def service_ref(self) -> ServiceRef:
        """The service that this training belongs to."""
        return ServiceRef(self.account, self.service)

    @classmethod
    def from_subject(cls, subject: str) -> TrainingRef:
        """Return the reference that ``subject`` or ``watch_subject`` wrote.

        Raises:
            ValueError: The text is no subject of a training.
        """
        kind, _, path = subject.partition(":")
        parts = [unquote(part) for part in path.split("/")]
        if kind not in {"training", "watch"} or len(parts) != len(cls.__slots__):
            raise ValueError(f"not a training's subject: {subject!r}")
        account, service, kind, version = parts
        # A store names thousands of trainings with the same account, service and type.
        return cls(sys.intern(account), sys.intern(service), sys.intern(kind), version)


WATCH_PREFIX: Final = "watch:"
"""Begins the keys of the incidents of single trainings."""


def _path(*parts: str) -> str:
    joined = "".join(parts)
    # A change asks for its subject often, and the names of AiTEMS need no quotes.
    plain = joined.isascii() and joined.isalnum()
    return "/".join(parts if plain else (quote(part, safe="") for part in parts))


class Source(StrEnum):
    """The call of an observation; a view has more fields than a list."""

    VIEW = "view"
    LIST = "list"


NO_RECORD: Final[Mapping[str, object]] = MappingProxyType({})


class Shown(Protocol):
    """One training in an answer."""

    @property
    def ref(self) -> TrainingRef:
        """Its identity."""
        ...

    @property
    def status(self) -> str:
        """Its status."""
        ...

    @property
    def record(self) -> Mapping[str, object]:
        """The answer's other fields."""
        ...


@dataclass(frozen=True, slots=True)
class ListedTraining:
    """One training of a list, without the times of the answer: the same bytes in two lists are one object."""

    ref: TrainingRef
    status: str
    record: Mapping[str, object] = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One training in one valid answer."""

    ref: TrainingRef
    status: str
    asked_at: datetime
    """Start of the request, UTC."""
    answered_at: datetime
    """End of the answer, UTC."""
    source: Source
    record: Mapping[str, object] = field(default_factory=lambda: NO_RECORD, hash=False)
    """The answer's other fields, unchanged: ``hpConfig``, ``createdDate``, ``inference``, …"""

    def __post_init__(self) -> None:
        require_utc(self.asked_at)
        require_utc(self.answered_at)

    @property
    def created_at(self) -> datetime | None:
        """``createdDate``, read as UTC where it has no zone; ``None`` where it cannot be read."""
        return read_date(self.record.get("createdDate"), UTC)


LONGEST_OVERTAKING: Final = timedelta(minutes=15)
"""Answers overtake each other by less than this, because no call takes so long.

A request that seems older by more was started after the wall clock was set back.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnconfirmedStatus:
    """A status that needs a second answer to be recorded: after a transition back, or an end in a list."""

    status: str
    asked_at: datetime
    answered_at: datetime
    source: Source
    late: bool = False
    """Whether the change may have happened while the watcher could not poll."""
    service_was_gone: bool = False
    """Whether a late change is one, as its service did not exist for a time."""
    catch_up: CatchUp | None = None
    """The catch-up that announces it with other late changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The recorded state of a training; ``status`` is ``None`` while the first status waits for confirmation."""

    ref: TrainingRef
    status: str | None
    seen_after: datetime
    """Start of the latest request whose answer showed the recorded status (or not yet this training)."""
    changed_after: datetime | None = None
    changed_before: datetime | None = None
    """Bounds of the change to ``status``; both ``None`` for a baseline."""
    run: CurrentRun | None = None
    """The run in progress; ``None`` without one."""
    first_seen_at: datetime
    pending: UnconfirmedStatus | None = None
    absent: int = 0
    """Consecutive answers without the training."""
    gone: bool = False
    """Whether it was announced as gone and not found again."""
    seq: int = 0
    """The number of this training's latest event; 0 where there was none."""
    announced_statuses: frozenset[str] = frozenset()
    """Undocumented statuses that were announced for this training."""
    updates: UpdateLog | None = None
    """Its updates; ``None`` before the first list of them."""
    result: ResultState | None = None
    """Its inference result; ``None`` where it is not completed, or where no poll saw its completion."""
    record: Mapping[str, object] = field(default_factory=lambda: NO_RECORD, hash=False)
    revision: int = 0
    """Counts the writes of this row; the store compares it before it sets."""

    @property
    def may_be_in_progress(self) -> bool:
        """Whether the recorded status is one of progress, or one that may be."""
        return phase_of(self.status or "") in NOT_ENDED

    def unchanged_at(self, asked_at: datetime) -> Snapshot:
        """Return the snapshot after an answer with the recorded status, to a request started at ``asked_at``."""
        if timedelta() <= self.seen_after - asked_at < LONGEST_OVERTAKING:
            return self
        return replace(self, seen_after=asked_at)

"""What a training is, what was seen of it, and what we last recorded.

The words are those of AiTEMS' page "View training"; a status that it does not name is kept as it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, unquote

from watcher.core.timestamps import require_utc

TRAIN_TYPES: Final = ("personalRecommend", "relatedItem", "pop")
"""The three ``trainType`` values of the page."""


class Status(StrEnum):
    """The nine status words of the page; an observation may carry any other word as a plain string."""

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
    """What a status word means for us; our reading, AiTEMS publishes no state machine."""

    IDLE = "idle"
    IN_PROGRESS = "in-progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


PHASES: Final[Mapping[str, Phase]] = MappingProxyType(
    {
        Status.READY: Phase.IDLE,
        Status.REQUESTING: Phase.IN_PROGRESS,
        Status.WAITING: Phase.IN_PROGRESS,
        Status.LEARNING: Phase.IN_PROGRESS,
        Status.STOPPING: Phase.IN_PROGRESS,
        Status.COMPLETED: Phase.SUCCEEDED,
        Status.REQUEST_FAILED: Phase.FAILED,
        Status.REFINED_FAILED: Phase.FAILED,
        Status.LEARNING_FAILED: Phase.FAILED,
    }
)


def phase_of(word: str) -> Phase:
    """Return the phase of a status word; a word the page does not have is ``UNKNOWN``."""
    return PHASES.get(word, Phase.UNKNOWN)


def is_final(word: str) -> bool:
    """Say whether a training with this status has ended."""
    return phase_of(word) in {Phase.SUCCEEDED, Phase.FAILED}


@dataclass(frozen=True, slots=True, order=True)
class ServiceRef:
    """A service of an account; ``account`` is the name it has in the configuration."""

    account: str
    service: str

    @property
    def subject(self) -> str:
        """The service's key in the store, e.g. ``service:main/6wxgu1abcde``."""
        return f"service:{_path(self.account, self.service)}"


@dataclass(frozen=True, slots=True, order=True)
class TrainingRef:
    """The identity of a training: AiTEMS knows it by service, type and version."""

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
        """The key of what cannot be seen of it before it was ever found; its own events are numbered apart."""
        return f"watch:{_path(self.account, self.service, self.type, self.version)}"

    @property
    def service_ref(self) -> ServiceRef:
        """The service that this training belongs to."""
        return ServiceRef(self.account, self.service)

    @classmethod
    def from_subject(cls, subject: str) -> TrainingRef:
        """Read what ``subject`` wrote."""
        kind, _, path = subject.partition(":")
        parts = [unquote(part) for part in path.split("/")]
        if kind != "training" or len(parts) != len(cls.__slots__):
            raise ValueError(f"not a training's subject: {subject!r}")
        return cls(*parts)


def _path(*parts: str) -> str:
    return "/".join(quote(part, safe="") for part in parts)


class Source(StrEnum):
    """Which call an observation came from; a view's record is the fuller one."""

    VIEW = "view"
    LIST = "list"


NO_RECORD: Final[Mapping[str, object]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One training as one counting answer showed it."""

    ref: TrainingRef
    status: str
    asked_at: datetime
    """When the request was started, UTC."""
    answered_at: datetime
    """When the answer was whole, UTC."""
    source: Source
    record: Mapping[str, object] = field(default_factory=lambda: NO_RECORD, hash=False)
    """The answer's other fields as they came: ``hpConfig``, ``createdDate``, ``inference``, …"""

    def __post_init__(self) -> None:
        require_utc(self.asked_at)
        require_utc(self.answered_at)


LONGEST_OVERTAKING: Final = timedelta(minutes=15)
"""Answers may overtake each other by less than this, since no call takes so long; what was asked earlier by more was
asked after the wall clock was set back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnconfirmedStatus:
    """A status that waits for a second answer before it is recorded: a backward move, or a final of a list."""

    status: str
    asked_at: datetime
    answered_at: datetime
    source: Source
    late: bool = False
    """Whether the change may have happened while the watcher could not look."""
    catch_up_id: str | None = None
    """What it is told on together with other late changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is recorded of a training; ``status`` is ``None`` while its first sighting waits to be confirmed."""

    ref: TrainingRef
    status: str | None
    seen_after: datetime
    """Start of the latest request whose answer showed the recorded status (or not yet this training)."""
    changed_after: datetime | None = None
    changed_before: datetime | None = None
    """Bounds of the move into ``status``; both ``None`` for a baseline."""
    first_seen_at: datetime
    pending: UnconfirmedStatus | None = None
    absent: int = 0
    """How many looks in a row did not find it."""
    gone: bool = False
    """Whether it was told as gone and not found since."""
    seq: int = 0
    """The number of this training's latest event; 0 where there was none."""
    announced_statuses: frozenset[str] = frozenset()
    """Unknown status words that were told for this training."""
    record: Mapping[str, object] = field(default_factory=lambda: NO_RECORD, hash=False)
    revision: int = 0
    """Counts the writes of this row; the store compares it before it sets."""

    def seen(self, asked_at: datetime) -> Snapshot:
        """Note that a request started at ``asked_at`` still showed the recorded status."""
        if timedelta() <= self.seen_after - asked_at < LONGEST_OVERTAKING:
            return self
        return replace(self, seen_after=asked_at)

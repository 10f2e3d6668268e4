"""The result of ``once``: the polls, the new events and the deliveries of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from watcher.core.delivery.state import State
from watcher.core.plural import counted
from watcher.reports.history import event_history_json
from watcher.reports.status_json import poll_json, queue_json

if TYPE_CHECKING:
    from watcher.reports.status import PollReport
    from watcher.store.views import EventHistory, QueueState

SETTLED: Final = frozenset({State.DELIVERED, State.DROPPED, State.SILENCED})


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleRun:
    """The result of one run."""

    events: Sequence[EventHistory]
    polls: Sequence[PollReport]
    queues: Sequence[QueueState]

    @property
    def failed_polls(self) -> list[PollReport]:
        """The polls that failed, or whose answer was not recorded."""
        return [polled for polled in self.polls if polled.failing or polled.untried]

    @property
    def undelivered(self) -> int:
        """The number of open deliveries, those of earlier runs included."""
        return sum(queue.count for queue in self.queues if queue.state not in SETTLED)

    @property
    def failed(self) -> bool:
        """Whether a poll failed or a delivery is open."""
        return bool(self.failed_polls or self.undelivered)

    @property
    def summary(self) -> str:
        """The run in one line."""
        polls = f"{counted(len(self.polls), 'poll')}, {len(self.failed_polls)} failed"
        return f"{polls}; {counted(len(self.events), 'event')}; {counted(self.undelivered, 'message')} not delivered"

    def as_json(self, receivers: frozenset[str]) -> dict[str, object]:
        """Return the run for programs; ``receivers`` are the configured ones."""
        return {
            "events": [event_history_json(item) for item in self.events],
            "polls": [poll_json(item) for item in self.polls],
            "deliveries": [queue_json(item, receivers) for item in self.queues],
            "failed_polls": len(self.failed_polls),
            "undelivered": self.undelivered,
        }

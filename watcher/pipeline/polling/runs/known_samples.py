"""The samples of earlier runs in memory, until a run ends that changes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from watcher.core.training.earlier_runs import RunGroup, Samples
from watcher.core.training.model import TrainingRef

MOST_GROUPS: Final = 256
LONGEST: Final = timedelta(hours=1)
"""A run grows too old to count, and old runs are pruned, without an event."""


@dataclass(frozen=True, slots=True)
class _KnownSample:
    samples: Samples
    read_at: datetime


class KnownSamples:
    """Keeps the samples of the groups that were asked for last: each stage of a run asks for those of its group.

    Only the decisions of an account record its runs, one after the other. So nothing changes between ``forget`` and
    the commit of the runs that it names.
    """

    def __init__(self) -> None:
        self._known: dict[RunGroup, _KnownSample] = {}

    def of(self, group: RunGroup, now: datetime) -> Samples | None:
        """Return the samples of a group; ``None`` where they are not known, or too old."""
        known = self._known.get(group)
        # A wall clock that was set back since says nothing about their age.
        return known.samples if known is not None and timedelta() <= now - known.read_at < LONGEST else None

    def keep(self, group: RunGroup, samples: Samples, now: datetime) -> None:
        """Keep the samples of a group that were read now."""
        self._known.pop(group, None)
        self._known[group] = _KnownSample(samples, now)
        if len(self._known) > MOST_GROUPS:
            del self._known[next(iter(self._known))]

    def forget(self, ended: Iterable[TrainingRef]) -> None:
        """Forget the samples that runs change which have ended: of their groups, and of those with too few runs."""
        refs = tuple(ended)
        own = {(ref.account, ref.service, ref.type) for ref in refs}
        in_account = {(ref.account, ref.type) for ref in refs}
        for group, known in tuple(self._known.items()):
            takes_others = known.samples.own is None and (group.account, group.type) in in_account
            if takes_others or (group.account, group.service, group.type) in own:
                del self._known[group]

"""Updates: one in an answer, those that are recorded of a training, and the facts of an event about one.

The names are those of AiTEMS' page "Get update list". It documents no values of an update's status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

NO_COUNTS: Final[Mapping[str, int]] = MappingProxyType({})
MOST_KEPT: Final = 20_000
"""Recorded updates of one training: two years of an hourly cycle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownUpdate:
    """One update in an answer."""

    version: str
    """``updateVersion``."""
    status: str
    """As AiTEMS wrote it."""
    created_date: str | None = None
    """``createdDate`` as AiTEMS wrote it: it names no zone."""
    finished_date: str | None = None
    """``finishedDate`` as AiTEMS wrote it; ``None`` until the update has ended."""
    counts: Mapping[str, int] = field(default_factory=lambda: NO_COUNTS, hash=False)
    """The counters of ``updateResult``, e.g. ``inputUsersCnt``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateLog:
    """The recorded updates of a training."""

    statuses: Mapping[str, str] = field(hash=False)
    """The latest status of each update, by its version."""

    def after(self, shown: Mapping[str, str]) -> UpdateLog:
        """Return the log with the updates of an answer; what the answer lacks stays, as a replica may be behind."""
        if all(self.statuses.get(version) == status for version, status in shown.items()):
            return self
        others = {version: status for version, status in self.statuses.items() if version not in shown}
        kept = dict(list({**others, **shown}.items())[-MOST_KEPT:])
        return UpdateLog(statuses=MappingProxyType(kept))


EMPTY_LOG: Final = UpdateLog(statuses=MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateFacts:
    """The update that an event is about."""

    version: str
    status: str
    created_date: str | None
    finished_date: str | None
    counts: Mapping[str, int] = field(default_factory=lambda: NO_COUNTS, hash=False)


def facts_of(update: ShownUpdate) -> UpdateFacts:
    """Return the facts of an update that has ended."""
    return UpdateFacts(
        version=update.version,
        status=update.status,
        created_date=update.created_date,
        finished_date=update.finished_date,
        counts=update.counts,
    )


def update_json(facts: UpdateFacts) -> dict[str, object]:
    """Return the facts of an update as plain JSON."""
    return {
        "version": facts.version,
        "status": facts.status,
        "created_date": facts.created_date,
        "finished_date": facts.finished_date,
        "counts": dict(facts.counts),
    }


def read_update(data: Mapping[str, Any] | None) -> UpdateFacts | None:
    """Read what ``update_json`` wrote; older versions stored none."""
    if data is None:
        return None
    return UpdateFacts(
        version=data["version"],
        status=data["status"],
        created_date=data["created_date"],
        finished_date=data["finished_date"],
        counts=MappingProxyType(dict(data["counts"])),
    )

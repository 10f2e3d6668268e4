"""Which polls fail, which open incident is about them, and which trainings cannot be polled meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from watcher.reports.polls import serves

if TYPE_CHECKING:
    from watcher.core.incidents.model import Incident
    from watcher.core.polling.plan import Poll
    from watcher.core.polling.result import Cause
    from watcher.core.training.model import ServiceRef, TrainingRef
    from watcher.reports.status import KnownTraining, PollReport


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingPolls:
    """Polls of one account that fail for one cause."""

    account: str
    polls: Sequence[PollReport]

    @property
    def since(self) -> datetime | None:
        """The first failed poll; ``None`` where it is not known."""
        return min((item.state.failed_since for item in self.polls if item.state.failed_since), default=None)

    @property
    def cause(self) -> Cause | None:
        """The cause of all of them; ``None`` where it is not known."""
        return self.polls[0].state.cause

    @property
    def detail(self) -> str:
        """What one of them got as an answer."""
        return self.polls[0].state.detail or str(self.polls[0].state.cause)


def is_cut_off(polled: PollReport, outages: Iterable[Incident]) -> bool:
    """Return whether a poll fails and an open incident is about it."""
    return polled.failing and any(_is_about(outage.subject, polled.poll) for outage in outages)


def _is_about(subject: str, poll: Poll) -> bool:
    """Return whether an incident with this subject is about a poll."""
    return subject in _subjects_about(poll)


def _subjects_about(poll: Poll) -> Sequence[str]:
    """Return the subjects of the incidents that are about a poll."""
    own = () if poll.training is None else (poll.training.subject, poll.training.watch_subject)
    return f"account:{quote(poll.service.account, safe='')}", poll.service.subject, *own


def failing_polls(polls: Iterable[PollReport], outages: Sequence[Incident]) -> list[FailingPolls]:
    """Return the polls that fail and that no open incident is about, by account and cause."""
    groups: dict[tuple[str, str], list[PollReport]] = {}
    about = {outage.subject for outage in outages}
    for polled in polls:
        if polled.failing and about.isdisjoint(_subjects_about(polled.poll)):
            key = (polled.poll.service.account, str(polled.state.cause or ""))
            groups.setdefault(key, []).append(polled)
    return [FailingPolls(account=account, polls=found) for (account, _), found in sorted(groups.items())]


def failures_of(outage: Incident, polls: Iterable[PollReport]) -> int:
    """Return the number of failed polls in a row that an open incident is about."""
    return sum(item.state.failures for item in polls if is_cut_off(item, [outage]))


def unpolled(
    trainings: Iterable[KnownTraining], polls: Iterable[PollReport], outages: Sequence[Incident]
) -> Mapping[TrainingRef, datetime]:
    """Return the trainings in progress that cannot be polled, with the latest answer about each."""
    if not outages:
        return {}
    about = {outage.subject for outage in outages}
    by_service: dict[ServiceRef, list[PollReport]] = {}
    for polled in polls:
        by_service.setdefault(polled.poll.service, []).append(polled)

    def cannot_be_polled(ref: TrainingRef) -> bool:
        serving = [item for item in by_service.get(ref.service_ref, ()) if serves(item.poll, ref.service_ref, ref)]
        cut_off = (item.failing and not about.isdisjoint(_subjects_about(item.poll)) for item in serving)
        return bool(serving) and all(cut_off)

    found = (item for item in trainings if item.snapshot.run is not None)
    return {item.snapshot.ref: item.last_seen for item in found if cannot_be_polled(item.snapshot.ref)}

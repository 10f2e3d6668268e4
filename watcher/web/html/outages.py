"""The problems above a page of one service or training: outages and failing polls as sentences, and all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from watcher.core.health.problems import Problem, ProblemCode
from watcher.core.incidents.model import Incident
from watcher.core.messages.advice import advice
from watcher.core.polling.plan import EVERY_SERVICE
from watcher.core.subject import account_of
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.reports.failing_polls import FailingPolls, failing_polls, failures_of
from watcher.reports.status import PollReport
from watcher.web.html.language.texts import Texts

_POLLING = frozenset({ProblemCode.INCIDENT_OPEN, ProblemCode.POLL_FAILING})
"""Problems that an outage or a failing poll says better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outages:
    """The problems of a page."""

    incidents: Sequence[Incident]
    """The open incidents that include what the page is about."""
    polls: Sequence[PollReport]
    """The polls of it."""
    all_problems: Sequence[Problem]
    names: Mapping[ServiceRef, str] = field(hash=False)
    texts: Texts

    @property
    def problems(self) -> Sequence[Problem]:
        """The other problems: of the daemon and its store."""
        return [problem for problem in self.all_problems if problem.code not in _POLLING]

    @property
    def failing_polls(self) -> Sequence[FailingPolls]:
        """The polls that fail and that no incident is about, by cause."""
        return failing_polls(self.polls, self.incidents)

    def name_of(self, outage: Incident) -> Markup | str:
        """Name what cannot be polled."""
        return outage_name(self.names, outage, self.texts)

    def failures_of(self, outage: Incident) -> int:
        """Return the number of failed polls in a row that an incident is about."""
        return failures_of(outage, self.polls)

    def remedy_of(self, outage: Incident) -> str:
        """Write what an operator does about an incident."""
        return advice(outage.cause, self.texts.words)

    def remedy_of_polls(self, item: FailingPolls) -> str:
        """Write what an operator does about polls that fail."""
        return polls_remedy(item, self.texts)

    def subject_of(self, item: FailingPolls) -> str:
        """Name the service, and the training where the poll is a view of one."""
        poll = item.polls[0].poll
        name = self.names.get(poll.service) or poll.service.service
        if poll.training is None or len(item.polls) > 1:
            return name
        return f"{name} {poll.training.type} {poll.training.version}"


def polls_remedy(item: FailingPolls, texts: Texts) -> str:
    """Write what an operator does about polls that fail; empty where the cause is not known."""
    return "" if item.cause is None else advice(item.cause, texts.words)


def outage_name(names: Mapping[ServiceRef, str], outage: Incident, texts: Texts) -> Markup | str:
    """Name the training, the service or the account that an incident is about."""
    if outage.subject.startswith(("training:", "watch:")):
        ref = TrainingRef.from_subject(outage.subject)
        return f"{names.get(ref.service_ref) or ref.service} {ref.type} {ref.version}"
    service = ServiceRef.from_subject(outage.subject)
    if service is not None and service.service == EVERY_SERVICE:
        return texts("all-services", account=service.account)
    if service is not None:
        return names.get(service) or service.service
    of_updates = outage.subject.startswith("updates:")
    return texts("outage-updates" if of_updates else "outage-account", account=account_of(outage.subject))

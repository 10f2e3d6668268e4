"""A circuit breaker for each account: while all of it fails, one poll at a time asks whether it answers again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from watcher.core.event import Kind
from watcher.core.incidents.model import Incident
from watcher.core.polling.schedule import FAILURES_BEFORE_BACKOFF, interval_after
from watcher.pipeline.polling.incidents.monitor import IncidentMonitor
from watcher.pipeline.polling.targets import PollTarget, PollTargets

Due = tuple[PollTarget, float]


@dataclass(slots=True)
class _Probe:
    """The probes of one account."""

    next_at: float
    """The earliest start of the next one, in monotonic seconds."""
    failures: int = 0
    running: PollTarget | None = None


class Circuits:
    """Says which due polls wait, as the incident of their account is open and no poll has succeeded since.

    The probes go around the account's targets: one service may fail for a reason of its own.

    Args:
        incident_monitor: the open incidents.
        targets: all targets.
    """

    def __init__(self, incident_monitor: IncidentMonitor, targets: PollTargets) -> None:
        self._incident_monitor = incident_monitor
        self._targets = targets
        self._probes: dict[str, _Probe] = {}
        self._started: dict[str, float] = {}
        """The latest start of each target, by the key of its poll."""

    def in_turn(self, due: Iterable[Due]) -> list[Due]:
        """Order due targets by the longest time without a poll, so that the probes go around."""
        return sorted(due, key=lambda item: self._started.get(item[0].poll.key, 0.0))

    def waits(self, target: PollTarget, now: float) -> Incident | None:
        """Return the incident for which a due target waits; ``None`` where it is polled now.

        Args:
            target: the due target.
            now: the present, in monotonic seconds.
        """
        account = target.poll.service.account
        incident = self._open_incident(account)
        if incident is not None:
            probe = self._probes.setdefault(account, _Probe(next_at=now))
            if probe.running is not None or now < probe.next_at:
                return incident
            probe.running = target
        elif self._incident_monitor.account_incident(account) is None:
            self._probes.pop(account, None)
        self._started[target.poll.key] = now
        return None

    def next_try(self, target: PollTarget, now: float) -> float:
        """Return the time at which a waiting target is due again, in monotonic seconds."""
        probe = self._probes.get(target.poll.service.account)
        soonest = now + target.poll.cadence.interval.total_seconds()
        return soonest if probe is None or probe.running is not None else max(probe.next_at, now)

    def next_probes(self) -> Mapping[str, float]:
        """Return the next start of a probe, in monotonic seconds, of each failing account that has none under way."""
        idle = {account: probe.next_at for account, probe in self._probes.items() if probe.running is None}
        return {account: start for account, start in idle.items() if self._open_incident(account) is not None}

    def ended(self, target: PollTarget, started: float, finished: float) -> None:
        """Note the end of a target's run: after a probe that succeeds the others follow, else a longer wait."""
        account = target.poll.service.account
        probe = self._probes.get(account)
        if probe is None or probe.running is not target:
            return
        probe.running = None
        incident = self._open_incident(account)
        if incident is None:
            self._close(account, finished)
            return
        probe.failures += 1
        interval = target.poll.cadence.interval
        # AiTEMS itself says how long a throttled account pauses.
        if incident.kind is not Kind.THROTTLED:
            interval = interval_after(target.poll.cadence, FAILURES_BEFORE_BACKOFF + probe.failures)
        probe.next_at = max(started + interval.total_seconds(), finished + target.retry_after_seconds)
        self._targets.bring_forward(self._keys(account), probe.next_at)

    def _close(self, account: str, now: float) -> None:
        if self._incident_monitor.account_incident(account) is None:
            self._probes.pop(account, None)
        self._targets.bring_forward(self._keys(account), now)

    def _open_incident(self, account: str) -> Incident | None:
        incident = self._incident_monitor.account_incident(account)
        return None if incident is None or incident.good_polls else incident

    def _keys(self, account: str) -> list[str]:
        return [target.poll.key for target in self._targets if target.poll.service.account == account]

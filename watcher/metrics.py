"""The metrics on their own registry: counters of the stages, and gauges that are read at each scrape."""

from __future__ import annotations

import platform
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from watcher import __version__
from watcher.clock import Clock
from watcher.core.delivery.model import Verdict
from watcher.core.delivery.state import OPEN_STATES
from watcher.core.durations.past_runs import Outcome
from watcher.core.event import Event, Kind
from watcher.core.health.daemon_figures import AccountRequests, DaemonFigures, quantile
from watcher.core.health.liveness import LoopMonitor
from watcher.core.health.readiness import HealthStats, NotReady, NotReadyReason
from watcher.core.messages.reasons import reason_text
from watcher.core.observer import Observer
from watcher.core.training.overdue import ExpectedRetraining
from watcher.core.training.run import WITHOUT_CHANGE, outcome_of
from watcher.core.training.stuck import RunInProgress
from watcher.metric_values import buckets_of, values_of
from watcher.training_metrics import (
    PREFIX,
    counts_in_progress,
    family,
    in_progress,
    in_progress_since,
    retraining_families,
    run_families,
    single,
)

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

LATENESS_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
DELAY_BUCKETS: Final = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)

UPDATES: Final = {Kind.UPDATE_SUCCEEDED: Outcome.COMPLETED, Kind.UPDATE_FAILED: Outcome.FAILED}
"""The outcomes of updates, by the kind of their event."""
NOT_IN_A_LABEL: Final = re.compile(r"[^a-z0-9]+")
REASONS_MAX: Final = 60
REASON_LENGTH: Final = 40
OTHER: Final = "other"
LATENESS_SHARE: Final = 0.95
"""The share of polls that are not later than the lateness that a person sees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The current state at one scrape."""

    at: datetime
    health_stats: HealthStats | None
    """``None`` if the store cannot be read."""
    reasons: Sequence[NotReadyReason]
    loop_ages: Mapping[str, float] = field(default_factory=dict)
    """The seconds since each loop made progress."""
    log_lines_dropped: int = 0
    in_progress: Sequence[RunInProgress] = ()
    retrainings: Sequence[ExpectedRetraining] = ()


class Metrics(Observer):
    """Counts the reports of the stages."""

    def __init__(self, clock: Clock) -> None:
        self.loop_monitor = LoopMonitor()
        self._clock = clock
        self._registry = CollectorRegistry()
        self._current_state = _CurrentState()
        self._exposition = threading.Lock()
        self._registry.register(self._current_state)
        self._reasons: set[str] = set()
        self._polls = self._counter("polls", "Calls of AiTEMS, by outcome.", "account", "call", "outcome")
        self._requests = self._counter("requests", "Requests sent within the budget.", "account")
        self._budget = self._gauge("requests_allowed_per_second", "The account's request budget.", "account")
        self._lateness = self._histogram(
            "poll_lateness_seconds", "Delay between the due time and the start of a poll.", LATENESS_BUCKETS
        )
        self._events = self._counter("events", "Routed events, by kind.", "kind")
        self._runs = self._counter("runs", "Runs that ended, by outcome.", "account", "service", "type", "outcome")
        self._updates = self._counter(
            "updates", "Updates of interval services that ended, by outcome.", "account", "service", "type", "outcome"
        )
        self._bounds = self._histogram(
            "change_bounds_seconds",
            "Time from the last poll with the old status to the first with the new one.",
            DELAY_BUCKETS,
            "late",
        )
        self._delay = self._histogram(
            "detection_delay_seconds",
            "The longest possible time between a change and its record.",
            DELAY_BUCKETS,
            "late",
        )
        self._attempts = self._counter(
            "delivery_attempts", "Delivery attempts, by the resulting state.", "receiver", "state", "reason"
        )
        self._heartbeats = self._counter("heartbeats", "Outbound heartbeats, by outcome.", "outcome")
        self._heartbeat_at = self._gauge(
            "heartbeat_timestamp_seconds", "Time of the latest outbound heartbeat, by outcome.", "outcome"
        )
        self._started_at = self._gauge("start_timestamp_seconds", "Time of the start of the daemon.")
        self._started_at.set(clock.utc_now().timestamp())
        self._reload_good = self._gauge(
            "config_last_reload_successful", "Whether the last load of the configuration succeeded."
        )
        self._reloaded_at = self._gauge(
            "config_last_reload_success_timestamp_seconds", "Time of the last successful load of the configuration."
        )
        self._set_build_info()
        self.reloaded(good=True)

    def _set_build_info(self) -> None:
        build = self._gauge("build_info", "Always 1; the labels hold the versions.", "version", "python", "sqlite")
        build.labels(__version__, platform.python_version(), sqlite3.sqlite_version).set(1)

    def progressed(self, loop: str, within_seconds: float) -> None:
        """Note that a loop made progress; its next progress is due within ``within_seconds``."""
        self.loop_monitor.progressed(loop, within_seconds, self._clock.monotonic())

    def ended(self, loop: str) -> None:
        """Note that a loop has stopped normally."""
        self.loop_monitor.ended(loop)

    def poll_started(self, late_seconds: float) -> None:
        """Record the delay between the due time and the start of a poll."""
        self._lateness.observe(max(late_seconds, 0.0))

    def asked(self, account: str, call: str, outcome: str) -> None:
        """Count a call by its outcome."""
        self._polls.labels(account, call, outcome).inc()

    def routed(self, event: Event) -> None:
        """Count an event; for a change of status, also record the width of its bounds and the detection delay."""
        self._events.labels(event.kind.value).inc()
        if (ended := UPDATES.get(event.kind)) is not None:
            self._updates.labels(event.account, event.service, event.training_type, ended.value).inc()
        if event.version is None or event.to_status is None or event.kind in WITHOUT_CHANGE:
            return
        if (outcome := outcome_of(event.from_status, event.to_status)) is not None:
            self._runs.labels(event.account, event.service, event.training_type, outcome.value).inc()
        late = "true" if event.late else "false"
        self._bounds.labels(late).observe(max((event.before - event.after).total_seconds(), 0.0))
        self._delay.labels(late).observe(max((event.recorded_at - event.after).total_seconds(), 0.0))

    def settled(self, receiver: str, verdict: Verdict) -> None:
        """Count a delivery attempt by its verdict."""
        self._attempts.labels(receiver, verdict.state.value, self._reason_label(reason_text(verdict.reason))).inc()

    def granted(self, account: str) -> None:
        """Count a request that the budget granted."""
        self._requests.labels(account).inc()

    def budgets(self, per_second: Mapping[str, float]) -> None:
        """Set the budget of each account; a removed account loses its series."""
        self._budget.clear()
        for account, rate in per_second.items():
            self._budget.labels(account).set(rate)

    def reloaded(self, *, good: bool) -> None:
        """Record whether the last load of the configuration succeeded."""
        self._reload_good.set(1 if good else 0)
        if good:
            self._reloaded_at.set(self._clock.utc_now().timestamp())

    def heartbeat(self, outcome: str) -> None:
        """Count an outbound heartbeat: ``sent``, ``failed`` or ``withheld``."""
        self._heartbeats.labels(outcome).inc()
        self._heartbeat_at.labels(outcome).set(self._clock.utc_now().timestamp())

    def exposition(self, reading: Reading) -> bytes:
        """Return all metrics in Prometheus' text format; in a thread, since thousands of series take long to write."""
        with self._exposition:
            self._current_state.reading = reading
            return generate_latest(self._registry)

    def facts(self, *, has_heartbeat: bool) -> DaemonFigures:
        """Return the values that a person sees beside the problems."""
        started = next(value for _, value in values_of(self._started_at))
        # In the first minute, the first requests would look like more than the budget.
        lasts = max(self._clock.utc_now().timestamp() - started, 60.0)
        allowed = {labels["account"]: value for labels, value in values_of(self._budget)}
        sent = {labels["account"]: value for labels, value in values_of(self._requests)}
        beats = {labels["outcome"]: value for labels, value in values_of(self._heartbeat_at)}
        latest = max(beats, key=beats.__getitem__, default="")
        return DaemonFigures(
            version=__version__,
            started_at=datetime.fromtimestamp(started, UTC),
            lateness_seconds=quantile(buckets_of(self._lateness), LATENESS_SHARE),
            requests=[
                AccountRequests(account=name, per_second=sent.get(name, 0.0) / lasts, allowed_per_second=rate)
                for name, rate in allowed.items()
            ],
            heartbeat=latest if has_heartbeat else None,
            heartbeat_at=datetime.fromtimestamp(beats[latest], UTC) if latest else None,
        )

    def _reason_label(self, reason: str) -> str:
        """Return a reason as a label; reasons beyond the first 60 become ``other``."""
        label = NOT_IN_A_LABEL.sub("-", reason.lower())[:REASON_LENGTH].strip("-") or OTHER
        if label in self._reasons or len(self._reasons) < REASONS_MAX:
            self._reasons.add(label)
            return label
        return OTHER

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(PREFIX + name, text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(PREFIX + name, text, labels, registry=self._registry, buckets=buckets)


class _CurrentState(Collector):
    """Gauges of the current state; a series ends together with its subject."""

    def __init__(self) -> None:
        self.reading: Reading | None = None

    def describe(self) -> Iterator[Metric]:
        """Return no families at registration, before the first reading."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield the families of the latest reading."""
        if self.reading is None:
            return
        yield from self._of_process(self.reading)
        if self.reading.health_stats is not None:
            for make in _OF_STORE:
                yield make(self.reading.health_stats, self.reading.at)

    def _of_process(self, reading: Reading) -> Iterator[Metric]:
        loops = family("loop_age_seconds", "Time since each loop last made progress.", "loop")
        for loop, seconds in reading.loop_ages.items():
            loops.add_metric([loop], seconds)
        yield loops
        states = family("not_ready", "1 for each current reason of /readyz.", "reason")
        current = {reason.code for reason in reading.reasons}
        for not_ready in NotReady:
            states.add_metric([not_ready.value], float(not_ready in current))
        yield states
        yield single("ready", "1 while /readyz answers 200.", float(not reading.reasons))
        yield from run_families(reading.in_progress)
        yield from retraining_families(reading.retrainings)
        lost = CounterMetricFamily(PREFIX + "log_lines_dropped", "Log lines that standard output did not take.")
        lost.add_metric([], reading.log_lines_dropped)
        yield lost


def _deliveries(health_stats: HealthStats, _at: datetime) -> Metric:
    found = family("deliveries", "Deliveries without success, by receiver and state.", "receiver", "state")
    for queue in health_stats.queues:
        found.add_metric([queue.receiver, queue.state.value], queue.count)
    return found


def _oldest(health_stats: HealthStats, at: datetime) -> Metric:
    found = family("oldest_pending_delivery_age_seconds", "Age of the oldest pending delivery.", "receiver")
    oldest: dict[str, datetime] = {}
    for queue in health_stats.queues:
        if queue.state in OPEN_STATES:
            oldest[queue.receiver] = min(queue.oldest, oldest.get(queue.receiver, queue.oldest))
    for receiver, since in oldest.items():
        found.add_metric([receiver], max((at - since).total_seconds(), 0.0))
    return found


def _incidents(health_stats: HealthStats, _at: datetime) -> Metric:
    found = family("incidents_open", "Open incidents, by cause.", "cause")
    for cause, count in health_stats.incidents.items():
        found.add_metric([cause], count)
    return found


def _unannounced(health_stats: HealthStats, _at: datetime) -> Metric:
    return single(
        "problems_unannounced",
        "Incidents and failing receivers without a sent alert.",
        len(health_stats.unannounced),
    )


def _unannounced_dead_letters(health_stats: HealthStats, _at: datetime) -> Metric:
    count = sum(health_stats.unannounced_dead_letters.values())
    return single("dead_letters_unannounced", "Dead letters without a sent alert.", count)


def _unrouted(health_stats: HealthStats, _at: datetime) -> Metric:
    return single("events_unrouted", "Events without a route for longer than two minutes.", health_stats.unrouted)


def _failing_receivers(health_stats: HealthStats, at: datetime) -> Metric:
    found = family("receiver_failing_seconds", "Time since a receiver is failing; absent while it works.", "receiver")
    for failing in health_stats.failing_receivers:
        found.add_metric([failing.name], max((at - failing.since).total_seconds(), 0.0))
    return found


def _store_size(health_stats: HealthStats, _at: datetime) -> Metric:
    return single("store_bytes", "Size of the store's file and its write-ahead log.", health_stats.store_bytes)


_OF_STORE: Final[tuple[Callable[[HealthStats, datetime], Metric], ...]] = (
    counts_in_progress,
    in_progress,
    in_progress_since,
    _deliveries,
    _oldest,
    _incidents,
    _unannounced,
    _unannounced_dead_letters,
    _unrouted,
    _failing_receivers,
    _store_size,
)

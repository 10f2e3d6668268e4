"""The data of ``status`` as JSON; other commands share its parts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from watcher.core.incidents.model import Incident
from watcher.core.messages.advice import advice
from watcher.core.messages.reasons import reason_text
from watcher.core.polling.deviation import Deviation
from watcher.core.routing.silence import to_json
from watcher.core.timestamps import to_text
from watcher.core.training.model import TrainingRef

if TYPE_CHECKING:
    from watcher.core.delivery.receiver_state import ReceiverState
    from watcher.core.health.problems import Problem
    from watcher.core.training.retraining import Retraining
    from watcher.reports.status import FailedDelivery, KnownTraining, PollReport, StatusReport
    from watcher.reports.trainings import TrainingTotals
    from watcher.store.unannounced import UnannouncedEvent
    from watcher.store.views import QueueState


def status_json(report: StatusReport) -> dict[str, object]:
    """Return the report for programs; texts from AiTEMS are unchanged."""
    return {
        "at": to_text(report.at),
        "condition": report.condition.value,
        "trainings": [known_json(item) for item in report.trainings],
        "more_trainings": report.more,
        "totals": _totals_json(report.totals),
        "polls": [poll_json(item) for item in report.polls],
        "incidents": [_incident_json(item) for item in report.incidents],
        "overdue": [_overdue_json(item) for item in report.overdue],
        "deliveries": [queue_json(item, report.receivers) for item in report.queues],
        "failed_deliveries": [_failed_delivery_json(item) for item in report.failed_deliveries],
        "deviations": [_deviation_json(item) for item in report.deviations],
        "store": None if report.store is None else report.store.as_json(),
        "failing_receivers": [_failing_receiver_json(item) for item in report.failing_receivers],
        "silences": [to_json(item) for item in report.silences],
        "unannounced": [_unannounced_json(item) for item in report.unannounced],
        "daemon": {"state": report.daemon.state.value, "detail": report.daemon.detail},
        "problems": problems_json(report.problems),
    }


def _totals_json(totals: TrainingTotals) -> dict[str, object]:
    return {
        "trainings": totals.total,
        "by_status": dict(totals.by_status),
        "unconfirmed": totals.unconfirmed,
        "gone": totals.gone,
        "not_watched": totals.not_watched,
    }


def known_json(item: KnownTraining) -> dict[str, object]:
    """Return a training with its status; texts from AiTEMS are unchanged."""
    snapshot = item.snapshot
    return {
        **_ref_json(snapshot.ref),
        "service_name": item.name,
        "status": snapshot.status,
        "unconfirmed_status": None if snapshot.pending is None else snapshot.pending.status,
        "after": _time_json(snapshot.changed_after),
        "before": to_text(snapshot.changed_before or snapshot.first_seen_at),
        "last_seen_at": to_text(item.last_seen),
        "gone": snapshot.gone,
        "watched": item.watched,
        "run": None if item.progress is None else item.progress.as_json(),
    }


def _ref_json(ref: TrainingRef) -> dict[str, object]:
    return {"account": ref.account, "service": ref.service, "training_type": ref.type, "version": ref.version}


def poll_json(polled: PollReport) -> dict[str, object]:
    """Return a poll, with the cause and remedy if it fails."""
    poll, state = polled.poll, polled.state
    return {
        "account": poll.service.account,
        "service": poll.service.service,
        "training_type": poll.training.type if poll.training else None,
        "version": poll.training.version if poll.training else None,
        "answered_at": _time_json(state.good_answered_at),
        "failures": state.failures,
        "failed_since": _time_json(state.failed_since),
        "cause": None if state.cause is None else state.cause.value,
        "detail": state.detail,
        "advice": None if state.cause is None else advice(state.cause),
    }


def _incident_json(incident: Incident) -> dict[str, object]:
    return {
        "id": incident.id,
        "kind": incident.kind.value,
        "subject": incident.subject,
        "cause": incident.cause.value,
        "detail": incident.detail,
        "advice": advice(incident.cause),
        "since": to_text(incident.since),
        "opened_at": to_text(incident.opened_at),
        "last_good_at": _time_json(incident.last_good_at),
    }


def _overdue_json(state: Retraining) -> dict[str, object]:
    last = state.latest_start
    return {
        "account": state.ref.account,
        "service": state.ref.service,
        "training_type": state.ref.type,
        "missing": sorted(item.value for item in state.reported),
        "last_start": None if last is None else {"after": to_text(last.after), "before": to_text(last.before)},
        "last_good": None if state.last_good is None else state.last_good.version,
        "cycle_seconds": None if state.cycle is None else state.cycle.period.total_seconds(),
    }


def _deviation_json(deviation: Deviation) -> dict[str, object]:
    return {
        "description": deviation.description,
        "since": to_text(deviation.seen_at),
        "poll": deviation.poll,
        "sample": dict(deviation.sample),
    }


def queue_json(queue: QueueState, receivers: frozenset[str]) -> dict[str, object]:
    """Return the number of deliveries of a receiver in one state."""
    return {
        "receiver": queue.receiver,
        "configured": queue.receiver in receivers,
        "state": queue.state.value,
        "count": queue.count,
        "oldest": to_text(queue.oldest),
    }


def _failed_delivery_json(item: FailedDelivery) -> dict[str, object]:
    return {
        "event_id": item.event_id,
        "receiver": item.receiver,
        "state": item.state.value,
        "reason": item.reason,
    }


def _failing_receiver_json(item: ReceiverState) -> dict[str, object]:
    since = _time_json(item.failing_since)
    return {"receiver": item.name, "since": since, "reason": reason_text(item.reason), "answer": item.answer}


def _unannounced_json(item: UnannouncedEvent) -> dict[str, object]:
    event = item.event
    return {"event_id": event.id, "kind": event.kind.value, "subject": event.subject, "reason": item.reason.value}


def _time_json(time: datetime | None) -> str | None:
    return None if time is None else to_text(time)


def problems_json(problems: Iterable[Problem]) -> list[dict[str, str]]:
    """Return the problems for programs."""
    return [{"code": item.code.value, "text": item.text, "remedy": item.remedy} for item in problems]

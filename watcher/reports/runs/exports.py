"""The rows of ``export`` as records with documented fields."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from watcher.core.delivery.reason import read_reason
from watcher.core.messages.published import published_event
from watcher.core.messages.reasons import reason_text
from watcher.core.training.model import TrainingRef
from watcher.store.export import Exported
from watcher.store.rows import read_event

TIMES: Final = ("started_after", "started_before", "ended_after", "ended_before")
FIELDS: Final[Mapping[Exported, tuple[str, ...]]] = MappingProxyType(
    {
        Exported.TRAININGS: (
            *("account", "service", "training_type", "version", "status"),
            *("changed_after", "changed_before", "first_seen_at", "gone"),
        ),
        Exported.RUNS: (
            *("account", "service", "training_type", "version", "hpo", "outcome", "status", *TIMES),
            *("seconds", "uncertain_seconds", "restored"),
        ),
        Exported.EVENTS: (
            *("id", "kind", "subject", "seq", "account", "service", "service_name", "training_type", "version"),
            *("from", "to", "late", "restored", "after", "before", "recorded_at"),
        ),
        Exported.DELIVERIES: (
            *("id", "receiver", "state", "reason", "attempts", "urgent", "may_be_repeat"),
            *("created_at", "attempted_at", "settled_at", "answer", "event_ids"),
        ),
    }
)
"""The fields of a line of CSV; JSON Lines have more of trainings and events."""


def records(
    table: Exported, rows: Sequence[Sequence[Any]], events: Mapping[str, list[str]]
) -> Iterator[dict[str, object]]:
    """Yield a record for each row.

    Args:
        table: The table of the rows.
        rows: Columns in the order of ``store.export``.
        events: The ids of the events of each delivery.
    """
    names = FIELDS[table]
    match table:
        case Exported.RUNS:
            return (dict(zip(names, row, strict=True)) for row in rows)
        case Exported.TRAININGS:
            return (_training(row) for row in rows)
        case Exported.EVENTS:
            return (published_event(read_event(row[0])) for row in rows)
        case Exported.DELIVERIES:
            return (_delivery(row, events) for row in rows)


def values_of(
    table: Exported, rows: Sequence[Sequence[Any]], events: Mapping[str, list[str]]
) -> Sequence[Sequence[object]]:
    """Return the values of each row, in the order of its fields."""
    if table is Exported.RUNS:
        return rows
    names = FIELDS[table]
    return [[record[name] for name in names] for record in records(table, rows, events)]


def csv_values(
    table: Exported, rows: Sequence[Sequence[Any]], events: Mapping[str, list[str]]
) -> Iterator[Sequence[object]]:
    """Yield the values of each line of CSV, in the order of its fields."""
    if table is Exported.RUNS:
        return iter(rows)
    return ([_plain(value) for value in row] for row in values_of(table, rows, events))


def _training(row: Sequence[Any]) -> dict[str, object]:
    account, service, subject, status, after, before, first_seen_at, gone, record = row
    ref = TrainingRef.from_subject(subject)
    return {
        "account": account,
        "service": service,
        "training_type": ref.type,
        "version": ref.version,
        "status": status,
        "changed_after": after,
        "changed_before": before,
        "first_seen_at": first_seen_at,
        "gone": gone,
        "record": json.loads(record),
    }


def _delivery(row: Sequence[Any], events: Mapping[str, list[str]]) -> dict[str, object]:
    identity, receiver, state, reason, *others = row
    found = dict(zip(FIELDS[Exported.DELIVERIES][4:], (*others, events.get(identity, [])), strict=True))
    return {"id": identity, "receiver": receiver, "state": state, "reason": reason_text(read_reason(reason)), **found}


def _plain(value: object) -> object:
    return " ".join(value) if isinstance(value, list) else value

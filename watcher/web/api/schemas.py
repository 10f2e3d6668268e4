"""The schemas of the API's answers, as JSON Schema 2020-12; fields may be added, those listed stay."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from watcher.core.action import ActionKind
from watcher.core.delivery.state import State
from watcher.core.event import Kind
from watcher.reports.status import StatusCondition

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
TEXT_OR_NULL: Final[Schema] = {"type": ["string", "null"]}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
NUMBER_OR_NULL: Final[Schema] = {"type": ["number", "null"]}
FLAG: Final[Schema] = {"type": "boolean"}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
TIME_OR_NULL: Final[Schema] = {"type": ["string", "null"], "format": "date-time"}
OPEN: Final[Schema] = {"type": "object"}
OPEN_OR_NULL: Final[Schema] = {"type": ["object", "null"]}


def fields(**properties: Schema) -> Schema:
    """Return an object whose listed fields are always there; others may be added."""
    return {"type": "object", "required": list(properties), "properties": properties}


def listed(items: Schema) -> Schema:
    """Return an array of these items."""
    return {"type": "array", "items": items}


def named(name: str) -> Schema:
    """Return a reference to a schema of this module."""
    return {"$ref": f"#/components/schemas/{name}"}


def one_of(known: type[StrEnum]) -> Schema:
    """Return a text that is one of the known values."""
    return {"type": "string", "enum": [item.value for item in known]}


REF: Final[Mapping[str, Schema]] = {
    "account": TEXT,
    "service": TEXT,
    "training_type": TEXT,
    "version": TEXT,
}

SCHEMAS: Final[Mapping[str, Schema]] = {
    "Problem": fields(title=TEXT, status={"type": "integer", "minimum": 400, "maximum": 599}, detail=TEXT, code=TEXT),
    "Index": fields(openapi=TEXT, paths=listed(TEXT)),
    "Health": fields(ready=FLAG, reasons=listed(fields(reason=TEXT, detail=TEXT))),
    "Training": fields(
        **REF,
        service_name=TEXT_OR_NULL,
        status=TEXT_OR_NULL,
        unconfirmed_status=TEXT_OR_NULL,
        after=TIME_OR_NULL,
        before=TIME,
        last_seen_at=TIME,
        gone=FLAG,
        watched=FLAG,
        run=OPEN_OR_NULL,
    ),
    "Poll": fields(
        account=TEXT,
        service=TEXT_OR_NULL,
        training_type=TEXT_OR_NULL,
        version=TEXT_OR_NULL,
        answered_at=TIME_OR_NULL,
        failures=COUNT,
        failed_since=TIME_OR_NULL,
        cause=TEXT_OR_NULL,
        detail=TEXT_OR_NULL,
        advice=TEXT_OR_NULL,
    ),
    "ProblemOfStatus": fields(code=TEXT, text=TEXT, remedy=TEXT),
    "Status": fields(
        at=TIME,
        condition=one_of(StatusCondition),
        trainings=listed(named("Training")),
        more_trainings=FLAG,
        totals=fields(trainings=COUNT, by_status=OPEN, unconfirmed=COUNT, gone=COUNT, not_watched=COUNT),
        polls=listed(named("Poll")),
        incidents=listed(OPEN),
        overdue=listed(OPEN),
        deliveries=listed(OPEN),
        failed_deliveries=listed(OPEN),
        deviations=listed(OPEN),
        store=OPEN_OR_NULL,
        failing_receivers=listed(OPEN),
        silences=listed(named("Silence")),
        unannounced=listed(OPEN),
        daemon=fields(state=TEXT, detail=TEXT_OR_NULL),
        problems=listed(named("ProblemOfStatus")),
    ),
    "TrainingList": fields(trainings=listed(named("Training")), next=TEXT_OR_NULL),
    "TrainingPage": fields(
        at=TIME,
        training=named("Training"),
        labels=OPEN,
        record=OPEN,
        current_run=OPEN_OR_NULL,
        runs=listed(OPEN),
        usual_stages=OPEN,
        last_good=OPEN_OR_NULL,
        poll={"anyOf": [named("Poll"), {"type": "null"}]},
        events=listed(named("Event")),
        silences=listed(named("Silence")),
        problems=listed(named("ProblemOfStatus")),
    ),
    "Run": fields(
        **REF,
        hpo={"type": ["boolean", "null"]},
        outcome=TEXT,
        status=TEXT,
        started_after=TIME_OR_NULL,
        started_before=TIME_OR_NULL,
        ended_after=TIME,
        ended_before=TIME,
        seconds=NUMBER_OR_NULL,
        uncertain_seconds=NUMBER_OR_NULL,
        restored=FLAG,
    ),
    "RunList": fields(runs=listed(named("Run")), next=TEXT_OR_NULL),
    "Event": fields(
        id=TEXT,
        kind=one_of(Kind),
        subject=TEXT,
        seq=COUNT,
        recorded_at=TIME,
        routed_at=TIME_OR_NULL,
        route=TEXT_OR_NULL,
        deliveries=listed(OPEN),
    ),
    "EventPage": fields(events=listed(named("Event")), next=TEXT, more=FLAG, missed=FLAG),
    "Delivery": fields(
        id=TEXT,
        receiver=TEXT,
        state=one_of(State),
        reason=TEXT,
        reason_code=OPEN_OR_NULL,
        answer=TEXT_OR_NULL,
        attempts=COUNT,
        may_be_repeat=FLAG,
        created_at=TIME,
        attempted_at=TIME_OR_NULL,
        next_at=TIME_OR_NULL,
        settled_at=TIME_OR_NULL,
        about=TEXT,
        event_ids=listed(TEXT),
        actions=listed(named("Action")),
    ),
    "Action": fields(action=one_of(ActionKind), target=TEXT, by=TEXT, at=TIME),
    "ActionList": fields(actions=listed(named("Action"))),
    "DeliveryList": fields(deliveries=listed(named("Delivery"))),
    "Silence": fields(
        id=TEXT,
        match=OPEN,
        starts_at=TIME,
        ends_at=TIME,
        by=TEXT,
        why=TEXT,
        ended_at=TIME_OR_NULL,
        ended_by=TEXT_OR_NULL,
    ),
    "SilenceList": fields(silences=listed(named("Silence"))),
}

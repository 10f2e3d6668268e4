"""The description of the API as OpenAPI 3.1; ``docs/openapi.json`` is a copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from watcher import __version__
from watcher.core.action import ActionKind
from watcher.core.delivery.state import State
from watcher.core.event import Kind
from watcher.core.training.model import Phase
from watcher.reading.events import CURSOR, LATEST
from watcher.web.api.answers import JSON_TYPE, PROBLEM_TYPE
from watcher.web.api.parameters import CURSOR_MAX, LIMIT, LIMIT_MAX, TEXT_MAX
from watcher.web.api.schemas import FLAG, SCHEMAS, Schema, listed, named, one_of

BASE: Final = "/api/v1"
ESCAPES: Final = "~2E, ~2F and ~7E stand for a dot, a slash and a tilde: a name of dots only needs them."
_TEXT: Final[Schema] = {"type": "string", "maxLength": TEXT_MAX, "pattern": "^[^\\u0000]*$"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """One path of the API."""

    summary: str
    answer: str
    """The name of the schema of its answer."""
    parameters: Sequence[Schema] = ()
    errors: Sequence[int] = ()
    """Statuses beside those that every path may have."""


def _query(name: str, description: str, schema: Schema = _TEXT) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _place(*names: str) -> list[Schema]:
    return [
        {"name": name, "in": "path", "required": True, "description": ESCAPES, "schema": {"type": "string"}}
        for name in names
    ]


_LIMIT: Final = _query(
    "limit", "The number of items.", {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT}
)
DURATION: Final = "^(?=.)([0-9]{1,7}d)?([0-9]{1,7}h)?([0-9]{1,7}m)?([0-9]{1,7}s)?([0-9]{1,7}ms)?$"
RUN_CURSOR: Final = "^([0-9TZ:.-]{1,40})[.]([0-9]{1,18})[.](training:[!-~]+)$"
"""The end of a run, its number, and the key of its training, which is ASCII without blanks."""
_SINCE: Final = _query(
    "since",
    "The earliest time: RFC 3339 with a zone, or a duration before the present, e.g. 24h.",
    {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "pattern": DURATION}]},
)
_CURSOR: Final[Schema] = {**_TEXT, "maxLength": CURSOR_MAX}
_AFTER: Final = _query("after", "The `next` of the answer before.", _CURSOR)

PATHS: Final[Mapping[str, Path]] = {
    "": Path(summary="The paths of the API", answer="Index"),
    "/openapi.json": Path(summary="This description", answer="OpenApi"),
    "/health": Path(summary="Whether the watcher is ready, as /readyz", answer="Health"),
    "/status": Path(
        summary="The status, as `status --json`",
        answer="Status",
        parameters=(
            _query("failed", "Only failed trainings.", FLAG),
            _query("in_progress", "Only trainings in progress.", FLAG),
            _query("service", "A pattern for the id or the name of a service."),
            _LIMIT,
        ),
    ),
    "/services/{account}/{service}": Path(
        summary="The status of one service, as `status SERVICE --json`",
        answer="Status",
        parameters=(*_place("account", "service"), _LIMIT),
        errors=(404,),
    ),
    "/trainings": Path(
        summary="The known trainings, by name",
        answer="TrainingList",
        parameters=(
            _query(
                "service",
                "Only trainings of this service: account/service.",
                {**_TEXT, "pattern": "^[^/\\u0000]+/[^/\\u0000]+$"},
            ),
            _query("status", "Only trainings with this status."),
            _query("phase", "Only trainings in this phase.", one_of(Phase)),
            _query("gone", "Also trainings that are gone.", FLAG),
            _AFTER,
            _LIMIT,
        ),
    ),
    "/trainings/{account}/{service}/{type}/{version}": Path(
        summary="One training, as `status SERVICE TYPE VERSION --json`",
        answer="TrainingPage",
        parameters=_place("account", "service", "type", "version"),
        errors=(404,),
    ),
    "/runs": Path(
        summary="Runs that have ended, the oldest first, as `export runs`",
        answer="RunList",
        parameters=(_SINCE, {**_AFTER, "schema": {**_CURSOR, "pattern": RUN_CURSOR}}, _LIMIT),
    ),
    "/events": Path(
        summary="Events in the order of recording: a consumer pulls those that it has missed",
        answer="EventPage",
        parameters=(
            _query(
                "after",
                "The `next` of the answer before, or `latest`; without it, the oldest event.",
                {"anyOf": [{"const": LATEST}, {"type": "string", "pattern": CURSOR}]},
            ),
            _query(
                "kind",
                "Only events of this kind; may be repeated.",
                listed(one_of(Kind)),
            ),
            _query("text", "A part of the subject, or the beginning of an event's id."),
            _SINCE,
            _LIMIT,
        ),
        errors=(410,),
    ),
    "/deliveries": Path(
        summary="The latest deliveries, as `deliveries --json`; without `state`, those that have not arrived",
        answer="DeliveryList",
        parameters=(
            _query(
                "state",
                "Only deliveries in this state; may be repeated.",
                listed(one_of(State)),
            ),
            _query("receiver", "Only deliveries to this receiver."),
            _query("id", "The beginning of the id."),
            _LIMIT,
        ),
    ),
    "/silences": Path(
        summary="The active silences, as `silence list --json`",
        answer="SilenceList",
        parameters=(_query("all", "Also silences that are over.", FLAG),),
    ),
    "/actions": Path(
        summary="The latest actions of people, the newest last, as `history --actions --json`",
        answer="ActionList",
        parameters=(
            _query("action", "Only these actions; may be repeated.", listed(one_of(ActionKind))),
            _SINCE,
            _LIMIT,
        ),
    ),
}
_EVERYWHERE: Final = (400, 401, 429, 503)
_ERRORS: Final[Mapping[int, str]] = {
    400: "A parameter cannot be used",
    401: "The token is missing or wrong",
    404: "There is nothing of this name",
    410: "The cursor is of another store, or of this one before it was restored",
    429: "Too many requests of this address",
    503: "The store cannot be read, or too many requests wait for it",
}


@cache
def document() -> dict[str, Any]:
    """Return the description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "aitems-watcher",
            "version": __version__,
            "description": "Read-only. Every answer has an ETag. Fields may be added; those listed stay.",
        },
        "security": [{}, {"token": []}],
        "paths": {f"{BASE}{name}": {"get": _operation(name, path)} for name, path in PATHS.items()},
        "components": {
            "schemas": {**SCHEMAS, "OpenApi": {"type": "object"}},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(name: str, path: Path) -> Schema:
    answers = {
        "200": {"description": path.summary, "content": {JSON_TYPE: {"schema": named(path.answer)}}},
        "304": {"description": "Unchanged since the answer whose ETag If-None-Match names"},
    }
    for status in sorted({*_EVERYWHERE, *path.errors}):
        answers[str(status)] = {
            "description": _ERRORS[status],
            "content": {PROBLEM_TYPE: {"schema": named("Problem")}},
        }
    return {
        "operationId": name.strip("/").replace("/", "_").replace("{", "").replace("}", "").replace(".", "_") or "index",
        "summary": path.summary,
        "parameters": list(path.parameters),
        "responses": answers,
    }

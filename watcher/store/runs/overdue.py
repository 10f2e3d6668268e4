"""Read the retrainings whose absence was reported and lasts."""

from __future__ import annotations

from sqlalchemy import Connection, select

from watcher.core.training.retraining import Retraining
from watcher.store import schema
from watcher.store.runs.retrainings import read_retraining

NOTHING_REPORTED = "[]"


def open_absences(connection: Connection) -> list[Retraining]:
    """Return the retrainings that are overdue, by service and type."""
    table = schema.retraining.c
    query = select(schema.retraining).where(table.reported != NOTHING_REPORTED).order_by(table.subject)
    return [read_retraining(row) for row in connection.execute(query).mappings()]

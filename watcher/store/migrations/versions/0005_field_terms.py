"""Tables, columns and stored words get the names that the code and the documents use."""

import json
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

RENAMED_TABLES = MappingProxyType({"look": "poll", "drift": "deviation"})
RENAMED_COLUMNS = (
    ("training", "words_told", "announced_statuses"),
    ("deviation", "oddity", "description"),
    ("deviation", "look", "poll"),
    ("receiver", "broken_since", "failing_since"),
)
KINDS = MappingProxyType(
    {
        "reachable": "recovered",
        "receiver-broken": "receiver-failing",
        "receiver-mended": "receiver-recovered",
        "store-trouble": "store-failing",
        "store-mended": "store-recovered",
    }
)
REASONS = MappingProxyType(
    {
        "refused-for-good": "failing",
        "passes-again": "recovered",
        "given-up": "expired",
        "unknown-word": "unknown-status",
    }
)
ROUTES = MappingProxyType({"told-from-memory": "sent-from-memory"})

training = sa.table("training", sa.column("subject"), sa.column("pending"))
incident = sa.table("incident", sa.column("subject"), sa.column("body"))
event = sa.table("event", sa.column("position"), sa.column("kind"), sa.column("body"), sa.column("route"))
silence = sa.table("silence", sa.column("id"), sa.column("match"))


def upgrade() -> None:
    """Rename tables and columns, then the words in the rows that hold an old one."""
    for old, new in RENAMED_TABLES.items():
        op.rename_table(old, new)
    for table, old, new in RENAMED_COLUMNS:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
    _rewrite(training, training.c.subject, training.c.pending, training.c.pending.like('%"occasion"%'), _catch_up)
    _rewrite(incident, incident.c.subject, incident.c.body, incident.c.body.like('%"good_looks"%'), _good_polls)
    _rewrite(event, event.c.position, event.c.body, event.c.body.like('%"reason":"unknown-word"%'), _event)
    _rewrite(event, event.c.position, event.c.body, event.c.kind.in_((*KINDS, "undelivered")), _event)
    _rewrite(silence, silence.c.id, silence.c.match, _names_an_old_kind(), _kinds)
    for old, new in KINDS.items():
        op.execute(sa.update(event).where(event.c.kind == old).values(kind=new))
    for old, new in ROUTES.items():
        op.execute(sa.update(event).where(event.c.route == old).values(route=new))


def _rewrite(
    table: sa.TableClause,
    key: sa.ColumnClause[Any],
    column: sa.ColumnClause[Any],
    which: sa.ColumnElement[bool],
    change: Callable[[dict[str, Any]], None],
) -> None:
    """Change the JSON documents of the rows that ``which`` names."""
    connection = op.get_bind()
    for identity, text in connection.execute(sa.select(key, column).where(which)).all():
        document = json.loads(text)
        change(document)
        written = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        connection.execute(sa.update(table).where(key == identity).values({column.name: written}))


def _catch_up(pending: dict[str, Any]) -> None:
    pending["catch_up_id"] = pending.pop("occasion")


def _good_polls(body: dict[str, Any]) -> None:
    body["good_polls"] = body.pop("good_looks")


def _event(body: dict[str, Any]) -> None:
    body["kind"] = KINDS.get(body["kind"], body["kind"])
    body["reason"] = REASONS.get(body["reason"], body["reason"])
    facts = body.get("incident")
    if facts:
        facts["kind"] = KINDS.get(facts["kind"], facts["kind"])


def _names_an_old_kind() -> sa.ColumnElement[bool]:
    return sa.or_(*(silence.c.match.like(f'%"{kind}"%') for kind in KINDS))


def _kinds(match: dict[str, Any]) -> None:
    kinds = match.get("kind", [])
    match["kind"] = KINDS.get(kinds, kinds) if isinstance(kinds, str) else [KINDS.get(kind, kind) for kind in kinds]

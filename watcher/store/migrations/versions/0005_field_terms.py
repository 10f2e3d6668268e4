"""Tables, columns and stored words get the names of the documents; polls, incidents and events get their account."""

import json
from collections.abc import Callable
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

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
ACCOUNT_FIRST = frozenset({"account", "service", "training", "watch"})
"""Subjects that begin with an account."""

training = sa.table("training", sa.column("subject"), sa.column("pending"))
poll = sa.table("poll", sa.column("key"), sa.column("account"))
incident = sa.table("incident", sa.column("subject"), sa.column("account"), sa.column("body"))
event = sa.table(
    "event",
    sa.column("position"),
    sa.column("subject"),
    sa.column("account"),
    sa.column("kind"),
    sa.column("body"),
)
silence = sa.table("silence", sa.column("id"), sa.column("match"))


def upgrade() -> None:
    """Rename tables and columns, add accounts, then translate the stored words."""
    for old, new in RENAMED_TABLES.items():
        op.rename_table(old, new)
    for table, old, new in RENAMED_COLUMNS:
        op.alter_column(table, old, new_column_name=new)
    _add_accounts()
    _index_open_groups()
    _translate()


def _add_accounts() -> None:
    for table, key in ((poll, poll.c.key), (incident, incident.c.subject), (event, event.c.subject)):
        op.add_column(table.name, sa.Column("account", sa.Text, nullable=False, server_default=""))
        connection = op.get_bind()
        for subject in connection.scalars(sa.select(key).distinct()).all():
            if account := _account_of(subject):
                connection.execute(sa.update(table).where(key == subject).values(account=account))


def _account_of(subject: str) -> str:
    """Return the account of a subject; the key of a joined poll has a word before its subject."""
    kind, _, path = subject.rpartition(" ")[2].partition(":")
    return unquote(path.partition("/")[0]) if kind in ACCOUNT_FIRST else ""


def _index_open_groups() -> None:
    """Write the condition of the partial index as the queries have it; SQLite uses it only then."""
    unsealed = ~sa.column("sealed", sa.Boolean)
    op.drop_index("ix_delivery_group", "delivery")
    op.create_index(
        "ix_delivery_group", "delivery", ["receiver", "group_key"], sqlite_where=unsealed, postgresql_where=unsealed
    )


def _translate() -> None:
    _rewrite(training, training.c.subject, training.c.pending, training.c.pending.like('%"occasion"%'), _catch_up)
    _rewrite(incident, incident.c.subject, incident.c.body, incident.c.body.like('%"good_looks"%'), _good_polls)
    _rewrite(event, event.c.position, event.c.body, event.c.body.like('%"reason":"unknown-word"%'), _event)
    _rewrite(event, event.c.position, event.c.body, event.c.kind.in_((*KINDS, "undelivered")), _event)
    _rewrite(silence, silence.c.id, silence.c.match, _names_an_old_kind(), _kinds)
    for old, new in KINDS.items():
        op.execute(sa.update(event).where(event.c.kind == old).values(kind=new))


def _rewrite(
    table: sa.TableClause,
    key: sa.ColumnClause[Any],
    column: sa.ColumnClause[Any],
    which: sa.ColumnElement[bool],
    change: Callable[[dict[str, Any]], None],
) -> None:
    """Change the JSON documents of the rows that ``which`` selects."""
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
    # A silence may name an old kind as the id of a service.
    if "kind" in match:
        match["kind"] = [KINDS.get(kind, kind) for kind in match["kind"]]

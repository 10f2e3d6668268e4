"""Rows that are written together: the same as by SQLAlchemy, one by one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, create_engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from watcher.store import schema
from watcher.store.rows import Row
from watcher.store.sql.bulk import execute_many
from watcher.store.sql.upsert import insert_or_ignore, insert_or_update

TABLE = schema.delivery
RENAME = update(TABLE).where(TABLE.c.id == bindparam("this"))


def row(identity: str, **more: Any) -> Row:
    return {
        "id": identity,
        "receiver": "hook",
        "sealed": True,
        "urgent": False,
        "body": None,
        "state": "pending",
        "created_at": "2026-11-29T00:00:00.000000Z",
        **more,
    }


VALUES: dict[str, Row] = {
    "nothing": {"reason": "", "answer": None},
    "a NUL character": {"reason": "a\x00b", "answer": "\x00"},
    "any text": {"reason": "'; DROP TABLE delivery; -- ? :x %s", "answer": "훈련 \U0001f600"},
    "bytes": {"body": b"\x00\xff{}"},
    "numbers and flags": {"attempts": 2**40, "urgent": True, "sealed": False, "may_be_repeat": True},
}


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    schema.metadata.create_all(engine)
    with engine.begin() as opened:
        yield opened
    engine.dispose()


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_each_row_is_stored_as_by_itself(connection: Connection, values: Row) -> None:
    rows = [row(f"many-{number}", **values) for number in range(3)]
    assert execute_many(connection, insert(TABLE), rows) == 3
    connection.execute(insert(TABLE).values(row("one", **values)))

    one, *many = connection.execute(select(TABLE).order_by(TABLE.c.id.desc())).mappings().all()
    assert one["id"] == "one"
    for each in many:
        assert {**each, "id": 0, "position": 0} == {**one, "id": 0, "position": 0}


def test_the_order_of_the_names_does_not_matter(connection: Connection) -> None:
    first, second = row("a", reason="r"), dict(reversed(row("b", reason="r").items()))
    execute_many(connection, insert(TABLE), [first, second])
    assert connection.scalars(select(TABLE.c.id).where(TABLE.c.reason == "r")).all() == ["a", "b"]


@pytest.mark.parametrize(("names", "changed"), [(["a"], 1), (["a", "b"], 2), (["a", "x"], 1), (["x"], 0)])
def test_the_number_of_changed_rows_is_returned(connection: Connection, names: list[str], changed: int) -> None:
    execute_many(connection, insert(TABLE), [row("a"), row("b")])
    assert execute_many(connection, RENAME, [{"this": name, "reason": "new"} for name in names]) == changed


def test_a_statement_serves_rows_of_other_names_too(connection: Connection) -> None:
    execute_many(connection, insert(TABLE), [row("a")])
    execute_many(connection, RENAME, [{"this": "a", "reason": "r"}])
    execute_many(connection, RENAME, [{"this": "a", "answer": "x", "state": "dead"}])
    assert connection.execute(select(TABLE.c.reason, TABLE.c.answer, TABLE.c.state)).all() == [("r", "x", "dead")]


def test_an_insert_may_meet_an_existing_row(connection: Connection) -> None:
    meta = schema.meta
    for value in ("1", "2"):
        execute_many(connection, insert_or_update(meta, meta.c.key), [{"key": "k", "value": value}])
    assert execute_many(connection, insert_or_ignore(meta), [{"key": "k", "value": "3"}]) == 0
    assert connection.scalars(select(meta.c.value)).all() == ["2"]


def test_a_row_that_fails_raises_the_error_of_the_store(connection: Connection) -> None:
    with pytest.raises(IntegrityError) as raised:
        execute_many(connection, insert(TABLE), [row("a"), row("a")])
    assert isinstance(raised.value.orig, sqlite3.IntegrityError)

"""Execute a statement for many rows, with less work for each row than SQLAlchemy has with it.

A sweep may write thousands of rows. SQLAlchemy makes several dictionaries of each, which costs more than writing it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, cast

from sqlalchemy import Connection, Dialect, UpdateBase

Process = Callable[[Any], Any]

KNOWN_STATEMENTS: Final = 256
"""More than there are, so that each is compiled once a store."""
QUESTION_MARKS: Final = "qmark"
"""The style of SQLite's parameters, in their order."""


def execute_many(connection: Connection, statement: UpdateBase, rows: Sequence[Mapping[str, Any]]) -> int:
    """Execute a statement once for each row, and return the number of changed rows.

    Args:
        connection: a transaction.
        statement: kept by its caller, since it is compiled once. All of its parameters come from the rows.
        rows: at least one; each has the same names.
    """
    if connection.dialect.paramstyle != QUESTION_MARKS:
        return connection.execute(statement, list(rows)).rowcount
    prepared = _prepared(statement, connection.dialect, tuple(rows[0]))
    return connection.exec_driver_sql(prepared.text, [prepared.parameters(row) for row in rows]).rowcount


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A statement as the driver gets it."""

    text: str
    processes: tuple[Process | None, ...]
    """The conversion of each parameter by its type."""
    pick: Callable[[Mapping[str, Any]], tuple[Any, ...]]

    def parameters(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        pairs = zip(self.processes, self.pick(row), strict=True)
        return tuple([value if process is None else process(value) for process, value in pairs])


@lru_cache(KNOWN_STATEMENTS)
def _prepared(statement: UpdateBase, dialect: Dialect, columns: tuple[str, ...]) -> _Prepared:
    compiled = cast("Any", statement.compile(dialect=dialect, column_keys=list(columns)))
    names: tuple[str, ...] = tuple(compiled.positiontup)
    types = [compiled.binds[name].type.dialect_impl(dialect) for name in names]
    return _Prepared(
        text=str(compiled),
        processes=tuple(type_.bind_processor(dialect) for type_ in types),
        pick=itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],),
    )

"""Every statement works with the oldest SQLite library, and an older one is refused in one line.

The statements are those that the tests of the store execute, the migrations among them, and the strings of the modules
that write SQL themselves. Each later feature is listed with its version (https://www.sqlite.org/changes.html).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from unittest import mock

import pytest
from sqlalchemy import Engine, event

from tests.integration.store import test_portable
from tests.integration.store.conftest import NOW
from tests.support.paths import ROOT
from watcher.cli.commands import doctor_facts
from watcher.core.event import Event
from watcher.core.training.model import Snapshot
from watcher.reports.doctor import CheckVerdict, versions_check
from watcher.store.errors import StoreUnusable
from watcher.store.readers import reader_engine
from watcher.store.sqlite.database import open_database, restore_database
from watcher.store.sqlite.library import OLDEST, check_library, oldest

LATER_FEATURES: Final = {
    r"\bRETURNING\b": (3, 35, 0),
    r"\bDROP\s+COLUMN\b": (3, 35, 0),
    r"\bMATERIALIZED\b": (3, 35, 0),
    r"\b(sqrt|ceil|floor|ln|pow|power|log10|log2|radians|degrees|trunc)\s*\(": (3, 35, 0),
    r"\)\s*(WITHOUT\s+ROWID\s*,\s*)?STRICT\b": (3, 37, 0),
    r"->": (3, 38, 0),
    r"\b(unixepoch|format)\s*\(": (3, 38, 0),
    r"\bIS\s+(NOT\s+)?DISTINCT\s+FROM\b": (3, 39, 0),
    r"\b(RIGHT|FULL)\s+(OUTER\s+)?JOIN\b": (3, 39, 0),
    r"\b(octet_length|timediff|concat|concat_ws|string_agg)\s*\(": (3, 43, 0),
    r"\bjsonb\w*\s*\(": (3, 45, 0),
    r"\biif\s*\(": (3, 32, 0),
    r"\bUPDATE\b.*\bSET\b.*\bFROM\b(?!.*\bSELECT\b)": (3, 33, 0),
    r"\bNULLS\s+(FIRST|LAST)\b": (3, 30, 0),
    r"\bON\s+CONFLICT\b": (3, 24, 0),
}


def later_features(statement: str, version: tuple[int, int, int] = OLDEST) -> list[str]:
    """Return the features of a statement that a library of this version does not have."""
    bare = re.sub(r"'[^']*'", "''", statement)
    return [
        feature
        for feature, since in LATER_FEATURES.items()
        if since > version and re.search(feature, bare, re.IGNORECASE | re.DOTALL)
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO delivery (id) VALUES (?) RETURNING position",
        "DELETE FROM line WHERE position = ? RETURNING *",
        "ALTER TABLE delivery DROP COLUMN mention",
        "WITH due AS NOT MATERIALIZED (SELECT 1) SELECT * FROM due",
        "CREATE TABLE t (a INTEGER) STRICT",
        "SELECT body ->> '$.kind' FROM event",
        "SELECT 1 WHERE a IS NOT DISTINCT FROM b",
        "SELECT * FROM a FULL OUTER JOIN b ON a.x = b.x",
        "SELECT unixepoch('now')",
        "SELECT sqrt(2)",
    ],
)
def test_a_statement_with_a_later_feature_is_found(statement: str) -> None:
    assert later_features(statement)


def test_a_word_in_a_text_is_no_feature_and_older_features_are_allowed() -> None:
    assert later_features("SELECT 'RETURNING -> STRICT'") == []
    assert later_features("INSERT INTO meta (key) VALUES (?) ON CONFLICT DO NOTHING") == []
    assert later_features("INSERT INTO meta (key) VALUES (?) ON CONFLICT DO NOTHING", (3, 23, 0))


async def test_every_statement_works_with_the_oldest_library(
    path: Path, make_event: Callable[..., Event], make_snapshot: Callable[..., Snapshot]
) -> None:
    executed: set[str] = set()

    def note(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        executed.add(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        # SQLAlchemy and Alembic take the version of the library into account.
        with (
            mock.patch("sqlite3.dbapi2.sqlite_version_info", OLDEST),
            closing(open_database(path, purpose="test", now=NOW)) as database,
        ):
            await test_portable.poll(database, make_snapshot)
            await test_portable.deliver(database, make_event)
            await test_portable.fail(database, make_event)
            await test_portable.operate(database, make_event)
            test_portable.read(database)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert len(executed) > 100
    assert any(statement.startswith("INSERT INTO delivery ") for statement in executed)
    assert {statement: found for statement in executed if (found := later_features(statement))} == {}


SQL: Final = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|PRAGMA|VACUUM|CREATE|ALTER|WITH)\b")


def written_statements() -> Iterator[str]:
    """Yield the strings with SQL in the modules that write it themselves."""
    for path in [*(ROOT / "watcher" / "store").rglob("*.py"), Path(doctor_facts.__file__)]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value):
                yield node.value


def test_every_written_statement_works_with_the_oldest_library() -> None:
    statements = list(written_statements())
    assert len(statements) > 5
    assert [statement for statement in statements if later_features(statement)] == []


@pytest.mark.parametrize("version", [(3, 7, 15), (3, 26, 0), (3, 33, 0)])
def test_an_older_library_is_refused_in_one_line_before_anything_is_written(
    tmp_path: Path, version: tuple[int, int, int]
) -> None:
    store = tmp_path / "new" / "watcher.db"
    text = ".".join(map(str, version))
    older = mock.patch.multiple("sqlite3", sqlite_version_info=version, sqlite_version=text)
    with older:
        for use in (
            lambda: open_database(store, purpose="test", now=NOW),
            lambda: restore_database(store, None, now=NOW),
            lambda: reader_engine(f"sqlite:///{store}"),
        ):
            with pytest.raises(StoreUnusable) as refused:
                use()
            assert "\n" not in str(refused.value)
            assert f"is {text}, the store needs {oldest()} or later; install " in str(refused.value)
        assert doctor_facts._needed_sqlite() == oldest()
    assert not store.parent.exists()


def test_the_oldest_library_itself_is_accepted() -> None:
    with mock.patch.multiple("sqlite3", sqlite_version_info=OLDEST, sqlite_version=oldest()):
        check_library()
        assert doctor_facts._needed_sqlite() is None


def test_doctor_shows_the_version_and_calls_an_older_one_a_fault() -> None:
    good = versions_check({"SQLite": "3.40.1"})
    assert (good.verdict, "SQLite 3.40.1" in good.detail) == (CheckVerdict.OK, True)
    old = versions_check({"SQLite": "3.26.0"}, oldest())
    assert (old.verdict, "SQLite 3.26.0" in old.detail, bool(old.remedy)) == (CheckVerdict.FAULT, True, True)

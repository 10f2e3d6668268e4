"""Gathers the facts about this machine that ``doctor`` judges."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from http.client import HTTPException
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.request import ProxyHandler, build_opener

from watcher import __version__
from watcher.core.health.problems import ProblemCode
from watcher.reports.doctor import (
    DaemonFacts,
    DoctorCheck,
    StoreFacts,
    daemon_check,
    disk_check,
    page_check,
    problem_checks,
    secret_check,
    store_checks,
    versions_check,
)

if TYPE_CHECKING:
    from watcher.config import Config, SecretRef
    from watcher.core.health.problems import Problem
    from watcher.core.secret import Secret
    from watcher.store.sqlite.owner import Owner

LIBRARIES: Final = ("sqlalchemy", "httpx2")
STORE_SECONDS: Final = 5.0
"""The longest wait for a store that another process has locked."""
ABOUT_DAEMON: Final = frozenset({ProblemCode.NO_DAEMON, ProblemCode.DAEMON_SILENT})
"""Problems that say the same as the check of the daemon."""

ABOUT_PAGE: Final = frozenset({ProblemCode.WEB_NOT_LISTENING})
"""Problems that say the same as the check of the status page."""
PAGE_SECONDS: Final = 3.0
"""The longest wait for the status page, which this machine itself serves."""
EVERY_ADDRESS: Final = MappingProxyType({"0.0.0.0": "127.0.0.1", "::": "::1"})  # noqa: S104 - to ask, not to listen
"""An address that stands for all of this machine, and the one that is asked instead."""


def local_checks(
    config: Config, environ: Mapping[str, str], resolve: Callable[[SecretRef], Secret]
) -> Iterator[DoctorCheck]:
    """Make every check that needs no network; ``resolve`` reads a secret."""
    path = config.store_path(environ)
    facts = store_facts(config.store_url(environ))
    needed = _needed_sqlite()
    problems = _problems(config) if facts.usable and needed is None else None
    if problems is not None:
        yield from problem_checks(problems)
    daemon = daemon_facts(config, environ)
    user = daemon_user(daemon, path)
    store = with_rights(facts, user) if facts.exists else _missing(facts, config, environ)
    if store.lost is not None:
        yield from store_checks(store)
    yield versions_check(_versions(), needed)
    if store.lost is None:
        yield from store_checks(store)
    yield _disk_check(path)
    if not any(problem.code in ABOUT_DAEMON for problem in problems or ()):
        yield daemon_check(daemon, __version__)
    if daemon.pid is not None and not any(problem.code in ABOUT_PAGE for problem in problems or ()):
        yield from _page_checks(config)
    yield from _secret_checks(config, resolve, user)


def daemon_user(daemon: DaemonFacts, store: Path) -> Owner | None:
    """Return the user whose rights count where root runs this: the daemon's, else the owner of the store."""
    from watcher.store.sqlite.owner import ROOT, Owner, owner_of_store

    if os.geteuid() != ROOT:
        return None
    if isinstance(daemon.uid, int) and isinstance(daemon.gid, int):
        return Owner(daemon.uid, daemon.gid)
    return owner_of_store(store)


def _missing(facts: StoreFacts, config: Config, environ: Mapping[str, str]) -> StoreFacts:
    """Note that the file was lost: its daemon runs, or its backups are there."""
    from watcher.cli.store_access import require_store
    from watcher.store.errors import StoreLost, StoreUnusable
    from watcher.store.sqlite.backup_folder import BackupFolder

    try:
        require_store(config, environ)
    except StoreLost as error:
        return replace(facts, lost=error.problem)
    except StoreUnusable:
        with suppress(OSError):
            return replace(facts, has_backups=any(BackupFolder(Path(facts.path)).backups()))
    return facts


def with_rights(facts: StoreFacts, user: Owner | None) -> StoreFacts:
    """Note the files of the store that this user may not open."""
    from watcher.store.sqlite.owner import closed_files

    if user is None or not facts.exists:
        return facts
    return replace(facts, user=user.uid, closed_files=tuple(map(str, closed_files(Path(facts.path), user))))


def _problems(config: Config) -> list[Problem]:
    from watcher.cli.whole_status import read_report
    from watcher.reports.trainings import Selection

    return read_report(config, Selection()).problems


def _versions() -> dict[str, str]:
    libraries = {name: version(name) for name in LIBRARIES}
    python = {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version}
    return {"aitems-watcher": __version__, **python, **libraries}


def _needed_sqlite() -> str | None:
    from watcher.store.sqlite.library import is_too_old, oldest

    return oldest() if is_too_old() else None


def store_facts(url: str) -> StoreFacts:
    """Read the whole store, without writing to it."""
    from watcher.store.sqlite.reading import reading_address
    from watcher.store.url import sqlite_path

    path = sqlite_path(url)
    facts = StoreFacts(path=str(path))
    try:
        if not path.exists():
            return replace(facts, exists=False)
    except OSError as error:
        # A folder on the way that this user may not enter.
        return replace(facts, error=f"{error.strerror}")
    try:
        with closing(sqlite3.connect(reading_address(path), uri=True, timeout=STORE_SECONDS)) as connection:
            return _content(replace(facts, size_bytes=path.stat().st_size), connection)
    except sqlite3.Error as error:
        return replace(facts, error=f"{error}")


def _content(facts: StoreFacts, connection: sqlite3.Connection) -> StoreFacts:
    from watcher.store.migrations.schema_version import known_revisions

    result = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if result != "ok":
        return replace(facts, damage=result)
    known = frozenset(known_revisions())
    facts = replace(facts, known_schemas=known)
    facts = replace(facts, schema=connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
    if facts.schema != max(known):
        # Another schema may have other tables.
        return facts
    rows = connection.execute("SELECT description FROM deviation ORDER BY seen_at").fetchall()
    return replace(facts, deviations=[row[0] for row in rows])


def _is_seen(path: Path) -> bool:
    """Say whether a file or folder exists; this user may not enter the folder of one that it does not see."""
    try:
        return path.exists()
    except OSError:
        return False


def _disk_check(path: Path) -> DoctorCheck:
    folder = next(parent for parent in path.absolute().parents if _is_seen(parent))
    return disk_check(shutil.disk_usage(folder).free, str(folder))


def daemon_facts(config: Config, environ: Mapping[str, str]) -> DaemonFacts:
    """Ask the daemon of this store for its process and version."""
    from watcher.cli.store_access import ask_daemon
    from watcher.control.client import PROMPT_SECONDS
    from watcher.control.protocol import ControlError, NoDaemonError, StoreGoneError

    try:
        answer = ask_daemon(config, environ, "ping", {}, timeout_seconds=PROMPT_SECONDS)
    except NoDaemonError:
        return DaemonFacts(running=False, has_store=_is_seen(config.store_path(environ)))
    except StoreGoneError as error:
        return DaemonFacts(running=True, pid=error.pid, without_store=True)
    except ControlError as error:
        return DaemonFacts(running=True, error=f"{error}")
    return DaemonFacts(
        running=True, pid=answer["pid"], version=answer["version"], uid=answer.get("uid"), gid=answer.get("gid")
    )


def _page_checks(config: Config) -> Iterator[DoctorCheck]:
    """Ask the status page of the daemon whether it answers."""
    address = config.web.address
    if address is None or address.port == 0:
        return
    host = EVERY_ADDRESS.get(address.host, address.host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{address.port}{config.web.base_path}/"
    problem = None
    try:
        # Without a proxy of the environment: it is on this machine.
        build_opener(ProxyHandler({})).open(f"{url}healthz", timeout=PAGE_SECONDS).close()
    except (OSError, HTTPException) as error:
        problem = f"{getattr(error, 'reason', None) or error}"
    yield page_check(url, problem)


def _secret_checks(config: Config, resolve: Callable[[SecretRef], Secret], user: Owner | None) -> Iterator[DoctorCheck]:
    """Judge the secrets inside the daemon, which has them, or here."""
    from watcher.cli.from_daemon import secrets_of_daemon

    facts = secrets_of_daemon(config)
    if facts is None:
        from watcher.wiring.secrets.facts import secret_facts

        facts = secret_facts(config, resolve, user)
    yield from map(secret_check, facts)

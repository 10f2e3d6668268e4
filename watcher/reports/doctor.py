"""What ``doctor`` looks at on this machine: each with a verdict, what was found, and what to do."""

from __future__ import annotations

import platform
import shutil
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from watcher import __version__
from watcher.config import Config, SecretError, SecretKind, SecretRef
from watcher.config.references import secrets_of
from watcher.core.plural import counted
from watcher.store.url import sqlite_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from watcher.core.secret import Secret

MEGABYTE: Final = 1_000_000
LITTLE_SPACE: Final = 500 * MEGABYTE
NO_SPACE: Final = 50 * MEGABYTE
OTHERS_MAY: Final = stat.S_IRWXG | stat.S_IRWXO
LIBRARIES: Final = ("sqlalchemy", "httpx2")
RESTART: Final = "a change of it needs a restart"


class Verdict(StrEnum):
    """How something is."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorCheck:
    """One thing that was looked at."""

    about: str
    verdict: Verdict
    detail: str
    remedy: str = ""

    def as_json(self) -> dict[str, object]:
        """Return it for programs."""
        return asdict(self)


def ok(about: str, detail: str) -> DoctorCheck:
    """Say that something is well."""
    return DoctorCheck(about=about, verdict=Verdict.OK, detail=detail)


def warning(about: str, detail: str, remedy: str) -> DoctorCheck:
    """Say that something may become a fault."""
    return DoctorCheck(about=about, verdict=Verdict.WARNING, detail=detail, remedy=remedy)


def fault(about: str, detail: str, remedy: str) -> DoctorCheck:
    """Say that something does not work, or must not stay as it is."""
    return DoctorCheck(about=about, verdict=Verdict.FAULT, detail=detail, remedy=remedy)


def examine(
    config: Config, environ: Mapping[str, str], resolve: Callable[[SecretRef], Secret]
) -> Iterator[DoctorCheck]:
    """Look at everything that needs no network."""
    path = config.state.sqlite_path(environ)
    yield versions()
    yield from examine_store(config.state.store_url(environ))
    yield free_space(path)
    yield daemon_of(path)
    yield from examine_secrets(config, resolve)


def versions() -> DoctorCheck:
    """Say what runs here."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return ok(
        "versions",
        f"aitems-watcher {__version__}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, {libraries}",
    )


def examine_store(url: str) -> Iterator[DoctorCheck]:
    """Open the store for reading only, and read all of it."""
    path = sqlite_path(url)
    if not path.exists():
        yield warning("store", f"there is none at {path}", "start the watcher once, or name the right configuration")
        return
    try:
        address = f"file:{quote(str(path))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=5)) as connection:
            sound = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            yield _soundness(path, sound)
            if sound == "ok":
                yield _revision(connection)
                yield _deviations(connection)
    except sqlite3.Error as error:
        yield fault("store", f"{path}: {error}", "run this as the watcher's user; if it is damaged, restore a backup")


def _soundness(path: Path, sound: str) -> DoctorCheck:
    if sound != "ok":
        return fault("store", f"{path} is damaged: {sound}", "restore a backup, see docs/operations.md")
    return ok("store", f"{path}: sound, {path.stat().st_size / MEGABYTE:.1f} MB")


def _revision(connection: sqlite3.Connection) -> DoctorCheck:
    from watcher.store.schema_version import known_revisions

    found = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
    known = known_revisions()
    if found not in known:
        return fault(
            "schema", f"{found}, this version knows up to {max(known)}", "install the version that made the store"
        )
    if found != max(known):
        return warning("schema", f"{found} of {max(known)}", "the next start of the watcher brings it up to date")
    return ok("schema", found)


def _deviations(connection: sqlite3.Connection) -> DoctorCheck:
    rows = connection.execute("SELECT description FROM deviation ORDER BY seen_at").fetchall()
    if not rows:
        return ok("documents", "AiTEMS answers as its documents say")
    what = f"{counted(len(rows), 'difference')} of AiTEMS from its documents, e.g. {rows[0][0]}"
    return warning("documents", what, "aitems-watcher status lists them; report what is new")


def free_space(path: Path) -> DoctorCheck:
    """Say how much room the store's disk has."""
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    detail = f"{free / MEGABYTE:,.0f} MB free at {folder}"
    remedy = "make room, or move the store: [state] url"
    if free < NO_SPACE:
        return fault("free space", detail, remedy)
    return warning("free space", detail, remedy) if free < LITTLE_SPACE else ok("free space", detail)


def daemon_of(path: Path) -> DoctorCheck:
    """Ask the daemon of this store, over its socket."""
    from watcher.control.client import request
    from watcher.control.protocol import ControlError, NoDaemonError
    from watcher.control.socket_path import link_path

    start = "systemctl start aitems-watcher, or aitems-watcher run"
    try:
        answer = request(link_path(path), "ping", {}, timeout_seconds=5)
    except NoDaemonError:
        return warning("daemon", "none runs on this store", start)
    except ControlError as error:
        return fault("daemon", f"{error}", "systemctl restart aitems-watcher if it hangs")
    detail = f"process {answer['pid']}, version {answer['version']}"
    if answer["version"] != __version__:
        return warning("daemon", f"{detail}; installed is {__version__}", "systemctl restart aitems-watcher")
    return ok("daemon", detail)


def examine_secrets(config: Config, resolve: Callable[[SecretRef], Secret]) -> Iterator[DoctorCheck]:
    """Fetch every secret that the configuration names, and look at who else may read it."""
    for key, ref in secrets_of(config):
        yield _secret(f"secret {key}", ref, resolve)


def _secret(about: str, ref: SecretRef, resolve: Callable[[SecretRef], Secret]) -> DoctorCheck:
    try:
        resolve(ref)
    except SecretError as error:
        problem, _, remedy = str(error).partition("; ")
        return fault(about, problem, remedy or "put the secret there")
    if ref.kind is not SecretKind.FILE:
        return ok(about, f"{ref}: there; {RESTART}")
    return _permissions(about, ref)


def _permissions(about: str, ref: SecretRef) -> DoctorCheck:
    mode = stat.S_IMODE(Path(ref.name).stat().st_mode)
    if mode & OTHERS_MAY:
        return fault(about, f"{ref} is open to others ({mode:04o})", f"chmod 600 {ref.name}")
    return ok(about, f"{ref}: there, for its owner alone; a change of it counts at once")

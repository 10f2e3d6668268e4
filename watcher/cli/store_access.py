"""Access to the store from a command: reading it directly, and changing it through the daemon."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from watcher.clock import Clock
    from watcher.config import Config
    from watcher.store.sqlite.database import Database
    from watcher.store.views import Views

UNIT_HINT: Final = (
    "a systemd unit keeps its store in its state folder: set STATE_DIRECTORY to that folder, "
    "e.g. STATE_DIRECTORY=/var/lib/aitems-watcher"
)
Answer = Mapping[str, object]
Alone = Callable[["Database", "Clock"], Coroutine[object, object, Answer]]
"""The same change without a daemon."""


@contextmanager
def reading(config: Config, environ: Mapping[str, str]) -> Iterator[Views]:
    """Open the store of the configuration for reading; a daemon may write meanwhile.

    Raises:
        StoreUnusable: there is no store, or it cannot be read.
    """
    from watcher.store.errors import StoreUnusable
    from watcher.store.views import open_views

    path = config.store_path(environ)
    try:
        require_store(config, environ)
        with open_views(config.store_url(environ)) as views:
            yield views
    except PermissionError as error:
        raise StoreUnusable(f"cannot read {path}: {error.strerror}; run this as the watcher's user") from error


def require_store(config: Config, environ: Mapping[str, str]) -> Path:
    """Return the file of the configuration's store.

    Raises:
        StoreLost: the file does not exist, although its daemon runs.
        StoreUnusable: the file does not exist.
    """
    from watcher.config.find_file import implied_state_folder
    from watcher.store.errors import StoreLost, StoreUnusable

    path = config.store_path(environ)
    if path.exists():
        return path
    if (pid := daemon_process(config, environ)) is not None:
        raise StoreLost(path, pid)
    is_certain = config.state.url or "STATE_DIRECTORY" in environ or implied_state_folder(config.path)
    hint = "" if is_certain else f"\n{UNIT_HINT}"
    raise StoreUnusable(f"there is no store at {path}; start the watcher once, or name the right configuration{hint}")


def place_of_store(config: Config, environ: Mapping[str, str]) -> Path:
    """Return the file of the configuration's store, which need not exist.

    Raises:
        StoreLost: it does not exist, although its daemon runs: a new store would have a second daemon beside that one.
    """
    from watcher.store.errors import StoreLost

    path = config.store_path(environ)
    # ``Path.exists`` would raise for a folder that this user may not enter.
    if not os.path.exists(path) and (pid := daemon_process(config, environ)) is not None:  # noqa: PTH110 - see above
        raise StoreLost(path, pid)
    return path


def daemon_process(config: Config, environ: Mapping[str, str]) -> int | None:
    """Return the process number of the daemon of this store, if it runs; the store itself may be gone."""
    from watcher.control.client import PROMPT_SECONDS
    from watcher.control.protocol import ControlError, NoDaemonError, SocketGoneError
    from watcher.store.sqlite.lost_lock import daemon_without_store

    try:
        answer = ask_daemon(config, environ, "ping", {}, timeout_seconds=PROMPT_SECONDS)
    except NoDaemonError:
        return None
    except SocketGoneError as error:
        return error.pid
    except ControlError:
        return daemon_without_store(config.store_path(environ))
    pid = answer.get("pid")
    return pid if isinstance(pid, int) and _has_store(answer, config.store_path(environ)) else None


def change(settings: Config, command: str, arguments: Mapping[str, object], alone: Alone) -> Answer:
    """Ask the daemon to change the store; without a daemon, change the store directly.

    Raises:
        ControlError: the daemon refuses the change.
        StoreError: there is no store, or it is unusable.
    """
    from watcher.control.protocol import NoDaemonError, SocketGoneError
    from watcher.store.errors import StoreInUse

    try:
        return ask_daemon(settings, os.environ, command, arguments)
    except NoDaemonError:
        return _alone(settings, command, alone)
    except SocketGoneError:
        # Only the lock proves that it runs: another process may have its number.
        with suppress(StoreInUse):
            return _alone(settings, command, alone)
        raise


def ask_daemon(
    config: Config,
    environ: Mapping[str, str],
    command: str,
    arguments: Mapping[str, object],
    *,
    timeout_seconds: float | None = None,
) -> Answer:
    """Send a request to the daemon of the configuration's store.

    ``timeout_seconds`` is the longest wait for each daemon that is asked.

    Raises:
        NoDaemonError: none runs.
        SocketGoneError: none listens, but one seems to run; ``StoreGoneError`` where its store is gone, too.
        ControlError: it refuses the request, or does not answer in time.
    """
    from watcher.control.client import TIMEOUT_SECONDS, request
    from watcher.control.protocol import NoDaemonError

    seconds = timeout_seconds or TIMEOUT_SECONDS
    path = socket_of_store(config, environ, timeout_seconds=seconds)
    try:
        return request(path, command, arguments, timeout_seconds=seconds)
    except NoDaemonError:
        require_no_daemon(config, environ)
        raise


def require_no_daemon(config: Config, environ: Mapping[str, str]) -> None:
    """Look for the process that has the lock of the store: its socket may have been removed, or all of the folder.

    Raises:
        StoreGoneError: that process lives, and the store is no longer at its place.
        SocketGoneError: that process lives.
    """
    from watcher.control.protocol import SocketGoneError, StoreGoneError
    from watcher.store.errors import StoreLost
    from watcher.store.sqlite.lock import running_daemon
    from watcher.store.sqlite.lost_lock import daemon_without_store

    path = config.store_path(environ)
    named = running_daemon(path)
    # ``Path.exists`` would raise for a folder that this user may not enter.
    if named is not None and os.path.exists(path):  # noqa: PTH110 - see above
        raise SocketGoneError(named)
    pid = named or daemon_without_store(path)
    if pid is not None:
        lost = StoreLost(path, pid)
        raise StoreGoneError(pid, lost.problem, lost.remedy)


def socket_of_store(config: Config, environ: Mapping[str, str], *, timeout_seconds: float) -> Path:
    """Return the link beside the store, or another socket where a daemon of this store answers."""
    from watcher.control.socket_path import link_path

    store = config.store_path(environ)
    link = link_path(store)
    # ``Path.exists`` would raise for a link into a folder that this user may not enter.
    if os.path.exists(link):  # noqa: PTH110 - see above
        return link
    sockets = unit_sockets(config.path, environ)
    return next((path for path in sockets if _daemon_has_store(path, store, timeout_seconds)), link)


def _daemon_has_store(path: Path, store: Path, timeout_seconds: float) -> bool:
    from watcher.control.client import request
    from watcher.control.protocol import ControlError, NoDaemonError

    try:
        answer = request(path, "ping", {}, timeout_seconds=timeout_seconds)
    except (ControlError, NoDaemonError):
        return False
    return _has_store(answer, store)


def _has_store(answer: Answer, store: Path) -> bool:
    return Path(str(answer.get("store"))).resolve() == store.resolve()


def unit_sockets(config: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """Return the places of a socket that depend on the path of the file alone: the folders of the unit."""
    from watcher.config.find_file import implied_state_folder
    from watcher.control.socket_path import SOCKET_NAME, UNIT_FOLDER, unit_folder

    implied = None if implied_state_folder(config) is None else UNIT_FOLDER
    # Both may be the same folder; a daemon that hangs there is waited for once.
    folders = dict.fromkeys((unit_folder(environ), implied))
    return (folder / SOCKET_NAME for folder in folders if folder is not None)


def _alone(settings: Config, command: str, alone: Alone) -> Answer:
    from watcher.cli.runtime import run_async
    from watcher.clock import Clock
    from watcher.store.sqlite.database import open_database

    # Opening would create a missing store.
    require_store(settings, os.environ)
    clock = Clock()
    database = open_database(settings.store_path(os.environ), purpose=command, now=clock.utc_now())
    try:
        return run_async(alone(database, clock))
    finally:
        database.close()

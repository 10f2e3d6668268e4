"""The health of a store's daemon, asked over its control socket."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from watcher.config import Config
    from watcher.core.health.problems import DaemonHealth

READ_ONLY: Final = "read-only"


def daemon_health(config: Config, environ: Mapping[str, str]) -> DaemonHealth:
    """Ask the daemon of the configuration's store for the reasons why it is not ready."""
    from watcher.cli.store_access import ask_daemon
    from watcher.control.client import PROMPT_SECONDS
    from watcher.control.protocol import ControlError, NoDaemonError, SocketGoneError, StoreGoneError
    from watcher.core.health.problems import DaemonHealth, DaemonState, read_health
    from watcher.core.health.readiness import NotReady, NotReadyReason

    try:
        answer = ask_daemon(config, environ, "health", {}, timeout_seconds=PROMPT_SECONDS)
        return read_health(answer)
    except NoDaemonError:
        return DaemonHealth(state=DaemonState.ABSENT)
    except StoreGoneError as error:
        # It runs; with its store gone, its silence is no problem of its own.
        lost = NotReadyReason(code=NotReady.STORE, detail=error.problem)
        return DaemonHealth(state=DaemonState.RUNNING, reasons=(lost,))
    except SocketGoneError as error:
        return DaemonHealth(state=DaemonState.SILENT, detail=error.problem)
    except ControlError as error:
        return DaemonHealth(state=DaemonState.SILENT, detail=f"{error}")
    except (ValueError, KeyError, TypeError):
        return DaemonHealth(state=DaemonState.SILENT, detail="it is of another version; restart it")


def store_failing(path: Path, daemon: DaemonHealth) -> str | None:
    """Return why the store cannot be written, where no daemon answers that itself."""
    from watcher.core.health.problems import DaemonState
    from watcher.store.sql.write_faults import WriteFault
    from watcher.store.sqlite.disk_reserve import FLOOR_BYTES

    if daemon.state is DaemonState.RUNNING:
        return None
    disk = os.statvfs(path.parent)
    if disk.f_flag & os.ST_RDONLY:
        return READ_ONLY
    return WriteFault.FULL.value if disk.f_bavail * disk.f_frsize < FLOOR_BYTES else None

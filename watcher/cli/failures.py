"""Errors that are expected: plain lines on standard error and an exit status, never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from watcher.cli.exit_status import ExitStatus
from watcher.cli.output import say


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn an expected error of the block into lines and an exit; any other goes on."""
    try:
        yield
    except (typer.Exit, typer.BadParameter):
        raise
    except Exception as error:
        status = status_of(error)
        if status is None:
            raise
        say(f"{error}")
        raise typer.Exit(status) from None


def status_of(error: Exception) -> ExitStatus | None:
    """Return the exit status of an expected error, or ``None``."""
    # What it is compared with is imported here: where it is not loaded yet, the error is none of it.
    from watcher.config import ConfigError, SecretError
    from watcher.control.protocol import ControlError, NoDaemonError
    from watcher.store.errors import BackupError, StoreError

    if isinstance(error, BackupError):
        return ExitStatus.FAILED
    if isinstance(error, ConfigError | SecretError):
        return ExitStatus.CONFIG
    if isinstance(error, StoreError):
        return ExitStatus.STORE
    if isinstance(error, ControlError | NoDaemonError):
        return ExitStatus.FAILED
    return ExitStatus.CONFIG if _is_setup_error(error) else None


def _is_setup_error(error: Exception) -> bool:
    from watcher.http import HttpSetupError
    from watcher.receivers.spec import InvalidReceiverError

    return isinstance(error, HttpSetupError | InvalidReceiverError)

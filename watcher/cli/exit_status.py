"""Exit statuses of the commands, and the expected errors that lead to them.

75 and 78 are those of ``sysexits.h`` (EX_TEMPFAIL, EX_CONFIG).
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from types import MappingProxyType
from typing import Final

import typer

from watcher.cli.text.output import say


class ExitStatus(IntEnum):
    """The exit status of a command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    STORE = 75
    CONFIG = 78


MEANINGS: Final[Mapping[ExitStatus, str]] = MappingProxyType(
    {
        ExitStatus.OK: "OK",
        ExitStatus.FAILED: "a call, a check or a delivery failed",
        ExitStatus.USAGE: "wrong usage of the command",
        ExitStatus.STORE: "another process uses the store, or the store is unusable",
        ExitStatus.CONFIG: "the configuration is invalid, or a secret cannot be read",
    }
)
INVALID_CONFIG: Final = "the configuration is invalid"
"""The meaning of ``CONFIG`` for a command that reads no secret."""
READING: Final[Mapping[ExitStatus, str]] = MappingProxyType(
    {ExitStatus.STORE: "the store is missing or unusable", ExitStatus.CONFIG: INVALID_CONFIG}
)
"""The meanings for a command that only reads the store: it needs no secret, and another process may use the store."""


def help_end(*examples: str, statuses: Mapping[ExitStatus, str]) -> str:
    """Return the end of a command's help: its examples and exit statuses.

    Args:
        examples: command lines.
        statuses: the exit statuses besides ``USAGE``; an empty text stands for the usual meaning.
    """
    meanings = {**statuses, ExitStatus.USAGE: ""}
    return help_end_of(*examples, meanings={int(key): text or MEANINGS[key] for key, text in meanings.items()})


def help_end_of(*examples: str, meanings: Mapping[int, str]) -> str:
    """Return the end of the help of a command whose exit statuses are its own, each with its meaning."""
    lines = (f"  {status:<3} {meanings[status]}" for status in sorted(meanings))
    # A line with \b alone prevents the formatter from joining the lines of the paragraph.
    return "\n\n".join(
        (
            "\b\n" + "\n".join((_title(examples), *(f"  {example}" for example in examples))),
            "\b\n" + "\n".join(("Exit status:", *lines)),
        )
    )


def _title(examples: tuple[str, ...]) -> str:
    return "Example:" if len(examples) == 1 else "Examples:"


@contextmanager
def plain_errors() -> Iterator[None]:
    """Print an expected error of the block and exit with its status; other errors pass through."""
    try:
        yield
    except (typer.Exit, typer.BadParameter):
        raise
    except Exception as error:
        status = status_of(error)
        if status is None:
            raise
        say(_text_of(error))
        raise typer.Exit(status) from None


def _text_of(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot use {error.filename}: {error.strerror}; check the name and its folder"
    return f"{error}"


_OF_NAMES: Final = frozenset({errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG})
"""Faults of a name on the command line or in the configuration, wherever it is used first."""


def status_of(error: Exception) -> ExitStatus | None:
    """Return the exit status of an expected error, or ``None``."""
    # Imported here, since the help of a command must not load them.
    from watcher.config import ConfigError, SecretError
    from watcher.control.protocol import ControlError, NoDaemonError, SetupRefusedError
    from watcher.operations.errors import OperationRefusedError
    from watcher.store.errors import BackupError, StoreError

    if isinstance(error, BackupError):
        return ExitStatus.FAILED
    if isinstance(error, ConfigError | SecretError | SetupRefusedError):
        return ExitStatus.CONFIG
    if isinstance(error, StoreError):
        return ExitStatus.STORE
    if isinstance(error, ControlError | NoDaemonError | OperationRefusedError):
        return ExitStatus.FAILED
    if isinstance(error, OSError) and error.filename is not None and error.errno in _OF_NAMES:
        return ExitStatus.FAILED
    return ExitStatus.CONFIG if _is_setup_error(error) else None


def _is_setup_error(error: Exception) -> bool:
    from watcher.http import HttpSetupError
    from watcher.receivers.spec import InvalidReceiverError

    return isinstance(error, HttpSetupError | InvalidReceiverError)

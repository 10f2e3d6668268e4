"""What the exit status of a command means; 75 and 78 are those of ``sysexits.h`` (EX_TEMPFAIL, EX_CONFIG)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final


class ExitStatus(IntEnum):
    """How a command ended."""

    OK = 0
    FAILED = 1
    USAGE = 2
    STORE = 75
    CONFIG = 78


MEANINGS: Final[Mapping[ExitStatus, str]] = MappingProxyType(
    {
        ExitStatus.OK: "all well",
        ExitStatus.FAILED: "something failed, or could not be seen",
        ExitStatus.USAGE: "wrong usage of the command",
        ExitStatus.STORE: "the store is in use by another process, or cannot be used",
        ExitStatus.CONFIG: "the configuration is faulty, or a secret cannot be had",
    }
)


def help_end(*examples: str, statuses: Mapping[ExitStatus, str]) -> str:
    """Return the end of a command's help: examples, and what its exit statuses mean.

    Args:
        examples: lines as they are typed.
        statuses: those that the command can end with besides ``USAGE``; an empty text stands for the usual meaning.
    """
    every = {**statuses, ExitStatus.USAGE: ""}
    lines = (f"  {status:<3} {every[status] or MEANINGS[status]}" for status in sorted(every))
    # A line with \b alone keeps the formatter from joining the lines of the paragraph.
    return "\n\n".join(
        (
            "\b\n" + "\n".join((_title(examples), *(f"  {example}" for example in examples))),
            "\b\n" + "\n".join(("Exit status:", *lines)),
        )
    )


def _title(examples: tuple[str, ...]) -> str:
    return "Example:" if len(examples) == 1 else "Examples:"

"""Script files in TOML: services, their trainings with statuses over time, and faults.

Unknown keys, wrong types and misspelt statuses are rejected, all at once, each with file, line and key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from watcher.simulator.faults.plan import Fault
from watcher.simulator.script_tables import UNKNOWN_WORDS, ScriptTable
from watcher.simulator.world import World


@dataclass(frozen=True, slots=True)
class ScriptFault:
    """One fault of a script; ``line`` counts from 1 and is ``None`` for a fault of the whole file."""

    key: str
    """The key's path, e.g. ``service[0].id``; empty for a fault of the whole file."""
    problem: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.key}: {self.problem}" if self.key else self.problem


class ScriptError(Exception):
    """A script file is invalid; the message lists every fault with file, line and key."""

    def __init__(self, path: Path, faults: Sequence[ScriptFault]) -> None:
        super().__init__("\n".join(_with_place(path, fault) for fault in faults))
        self.faults = tuple(faults)


def _with_place(path: Path, fault: ScriptFault) -> str:
    return f"{path}: {fault}" if fault.line is None else f"{path}:{fault.line}: {fault}"


@dataclass(frozen=True, slots=True)
class Script:
    """The content of a script file."""

    world: World
    faults: tuple[Fault, ...] = ()


def load_script(path: Path, seed: int | None = None) -> Script:
    """Read a script file.

    Args:
        path: the file.
        seed: the seed of random durations and ends; ``None`` means that of the file, or else 0.

    Raises:
        ScriptError: the file is unreadable, is not TOML, or has an invalid value.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ScriptError(path, [ScriptFault("", f"cannot be read: {error.strerror}; name a script")]) from error
    except UnicodeDecodeError as error:
        raise ScriptError(path, [ScriptFault("", "is not UTF-8; save it as UTF-8")]) from error
    return parse_script(text, path, seed)


def parse_script(text: str, path: Path, seed: int | None = None) -> Script:
    """Read the text of a script; ``path`` only serves the messages.

    Raises:
        ScriptError: the text is not TOML, or has an invalid value.
    """
    try:
        document = tomllib.loads(text)
        lenient = document.get(UNKNOWN_WORDS) is True
        table = ScriptTable.model_validate(document, context={UNKNOWN_WORDS: lenient})
        return Script(table.world(seed), table.faults())
    except tomllib.TOMLDecodeError as error:
        raise ScriptError(path, [ScriptFault("", f"is not TOML: {error}")]) from error
    except ValidationError as error:
        raise ScriptError(path, _script_faults(text, error)) from error


def _script_faults(text: str, error: ValidationError) -> list[ScriptFault]:
    # It loads the configuration's models, which a valid script does not need.
    from watcher.config.validation.line_numbers import Lines  # noqa: PLC0415

    lines = Lines(text)
    return [
        ScriptFault(_key(detail["loc"]), detail["msg"].removeprefix("Value error, "), lines.of(detail["loc"]))
        for detail in error.errors()
    ]


def _key(location: tuple[Any, ...]) -> str:
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")
    return key or "the file"

"""Faults of a configuration, each with its place, its problem and its remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic_core import PydanticCustomError

KeyPath = tuple[str | int, ...]
"""The place of a value: names of tables and keys, and indices into arrays from 0."""

BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class UnplacedFault:
    """A fault before its line is known; ``ConfigFault`` has it."""

    path: KeyPath
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFault:
    """One fault of one file; ``line`` counts from 1 and is ``None`` for an absent section."""

    file: Path
    line: int | None
    key: str
    """The key's path, e.g. ``account.main.secret_key``; empty for a fault of the whole file."""
    problem: str
    remedy: str

    def __str__(self) -> str:
        location = f"{self.file}:" if self.line is None else f"{self.file}:{self.line}:"
        key = f"{self.key}: " if self.key else ""
        return f"{location} {key}{self.problem}; {self.remedy}"


class ConfigError(Exception):
    """The configuration is rejected; ``faults`` holds all its faults, by line."""

    def __init__(self, faults: Iterable[ConfigFault]) -> None:
        self.faults = tuple(sorted(faults, key=_by_line))
        super().__init__(self.faults)

    def __str__(self) -> str:
        return "\n".join(str(fault) for fault in self.faults)


def _by_line(fault: ConfigFault) -> tuple[bool, int]:
    return fault.line is None, fault.line or 0


def invalid(problem: str, remedy: str) -> PydanticCustomError:
    """Return the error for a validator to raise; neither text may hold the value of a secret key."""
    return PydanticCustomError("invalid", "{problem}; {remedy}", {"problem": problem, "remedy": remedy})


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is closest to ``word``, in any case, or ``None``."""
    by_lower = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return by_lower[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a remedy for an unknown word: the nearest known one, or all of them."""
    names = tuple(known)
    closest = nearest(word, names)
    if closest is not None:
        return f"did you mean {quoted(closest)}?"
    return f"known are {', '.join(key_text((name,)) for name in sorted(names))}" if names else "take it out"


def quoted(text: str) -> str:
    """Quote a text of the file, cut to a readable length; never call this with a secret."""
    longest = 60
    cut = text if len(text) <= longest else text[:longest] + "…"
    return '"' + "".join(letter if letter.isprintable() else "?" for letter in cut) + '"'


def key_text(path: KeyPath) -> str:
    """Write a path as a person would, e.g. ``account."my team".secret_key`` or ``watch[0].interval``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if BARE_KEY.fullmatch(part) else quoted(part)
            text += f".{name}" if text else name
    return text

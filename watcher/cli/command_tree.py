"""The commands with their options and arguments, as completion needs them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path
from types import NoneType
from typing import Literal, get_args, get_origin, get_type_hints

import typer
import typer.core
from typer.main import get_command


class ValueKind(StrEnum):
    """The kinds of values."""

    TEXT = "text"
    FILE = "file"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """The value of an option or of an argument."""

    kind: ValueKind
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An option with all its names."""

    names: tuple[str, ...]
    summary: str
    value: Value | None
    """``None`` for a flag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command or a group."""

    path: tuple[str, ...]
    """The names that lead to it; empty for the program itself."""
    summary: str
    options: tuple[Option, ...]
    argument: Value | None
    """The first argument."""
    members: tuple[tuple[str, str], ...]
    """The commands of a group, each with its summary."""


Node = typer.core.TyperCommand | typer.core.TyperGroup


def tree_of(app: typer.Typer) -> tuple[Command, ...]:
    """Return the program and all its commands."""
    root = get_command(app)
    assert isinstance(root, typer.core.TyperGroup)  # noqa: S101 - it has several commands
    return tuple(_commands(root))


def _commands(node: Node, path: tuple[str, ...] = ()) -> Iterator[Command]:
    """Yield a command and all that are below it."""
    below: dict[str, Node] = getattr(node, "commands", {})
    # Asked with a context, a command has its --help too.
    parameters = node.get_params(typer.Context(node))
    options = (item for item in parameters if isinstance(item, typer.core.TyperOption) and not item.hidden)
    hints = get_type_hints(node.callback) if node.callback is not None else {}
    arguments = (_value(hints[item.name]) for item in parameters if isinstance(item, typer.core.TyperArgument))
    yield Command(
        path=path,
        summary=_summary(node),
        options=tuple(_option(item, hints) for item in options),
        argument=next(arguments, None),
        members=tuple((name, _summary(member)) for name, member in below.items()),
    )
    for name, member in below.items():
        yield from _commands(member, (*path, name))


def _summary(node: Node) -> str:
    return " ".join((node.help or "").split("\n\n")[0].split())


def _option(item: typer.core.TyperOption, hints: Mapping[str, object]) -> Option:
    names = (*item.opts, *item.secondary_opts)
    value = None if item.is_flag else _value(hints[item.name])
    return Option(names=names, summary=" ".join((item.help or "").split()), value=value)


def _value(hint: object) -> Value:
    """Return the kind of a value by the type of its parameter, which may be optional or a list."""
    annotation = hint
    if NoneType in get_args(annotation):
        annotation = next(part for part in get_args(annotation) if part is not NoneType)
    if get_origin(annotation) is list:
        (annotation,) = get_args(annotation)
    if get_origin(annotation) is Literal:
        return Value(kind=ValueKind.CHOICE, choices=get_args(annotation))
    if annotation is Path:
        return Value(kind=ValueKind.FILE)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return Value(kind=ValueKind.CHOICE, choices=tuple(str(member.value) for member in annotation))
    return Value(kind=ValueKind.TEXT)

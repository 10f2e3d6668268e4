"""From a TOML file to the settings, or to every fault of it at once."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from watcher.config.document import Document
from watcher.config.faults import ConfigError, Fault, KeyPath, Problem, key_text
from watcher.config.models.fields import ValidationContext
from watcher.config.models.routes import routes_of
from watcher.config.models.settings import Config
from watcher.config.validation.consistency import NEEDED, inconsistencies, named_tables, nameless
from watcher.config.validation.explain import explain
from watcher.config.validation.line_numbers import Lines
from watcher.config.validation.syntax import SyntaxProblem, syntax_problem


def load(path: Path, *, text: str | None = None, needed: Collection[str] = NEEDED) -> Config:
    """Read a configuration; no secret is resolved, and no other file is opened.

    Args:
        path: the file.
        text: what is taken for the file's content instead.
        needed: which sections must be there; a command that asks AiTEMS alone needs accounts alone.

    Raises:
        ConfigError: with every fault of the file.
    """
    content = _read(path) if text is None else text
    content = content.removeprefix("\ufeff").replace("\r\n", "\n")
    parsed = _parse(path, content)
    lines = Lines(content)
    checked = _check(parsed, path.parent.absolute(), lines, needed)
    if isinstance(checked, Document):
        return _config(path, checked)
    raise ConfigError(_fault(path, lines, problem) for problem in checked)


def _read(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        fault = _whole_file(path, f"cannot be read: {error.strerror}", "give the path of a readable file")
        raise ConfigError([fault]) from None
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    fault = _whole_file(path, "is not UTF-8", "save it as UTF-8", line)
    raise ConfigError([fault])


def _parse(path: Path, text: str) -> Mapping[str, object]:
    found = _parsed(text)
    if not isinstance(found, SyntaxProblem):
        return found
    raise ConfigError([_whole_file(path, found.problem, found.remedy, found.line)])


def _parsed(text: str) -> Mapping[str, object] | SyntaxProblem:
    try:
        return tomllib.loads(text)
    except ValueError as error:
        return syntax_problem(str(error), text)
    except RecursionError:
        return SyntaxProblem(1, "brackets are nested too deeply", "take the innermost ones out")


def _whole_file(path: Path, problem: str, remedy: str, line: int | None = None) -> Fault:
    return Fault(file=path, line=line, key="", problem=problem, remedy=remedy)


def _check(
    parsed: Mapping[str, object], folder: Path, lines: Lines, needed: Collection[str]
) -> Document | tuple[Problem, ...]:
    """Return the settings, or every problem: each value's own, then those of several values together."""
    unnamed = tuple(nameless(parsed))
    hidden = {problem.path[0] for problem in unnamed}
    rest = {section: value for section, value in parsed.items() if section not in hidden}
    document = _validate(rest, folder)
    together = tuple(problem for problem in inconsistencies(parsed, lines, needed) if problem.path[0] not in hidden)
    if isinstance(document, Document) and not unnamed and not together:
        return document
    alone = () if isinstance(document, Document) else document
    return (*unnamed, *alone, *together)


def _validate(parsed: Mapping[str, object], folder: Path) -> Document | tuple[Problem, ...]:
    around = ValidationContext(folder, _names(parsed.get("account")), _names(parsed.get("receiver")))
    try:
        return Document.model_validate(parsed, context=around)
    except ValidationError as error:
        return explain(error.errors(include_url=False))


def _names(section: object) -> tuple[str, ...]:
    return tuple(name for name, _ in named_tables(section))


def _fault(path: Path, lines: Lines, problem: Problem) -> Fault:
    return Fault(
        file=path,
        line=lines.of(problem.path),
        key=key_text(_without_index(problem.path, lines)),
        problem=problem.problem,
        remedy=problem.remedy,
    )


def _without_index(path: KeyPath, lines: Lines) -> KeyPath:
    """Take off the index of a value that was written alone where a list may stand."""
    return path[:-1] if isinstance(path[-1], int) and path not in lines.all else path


def _config(path: Path, document: Document) -> Config:
    return Config(
        path=path,
        state=document.state,
        delivery=document.delivery,
        incident=document.incident,
        web=document.web,
        heartbeat=document.heartbeat,
        accounts=MappingProxyType(document.account),
        watches=tuple(document.watch),
        receivers=MappingProxyType(document.receiver),
        routes=routes_of(document.route, document.receiver),
    )

"""Read a TOML file into the settings, or report all its faults at once."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from watcher.config.document import Document
from watcher.config.faults import ConfigError, ConfigFault, KeyPath, UnplacedFault, key_text
from watcher.config.models.fields import ValidationContext
from watcher.config.models.routes import routes_of
from watcher.config.models.settings import Config
from watcher.config.validation.consistency import NEEDED, inconsistencies, named_tables, unnamed_sections
from watcher.config.validation.explain import explain
from watcher.config.validation.line_numbers import Lines
from watcher.config.validation.syntax import SyntaxProblem, syntax_problem


def load(path: Path, *, text: str | None = None, needed: Collection[str] = NEEDED) -> Config:
    """Read a configuration, without resolving secrets and without opening other files.

    Args:
        path: the file.
        text: the content, instead of that of the file.
        needed: the required sections; a command that only calls AiTEMS needs accounts alone.

    Raises:
        ConfigError: the file has faults; the error holds all of them.
    """
    content = normalised(read(path) if text is None else text)
    parsed = _parse(path, content)
    lines = Lines(content)
    found = checked(parsed, path.parent.absolute(), lines, needed)
    if isinstance(found, Document):
        return config_of(path, found)
    raise ConfigError(_fault(path, lines, problem) for problem in found)


def normalised(text: str) -> str:
    """Return a text without a byte order mark and with Unix line ends."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def read(path: Path) -> str:
    """Return the text of a file.

    Raises:
        ConfigError: it cannot be read, or is no text.
    """
    content = read_bytes(path)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    fault = _whole_file(path, "is not UTF-8", "save it as UTF-8", line)
    raise ConfigError([fault])


def read_bytes(path: Path) -> bytes:
    """Return the content of a file.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        fault = _whole_file(path, f"cannot be read: {error.strerror}", "give the path of a readable file")
    raise ConfigError([fault])


def _parse(path: Path, text: str) -> Mapping[str, object]:
    parsed = _parsed(text)
    if not isinstance(parsed, SyntaxProblem):
        return parsed
    raise ConfigError([_whole_file(path, parsed.problem, parsed.remedy, parsed.line)])


def _parsed(text: str) -> Mapping[str, object] | SyntaxProblem:
    try:
        return tomllib.loads(text)
    except ValueError as error:
        return syntax_problem(str(error), text)
    except RecursionError:
        return SyntaxProblem(1, "brackets are nested too deeply", "take the innermost ones out")


def _whole_file(path: Path, problem: str, remedy: str, line: int | None = None) -> ConfigFault:
    return ConfigFault(file=path, line=line, key="", problem=problem, remedy=remedy)


def checked(
    parsed: Mapping[str, object], folder: Path, lines: Lines, needed: Collection[str]
) -> Document | tuple[UnplacedFault, ...]:
    """Return the settings, or all problems: those of single values, then those of several values together."""
    unnamed = tuple(unnamed_sections(parsed))
    reported = {problem.path[0] for problem in unnamed}
    others = {section: value for section, value in parsed.items() if section not in reported}
    document = _validate(others, folder)
    together = tuple(problem for problem in inconsistencies(parsed, lines, needed) if problem.path[0] not in reported)
    if isinstance(document, Document) and not unnamed and not together:
        return document
    single = () if isinstance(document, Document) else document
    return (*unnamed, *single, *together)


def _validate(parsed: Mapping[str, object], folder: Path) -> Document | tuple[UnplacedFault, ...]:
    context = ValidationContext(folder, _names(parsed.get("account")), _names(parsed.get("receiver")))
    try:
        return Document.model_validate(parsed, context=context)
    except ValidationError as error:
        return explain(error.errors(include_url=False))


def _names(section: object) -> tuple[str, ...]:
    return tuple(name for name, _ in named_tables(section))


def _fault(path: Path, lines: Lines, problem: UnplacedFault) -> ConfigFault:
    return ConfigFault(
        file=path,
        line=lines.of(problem.path),
        key=key_text(_without_index(problem.path, lines)),
        problem=problem.problem,
        remedy=problem.remedy,
    )


def _without_index(path: KeyPath, lines: Lines) -> KeyPath:
    """Remove the index of a single value that was written without the brackets of a list."""
    return path[:-1] if isinstance(path[-1], int) and path not in lines.all else path


def config_of(path: Path, document: Document) -> Config:
    """Return the settings that a document holds."""
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

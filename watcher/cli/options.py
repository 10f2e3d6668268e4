"""Options that several commands share, and loading the configuration."""

from __future__ import annotations

import getpass
import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.text.output import say

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from watcher.cli.text.times import LocalTimes
    from watcher.config import Config, ConfigError, ConfigFile

CONFIG_HELP = "The configuration; by default $AITEMS_WATCHER_CONFIG, ./config.toml or /etc/aitems-watcher/config.toml."

ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help=CONFIG_HELP)]
JsonOption = Annotated[bool, typer.Option("--json", "-j", help="Print JSON, for programs.")]

CsvOption = Annotated[bool, typer.Option("--csv", help="Print CSV, for spreadsheets.")]


def _show_help(context: typer.Context, wanted: bool) -> None:
    if wanted:
        typer.echo(context.get_help())
        raise typer.Exit


# Typer's own --help of a group would load pydantic before each command's help.
HelpOption = Annotated[
    bool,
    typer.Option("--help", "-h", help="Show this message and exit.", callback=_show_help, is_eager=True),
]
WideOption = Annotated[bool, typer.Option("--wide", "-w", help="Show every column, with dates and whole texts.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Print every log line.")]


def present_times(*, wide: bool = False) -> LocalTimes:
    """Return the times of a command that runs now, in the zone of ``TZ``."""
    from watcher.cli.text.times import local_times
    from watcher.clock import Clock

    return local_times(os.environ, Clock().utc_now(), wide=wide)


def duration(text: str, option: str) -> timedelta:
    """Read an option such as ``--for 60s``.

    Raises:
        typer.BadParameter: the text is no duration.
    """
    from watcher.core.duration import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def time_ago(now: datetime, period: timedelta, option: str) -> datetime:
    """Return the time that lies a period before now.

    Raises:
        typer.BadParameter: there are no dates as early.
    """
    try:
        return now - period
    except OverflowError:
        raise typer.BadParameter("is longer than there are dates", param_hint=option) from None


def operator_name(name: str | None) -> str:
    """Return the name of ``--by``, by default that of the current user.

    Raises:
        typer.BadParameter: it is empty, or this user has no name.
    """
    if name is None:
        try:
            return getpass.getuser()
        except (KeyError, OSError):
            raise typer.BadParameter("this user has no login name; write --by NAME", param_hint="--by") from None
    if not name.strip():
        raise typer.BadParameter("the name is empty; write --by NAME, or omit --by", param_hint="--by")
    return name.strip()


def user_name() -> str:
    """Return the name of the current user; empty where it has none, for a command that also works without one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def find_config(option: Path | None) -> ConfigFile:
    """Return the configuration file and the reason for choosing it.

    Raises:
        ConfigNotFoundError: there is no file.
    """
    from watcher.config import find

    return find(option, os.environ, _current_folder())


def _current_folder() -> Path | None:
    try:
        return Path.cwd()
    except FileNotFoundError:
        # Somebody removed it.
        return None


def load_config(option: Path | None, needed: Collection[str] | None = None) -> Config:
    """Print the configuration's file and read it; ``needed`` as in ``config.load``.

    Raises:
        ConfigError: there is no file, or it is invalid.
    """
    from watcher.config import load

    found = find_config(option)
    say(f"configuration: {found.path} ({found.why})")
    return load(found.path) if needed is None else load(found.path, needed=needed)


def load_for_store(option: Path | None) -> Config:
    """Read the configuration for a command on the store: a faulty file only makes a warning.

    The daemon still runs with its old configuration then.

    Raises:
        ConfigError: there is no file.
    """
    config, error = load_usable_config(option)
    warn_of(error)
    return config


def warn_of(error: ConfigError | None) -> None:
    """Print the faults of a file whose other parts are used."""
    if error is not None:
        say(f"warning: the configuration is faulty; its other parts are used\n{error}")


def load_usable_config(option: Path | None) -> tuple[Config, ConfigError | None]:
    """Print the configuration's file and read its usable part; return that with the faults, if any.

    Raises:
        ConfigError: there is no file, or it does not say which store it means.
    """
    from watcher.config.usable_part import load_usable

    found = find_config(option)
    say(f"configuration: {found.path} ({found.why})")
    return load_usable(found.path)

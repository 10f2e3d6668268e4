"""``reload``: makes the running daemon read its configuration again."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import typer

from watcher.cli.exit_status import ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, JsonOption, find_config
from watcher.cli.text.output import cell, say, screen

END: Final = help_end(
    "aitems-watcher reload --config /etc/aitems-watcher/config.toml",
    "systemctl reload aitems-watcher",
    statuses={
        ExitStatus.OK: "the new configuration is active",
        ExitStatus.FAILED: "no daemon runs, or it did not answer",
        ExitStatus.CONFIG: "the file is invalid; the old configuration stays active",
    },
)


def reload(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Make the running daemon read its configuration again.

    The daemon applies accounts, watches, routes, receivers, delivery and incident settings, and secrets in files. An
    invalid file is rejected, and the old configuration stays active. The output names the changes that need a
    restart: another store, and secrets from the environment or from systemd credentials.
    """
    from watcher.control.client import request

    with plain_errors():
        found = find_config(config)
        answer = request(_socket(found.path, os.environ), "reload", {})
    refused = answer["outcome"] == "refused"
    if as_json:
        screen().json(answer)
    elif refused:
        say("\n".join(_texts(answer, "faults")))
    else:
        _show(answer)
    raise typer.Exit(ExitStatus.CONFIG if refused else ExitStatus.OK)


def _show(answer: Mapping[str, object]) -> None:
    out = screen()
    out.line("reloaded ", cell(answer["file"]))
    for line in _texts(answer, "changes") or ["no setting has changed"]:
        out.line("  ", cell(line))
    for key in _texts(answer, "needs_restart"):
        out.line("  ", cell(key), ": needs a restart")
    if fixed := _texts(answer, "secrets_of_start"):
        out.line("these secrets were read at the start; a change needs a restart:")
        for key in fixed:
            out.line("  ", cell(key))


def _texts(answer: Mapping[str, object], key: str) -> Sequence[str]:
    found = answer.get(key, [])
    return [str(item) for item in found] if isinstance(found, list) else []


def _socket(path: Path, environ: Mapping[str, str]) -> Path:
    """Return the daemon's socket, also for an invalid file: the daemon reports the faults."""
    from watcher.config import ConfigError, StateSettings, load
    from watcher.control.socket_path import socket_path

    try:
        database = load(path).state.sqlite_path(environ)
    except ConfigError:
        database = _store_of_invalid_file(path) or StateSettings().sqlite_path(environ)
    return socket_path(database, environ)


def _store_of_invalid_file(path: Path) -> Path | None:
    """Return the store's file if an invalid configuration still names it."""
    from watcher.config.models.state import SQLITE

    try:
        url = tomllib.loads(path.read_text())["state"]["url"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return path.parent / url.removeprefix(SQLITE) if isinstance(url, str) and url.startswith(SQLITE) else None

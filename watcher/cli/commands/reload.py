"""``reload``: makes the running daemon read its configuration again."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from watcher.cli.exit_status import ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, JsonOption, find_config, user_name
from watcher.cli.text.output import cell, say, screen

if TYPE_CHECKING:
    from watcher.config import Config

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
    restart. A new value of a secret from the environment or from a systemd credential needs one, too.
    """
    with plain_errors():
        answer = _ask(find_config(config).path)
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
    changes, keys = _texts(answer, "changes"), _texts(answer, "needs_restart")
    for line in changes or ([] if keys else ["no setting has changed"]):
        out.line("  ", cell(line))
    for key in keys:
        out.line("  ", cell(key), ": needs a restart")


def _texts(answer: Mapping[str, object], key: str) -> Sequence[str]:
    found = answer.get(key, [])
    return [str(item) for item in found] if isinstance(found, list) else []


def _ask(path: Path) -> Mapping[str, object]:
    """Ask at each place in turn: the file may name another store than the daemon has."""
    from watcher.cli.store_access import unit_sockets
    from watcher.control.client import request
    from watcher.control.protocol import NoDaemonError

    for socket in unit_sockets(path, os.environ):
        try:
            return request(socket, "reload", {"by": user_name()})
        except NoDaemonError:
            continue
    return _ask_beside_store(path)


def _ask_beside_store(path: Path) -> Mapping[str, object]:
    """Ask the daemon of the file's store, also about a faulty file: it reports the faults."""
    from watcher.config.usable_part import load_usable
    from watcher.control.protocol import NoDaemonError, SocketGoneError

    config, faulty = load_usable(path)
    try:
        return _ask_at_link(config)
    except (NoDaemonError, SocketGoneError) as error:
        if faulty is None:
            raise
        say(f"{error}")
        raise faulty from None


def _ask_at_link(config: Config) -> Mapping[str, object]:
    from watcher.cli.store_access import require_no_daemon
    from watcher.control.client import request
    from watcher.control.protocol import NoDaemonError
    from watcher.control.socket_path import link_path

    try:
        return request(link_path(config.store_path(os.environ)), "reload", {"by": user_name()})
    except NoDaemonError:
        require_no_daemon(config, os.environ)
        raise

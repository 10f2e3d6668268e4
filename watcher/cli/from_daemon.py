"""Commands that need secrets, run inside the daemon: it has those of its environment and its credentials.

Each function returns ``None`` where no daemon of the configuration's store can do it; the command then runs here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from watcher.cli.options import user_name
from watcher.cli.text.output import say

if TYPE_CHECKING:
    from pathlib import Path

    from watcher.config import Config
    from watcher.core.delivery.model import Outcome
    from watcher.core.polling.rate_limit import BudgetWait
    from watcher.receivers.slack.access import Access
    from watcher.reports.discovery import DiscoveryReport, Form
    from watcher.reports.doctor import SecretFacts
    from watcher.reports.online import OnlineCheck

ONLY_IN_UNIT: Final = (
    "the daemon does not run, so this command reads the secrets itself; those of the unit (LoadCredential=, "
    "EnvironmentFile=) are only in its daemon: systemctl start aitems-watcher, then try again"
)
SILENCE_SECONDS: Final = 330.0
"""The longest wait for data: the daemon reports each minute; an older one is silent while calls wait for a budget."""


def checks_of_daemon(config: Config) -> list[OnlineCheck] | None:
    """Make the online checks."""
    from watcher.reports.online import OnlineCheck

    answer = _ask(config, "check.online", {})
    return None if answer is None else [OnlineCheck(**item) for item in answer["checks"]]


def secrets_of_daemon(config: Config) -> list[SecretFacts] | None:
    """Read the secrets."""
    from watcher.reports.doctor import SecretFacts

    answer = _ask(config, "doctor.secrets", {})
    return None if answer is None else [SecretFacts(**item) for item in answer["secrets"]]


def found_by_daemon(
    config: Config, accounts: Sequence[str], form: Form, *, services_only: bool
) -> DiscoveryReport | None:
    """Discover services, and trainings unless not wanted; return them in one form, or in all if the daemon is older."""
    from watcher.reports.discovery import DiscoveryReport

    answer = _ask(config, "discover", {"accounts": list(accounts), "services_only": services_only, "forms": [form]})
    return None if answer is None else DiscoveryReport(**answer)


def tried_by_daemon(config: Config, receiver: str) -> tuple[Outcome, Access | None] | None:
    """Send a test alert."""
    from watcher.reports.receiver_check import access_from_json, outcome_from_json

    answer = _ask(config, "test", {"receiver": receiver, "by": user_name()})
    if answer is None:
        return None
    slack = answer.get("slack")
    return outcome_from_json(answer), None if slack is None else access_from_json(slack)


def _ask(config: Config, command: str, arguments: Mapping[str, object]) -> Mapping[str, Any] | None:
    from watcher.cli.store_access import socket_of_store
    from watcher.control.client import PROMPT_SECONDS, request
    from watcher.control.protocol import ControlError, NoDaemonError

    socket = socket_of_store(config, os.environ, timeout_seconds=PROMPT_SECONDS)
    try:
        daemon = request(socket, "ping", {}, timeout_seconds=PROMPT_SECONDS)
    except NoDaemonError:
        _warn_of_absence(config, command)
        return None
    except ControlError as error:
        # Without its secrets the command may fail here, too; this then is the cause.
        say(f"{command}: not inside the daemon: {error}")
        return None
    known = daemon.get("commands")
    if not isinstance(known, list) or command not in known:
        # It is of an older version.
        return None
    say(f"{command}: inside the daemon, process {daemon['pid']}, with its secrets")
    return request(
        socket,
        command,
        {**arguments, **_configuration(config.path)},
        timeout_seconds=SILENCE_SECONDS,
        on_progress=_say_progress,
    )


def _warn_of_absence(config: Config, command: str) -> None:
    """Say why the daemon's secrets are missing: its socket is gone, or the unit of the system's file is stopped."""
    from watcher.cli.store_access import require_no_daemon
    from watcher.config.find_file import implied_state_folder
    from watcher.control.protocol import SocketGoneError

    try:
        require_no_daemon(config, os.environ)
    except SocketGoneError as error:
        say(f"warning: {error}")
        return
    # ``doctor`` has a line of its own about the daemon.
    if command != "doctor.secrets" and implied_state_folder(config.path) is not None:
        say(ONLY_IN_UNIT)


def _configuration(path: Path) -> dict[str, str]:
    """Return the text of the file for the daemon; nothing where it cannot be read, so the active configuration counts.

    The daemon reads the same text, not the file: that may be open to this user alone.
    """
    from watcher.config import ConfigError
    from watcher.config.reader import read

    try:
        return {"text": read(path), "path": str(path.absolute())}
    except ConfigError:
        return {}


def _say_progress(progress: Mapping[str, Any]) -> None:
    from watcher.core.polling.rate_limit import BudgetWait

    say_wait(BudgetWait(**progress))


def say_wait(wait: BudgetWait) -> None:
    """Print that calls wait for the budget of their account."""
    from watcher.reports.online import wait_text

    say(wait_text(wait))

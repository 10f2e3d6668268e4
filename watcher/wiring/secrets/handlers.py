"""The control socket's handlers for commands that need secrets, which only the daemon may have."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from watcher.config import Config, ConfigError, SecretError, load
from watcher.control.protocol import ControlError, Handler, Report, ReportingHandler, SetupRefusedError
from watcher.http import HttpSetupError
from watcher.installed import UpgradedError, require_loadable
from watcher.operations.errors import OperationRefusedError
from watcher.operations.receiver_test import SEND_TEST
from watcher.receivers import InvalidReceiverError
from watcher.store.actions import ActionLog
from watcher.wiring.accounts import Budgets
from watcher.wiring.runtime import Runtime

if TYPE_CHECKING:
    from watcher.wiring.secrets.commands import Arguments, Work

NO_SECTION: Final[tuple[str, ...]] = ()
COMMANDS: Final = ("check.online", "doctor.secrets", "discover", SEND_TEST)


def secret_handlers(
    runtime: Runtime, budgets: Budgets, active: Callable[[], Config], actions: ActionLog
) -> dict[str, Handler]:
    """Return the handlers, by command.

    Each takes the text of a configuration, which may be newer than the active one.

    Args:
        runtime: has the secrets.
        budgets: the budgets of requests of the active configuration.
        active: returns that configuration.
        actions: the stored actions of people.
    """

    def handler(command: str) -> Handler:
        async def work(config: Config, arguments: Arguments, report: Report) -> Arguments:
            require_loadable("watcher.wiring.secrets.commands")
            from watcher.wiring.secrets.commands import works  # noqa: PLC0415 - few daemons are ever asked

            return await works(runtime, budgets, active, actions)[command](config, arguments, report)

        return _with_configuration(work, active)

    return {command: handler(command) for command in COMMANDS}


def _with_configuration(work: Work, active: Callable[[], Config]) -> Handler:
    """Wrap a handler: it reads the configuration, and an expected error becomes the socket's own."""

    async def serve(arguments: Arguments, report: Report) -> Arguments:
        try:
            config = await asyncio.to_thread(_configuration, arguments, active)
            return await work(config, arguments, report)
        except (SecretError, HttpSetupError, InvalidReceiverError) as error:
            raise SetupRefusedError(str(error)) from None
        except (OperationRefusedError, UpgradedError) as error:
            raise ControlError(str(error)) from None

    return ReportingHandler(serve)


def _configuration(arguments: Arguments, active: Callable[[], Config]) -> Config:
    """Read the configuration of a request; while the file is faulty or unreadable, the active one counts."""
    path, text = arguments.get("path"), arguments.get("text")
    if not isinstance(path, str) or not isinstance(text, str):
        return active()
    try:
        return load(Path(path), text=text, needed=NO_SECTION)
    except ConfigError:
        return active()

"""The control socket's handlers for the operations of people, which the page calls as well."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy.exc import DBAPIError

from watcher.clock import Clock
from watcher.config import Config
from watcher.control.protocol import ControlError, Handler
from watcher.core.action import AUTHOR_MAX, Action, ActionKind
from watcher.core.routing.silence import to_json
from watcher.operations.deliveries import (
    DROP,
    RETRY,
    DropRequest,
    RetryRequest,
    changes_json,
    drop_deliveries,
    retry_deliveries,
)
from watcher.operations.errors import OperationRefusedError
from watcher.operations.ports import ActionStore, DeliveryChange
from watcher.operations.recording import problem_of_recording
from watcher.operations.silences import ADD, END, NewSilence, SilenceEnd, add_silence, end_silence
from watcher.store.actions import ActionLog
from watcher.store.delivery.operator_actions import OperatorActions
from watcher.store.silences import Silences
from watcher.store.sql.write_faults import fault_of
from watcher.store.sqlite.database import Database
from watcher.wiring.accounts import Budgets
from watcher.wiring.delivery_workers import DeliveryWorkers
from watcher.wiring.runtime import Runtime
from watcher.wiring.secrets.handlers import secret_handlers

log = structlog.get_logger()

Arguments = Mapping[str, object]


def operation_handlers(
    database: Database, workers: DeliveryWorkers, runtime: Runtime, budgets: Budgets, active: Callable[[], Config]
) -> dict[str, Handler]:
    """Return the handlers of every operation, by command; ``active`` returns the active configuration."""
    return {
        **delivery_handlers(database, workers.receivers, runtime.clock, workers.wake_one),
        **silence_handlers(database, runtime.clock),
        **secret_handlers(runtime, budgets, active, ActionLog(database)),
    }


def silence_handlers(database: Database, clock: Clock) -> dict[str, Handler]:
    """Return the handlers for silences, by command."""
    silences = Silences(database)

    async def add(arguments: Arguments) -> Arguments:
        silence = to_json(await add_silence(silences, NewSilence.from_json(arguments), clock.utc_now()))
        log.info("silence.added", **silence)
        return silence

    async def end(arguments: Arguments) -> Arguments:
        silence = to_json(await end_silence(silences, SilenceEnd.from_json(arguments), clock.utc_now()))
        log.info("silence.ended", **silence)
        return silence

    return {ADD: _refusing(add), END: _refusing(end)}


def delivery_handlers(
    database: Database, receivers: Callable[[], Collection[str]], clock: Clock, wake: Callable[[str], None]
) -> dict[str, Handler]:
    """Return the handlers for deliveries, by command.

    Args:
        database: the store.
        receivers: returns the names of the receivers that are configured now.
        clock: the machine's clock.
        wake: wakes the worker of the receiver with this name.
    """

    def finish(command: str, changes: Sequence[DeliveryChange]) -> Arguments:
        log.info("delivery.changed_by_operator", command=command, deliveries=[item.id for item in changes])
        for receiver in dict.fromkeys(item.receiver for item in changes):
            wake(receiver)
        return changes_json(changes)

    async def retry(arguments: Arguments) -> Arguments:
        actions, request = OperatorActions(database, receivers()), RetryRequest.from_json(arguments)
        return finish(RETRY, await retry_deliveries(actions, request, clock.utc_now()))

    async def drop(arguments: Arguments) -> Arguments:
        actions, request = OperatorActions(database, receivers()), DropRequest.from_json(arguments)
        return finish(DROP, await drop_deliveries(actions, request, clock.utc_now()))

    return {RETRY: _refusing(retry), DROP: _refusing(drop)}


def _refusing(handle: Callable[[Arguments], Awaitable[Arguments]]) -> Handler:
    """Wrap a handler: a refused operation becomes the socket's own error."""

    async def handler(arguments: Arguments) -> Arguments:
        try:
            return await handle(arguments)
        except OperationRefusedError as error:
            raise ControlError(str(error)) from None
        except DBAPIError as error:
            if (fault := fault_of(error)) is None:
                raise
            refusal = f"the store cannot be written now ({fault}), so nothing was changed; see the log"
            raise ControlError(refusal) from None

    return handler


async def record_reload(actions: ActionStore, arguments: Arguments, config: Path, now: datetime) -> None:
    """Record who reloaded the configuration; a store that cannot be written does not make the reload fail."""
    author = str(arguments.get("by") or "")[:AUTHOR_MAX]
    action = Action(kind=ActionKind.RELOAD, target=str(config), author=author, at=now)
    if (problem := await problem_of_recording(actions, action)) is not None:
        log.warning("reload.not_recorded", author=author, problem=problem, remedy="run aitems-watcher doctor")
    else:
        log.info("reload.recorded", author=author)

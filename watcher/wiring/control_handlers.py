"""The control socket's handlers for the operations on silences and deliveries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

import structlog

from watcher.clock import Clock
from watcher.control.protocol import ControlError, Handler
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
from watcher.operations.ports import DeliveryChange
from watcher.operations.silences import ADD, END, NewSilence, SilenceEnd, add_silence, end_silence
from watcher.store.delivery.operator_actions import OperatorActions
from watcher.store.silences import Silences
from watcher.store.sqlite.database import Database

log = structlog.get_logger()

Arguments = Mapping[str, object]


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

    return handler

"""What the control socket does about deliveries: ``deliveries.retry`` and ``deliveries.drop``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

import structlog

from watcher.clock import Clock
from watcher.control.protocol import ControlError, Handler
from watcher.store.operator_actions import Change, DeliveryRefusedError, OperatorActions
from watcher.store.sqlite.database import Database

log = structlog.get_logger()

RETRY: Final = "deliveries.retry"
DROP: Final = "deliveries.drop"


def delivery_handlers(
    database: Database, receivers: Callable[[], Collection[str]], clock: Clock, wake: Callable[[str], None]
) -> dict[str, Handler]:
    """Return the handlers by command.

    Args:
        database: the store.
        receivers: returns those that are configured now.
        clock: the machine's.
        wake: rings for the receiver of this name.
    """

    async def retry(arguments: Mapping[str, object]) -> Mapping[str, object]:
        return _answer(RETRY, await perform_retry(OperatorActions(database, receivers()), arguments, clock), wake)

    async def drop(arguments: Mapping[str, object]) -> Mapping[str, object]:
        return _answer(DROP, await perform_drop(OperatorActions(database, receivers()), arguments, clock), wake)

    return {RETRY: retry, DROP: drop}


async def perform_retry(
    operator_actions: OperatorActions, arguments: Mapping[str, object], clock: Clock
) -> list[Change]:
    """Send again what the arguments name; also for a command without a daemon."""
    try:
        if arguments.get("all_dead") is True:
            receiver = arguments.get("receiver")
            return await operator_actions.retry_all_dead(None if receiver is None else str(receiver), clock.utc_now())
        return await operator_actions.retry(_ids(arguments), clock.utc_now())
    except DeliveryRefusedError as error:
        raise ControlError(str(error)) from None


async def perform_drop(
    operator_actions: OperatorActions, arguments: Mapping[str, object], clock: Clock
) -> list[Change]:
    """Drop what the arguments name; also for a command without a daemon."""
    try:
        return await operator_actions.drop(_ids(arguments), str(arguments.get("by", "")), clock.utc_now())
    except DeliveryRefusedError as error:
        raise ControlError(str(error)) from None


def changes_json(changes: Iterable[Change]) -> dict[str, object]:
    """Return what was done, as it goes over the socket."""
    return {
        "deliveries": [
            {"id": item.id, "receiver": item.receiver, "before": item.before.value, "after": item.after.value}
            for item in changes
        ]
    }


def _ids(arguments: Mapping[str, object]) -> list[str]:
    ids = arguments.get("ids")
    if not isinstance(ids, list) or not ids:
        raise ControlError("name at least one delivery; see aitems-watcher deliveries list")
    return [str(item) for item in ids]


def _answer(command: str, changes: list[Change], wake: Callable[[str], None]) -> Mapping[str, object]:
    log.info("delivery.changed_by_operator", command=command, deliveries=[item.id for item in changes])
    for receiver in dict.fromkeys(item.receiver for item in changes):
        wake(receiver)
    return changes_json(changes)

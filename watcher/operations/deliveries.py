"""Retry or drop deliveries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from watcher.operations.author import author_in
from watcher.operations.errors import OperationRefusedError
from watcher.operations.ports import DeliveryChange, DeliveryStore
from watcher.store.delivery.operator_actions import DeliveryRefusedError

RETRY: Final = "deliveries.retry"
"""The command on the control socket."""
DROP: Final = "deliveries.drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRequest:
    """A request to send deliveries again: those with these ids, or every dead letter."""

    ids: Sequence[str] = ()
    """Ids, or beginnings that fit no other delivery."""
    all_dead: bool = False
    receiver: str | None = None
    """With ``all_dead``: limits the retry to this receiver."""
    limit: int | None = None
    """With ``all_dead``: the most dead letters, the oldest first; ``None`` for every one."""
    by: str = ""
    """Empty where an older command did not say it."""

    @classmethod
    def from_json(cls, arguments: Mapping[str, object]) -> Self:
        """Read the request from ``ids``, or from ``all_dead``, ``receiver`` and ``limit``; and from ``by``.

        Raises:
            OperationRefusedError: it names no delivery, or the limit is no number above zero.
        """
        if arguments.get("all_dead") is not True:
            return cls(ids=_ids(arguments), by=author_in(arguments))
        receiver = arguments.get("receiver")
        name = None if receiver is None else str(receiver)
        return cls(all_dead=True, receiver=name, limit=_limit(arguments), by=author_in(arguments))


@dataclass(frozen=True, slots=True, kw_only=True)
class DropRequest:
    """A request to end deliveries without sending them."""

    ids: Sequence[str]
    """Ids, or beginnings that fit no other delivery."""
    by: str

    @classmethod
    def from_json(cls, arguments: Mapping[str, object]) -> Self:
        """Read the request from ``ids`` and ``by``.

        Raises:
            OperationRefusedError: it names no delivery.
        """
        return cls(ids=_ids(arguments), by=author_in(arguments))


async def retry_deliveries(deliveries: DeliveryStore, request: RetryRequest, now: datetime) -> Sequence[DeliveryChange]:
    """Make deliveries due at once, and return the changes.

    Raises:
        OperationRefusedError: a delivery does not exist or cannot be sent again.
    """
    try:
        if request.all_dead:
            return await deliveries.retry_all_dead(request.receiver, request.by, now, request.limit)
        return await deliveries.retry(request.ids, request.by, now)
    except DeliveryRefusedError as error:
        raise OperationRefusedError(str(error)) from None


async def drop_deliveries(deliveries: DeliveryStore, request: DropRequest, now: datetime) -> Sequence[DeliveryChange]:
    """End deliveries without sending them, and return the changes.

    Raises:
        OperationRefusedError: a delivery does not exist or has ended.
    """
    try:
        return await deliveries.drop(request.ids, request.by, now)
    except DeliveryRefusedError as error:
        raise OperationRefusedError(str(error)) from None


def changes_json(changes: Iterable[DeliveryChange]) -> dict[str, object]:
    """Return changes as plain JSON, for programs."""
    return {
        "deliveries": [
            {"id": item.id, "receiver": item.receiver, "before": item.before.value, "after": item.after.value}
            for item in changes
        ]
    }


def _limit(arguments: Mapping[str, object]) -> int | None:
    limit = arguments.get("limit")
    if limit is None:
        return None
    if not isinstance(limit, int) or limit < 1:
        raise OperationRefusedError(f"limit is {limit!r}; give the most dead letters to send again, at least 1")
    return limit


def _ids(arguments: Mapping[str, object]) -> list[str]:
    ids = arguments.get("ids")
    if not isinstance(ids, list) or not ids:
        raise OperationRefusedError("name at least one delivery; see aitems-watcher deliveries list")
    return [str(item) for item in ids]

"""Why an event goes to its receivers: a code with parameters, stored with the event and shown as text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class RoutingCode(StrEnum):
    """The outcome of routing an event."""

    ROUTED = "routed"
    DROPPED = "dropped"
    """Every route that takes the event has ``to = []``."""
    NO_ROUTE = "no-route"
    SENT_FROM_MEMORY = "sent-from-memory"
    """The event was sent while the store could not be written; ``routes`` name the receivers that still need it."""


class NotAnnounced(StrEnum):
    """Why no receiver is notified of an event about a receiver; shown by the log, ``status`` and ``/readyz``."""

    NO_OTHER = "no-other-receiver"
    ALL_FAILING = "every-other-receiver-failing"
    NOT_DELIVERED = "announcement-not-delivered"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingReason:
    """Why an event goes to its receivers, or to none."""

    code: RoutingCode
    routes: tuple[int, ...] = ()
    """The numbers of the routes that take the event."""
    stand_in: str | None = None
    """The receiver that is notified in place of the one that the event is about."""
    stands_in_for: str | None = None
    """The receiver that the event is about, where ``stand_in`` is set."""
    not_announced: NotAnnounced | None = None
    """Why no receiver is notified, where the event is about a receiver."""


def routed(*routes: int) -> RoutingReason:
    """Return the reason of an event that these routes take."""
    return RoutingReason(code=RoutingCode.ROUTED, routes=routes)


NO_ROUTE: Final = RoutingReason(code=RoutingCode.NO_ROUTE)


def reason_text(reason: RoutingReason) -> str:
    """Write a reason for people, e.g. ``route 1, route 2``."""
    return "; ".join(_parts(reason))


def _parts(reason: RoutingReason) -> Iterator[str]:
    yield _outcome_text(reason)
    if reason.stand_in is not None:
        yield f"{reason.stand_in} stands in for {reason.stands_in_for}"
    if reason.not_announced is not None:
        yield f"not announced: {reason.not_announced}"


def _outcome_text(reason: RoutingReason) -> str:
    routes = ", ".join(f"route {number}" for number in reason.routes)
    match reason.code:
        case RoutingCode.NO_ROUTE:
            return "no route matches"
        case RoutingCode.DROPPED:
            return f"{routes}: dropped on purpose"
        case RoutingCode.SENT_FROM_MEMORY:
            return f"{routes}; {reason.code}" if routes else reason.code.value
        case RoutingCode.ROUTED:
            return routes


def write_reason(reason: RoutingReason) -> str:
    """Return the column of the store that holds a reason: compact JSON."""
    fields = {
        "code": reason.code.value,
        "routes": list(reason.routes),
        "stand_in": reason.stand_in,
        "stands_in_for": reason.stands_in_for,
        "not_announced": reason.not_announced,
    }
    given = {key: value for key, value in fields.items() if value not in (None, [])}
    return json.dumps(given, ensure_ascii=False, separators=(",", ":"))


def read_reason(column: str) -> RoutingReason:
    """Read a column that ``write_reason`` or an older version wrote."""
    return _from_json(json.loads(column)) if column.startswith("{") else _from_text(column)


def _from_json(data: Mapping[str, Any]) -> RoutingReason:
    not_announced = data.get("not_announced")
    return RoutingReason(
        code=RoutingCode(data["code"]),
        routes=tuple(data.get("routes", ())),
        stand_in=data.get("stand_in"),
        stands_in_for=data.get("stands_in_for"),
        not_announced=None if not_announced is None else NotAnnounced(not_announced),
    )


_OLD_ROUTE: Final = re.compile(r"\broute (\d+)")
_OLD_STAND_IN: Final = re.compile(r"; (\S+) stands in for (\S+)$")
_OLD_NOT_ANNOUNCED: Final = {
    "nobody: no-other-receiver": NotAnnounced.NO_OTHER,
    "nobody: every-other-receiver-broken": NotAnnounced.ALL_FAILING,
}
_OLD_CODES: Final = {
    "no route names this kind": RoutingCode.NO_ROUTE,
    "dropped on purpose": RoutingCode.DROPPED,
    "-from-memory": RoutingCode.SENT_FROM_MEMORY,
}


def _from_text(text: str) -> RoutingReason:
    """Read the English text that versions before the codes stored, e.g. ``route 1; hook stands in for ops``."""
    stand_in = _OLD_STAND_IN.search(text)
    return RoutingReason(
        code=next((code for part, code in _OLD_CODES.items() if part in text), RoutingCode.ROUTED),
        routes=tuple(int(number) for number in _OLD_ROUTE.findall(text)),
        stand_in=stand_in[1] if stand_in else None,
        stands_in_for=stand_in[2] if stand_in else None,
        not_announced=next((why for ending, why in _OLD_NOT_ANNOUNCED.items() if text.endswith(ending)), None),
    )

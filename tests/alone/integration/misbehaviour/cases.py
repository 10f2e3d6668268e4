"""The expected result of each misbehaviour of the API: the cause, the incident, and the announced changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from watcher.core.event import Kind
from watcher.core.polling.result import Cause
from watcher.simulator import CallKind, Fault

Transition = tuple[str, str | None, str | None]
"""Kind, from, to."""
Transitions = Mapping[str, list[Transition]]
"""The announced changes of each version of the struck service, in order."""

BEFORE: Final[Mapping[str, str]] = MappingProxyType({"v1": "learning", "v2": "completed"})
"""The trainings of the struck service when the fault begins. While it lasts, ``v1`` becomes ``completed``."""

FINISHED: Final[Transition] = ("succeeded", "learning", "completed")
ENDS: Final[Transitions] = MappingProxyType({"v1": [FINISHED]})

NEW_FIELDS: Final = "new-fields"
"""A response with undocumented fields; the simulator has no fault kind for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One misbehaviour and its expected result."""

    name: str
    fault: Fault
    causes: frozenset[Cause] = frozenset()
    """The causes that a failed poll may have; empty where polls do not fail."""
    incident: Kind | None = None
    announced: Transitions = field(default_factory=lambda: ENDS)
    every: int = 1
    """With 3, the fault strikes every third request."""

    @property
    def fails(self) -> bool:
        """Whether every poll fails during the fault."""
        return bool(self.causes)

    @property
    def struck_service(self) -> str:
        return f"{self.name}-struck"

    @property
    def others(self) -> tuple[str, ...]:
        return tuple(f"{self.name}-other{number}" for number in range(3))


def failing(kind: str, incident: Kind, *causes: Cause, **options: object) -> Case:
    """Return a fault with which every poll fails."""
    return Case(name=kind, fault=Fault(kind=kind, **options), causes=frozenset(causes), incident=incident)  # type: ignore[arg-type]  # the fault's own options


def unreachable(*kinds: str, cause: Cause = Cause.BAD_ANSWER) -> list[Case]:
    """Return faults with the same cause and an ``unreachable`` incident."""
    return [failing(kind, Kind.UNREACHABLE, cause) for kind in kinds]


def harmless(kind: str, announced: Transitions = ENDS, *, name: str = "", every: int = 1, **options: object) -> Case:
    """Return a fault with which polls succeed."""
    return Case(name=name or kind, fault=Fault(kind=kind, **options), announced=announced, every=every)  # type: ignore[arg-type]  # as above


# Any other Retry-After would pause the whole account, as intended.
AT_ONCE: Final = "0"

GATEWAY: Final = [
    failing("400", Kind.UNREACHABLE, Cause.REFUSED),
    failing("401", Kind.DENIED, Cause.KEY),
    failing("401-permission", Kind.DENIED, Cause.PERMISSION),
    failing("404-gateway", Kind.UNREACHABLE, Cause.REFUSED),
    failing("429-quota", Kind.THROTTLED, Cause.QUOTA, retry_after=AT_ONCE),
    failing("429-throttle", Kind.THROTTLED, Cause.THROTTLE, retry_after=AT_ONCE),
    failing("429-rate", Kind.THROTTLED, Cause.RATE, retry_after=AT_ONCE),
    *unreachable("500", "503", "504", cause=Cause.SERVER),
    failing("403", Kind.DENIED, Cause.PERMISSION),
    # The list of services contains it, so the 404 is not believed.
    failing("404", Kind.UNREACHABLE, Cause.REFUSED),
    *unreachable("404-html", "404-empty"),
    failing("xml", Kind.DENIED, Cause.KEY),
    *unreachable("html", "empty-error", cause=Cause.SERVER),
    failing("canned", Kind.UNREACHABLE, Cause.REFUSED, status=418, text="short and stout", content_type="text/plain"),
]

NONSENSE: Final = [
    *unreachable("redirect", "html-200", "garbage", "envelope-200", "empty", "array", "null"),
    *unreachable("missing-status", "missing-fields", "null-status", "wrong-types", "nan", "deep"),
    *unreachable("duplicate-keys", "bad-utf8", "other-training"),
]

MISLEADING: Final = [
    harmless(
        "unknown-status",
        {
            "v1": [("unknown-status", "learning", "hibernating"), ("succeeded", "hibernating", "completed")],
            "v2": [("unknown-status", "completed", "hibernating"), ("succeeded", "hibernating", "completed")],
        },
    ),
    harmless(
        "other-case",
        {
            "v1": [
                ("unknown-status", "learning", "LEARNING"),
                ("unknown-status", "LEARNING", "COMPLETED"),
                ("succeeded", "COMPLETED", "completed"),
            ],
            "v2": [("unknown-status", "completed", "COMPLETED"), ("succeeded", "COMPLETED", "completed")],
        },
    ),
    harmless("older-state", every=3),
    harmless("empty-list", call=CallKind.LIST),
    harmless("half-list", call=CallKind.LIST),
    harmless("empty-list", name="empty-list-now-and-then", every=3),
    harmless("half-list", name="half-list-now-and-then", every=3),
    harmless("clock-off"),
    harmless("no-date"),
    harmless("201"),
    harmless("canned", name=NEW_FIELDS, call=CallKind.LIST),
    harmless("slow", name="slow-but-in-time", seconds=0.1),
    harmless("500", name="500-now-and-then", every=3),
]

WIRE: Final = [
    *unreachable("hang", "hang-mid-body", "slow", "drip", "drip-headers", cause=Cause.DEADLINE),
    *unreachable("reset", "reset-mid-body", "hang-up", "truncated", "not-http", "huge-headers", cause=Cause.RESET),
    failing("longer-than-said", Kind.UNREACHABLE, Cause.BAD_ANSWER, Cause.RESET),
    # On a slow machine the deadline comes before the byte limit.
    failing("endless", Kind.UNREACHABLE, Cause.BAD_ANSWER, Cause.DEADLINE),
    failing("huge", Kind.UNREACHABLE, Cause.BAD_ANSWER, Cause.DEADLINE),
    failing("gzip-bomb", Kind.UNREACHABLE, Cause.BAD_ANSWER, Cause.DEADLINE),
]

THEMES: Final = {"gateway": GATEWAY, "nonsense": NONSENSE, "misleading": MISLEADING, "wire": WIRE}

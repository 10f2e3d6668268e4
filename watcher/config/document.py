"""The tables of the file as they are written, and the names of their keys."""

# No `from __future__ import annotations` here: pydantic reads these annotations when the program runs.

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import Field

from watcher.config.faults import KeyPath
from watcher.config.models.base import Settings
from watcher.config.models.fields import Name
from watcher.config.models.monitoring import HeartbeatSettings, WebSettings
from watcher.config.models.routes import MatcherTable, RouteTable
from watcher.config.models.settings import (
    AccountSettings,
    DeliverySettings,
    IncidentSettings,
    LogSettings,
    ReceiverSettings,
    SlackSettings,
    SlackWebhookSettings,
    WatchSettings,
    WebhookSettings,
)
from watcher.config.models.state import StateSettings

_ABSENT: Final[Any] = {}
"""The default of a table; it is validated with the file, so that no command builds the tables on import."""


class Document(Settings):
    """The whole file."""

    state: StateSettings = _ABSENT
    delivery: DeliverySettings = _ABSENT
    incident: IncidentSettings = _ABSENT
    web: WebSettings = _ABSENT
    heartbeat: HeartbeatSettings = _ABSENT
    account: dict[Name, AccountSettings] = Field(default_factory=dict)
    watch: list[WatchSettings] = Field(default_factory=list)
    receiver: dict[Name, Annotated[ReceiverSettings, Field(discriminator="kind")]] = Field(default_factory=dict)
    route: list[RouteTable] = Field(default_factory=list)


Shape = tuple[str, ...]
"""A key path with a star for each name that users choose and for each index."""

RECEIVER_KINDS: Final[Mapping[str, type[Settings]]] = MappingProxyType(
    {"webhook": WebhookSettings, "slack-webhook": SlackWebhookSettings, "slack": SlackSettings, "log": LogSettings}
)

TABLES: Final[Mapping[Shape, type[Settings]]] = MappingProxyType(
    {
        (): Document,
        ("state",): StateSettings,
        ("delivery",): DeliverySettings,
        ("incident",): IncidentSettings,
        ("web",): WebSettings,
        ("heartbeat",): HeartbeatSettings,
        ("account", "*"): AccountSettings,
        ("watch", "*"): WatchSettings,
        ("route", "*"): RouteTable,
        ("route", "*", "match"): MatcherTable,
    }
)

HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "state": "[state]",
        "delivery": "[delivery]",
        "incident": "[incident]",
        "web": "[web]",
        "heartbeat": "[heartbeat]",
        "account": "[account.NAME]",
        "watch": "[[watch]]",
        "receiver": "[receiver.NAME]",
        "route": "[[route]]",
    }
)
"""The header of each table."""

PLANNED_KEYS: Final[Mapping[Shape, frozenset[str]]] = MappingProxyType(
    {
        (): frozenset({"quiet"}),
        ("delivery",): frozenset({"hello"}),
        ("route", "*"): frozenset({"remind_every"}),
    }
)
"""Keys that are planned; this version does not have them yet."""


def shape_of(path: KeyPath) -> Shape:
    """Return the table or key of a path, without the names and indices that users choose."""
    named = path[:1] in {("account",), ("receiver",)}
    return tuple("*" if isinstance(part, int) or (named and place == 1) else part for place, part in enumerate(path))


def table_at(path: KeyPath, receiver_kind: str | None = None) -> type[Settings] | None:
    """Return the model of the table at ``path``; that of a receiver depends on its kind."""
    shape = shape_of(path)
    if shape == ("receiver", "*"):
        return RECEIVER_KINDS.get(receiver_kind or "")
    return TABLES.get(shape)

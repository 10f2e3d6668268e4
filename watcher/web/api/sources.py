"""The sources of the API's answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from watcher.web.store_reader import StoreReader

if TYPE_CHECKING:
    from watcher.config import Config
    from watcher.core.health.problems import DaemonHealth
    from watcher.reading.status import StorePlace


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the pages and the API read."""

    read: StoreReader
    config: Callable[[], Config]
    """The active configuration; a reload changes it."""
    place: StorePlace
    health: Callable[[], Awaitable[DaemonHealth]]
    """The daemon's own health, as it answers over its control socket."""
    utc_now: Callable[[], datetime]
    monotonic: Callable[[], float]
    base_path: str = ""
    """The path of a reverse proxy below which everything is."""


Answer = Mapping[str, object]

"""Colours, which differ in lightness, for readers who see no others; outcomes have signs too."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from watcher.core.durations.past_runs import Outcome

INK: Final = "#1f2328"
FAINT: Final = "#59636e"
GRID: Final = "#d8dee4"
BAND: Final = "#d6e6fb"
MEDIAN: Final = "#0b5cad"
STAGES: Final[Mapping[str, str]] = MappingProxyType(
    {"requesting": "#c8d9f0", "waiting": "#8fb3e0", "learning": "#2f6db5", "stopping": "#b8a15a", "ready": "#d9d9d9"}
)
OTHER_STAGE: Final = "#a89bc8"
OUTCOMES: Final[Mapping[Outcome, str]] = MappingProxyType(
    {Outcome.COMPLETED: "#0b5cad", Outcome.FAILED: "#b42318", Outcome.STOPPED: "#6e7781"}
)

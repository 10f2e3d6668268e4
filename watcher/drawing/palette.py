"""Colours, which differ in lightness, for readers who see no others; outcomes have signs too.

Elements have the light colours as attributes, so that a viewer without CSS, a printer and a PNG show those. A style
replaces them on a dark screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from watcher.core.durations.past_runs import Outcome

GROUND: Final = "#ffffff"
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
NIGHT: Final[Mapping[str, str]] = MappingProxyType(
    {
        GROUND: "#171b20",
        INK: "#e5e9ee",
        FAINT: "#9ca7b3",
        GRID: "#39424c",
        BAND: "#24405f",
        MEDIAN: "#82b4ff",
        STAGES["requesting"]: "#35517a",
        STAGES["waiting"]: "#4f7db8",
        STAGES["learning"]: "#8fbdf5",
        STAGES["stopping"]: "#a8914a",
        STAGES["ready"]: "#4a525c",
        OTHER_STAGE: "#8d7fb4",
        OUTCOMES[Outcome.FAILED]: "#ff857c",
        OUTCOMES[Outcome.STOPPED]: "#929dab",
    }
)
"""The colour on a dark screen, by the light one."""

"""The texts of pictures, by key; the pages have them in their catalogue, so that a picture has the page's language."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

ENGLISH: Final[Mapping[str, str]] = MappingProxyType(
    {
        "plot-legend": "● completed · ✕ failed · ○ stopped · band: the usual middle 80 %, line: the median, "
        "as known at that time",
        "plot-runs": "{n} run|{n} runs",
        "plot-failed": "{n} failed",
        "plot-usual": "usually {low} to {high} ({n} run)|usually {low} to {high} ({n} runs)",
        "plot-usual-account": "usually {low} to {high} ({n} run of this type in the account)|"
        "usually {low} to {high} ({n} runs of this type in the account)",
        "plot-unknown": "{n} without a known start not drawn",
        "plot-in-progress": "in progress",
        "plot-stopping": "stopping",
        "plot-ended": "ended {time}",
        "plot-at-least": "at least {duration}",
    }
)
"""``|`` separates one and several of ``n``."""


class Captions(Protocol):
    """Writes a text in one language."""

    def __call__(self, key: str, /, **values: object) -> str:
        """Return the text of a key."""
        ...


def english(key: str, /, **values: object) -> str:
    """Return the English text of a key."""
    one, _, several = ENGLISH[key].partition("|")
    return (several if several and values.get("n") != 1 else one).format(**values)

"""A measured figure with its bar, and the table of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum


class Bar(Enum):
    """Which side of a bar is good."""

    AT_MOST = "≤"
    AT_LEAST = "≥"


@dataclass(frozen=True, slots=True)
class Yardstick:
    """The same figure of something else, measured in the same minutes."""

    name: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of the watcher, beside its bar and, where there is one, a yardstick of the same minutes."""

    id: str
    name: str
    value: float
    unit: str
    bar: float | None = None
    side: Bar = Bar.AT_MOST
    yardstick: Yardstick | None = None

    @property
    def is_met(self) -> bool | None:
        """Whether the bar is reached; ``None`` without a bar."""
        if self.bar is None:
            return None
        return self.value <= self.bar if self.side is Bar.AT_MOST else self.value >= self.bar


def percentile(values: Iterable[float], percent: float) -> float:
    """Return a percentile (nearest rank).

    Raises:
        ValueError: There are no values.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("a percentile needs values")
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a Markdown table."""
    head = "| id | figure | watcher | bar | met | yardstick |\n|---|---|---|---|---|---|"
    return "\n".join([head, *map(_row, figures)])


def _row(figure: Figure) -> str:
    bar = "" if figure.bar is None else f"{figure.side.value} {_shown(figure.bar)}"
    met = {True: "yes", False: "no", None: ""}[figure.is_met]
    beside = "" if figure.yardstick is None else f"{figure.yardstick.name}: {_shown(figure.yardstick.value)}"
    return f"| {figure.id} | {figure.name} | {_shown(figure.value)} {figure.unit} | {bar} | {met} | {beside} |"


def _shown(value: float) -> str:
    if abs(value) >= 100:  # noqa: PLR2004 - three digits are enough
        return f"{value:,.0f}"
    return f"{value:.3g}"

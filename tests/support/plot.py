"""Plots as a small SVG, without a library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

WIDTH: Final = 880
PANEL_HEIGHT: Final = 120
LEFT: Final = 70
RIGHT: Final = 20
GAP: Final = 36

Panel = tuple[str, Sequence[float]]
"""A title with its unit, and a value for each position on the axis."""


def draw(title: str, axis: str, positions: Sequence[float], panels: Sequence[Panel]) -> str:
    """Return the picture: one panel below the other over one axis."""
    height = GAP + len(panels) * (PANEL_HEIGHT + GAP) + GAP
    style = "font-family='sans-serif' font-size='12' fill='#333'"
    lines = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' {style}>",
        f"<rect width='{WIDTH}' height='{height}' fill='white'/>",
        f"<text x='{LEFT}' y='20' font-size='15'>{title}</text>",
    ]
    for number, (name, values) in enumerate(panels):
        lines += _panel(name, positions, values, GAP + GAP / 2 + number * (PANEL_HEIGHT + GAP))
    lines += [f"<text x='{WIDTH / 2}' y='{height - 10}' text-anchor='middle'>{axis}</text>", "</svg>"]
    return "\n".join(lines) + "\n"


def _panel(name: str, positions: Sequence[float], values: Sequence[float], top: float) -> Iterator[str]:
    highest = max(*values, 1e-9) * 1.1
    width, longest = WIDTH - LEFT - RIGHT, max(*positions, 1e-9)
    points = " ".join(
        f"{LEFT + position / longest * width:.1f},{top + PANEL_HEIGHT * (1 - value / highest):.1f}"
        for position, value in zip(positions, values, strict=True)
    )
    yield f"<rect x='{LEFT}' y='{top}' width='{width}' height='{PANEL_HEIGHT}' fill='none' stroke='#ccc'/>"
    yield f"<text x='{LEFT}' y='{top - 5}'>{name}</text>"
    yield f"<text x='{LEFT - 6}' y='{top + 10}' text-anchor='end'>{highest:.3g}</text>"
    yield f"<text x='{LEFT - 6}' y='{top + PANEL_HEIGHT}' text-anchor='end'>0</text>"
    yield f"<text x='{WIDTH - RIGHT}' y='{top + PANEL_HEIGHT + 14}' text-anchor='end'>{longest:.3g}</text>"
    yield f"<polyline fill='none' stroke='#2266aa' stroke-width='1' points='{points}'/>"

"""A badge for one service, to show in a wiki or a README: its name and its state in two colours."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from markupsafe import Markup

from watcher.reports.overview import OpenKind, ServiceRow
from watcher.web.html.texts import Texts

CHARACTER: Final = 7
"""The width of a character of the font, in pixels, rounded up."""
PADDING: Final = 12
LONGEST: Final = 40
GOOD: Final = "#1a7f3c"
BUSY: Final = "#0b62d6"
NOTHING: Final = "#636c78"
COLOURS: Final[Mapping[OpenKind, str]] = MappingProxyType(
    {OpenKind.FAILED: "#c4271f", OpenKind.STUCK: "#8f5a00", OpenKind.OVERDUE: "#8f5a00"}
)
_PICTURE: Final = Markup(
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{name}: {state}">'
    '<title>{name}: {state}</title><rect width="{left}" height="20" fill="#3b434c"/>'
    '<rect x="{left}" width="{right}" height="20" fill="{colour}"/>'
    '<g fill="#fff" font-family="Verdana, DejaVu Sans, sans-serif" font-size="11">'
    '<text x="6" y="14">{name}</text><text x="{start}" y="14">{state}</text></g></svg>'
)


def badge(row: ServiceRow, texts: Texts) -> str:
    """Return the picture of a service."""
    name, (state, colour) = (row.name or row.service.service)[:LONGEST], state_of(row, texts)
    left, right = len(name) * CHARACTER + PADDING, len(state.unescape()) * CHARACTER + PADDING
    return str(
        _PICTURE.format(
            name=name, state=state, colour=colour, left=left, right=right, width=left + right, start=left + 6
        )
    )


def state_of(row: ServiceRow, texts: Texts) -> tuple[Markup, str]:
    """Return the state of a service in a word or two, and its colour: the gravest problem, or that there is none."""
    found = [item.problem for item in row.types if item.problem is not None]
    for kind in OpenKind:
        same = [problem for problem in found if problem.kind is kind]
        if same:
            return texts(f"badge-{kind.value}", type=same[0].of.type), COLOURS[kind]
    if row.is_busy:
        return texts("legend-in-progress"), BUSY
    # Only types with runs are known; the results of a service far down the list are not read.
    return (texts("completed"), GOOD) if row.types else (texts("badge-no-run"), NOTHING)

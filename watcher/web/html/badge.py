"""A badge for one service, to show in a wiki or a README: its name and its state in two colours."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from markupsafe import Markup

from watcher.core.messages.text import READ_LIMIT, one_line
from watcher.core.text_width import ELLIPSIS, character_width
from watcher.drawing.svg import NOT_IN_XML
from watcher.reports.overview import OpenKind, ServiceRow
from watcher.web.html.language.texts import Texts

PIXELS: Final = (0, 7, 12)
"""The width of a character of so many columns, rounded up: a mark above another one, a Latin and a Korean letter."""
PADDING: Final = 12
LONGEST: Final = 40
"""The most characters of the name, and of the state."""
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


def badge(row: ServiceRow, texts: Texts, *, is_polled: bool) -> str:
    """Return the picture of a service; ``is_polled`` says whether the row has its present state."""
    text, colour = state_of(row, texts, is_polled=is_polled)
    name, state = _shown(row.name or row.service.service), _shown(text.unescape())
    left, right = _width(name), _width(state)
    return str(
        _PICTURE.format(
            name=name, state=state, colour=colour, left=left, right=right, width=left + right, start=left + 6
        )
    )


def _shown(text: str) -> str:
    """Return a text from outside as one that a badge has room for, and that XML allows."""
    whole = NOT_IN_XML.sub("\ufffd", one_line(text, READ_LIMIT))
    return whole if len(whole) <= LONGEST else whole[: LONGEST - 1] + ELLIPSIS


def _width(text: str) -> int:
    return sum(PIXELS[character_width(character)] for character in text) + PADDING


def state_of(row: ServiceRow, texts: Texts, *, is_polled: bool) -> tuple[Markup, str]:
    """Return the state of a service in a word or two, and its colour: the gravest problem, or that there is none."""
    found = [item.problem for item in row.types if item.problem is not None]
    for kind in OpenKind:
        same = [problem for problem in found if problem.kind is kind]
        if same:
            return texts(f"badge-{kind.value}", type=same[0].of.type), COLOURS[kind]
    if not is_polled:
        return texts("badge-not-polled"), NOTHING
    if row.is_busy:
        return texts("legend-in-progress"), BUSY
    # Only types with runs are known; the results of a service far down the list are not read.
    return (texts("completed"), GOOD) if row.types else (texts("badge-no-run"), NOTHING)

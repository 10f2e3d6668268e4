"""Writes texts of the pages as lines: without their markup, and safe for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from watcher.cli.text.layout import Cell
from watcher.cli.text.output import FAINT, HEADING, Screen, cell
from watcher.web.html.fleet.filter import OverviewFilter
from watcher.web.html.language.texts import Texts
from watcher.web.html.overview_page import overview_values
from watcher.web.html.times import PageTimes

if TYPE_CHECKING:
    from watcher.reports.overview import Overview

NAME_WIDTH: Final = 12
TEXT_WIDTH: Final = 20
"""The least columns of a name, and of another text."""
KIND_WIDTH: Final = 9
INDENT: Final = " " * KIND_WIDTH


def plain(text: object, style: str = "") -> Cell:
    """Return a text of a page as a printable text: its own markup is removed, and that of others stays text."""
    return cell(text.striptags() if isinstance(text, Markup) else text, style)


@dataclass(slots=True)
class OverviewLines:
    """One overview with the words of its page, and the screen that it is written to."""

    page: Overview
    zone: tzinfo | None
    out: Screen
    t: Texts = field(default_factory=Texts)
    """The catalogue of the pages."""
    values: dict[str, Any] = field(init=False)
    """The values of the template of the page."""
    times: PageTimes = field(init=False)

    def __post_init__(self) -> None:
        self.values = overview_values(self.page, OverviewFilter(), self.t, self.zone)
        self.times = PageTimes(self.page.at, self.t, self.zone)

    def word(self, key: str) -> str:
        """Return a text of the catalogue."""
        return plain(self.t(key)).text

    def heading(self, key: str, count: int | None = None, hint: object = "") -> None:
        """Write the heading of a part, behind an empty line."""
        self.out.line()
        number = "" if count is None else f" {count}"
        self.out.line(plain(self.t(key), HEADING), number, "  " if hint else "", plain(hint, FAINT))

    def maybe(self, text: object) -> None:
        """Write a text below another one, if it is not empty."""
        if text:
            self.out.line(INDENT, plain(text))

    def more(self, found: Sequence[object], shown: int, key: str = "more-problems") -> None:
        """Write how many are not shown, if any."""
        if len(found) > shown:
            self.out.line(plain(self.t(key, n=len(found) - shown), FAINT))

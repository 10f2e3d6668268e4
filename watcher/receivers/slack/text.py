"""Slack's mrkdwn: escaping, code style, dates and lengths.

Source: https://docs.slack.dev/messaging/formatting-message-text/. As for Slack, lengths count after escaping.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Final
from urllib.parse import quote

from watcher.core.messages.language.words import SAME_DAY, Words, needs_days, time_of, zone_name
from watcher.core.messages.text import CUT_MARK, Code, Link, Minute, Piece, TextLine, cut_note

BACKTICK_STAND_IN: Final = "\N{MODIFIER LETTER GRAVE ACCENT}"
"""Replaces a backtick, which ends code style and cannot be escaped inside it."""
UNLIMITED: Final = 100_000
"""More characters than any line of a message has."""
SQUEEZES: Final = (
    (100, True),
    (48, True),
    (48, False),
    (24, False),
    (16, False),
    (12, False),
    (6, False),
    (3, False),
)
"""The steps by which a line is shortened.

Each has the most characters of a text from outside, and whether times are in the reader's zone, which takes more
characters than UTC.
"""
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
"""Slack's three control characters; Slack requires that no other is escaped."""


def escape(text: str) -> str:
    """Return a text escaped for mrkdwn."""
    return text.translate(_ESCAPES)


def fit(text: str, limit: int) -> str:
    """Return ``text`` escaped, in at most ``limit`` characters; a cut is between code points and noted."""
    escaped = escape(text)
    if len(escaped) <= limit:
        return escaped
    keep = _fitting(text, limit - len(cut_note(len(text))))
    return (escape(text[:keep]) + cut_note(len(text) - keep))[: max(limit, 0)]


def _fitting(text: str, space: int) -> int:
    """Return the number of characters of ``text`` that fit into ``space`` when escaped."""
    for index, character in enumerate(text):
        space -= len(escape(character))
        if space < 0:
            return index
    return len(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackTimes:
    """How the times of a message are shown."""

    now: datetime
    """The time of sending; a time near it needs no day, since Slack shows the day of the message."""
    zone: tzinfo
    words: Words
    dated: bool = False
    """Whether the day is shown for a time near ``now``, too."""

    def token(self, piece: datetime | Minute) -> str:
        """Return a time that Slack shows in the reader's zone; bounds to the second, so that they stay exact."""
        time = time_of(piece)
        day = "" if not self.dated and abs(self.now - time) < SAME_DAY else "{date_short_pretty} "
        clock = "{time}" if isinstance(piece, Minute) else "{time_secs}"
        return f"<!date^{int(time.timestamp())}^{day}{clock}|{escape(self.plain(piece))}>"

    def plain(self, piece: datetime | Minute) -> str:
        """Return a time with the name of its zone."""
        return f"{self.words.time(piece, self.now, self.zone, dated=self.dated)} {zone_name(time_of(piece), self.zone)}"


def mrkdwn(line: TextLine, limit: int, times: SlackTimes) -> str:
    """Return a line as mrkdwn with times in the reader's zone."""
    return _render(line, limit, times, dates=True)


def text_line(line: TextLine, limit: int, times: SlackTimes) -> str:
    """Return a line with links and code style and with times in the zone of ``times``, for text alone."""
    return _render(line, limit, times, dates=False)


def preview_line(line: TextLine, limit: int) -> str:
    """Return a line without times as it stands in a phone's preview: escaped, and without any markup."""
    return fit("".join(_unmarked(piece) for piece in line), limit)


def _unmarked(piece: Piece) -> str:
    match piece:
        case Code():
            return piece.text
        case Link():
            return piece.label
        case _:
            return str(piece)


def squeezed(line: TextLine, limit: int, times: SlackTimes, *, dates: bool) -> str:
    """Return a line within ``limit``, by shortening its texts from outside.

    For lists in which every line matters. Only if that does not suffice, the end is cut.
    """
    shorter = line
    for longest, with_dates in SQUEEZES:
        shorter = tuple(_shortened(piece, longest) for piece in line)
        shown = _render(shorter, UNLIMITED, times, dates=dates and with_dates)
        if len(shown) <= limit:
            return shown
    return _render(shorter, limit, times, dates=False)


def _shortened(piece: Piece, longest: int) -> Piece:
    if not isinstance(piece, Code) or len(piece.text) <= longest:
        return piece
    known, was_cut, _ = piece.text.partition(CUT_MARK)
    # Two ids may differ at either end.
    end = 0 if was_cut else (longest - 1) // 2
    return Code(f"{known[: longest - 1 - end]}…{known[len(known) - end :]}")


def _render(line: TextLine, limit: int, times: SlackTimes, *, dates: bool) -> str:
    shown, times = "", replace(times, dated=needs_days(line, times.now))
    for piece in line:
        shown += _render_piece(piece, limit - len(shown), times, dates=dates)
    return shown


def _render_piece(piece: Piece, space: int, times: SlackTimes, *, dates: bool) -> str:
    match piece:
        case datetime() | Minute():
            token = times.token(piece)
            return token if dates and len(token) <= space else fit(times.plain(piece), space)
        case Code():
            inside = fit(piece.text.replace("`", BACKTICK_STAND_IN), space - 2)
            return f"`{inside}`" if inside else fit("…", space)
        case Link():
            return _render_link(piece, space)
        case _:
            return fit(piece, space)


def _render_link(link: Link, space: int) -> str:
    """Return a link; where it does not fit, only its label, since half an address leads nowhere."""
    address = quote(link.url, safe="%/:?#[]@!$&'()*+,;=~").replace("&", "&amp;")
    label = link.label.replace("|", " ")
    marked = f"<{address}|{escape(label)}>"
    return marked if len(marked) <= space else fit(link.label, space)


def join_lines(lines: Sequence[str], limit: int) -> str:
    """Return as many complete lines as fit into ``limit``; a last line counts the omitted ones."""
    for shown in range(len(lines), 0, -1):
        left_out = len(lines) - shown
        text = "\n".join([*lines[:shown], *([cut_note(left_out)] if left_out else [])])
        if len(text) <= limit:
            return text
    return ""

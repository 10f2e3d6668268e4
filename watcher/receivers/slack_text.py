"""Slack's mrkdwn: escaping, code style, dates and lengths.

Source: https://docs.slack.dev/messaging/formatting-message-text/. Lengths count after escaping, as Slack does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from watcher.core.message import Code, Line, Piece, cut_note, utc_text

BACKTICK_STAND_IN: Final = "\N{MODIFIER LETTER GRAVE ACCENT}"
"""A backtick ends code style and cannot be escaped inside it."""
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
"""Slack's three control characters; nothing else is to be escaped."""


def escape(text: str) -> str:
    """Escape a text once for mrkdwn."""
    return text.translate(_ESCAPES)


def fit(text: str, limit: int) -> str:
    """Escape ``text`` into at most ``limit`` characters, cut between code points and with a note of how much."""
    escaped = escape(text)
    if len(escaped) <= limit:
        return escaped
    keep = _fitting(text, limit - len(cut_note(len(text))))
    return (escape(text[:keep]) + cut_note(len(text) - keep))[: max(limit, 0)]


def _fitting(text: str, room: int) -> int:
    """Return how many characters of ``text`` fit into ``room`` when they are escaped."""
    for index, character in enumerate(text):
        room -= len(escape(character))
        if room < 0:
            return index
    return len(text)


def date(moment: datetime) -> str:
    """Return a time that Slack shows in the reader's own zone, to the second so that bounds stay true."""
    return f"<!date^{int(moment.timestamp())}^{{date_short_pretty}} {{time_secs}}|{utc_text(moment)}>"


def mrkdwn(line: Line, limit: int) -> str:
    """Return a line as mrkdwn with times in the reader's zone."""
    return _render(line, limit, dates=True)


def markup_free(line: Line, limit: int) -> str:
    """Return a line with no markup but code style, times in UTC: for previews and for the simplest message."""
    return _render(line, limit, dates=False)


def _render(line: Line, limit: int, *, dates: bool) -> str:
    shown = ""
    for piece in line:
        shown += _render_piece(piece, limit - len(shown), dates=dates)
    return shown


def _render_piece(piece: Piece, room: int, *, dates: bool) -> str:
    if isinstance(piece, datetime):
        token = date(piece)
        return token if dates and len(token) <= room else fit(utc_text(piece), room)
    if isinstance(piece, Code):
        inside = fit(piece.text.replace("`", BACKTICK_STAND_IN), room - 2)
        return f"`{inside}`" if inside else fit("…", room)
    return fit(piece, room)


def join_lines(lines: Sequence[str], limit: int) -> str:
    """Join rendered lines as far as they fit as a whole; those left out are counted in a last one."""
    for shown in range(len(lines), 0, -1):
        left_out = len(lines) - shown
        text = "\n".join([*lines[:shown], *([cut_note(left_out)] if left_out else [])])
        if len(text) <= limit:
            return text
    return ""

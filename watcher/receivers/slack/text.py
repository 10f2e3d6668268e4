"""Slack's mrkdwn: escaping, code style, dates and lengths.

Source: https://docs.slack.dev/messaging/formatting-message-text/. As for Slack, lengths count after escaping.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from watcher.core.messages.text import CUT_MARK, Bounds, Code, Piece, WriteQueue, bounds_text, cut_note, utc_text

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


def date(time: datetime) -> str:
    """Return a time that Slack shows in the reader's zone, to the second so that bounds stay exact."""
    return f"<!date^{int(time.timestamp())}^{{date_short_pretty}} {{time_secs}}|{utc_text(time)}>"


def date_bounds(bounds: Bounds) -> str:
    """Return two times in the reader's zone; the second has no date where both are close."""
    if not bounds.is_short:
        return f"{date(bounds.after)} to {date(bounds.before)}"
    fallback = f"{bounds.before:%H:%M:%S} UTC"
    return f"{date(bounds.after)} to <!date^{int(bounds.before.timestamp())}^{{time_secs}}|{fallback}>"


def mrkdwn(line: WriteQueue, limit: int) -> str:
    """Return a line as mrkdwn with times in the reader's zone."""
    return _render(line, limit, dates=True)


def markup_free(line: WriteQueue, limit: int) -> str:
    """Return a line with no markup except code style and with times in UTC, for previews and text alone."""
    return _render(line, limit, dates=False)


def squeezed(line: WriteQueue, limit: int, *, dates: bool) -> str:
    """Return a line within ``limit``, by shortening its texts from outside.

    For lists in which every line matters. Only if that does not suffice, the end is cut.
    """
    shorter = line
    for longest, with_dates in SQUEEZES:
        shorter = tuple(_shortened(piece, longest) for piece in line)
        shown = _render(shorter, UNLIMITED, dates=dates and with_dates)
        if len(shown) <= limit:
            return shown
    return _render(shorter, limit, dates=False)


def _shortened(piece: Piece, longest: int) -> Piece:
    if not isinstance(piece, Code) or len(piece.text) <= longest:
        return piece
    known, was_cut, _ = piece.text.partition(CUT_MARK)
    # Two ids may differ at either end.
    end = 0 if was_cut else (longest - 1) // 2
    return Code(f"{known[: longest - 1 - end]}…{known[len(known) - end :]}")


def _render(line: WriteQueue, limit: int, *, dates: bool) -> str:
    shown = ""
    for piece in line:
        shown += _render_piece(piece, limit - len(shown), dates=dates)
    return shown


def _render_piece(piece: Piece, space: int, *, dates: bool) -> str:
    if isinstance(piece, datetime | Bounds):
        return _render_time(piece, space, dates=dates)
    if isinstance(piece, Code):
        inside = fit(piece.text.replace("`", BACKTICK_STAND_IN), space - 2)
        return f"`{inside}`" if inside else fit("…", space)
    return fit(piece, space)


def _render_time(time: datetime | Bounds, space: int, *, dates: bool) -> str:
    if isinstance(time, datetime):
        token, plain = date(time), utc_text(time)
    else:
        token, plain = date_bounds(time), bounds_text(time)
    return token if dates and len(token) <= space else fit(plain, space)


def join_lines(lines: Sequence[str], limit: int) -> str:
    """Return as many complete lines as fit into ``limit``; a last line counts the omitted ones."""
    for shown in range(len(lines), 0, -1):
        left_out = len(lines) - shown
        text = "\n".join([*lines[:shown], *([cut_note(left_out)] if left_out else [])])
        if len(text) <= limit:
            return text
    return ""

"""Slack's mrkdwn: escaping, code style, dates and lengths.

Source: https://docs.slack.dev/messaging/formatting-message-text/. Lengths count after escaping, as Slack does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from watcher.core.messages.text import CUT_MARK, Bounds, Code, Piece, TextLine, bounds_text, cut_note, utc_text

BACKTICK_STAND_IN: Final = "\N{MODIFIER LETTER GRAVE ACCENT}"
"""A backtick ends code style and cannot be escaped inside it."""
WHOLE: Final = 100_000
"""More than any line of a message takes."""
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
"""How a line is made shorter, step by step: the most characters of a text from outside, and whether times stand in the
reader's zone, which takes more room than UTC."""
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


def date_bounds(bounds: Bounds) -> str:
    """Return two times in the reader's zone; the second without its date where none is needed."""
    if not bounds.is_short:
        return f"{date(bounds.after)} to {date(bounds.before)}"
    fallback = f"{bounds.before:%H:%M:%S} UTC"
    return f"{date(bounds.after)} to <!date^{int(bounds.before.timestamp())}^{{time_secs}}|{fallback}>"


def mrkdwn(line: TextLine, limit: int) -> str:
    """Return a line as mrkdwn with times in the reader's zone."""
    return _render(line, limit, dates=True)


def markup_free(line: TextLine, limit: int) -> str:
    """Return a line with no markup but code style, times in UTC: for previews and for the simplest message."""
    return _render(line, limit, dates=False)


def squeezed(line: TextLine, limit: int, *, dates: bool) -> str:
    """Return a line whole, with its texts from outside as short as it takes.

    For lists of which every line counts. Only where even that is not enough the end is cut.
    """
    shorter = line
    for longest, with_dates in SQUEEZES:
        shorter = tuple(_shortened(piece, longest) for piece in line)
        shown = _render(shorter, WHOLE, dates=dates and with_dates)
        if len(shown) <= limit:
            return shown
    return _render(shorter, limit, dates=False)


def _shortened(piece: Piece, longest: int) -> Piece:
    if not isinstance(piece, Code) or len(piece.text) <= longest:
        return piece
    known, was_cut, _ = piece.text.partition(CUT_MARK)
    # What tells two ids apart may stand at either end.
    end = 0 if was_cut else (longest - 1) // 2
    return Code(f"{known[: longest - 1 - end]}…{known[len(known) - end :]}")


def _render(line: TextLine, limit: int, *, dates: bool) -> str:
    shown = ""
    for piece in line:
        shown += _render_piece(piece, limit - len(shown), dates=dates)
    return shown


def _render_piece(piece: Piece, room: int, *, dates: bool) -> str:
    if isinstance(piece, datetime | Bounds):
        return _render_time(piece, room, dates=dates)
    if isinstance(piece, Code):
        inside = fit(piece.text.replace("`", BACKTICK_STAND_IN), room - 2)
        return f"`{inside}`" if inside else fit("…", room)
    return fit(piece, room)


def _render_time(time: datetime | Bounds, room: int, *, dates: bool) -> str:
    if isinstance(time, datetime):
        token, plain = date(time), utc_text(time)
    else:
        token, plain = date_bounds(time), bounds_text(time)
    return token if dates and len(token) <= room else fit(plain, room)


def join_lines(lines: Sequence[str], limit: int) -> str:
    """Join rendered lines as far as they fit as a whole; those left out are counted in a last one."""
    for shown in range(len(lines), 0, -1):
        left_out = len(lines) - shown
        text = "\n".join([*lines[:shown], *([cut_note(left_out)] if left_out else [])])
        if len(text) <= limit:
            return text
    return ""

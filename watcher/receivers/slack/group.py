"""Groups as one Slack message, which lists every event, because a listed event counts as delivered.

A long list is a ``data_table``; where Slack refuses that, sections of rows; and then text alone. Long texts are
shortened within their own row. No event is omitted, up to ``EVENTS_MAX``.

``data_table``: https://docs.slack.dev/reference/block-kit/blocks/data-table-block/ (2 to 101 rows with the header, 20
columns, no empty cell, 10,000 characters over all cells). The library has no model of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from watcher.core.messages.groups.group_message import GroupEntry, GroupMessage
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.language.words import capital, small
from watcher.core.messages.text import Code, TextLine, cut_note, plain_text
from watcher.receivers.slack.layout import (
    TEXT_LIMIT,
    TEXT_ONLY,
    Rendered,
    context,
    heading,
    heading_line,
    preview,
    section,
    with_mention,
)
from watcher.receivers.slack.text import UNLIMITED, SlackTimes, join_lines, mrkdwn, squeezed, text_line

EVENTS_MAX: Final = 40
"""Events in the list; no group is larger, see ``core.routing.routes.Group``."""
TABLE_FROM: Final = 8
"""Events from which the list is a table."""
PAGE_SIZE: Final = 10
CELL_LIMITS: Final = (100, 48, 32, 24, 16, 10)
"""The steps by which all cells are shortened, until they fit together."""
CELLS_LIMIT: Final = 7_000
ROWS_LIMIT: Final = 5_600
"""Characters of all rows in sections."""
ROW_LIMIT: Final = 1_400
ROWS_IN_SECTION: Final = 2_800
"""Slack accepts 3,000 characters a section."""
FACTS_LIMIT: Final = 900
MUTED_LIMIT: Final = 600
MARK_LIMIT: Final = 200
ALSO_LIMIT: Final = 600
ALSO_MAX: Final = 8
"""Events with messages of their own that a group names; the others are counted."""
ALSO_IN_TEXT: Final = 2_400
"""Characters for events with messages of their own, divided by the rows; a full text favours the rows."""
EMPTY_CELL: Final = "-"
LOOKALIKES: Final = str.maketrans(
    {"<": "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}", ">": "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"}
)
"""A cell is plain text, which Slack shows as it is: no escape, and with these no mention by any reading."""

Cell = str | tuple[float, str]
"""A text, or a number to sort by with its text."""
Column = tuple[Phrase, Callable[[GroupEntry], Cell]]


def render(message: GroupMessage, degrade: int, times: SlackTimes, extra: Sequence[TextLine], mention: str) -> Rendered:
    """Return the top-level text and the blocks of a group; arguments as for ``blocks.payload``."""
    marks = [*extra, *message.marks]
    if degrade >= TEXT_ONLY:
        return _text_alone(message, marks, times, mention), []
    text = preview(message, [*marks, *message.facts], times, mention)
    return text, list(_blocks(message, marks, times, mention, table=degrade == 0))


def _blocks(
    message: GroupMessage, marks: Sequence[TextLine], times: SlackTimes, mention: str, *, table: bool
) -> Iterator[dict[str, Any]]:
    yield section(heading(message, times, mention))
    if facts := join_lines([mrkdwn(line, FACTS_LIMIT, times) for line in message.facts], FACTS_LIMIT):
        yield section(facts)
    if table and len(message.entries) >= TABLE_FROM:
        yield _table(message, times)
    else:
        yield from (section(text) for text in _sections(message, times))
    yield from (context(mrkdwn(line, MARK_LIMIT, times)) for line in marks)
    yield from (context(text) for text in _sent_separately(message, ALSO_LIMIT, times))
    yield context(mrkdwn(_muted(message, times), MUTED_LIMIT, times))


def _muted(message: GroupMessage, times: SlackTimes) -> TextLine:
    more = len(message.entries) - EVENTS_MAX
    cut = (cut_note(more),) if more > 0 else ()
    waited = message.waited(times.now)
    return capital(message.words.joined((waited, small(message.muted) if waited else message.muted, cut)))


def _text_alone(message: GroupMessage, marks: Sequence[TextLine], times: SlackTimes, mention: str) -> str:
    head = [heading_line(message), *message.facts]
    rows = [row for part in message.sections for row in part.rows][:EVENTS_MAX]
    timed = times.words.with_times([*head, *rows, *marks, _muted(message, times)], times.now, times.zone)
    first, *above = [text_line(line, FACTS_LIMIT, times) for line in timed[: len(head)]]
    below = [text_line(line, MUTED_LIMIT, times) for line in timed[len(head) + len(rows) :]]
    below = [*_sent_separately(message, min(ALSO_LIMIT, ALSO_IN_TEXT // len(rows)), times), *below]
    around = [with_mention(first, mention), *above, *below]
    share = (TEXT_LIMIT - sum(len(line) + 1 for line in around)) // len(rows) - 1
    shown = [squeezed(row, share, times, dates=False) for row in timed[len(head) : len(head) + len(rows)]]
    return "\n".join([around[0], *above, *shown, *below])


def _sections(message: GroupMessage, times: SlackTimes) -> Iterator[str]:
    """Return the rows below their headings, as many headings in a section as fit."""
    space = min(ROW_LIMIT, ROWS_LIMIT // min(len(message.entries), EVENTS_MAX))
    left = EVENTS_MAX
    for part in message.sections:
        rows = [squeezed(row, space, times, dates=True) for row in part.rows[:left]]
        left -= len(rows)
        lines = [squeezed(part.heading, space, times, dates=False), *rows] if rows else []
        if len(message.sections) == 1:
            lines = rows
        yield from _packed(lines)


def _packed(lines: Sequence[str]) -> Iterator[str]:
    text = ""
    for line in lines:
        if text and len(text) + 1 + len(line) > ROWS_IN_SECTION:
            yield text
            text = ""
        text += f"\n{line}" if text else line
    if text:
        yield text


def _sent_separately(message: GroupMessage, limit: int, times: SlackTimes) -> list[str]:
    """Return the line that names events with messages of their own, as many as fit."""
    for most in range(ALSO_MAX, -1, -1):
        shown = text_line(message.sent_separately(most), UNLIMITED, times)
        if len(shown) <= limit:
            return [shown] if shown else []
    return []


def _table(message: GroupMessage, times: SlackTimes) -> dict[str, Any]:
    entries = message.entries[:EVENTS_MAX]
    columns = _columns(message, entries, times)
    rows = [[read(entry) for _, read in columns] for entry in entries]
    header: list[Cell] = [times.words.text(name) for name, _ in columns]
    # The version identifies a row; where there is none, the service does, which then is the first column.
    row_header = len(columns) - 1 if _has_versions(entries) else 0
    return {
        "type": "data_table",
        "caption": times.words.text(message.caption, count=len(entries)),
        "page_size": PAGE_SIZE,
        "row_header_column_index": row_header,
        "rows": [[_cell(cell) for cell in row] for row in _shortened([header, *rows])],
    }


def _columns(message: GroupMessage, entries: Sequence[GroupEntry], times: SlackTimes) -> list[Column]:
    """Return the columns; the first three are what fits a phone. A column without a value is left out."""
    service: Column = (Phrase.COLUMN_SERVICE, lambda entry: entry.service.text)
    train_type: Column = (Phrase.COLUMN_TYPE, lambda entry: _optional(entry.training_type))
    status: Column = (Phrase.COLUMN_STATUS, lambda entry: plain_text(entry.status))
    first = [service, train_type, status] if message.all_failed else [status, service, train_type]
    if not _has_versions(entries):
        first = [service, *([train_type] if any(entry.training_type for entry in entries) else []), status]
    # The place in a row says more of a failure than the stage before it, and a table has little room.
    is_compared = message.all_failed and any(entry.failures for entry in entries)
    former: list[Column] = [] if is_compared else [(Phrase.COLUMN_FROM, lambda entry: entry.from_status)]
    optional: list[Column] = [
        *former,
        (Phrase.COLUMN_EXPECTED, lambda entry: "" if entry.expected_at is None else times.plain(entry.expected_at)),
        (Phrase.COLUMN_AFTER, lambda entry: (entry.duration_seconds, entry.duration) if entry.duration else ""),
        (Phrase.COLUMN_USUAL, lambda entry: entry.usual),
        (Phrase.COLUMN_STREAK, lambda entry: (entry.failures, str(entry.failures)) if entry.failures else ""),
        (Phrase.COLUMN_LAST_GOOD, lambda entry: entry.last_good),
        (Phrase.COLUMN_BETWEEN, lambda entry: _between(entry, times)),
        (Phrase.COLUMN_MARKS, lambda entry: ", ".join(entry.marks)),
    ]
    version: Column = (Phrase.COLUMN_VERSION, lambda entry: _optional(entry.version))
    last = [version] if _has_versions(entries) else []
    return [*first, *(column for column in optional if any(column[1](entry) for entry in entries)), *last]


def _has_versions(entries: Sequence[GroupEntry]) -> bool:
    return any(entry.version is not None for entry in entries)


def _optional(piece: Code | None) -> str:
    return "" if piece is None else piece.text


def _between(entry: GroupEntry, times: SlackTimes) -> str:
    if entry.bounds is None:
        return ""
    after, before = entry.bounds
    if after == before:
        return times.plain(before)
    shown = times.words.time(after, times.now, times.zone)
    return times.words.text(Phrase.RANGE, low=shown, high=times.plain(before))


def _shortened(rows: Sequence[Sequence[Cell]]) -> list[list[Cell]]:
    for limit in CELL_LIMITS:
        short = [[_cut(cell, limit) for cell in row] for row in rows]
        if sum(len(_text(cell)) for row in short for cell in row) <= CELLS_LIMIT:
            break
    return short


def _cut(cell: Cell, limit: int) -> Cell:
    if isinstance(cell, tuple):
        return cell
    return cell if len(cell) <= limit else f"{cell[: limit - 1]}…"


def _text(cell: Cell) -> str:
    return cell[1] if isinstance(cell, tuple) else cell


def _cell(cell: Cell) -> dict[str, Any]:
    if isinstance(cell, tuple):
        return {"type": "raw_number", "value": cell[0], "text": cell[1]}
    return {"type": "raw_text", "text": cell.translate(LOOKALIKES) or EMPTY_CELL}

"""Groups as one Slack message, which lists every event, because a listed event counts as delivered.

Long texts are shortened within their own line. No event is omitted, up to ``EVENTS_MAX``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from watcher.core.messages.group import EMOJI, Entry, GroupMessage
from watcher.core.messages.text import LIST_LIMIT, WriteQueue, cut_note
from watcher.receivers.slack.text import UNLIMITED, join_lines, markup_free, mrkdwn, squeezed

EVENTS_MAX: Final = 20
"""Events in the list; no group is larger, see ``core.routing.routes.Group``."""
PREVIEW_LIMIT: Final = 1_900
"""Characters of the text beside blocks, which omits the times."""
TEXT_LIMIT: Final = 3_900
"""Characters of a message of text alone; Slack accepts fewer than 4,000."""
ENTRIES_LIMIT: Final = 6_000
"""Characters of all entries in blocks."""
ENTRY_LIMIT: Final = 1_400
SECTION_LIMIT: Final = 2_900
"""Slack accepts 3,000 characters a section."""
HEAD_LIMIT: Final = 600
NOTE_LIMIT: Final = 250
ALSO_LIMIT: Final = 600
ALSO_IN_TEXT: Final = 2_400
"""Characters for events with messages of their own, divided by the entries; a full text favours the entries."""
CLOSING_LIMIT: Final = 400


def preview(message: GroupMessage, *, may_be_repeat: bool) -> str:
    """Return the text beside blocks, for notifications and screen readers."""
    head = _plain([message.title, *([message.repeat] if may_be_repeat else [])])
    lines = [entry.short for entry in message.entries[:EVENTS_MAX]]
    return _text(head, lines, _plain(_left_out(message)), PREVIEW_LIMIT)


def text_alone(message: GroupMessage, *, may_be_repeat: bool, spare: int = 0) -> str:
    """Return the message as text alone, with ``spare`` characters left for mentions."""
    head = _plain([message.title, *([message.repeat] if may_be_repeat else []), *message.notes])
    lines = [entry.whole(": ") for entry in message.entries[:EVENTS_MAX]]
    end = [*_plain(_left_out(message)), *_sent_alone(message, min(ALSO_LIMIT, ALSO_IN_TEXT // len(lines)), dates=False)]
    return _text(head, lines, end, TEXT_LIMIT - spare)


def head_section(message: GroupMessage) -> str:
    """Return the headline of the group and the notes about its entries."""
    return join_lines([f"{EMOJI} *{message.headline}*", *_marked(message.notes)], HEAD_LIMIT)


def entry_sections(message: GroupMessage, *, rich: bool) -> list[str]:
    """Return the entries, each in its own section, or in the fewest sections where not ``rich``."""
    shown = message.entries[:EVENTS_MAX]
    space = min(ENTRY_LIMIT, ENTRIES_LIMIT // len(shown))
    lines = [_entry(entry, space, rich=rich) for entry in shown]
    return lines if rich else list(_packed(lines))


def closing_lines(message: GroupMessage, *, rich: bool) -> list[str]:
    """Return the lines below the entries."""
    also = _sent_alone(message, ALSO_LIMIT, dates=True)
    return [*_marked(_left_out(message)), *also, *(_marked([message.origin]) if rich else [])]


def _sent_alone(message: GroupMessage, limit: int, *, dates: bool) -> list[str]:
    """Return the line that names events with messages of their own, as many as fit."""
    render = mrkdwn if dates else markup_free
    for most in range(LIST_LIMIT, -1, -1):
        shown = render(message.sent_alone(most), UNLIMITED)
        if len(shown) <= limit:
            return [shown] if shown else []
    return []


def _entry(entry: Entry, space: int, *, rich: bool) -> str:
    return squeezed(entry.whole("\n" if rich else ": "), space, dates=True)


def _packed(lines: Sequence[str]) -> Iterator[str]:
    section = lines[0]
    for line in lines[1:]:
        if len(section) + 1 + len(line) > SECTION_LIMIT:
            yield section
            section = line
        else:
            section += "\n" + line
    yield section


def _text(head: Sequence[str], entries: Sequence[WriteQueue], end: Sequence[str], limit: int) -> str:
    space = limit - sum(len(line) + 1 for line in (*head, *end))
    share = space // len(entries) - 1
    return "\n".join([*head, *(squeezed(line, share, dates=False) for line in entries), *end])


def _left_out(message: GroupMessage) -> list[WriteQueue]:
    more = len(message.entries) - EVENTS_MAX
    return [(cut_note(more),)] if more > 0 else []


def _plain(lines: Sequence[WriteQueue]) -> list[str]:
    return [squeezed(line, NOTE_LIMIT, dates=False) for line in lines]


def _marked(lines: Sequence[WriteQueue]) -> list[str]:
    return [mrkdwn(line, CLOSING_LIMIT) for line in lines]

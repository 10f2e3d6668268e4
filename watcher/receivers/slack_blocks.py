"""Messages as Slack's JSON, within Slack's limits: rich blocks, short blocks, or text alone.

Limits: https://docs.slack.dev/reference/block-kit/blocks/ (3,000 characters a section, 2,000 a field, 10 fields or
context elements, 50 blocks). Above about 13,000 characters in all Slack refuses a message without documenting it, hence
``TOTAL_LIMIT``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from slack_sdk.models.blocks import Block, ContextBlock, MarkdownTextObject, SectionBlock

from watcher.core.event import Event
from watcher.core.message import Code, Fact, Line, Message, compose, cut_note, repeat_note
from watcher.receivers.slack_text import join_lines, markup_free, mrkdwn

TOTAL_LIMIT: Final = 10_000
"""Characters of all blocks and the text together."""
TEXT_LIMIT: Final = 2_500
SECTION_LIMIT: Final = 2_900
"""Slack takes 3,000."""
FIELD_LIMIT: Final = 340
FIELDS_MAX: Final = 10
CONTEXT_LIMIT: Final = 400
MANY_LIMIT: Final = 6_000
"""Characters of the sections of a message about several events."""
MANY_MAX: Final = 20
"""Events that are shown of several."""
TEXT_ONLY: Final = 2
"""The last step of simplifying: there is nothing simpler than text."""


def payload(events: Sequence[Event], degrade: int, *, may_be_repeat: bool) -> dict[str, object]:
    """Return the body of one post, not yet encoded.

    Args:
        events: What is told; at least one.
        degrade: 0 for rich blocks, 1 for short ones, 2 for text alone.
        may_be_repeat: Whether an earlier copy may have arrived; the message then says so.
    """
    messages = [compose(event) for event in events[:MANY_MAX]]
    notes = [repeat_note(events[0])] if may_be_repeat else []
    body: dict[str, object] = {
        "text": _text(messages, notes, len(events)),
        "unfurl_links": False,
        "unfurl_media": False,
    }
    if degrade < TEXT_ONLY:
        blocks = _about_one(messages[0], rich=degrade == 0) if len(events) == 1 else _about_many(messages, len(events))
        body["blocks"] = [block.to_dict() for block in (*blocks, *map(_context, notes))]
    return body


def _text(messages: Sequence[Message], notes: Sequence[Line], total: int) -> str:
    told = [line for message in messages for line in ((f"{message.emoji} ", *message.title), *message.lines)]
    first, *others = told if total == 1 else [(f"{total} events",), *told]
    # The title is what a phone shows; the notes come next, as the end may be cut.
    return join_lines([markup_free(line, TEXT_LIMIT // 2) for line in (first, *notes, *others)], TEXT_LIMIT)


def _about_one(message: Message, *, rich: bool) -> list[Block]:
    section = SectionBlock(text=_markdown(_section_text(message, SECTION_LIMIT)))
    if not rich:
        return [section]
    facts = SectionBlock(fields=[_field(fact) for fact in message.facts[:FIELDS_MAX]])
    return [section, facts, _context(("Event ", Code(message.event_id)))]


def _about_many(messages: Sequence[Message], total: int) -> list[Block]:
    room = min(SECTION_LIMIT, MANY_LIMIT // len(messages))
    blocks: list[Block] = [SectionBlock(text=_markdown(f"*{total} events*"))]
    blocks += [SectionBlock(text=_markdown(_section_text(message, room))) for message in messages]
    left_out = total - len(messages)
    return [*blocks, _context((cut_note(left_out),))] if left_out else blocks


def _section_text(message: Message, limit: int) -> str:
    subject = mrkdwn(message.subject, limit // 2)
    title = f"{message.emoji} *{message.headline}*: {subject}"
    return join_lines([title, *(mrkdwn(line, limit // 2) for line in message.lines)], limit)


def _field(fact: Fact) -> MarkdownTextObject:
    return _markdown(f"*{fact.label}*\n{mrkdwn(fact.value, FIELD_LIMIT)}")


def _context(line: Line) -> ContextBlock:
    return ContextBlock(elements=[_markdown(mrkdwn(line, CONTEXT_LIMIT))])


def _markdown(text: str) -> MarkdownTextObject:
    # Verbatim keeps Slack from making links, channels and mentions out of bare words.
    return MarkdownTextObject(text=text, verbatim=True)

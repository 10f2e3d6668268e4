"""Messages as Slack's JSON, within Slack's limits: rich blocks, short blocks, or text alone.

Limits: https://docs.slack.dev/reference/block-kit/blocks/ (3,000 characters a section, 2,000 a field, 10 fields or
context elements, 50 blocks). Slack also rejects messages above about 13,000 characters in total, which is undocumented.
The limits here and in ``group`` add up to less than 10,000.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from slack_sdk.models.blocks import Block, ContextBlock, MarkdownTextObject, SectionBlock

from watcher.core.event import Event
from watcher.core.messages.group import GroupMessage, compose_group
from watcher.core.messages.text import Code, TextLine
from watcher.core.messages.training import Fact, Message, compose, repeat_note
from watcher.receivers.fallback_render import render_or_fall_back
from watcher.receivers.slack import group as slack_group
from watcher.receivers.slack.text import join_lines, markup_free, mrkdwn

TEXT_LIMIT: Final = 2_500
SECTION_LIMIT: Final = 2_900
"""Slack accepts 3,000."""
FIELD_LIMIT: Final = 340
FIELDS_MAX: Final = 10
CONTEXT_LIMIT: Final = 400
TEXT_ONLY: Final = 2
"""The last step of simplifying the content."""
METADATA_STEP: Final = 4
"""Added to the step of a message without metadata; its content may have any step."""
MENTION_STEP: Final = 8
"""Added to the step of a message without its mention; its content and metadata may have any step."""
NO_MENTION: Final = "Without its mention, which Slack refused."


def content_step(degrade: int) -> int:
    """Return the step of the content, without those of metadata and mention."""
    return degrade % METADATA_STEP


def has_metadata(degrade: int) -> bool:
    """Say whether a message at this step has its metadata."""
    return not degrade & METADATA_STEP


def has_mention(degrade: int) -> bool:
    """Say whether a message at this step has the mentions of its route, if there are any."""
    return not degrade & MENTION_STEP


def payload(
    events: Sequence[Event],
    degrade: int,
    *,
    may_be_repeat: bool,
    also: Sequence[Event] = (),
    mentions: Sequence[str] = (),
) -> dict[str, object]:
    """Return the body of one post, not yet encoded.

    Args:
        events: The events of the message; at least one.
        degrade: The content is 0 for rich blocks, 1 for short ones, 2 for text alone. ``MENTION_STEP`` leaves out the
            mentions, which the message then says. ``METADATA_STEP`` is up to the caller.
        may_be_repeat: Whether an earlier copy may have arrived, which the message then says.
        also: Events of the same catch-up with messages of their own; only a group names them.
        mentions: Slack's markup, validated by the configuration; the only text that is not escaped.
    """
    mention = " ".join(mentions) if has_mention(degrade) else ""
    content = content_step(degrade)

    def render(listed: Sequence[Event], others: Sequence[Event]) -> tuple[str, list[Block]]:
        if len(listed) == 1:
            return _single(listed[0], rich=content == 0, may_be_repeat=may_be_repeat)
        message = compose_group(listed, others)
        return _several(message, content, may_be_repeat=may_be_repeat, spare=max(len(mention), len(NO_MENTION)))

    text, blocks = render_or_fall_back(render, events, also)
    if mention:
        text = _below_title(text, mention)
        blocks.append(SectionBlock(text=_markdown(mention)))
    elif mentions:
        text = _below_title(text, NO_MENTION)
        blocks.append(_context((NO_MENTION,)))
    body: dict[str, object] = {"text": text, "unfurl_links": False, "unfurl_media": False}
    if content < TEXT_ONLY:
        body["blocks"] = [block.to_dict() for block in blocks]
    return body


def _below_title(text: str, mention: str) -> str:
    # Without blocks the text is the whole message, so it needs the mention too. A phone shows the title first.
    title, line_end, rest = text.partition("\n")
    return f"{title}\n{mention}{line_end}{rest}"


def _single(event: Event, *, rich: bool, may_be_repeat: bool) -> tuple[str, list[Block]]:
    message = compose(event)
    notes = [repeat_note(event)] if may_be_repeat else []
    blocks: list[Block] = [SectionBlock(text=_markdown(_section_text(message, SECTION_LIMIT)))]
    if rich:
        blocks.append(SectionBlock(fields=[_field(fact) for fact in message.facts[:FIELDS_MAX]]))
        blocks.append(_context(("Event ", Code(message.event_id))))
    return _text(message, notes), [*blocks, *map(_context, notes)]


def _text(message: Message, notes: Sequence[TextLine]) -> str:
    # A phone shows the title; the notes come next, because the end may be cut.
    lines = [(f"{message.emoji} ", *message.title), *notes, *message.lines]
    return join_lines([markup_free(line, TEXT_LIMIT // 2) for line in lines], TEXT_LIMIT)


def _several(message: GroupMessage, degrade: int, *, may_be_repeat: bool, spare: int) -> tuple[str, list[Block]]:
    if degrade >= TEXT_ONLY:
        return slack_group.text_alone(message, may_be_repeat=may_be_repeat, spare=spare), []
    rich = degrade == 0
    sections = [slack_group.head_section(message), *slack_group.entry_sections(message, rich=rich)]
    below = slack_group.closing_lines(message, rich=rich)
    below += [mrkdwn(message.repeat, CONTEXT_LIMIT)] if may_be_repeat else []
    blocks: list[Block] = [SectionBlock(text=_markdown(text)) for text in sections]
    blocks += [ContextBlock(elements=[_markdown(text)]) for text in below]
    return slack_group.preview(message, may_be_repeat=may_be_repeat), blocks


def _section_text(message: Message, limit: int) -> str:
    subject = mrkdwn(message.subject, limit // 2)
    title = f"{message.emoji} *{message.headline}*: {subject}"
    return join_lines([title, *(mrkdwn(line, limit // 2) for line in message.lines)], limit)


def _field(fact: Fact) -> MarkdownTextObject:
    return _markdown(f"*{fact.label}*\n{mrkdwn(fact.value, FIELD_LIMIT)}")


def _context(line: TextLine) -> ContextBlock:
    return ContextBlock(elements=[_markdown(mrkdwn(line, CONTEXT_LIMIT))])


def _markdown(text: str) -> MarkdownTextObject:
    # Verbatim keeps Slack from turning plain words into links, channels and mentions.
    return MarkdownTextObject(text=text, verbatim=True)

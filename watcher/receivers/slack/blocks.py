"""Messages as Slack's JSON, within Slack's limits: blocks, simpler blocks, or text alone.

The first section is the first line, with the mention. On a phone the wrapped facts below it stay apart from it. The
top-level text is a preview without markup; where Slack refuses blocks it is the whole message.

Limits: https://docs.slack.dev/reference/block-kit/blocks/ (3,000 characters a section, 2,000 a context, 50 blocks).
Slack also rejects messages above about 13,000 characters in total, which is undocumented. The limits here and in
``group`` add up to less than 10,000.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from watcher.core.event import Event
from watcher.core.messages.groups.group import compose_group
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.message import PLAIN_STYLE, Message, Style
from watcher.core.messages.text import TextLine
from watcher.core.messages.training import compose
from watcher.receivers.fallback_render import render_or_fall_back
from watcher.receivers.slack import group as slack_group
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
from watcher.receivers.slack.text import SlackTimes, join_lines, mrkdwn, text_line

FACTS_LIMIT: Final = 2_400
ROWS_LIMIT: Final = 2_400
REMEDY_LIMIT: Final = 500
MUTED_LIMIT: Final = 1_500
MARK_LIMIT: Final = 200
LINE_LIMIT: Final = 1_200
METADATA_STEP: Final = 4
"""Added to the step of a message without metadata; its content may have any step."""
MENTION_STEP: Final = 8
"""Added to the step of a message without its mention; its content and metadata may have any step."""


def content_step(degrade: int) -> int:
    """Return the step of the content, without those of metadata and mention."""
    return degrade % METADATA_STEP


def has_metadata(degrade: int) -> bool:
    """Say whether a message at this step has its metadata."""
    return not degrade & METADATA_STEP


def has_mention(degrade: int) -> bool:
    """Say whether a message at this step has the mentions of its route, if there are any."""
    return not degrade & MENTION_STEP


def payload(  # noqa: PLR0913 - each is a part of one attempt
    events: Sequence[Event],
    degrade: int,
    *,
    may_be_repeat: bool,
    also: Sequence[Event] = (),
    mentions: Sequence[str] = (),
    style: Style = PLAIN_STYLE,
    now: datetime | None = None,
) -> dict[str, object]:
    """Return the body of one post, not yet encoded.

    Args:
        events: The events of the message; at least one.
        degrade: The content is 0 for blocks, with lists as tables; 1 for fewer blocks, with lists as sections; 2 for
            text alone. ``MENTION_STEP`` leaves out the mentions, which the message then says. ``METADATA_STEP`` is up
            to the caller.
        may_be_repeat: Whether an earlier copy may have arrived, which the message then says.
        also: Events of the same catch-up with messages of their own; only a group names them.
        mentions: Slack's markup, validated by the configuration; the only text that is not escaped.
        style: The receiver's settings.
        now: The time of sending, UTC; by default that of the latest event.
    """
    times = SlackTimes(now=now or max(event.recorded_at for event in events), zone=style.zone, words=style.words)
    mention = " ".join(mentions) if has_mention(degrade) else ""
    extra = _extra_marks(style, may_be_repeat=may_be_repeat, mention_refused=bool(mentions) and not mention)
    content = content_step(degrade)

    def render(listed: Sequence[Event], others: Sequence[Event]) -> Rendered:
        if len(listed) == 1:
            return _single(compose(listed[0], style), content, times, extra, mention)
        return slack_group.render(compose_group(listed, others, style), content, times, extra, mention)

    text, blocks = render_or_fall_back(render, events, also)
    body: dict[str, object] = {"text": text, "unfurl_links": False, "unfurl_media": False}
    if content < TEXT_ONLY:
        body["blocks"] = blocks
    return body


def _extra_marks(style: Style, *, may_be_repeat: bool, mention_refused: bool) -> list[TextLine]:
    marks = []
    if may_be_repeat:
        marks.append(style.words.say(Phrase.MARK_REPEAT))
    if mention_refused:
        marks.append(style.words.say(Phrase.MARK_NO_MENTION))
    return marks


def _single(message: Message, degrade: int, times: SlackTimes, extra: Sequence[TextLine], mention: str) -> Rendered:
    marks = [*extra, *message.marks]
    if degrade >= TEXT_ONLY:
        return _text_alone(message, marks, times, mention), []
    shown = message.facts if message.preview is None else message.preview
    text = preview(message, [*marks, *shown], times, mention)
    blocks = _short_blocks if degrade else _rich_blocks
    return text, blocks(message, marks, times, mention)


def _rich_blocks(message: Message, marks: Sequence[TextLine], times: SlackTimes, mention: str) -> list[dict[str, Any]]:
    sections = [
        heading(message, times, mention),
        _lines(message.facts, FACTS_LIMIT, times),
        _lines(message.rows, ROWS_LIMIT, times),
        _lines(message.remedy, REMEDY_LIMIT, times),
    ]
    blocks = [section(text) for text in sections if text]
    return [*blocks, *(context(mrkdwn(line, MARK_LIMIT, times)) for line in marks), _muted(message.muted, times)]


def _short_blocks(message: Message, marks: Sequence[TextLine], times: SlackTimes, mention: str) -> list[dict[str, Any]]:
    below = _lines([*message.facts, *message.rows, *message.remedy, *marks], FACTS_LIMIT, times)
    blocks = [section(heading(message, times, mention)), *([section(below)] if below else [])]
    return [*blocks, _muted(message.muted, times)]


def _muted(line: TextLine, times: SlackTimes) -> dict[str, Any]:
    return context(mrkdwn(line, MUTED_LIMIT, times))


def _lines(lines: Sequence[TextLine], limit: int, times: SlackTimes) -> str:
    return join_lines([mrkdwn(line, LINE_LIMIT, times) for line in lines], limit)


def _text_alone(message: Message, marks: Sequence[TextLine], times: SlackTimes, mention: str) -> str:
    # The marks come before what may be cut.
    lines = [heading_line(message), *marks, *message.facts, *message.rows, *message.remedy, message.muted]
    timed = times.words.with_times(lines, times.now, times.zone)
    first, *rest = [text_line(line, LINE_LIMIT, times) for line in timed]
    return join_lines([with_mention(first, mention), *rest], TEXT_LIMIT)

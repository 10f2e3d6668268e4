"""The parts that every Slack message has: the first line, the preview, sections and muted lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from slack_sdk.models.blocks import ContextBlock, MarkdownTextObject, SectionBlock

from watcher.core.messages.groups.group_message import GroupMessage
from watcher.core.messages.message import Message
from watcher.core.messages.text import TextLine
from watcher.receivers.slack.text import SlackTimes, escape, join_lines, mrkdwn, preview_line

PREVIEW_LIMIT: Final = 300
"""Characters of the text beside blocks, without mentions."""
PREVIEW_HEADING_LIMIT: Final = 180
TEXT_LIMIT: Final = 3_900
"""Characters of a message of text alone; Slack accepts fewer than 4,000."""
HEADING_LIMIT: Final = 1_600
TEXT_ONLY: Final = 2
"""The last step of simplifying the content."""

Rendered = tuple[str, list[dict[str, Any]]]
"""The top-level text, and the blocks."""


def heading_line(message: Message | GroupMessage) -> TextLine:
    """Return the first line, with the sign before it."""
    return (f"{message.sign} ", *message.title)


def heading(message: Message | GroupMessage, times: SlackTimes, mention: str) -> str:
    """Return the first line as mrkdwn, its headline in bold, with the mention at its end."""
    after = mrkdwn(message.title[1:], HEADING_LIMIT, times)
    return with_mention(f"{message.sign} *{escape(message.headline)}*{after}", mention)


def preview(message: Message | GroupMessage, lines: Sequence[TextLine], times: SlackTimes, mention: str) -> str:
    """Return the text beside blocks: a phone shows its beginning, a screen reader all of it."""
    first, *rest = times.words.with_times([heading_line(message), *lines], times.now, times.zone)
    shown = preview_line(first, PREVIEW_HEADING_LIMIT)
    below = join_lines([preview_line(line, PREVIEW_LIMIT) for line in rest], PREVIEW_LIMIT - len(shown) - 1)
    return with_mention(shown, mention) + (f"\n{below}" if below else "")


def with_mention(line: str, mention: str) -> str:
    """Return the first line with the mention at its end."""
    return f"{line} {mention}" if mention else line


def section(text: str) -> dict[str, Any]:
    """Return a section of mrkdwn."""
    return SectionBlock(text=_markdown(text)).to_dict()


def context(text: str) -> dict[str, Any]:
    """Return a muted line."""
    return ContextBlock(elements=[_markdown(text)]).to_dict()


def _markdown(text: str) -> MarkdownTextObject:
    # Verbatim keeps Slack from turning plain words into links, channels and mentions.
    return MarkdownTextObject(text=text, verbatim=True)

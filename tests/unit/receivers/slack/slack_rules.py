"""Slack's rules, written down a second time: the builder uses the library's, so this does not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

DATE = re.compile(r"<!date\^[0-9]+\^(\{date_short_pretty\} )?\{time_secs\}\|[0-9: -]+ UTC>")
ENTITY = re.compile(r"&(amp|lt|gt);")


def texts(value: object) -> list[str]:
    """Return every text that Slack would read in a payload, the top one too."""
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [text for item in value.values() for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return []


def faults(body: dict[str, Any], mentions: Sequence[str] = ()) -> list[str]:
    """Return what Slack would refuse, cut, or take for markup of our own; ``mentions`` are meant to be there."""
    return [*_size_faults(body), *_text_faults(body, " ".join(mentions))]


def _size_faults(body: dict[str, Any]) -> Iterator[str]:
    blocks = body.get("blocks", [])
    if not 0 < len(body["text"]) < 4_000:
        yield "the text is empty or too long"
    if len(blocks) > 50:
        yield "too many blocks"
    if sum(map(len, texts(body))) > 10_000:
        yield "too much in all"
    for block in blocks:
        yield from _block_faults(block)


def _block_faults(block: dict[str, Any]) -> Iterator[str]:
    for key, longest in (("text", 3_000), ("fields", 2_000), ("elements", 2_000)):
        if not all(0 < len(text) <= longest for text in texts(block.get(key, []))):
            yield f"a text in {key} is empty or too long"
        if key != "text" and len(block.get(key, [])) > 10:
            yield f"too many {key}"
    if block["type"] not in {"section", "context"} or not {"text", "fields", "elements"} & set(block):
        yield "not a block that we know"


def _text_faults(body: dict[str, Any], mention: str) -> Iterator[str]:
    if "<" in _without_line(body["text"], mention):
        yield "markup in the plain text"
    for text in texts(body):
        rest = DATE.sub("", _without_line(text, mention))
        if "<" in rest or ">" in rest or "&" in ENTITY.sub("", rest):
            yield f"not escaped: {rest[:200]}"
        if rest.count("`") % 2:
            yield f"code style is not closed: {rest[:200]}"


def _without_line(text: str, line: str) -> str:
    """Take one whole line out: a mention stands by itself, or it is not ours."""
    lines = text.split("\n")
    if line in lines:
        lines.remove(line)
    return "\n".join(lines)

"""An independent check of Slack's rules; the builder uses the library's, so this module does not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

DATE = re.compile(r"<!date\^[0-9]+\^(\{date_short_pretty\} )?\{time_secs\}\|[0-9: -]+ UTC>")
ENTITY = re.compile(r"&(amp|lt|gt);")


def texts(value: object) -> list[str]:
    """Return every text of a payload, including the top one."""
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [text for item in value.values() for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return []


def faults(body: dict[str, Any], mentions: Sequence[str] = ()) -> list[str]:
    """Return the faults of a payload: broken limits and unescaped texts; ``mentions`` are allowed markup."""
    return [*_size_faults(body), *_text_faults(body, " ".join(mentions))]


def _size_faults(body: dict[str, Any]) -> Iterator[str]:
    blocks = body.get("blocks", [])
    if not 0 < len(body["text"]) < 4_000:
        yield "the text is empty or too long"
    if len(blocks) > 50:
        yield "too many blocks"
    if sum(map(len, texts(body))) > 10_000:
        yield "too many characters in total"
    for block in blocks:
        yield from _block_faults(block)


def _block_faults(block: dict[str, Any]) -> Iterator[str]:
    for key, longest in (("text", 3_000), ("fields", 2_000), ("elements", 2_000)):
        if not all(0 < len(text) <= longest for text in texts(block.get(key, []))):
            yield f"a text in {key} is empty or too long"
        if key != "text" and len(block.get(key, [])) > 10:
            yield f"too many {key}"
    if block["type"] not in {"section", "context"} or not {"text", "fields", "elements"} & set(block):
        yield "an unknown block"


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
    """Return the text without one line; an allowed mention has a line of its own."""
    lines = text.split("\n")
    if line in lines:
        lines.remove(line)
    return "\n".join(lines)

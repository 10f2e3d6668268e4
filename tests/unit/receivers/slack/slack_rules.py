"""An independent check of Slack's rules; the builder uses the library's, so this module does not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

DATE = re.compile(r"<!date\^[0-9]+\^(\{date_short_pretty\} )?\{time(_secs)?\}\|[0-9A-Za-z: ]+>")
LINK = re.compile(r"<https?://[!-;=?-~]+\|[^<>|]+>")
ENTITY = re.compile(r"&(amp|lt|gt);")
CELLS = {"raw_text", "raw_number"}


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
        yield from _table_faults(block) if block["type"] == "data_table" else _block_faults(block)


def _block_faults(block: dict[str, Any]) -> Iterator[str]:
    for key, longest in (("text", 3_000), ("elements", 2_000)):
        if not all(0 < len(text) <= longest for text in texts(block.get(key, []))):
            yield f"a text in {key} is empty or too long"
        if key != "text" and len(block.get(key, [])) > 10:
            yield f"too many {key}"
    if block["type"] not in {"section", "context"} or not {"text", "elements"} & set(block):
        yield "an unknown block"


def _table_faults(block: dict[str, Any]) -> Iterator[str]:
    rows = block["rows"]
    if not 2 <= len(rows) <= 101:
        yield "too few or too many rows"
    if len({len(row) for row in rows}) != 1 or not 0 < len(rows[0]) <= 20:
        yield "rows of different lengths, or too many columns"
    if not all(cell["type"] in CELLS and cell["text"] for row in rows for cell in row):
        yield "an unknown or empty cell"
    if sum(len(cell["text"]) for row in rows for cell in row) > 10_000:
        yield "too many characters in the cells"
    if not block["caption"] or not 0 <= block["row_header_column_index"] < len(rows[0]):
        yield "no caption, or no header column"


def _marked_texts(body: dict[str, Any]) -> list[str]:
    """Return the texts that Slack reads as mrkdwn; cells of a table are shown as they are."""
    blocks = [block for block in body.get("blocks", []) if block["type"] != "data_table"]
    return [body["text"], *texts(blocks)]


def _text_faults(body: dict[str, Any], mention: str) -> Iterator[str]:
    has_blocks = "blocks" in body
    if has_blocks and "<" in _without_mention(body["text"], mention):
        yield "markup in the preview"
    for text in _marked_texts(body):
        rest = LINK.sub("", DATE.sub("", _without_mention(text, mention)))
        if "<" in rest or ">" in rest or "&" in ENTITY.sub("", rest):
            yield f"not escaped: {rest[:200]}"
        if rest.count("`") % 2 and not (has_blocks and text == body["text"]):
            yield f"code style is not closed: {rest[:200]}"


def _without_mention(text: str, mention: str) -> str:
    """Return the text without the mention, which stands at the end of the first line."""
    first, line_end, rest = text.partition("\n")
    return first.removesuffix(f" {mention}") + line_end + rest if mention else text

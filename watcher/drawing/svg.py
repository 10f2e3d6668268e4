"""Elements of SVG 1.1 as text; every text from outside is escaped here.

Colours are attributes of elements; one style replaces them on a dark screen. A Content-Security-Policy names it by its
hash, as it is the same in each picture.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from textwrap import wrap
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from watcher.core.messages.text import one_line
from watcher.drawing.palette import GROUND, NIGHT

Attribute = str | float

FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans KR', sans-serif"
TEXT_LIMIT: Final = 120
"""The most characters of one text."""
LONGEST_TEXT: Final = 240
"""The most characters of a text of several lines."""
LINE: Final = 15
"""The height of a line of text."""
CHARACTER: Final = 0.56
"""The width of a character, in font sizes, rounded up."""
NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may have (XML 1.0, production 2)."""
STYLE: Final = "@media screen and (prefers-color-scheme:dark){{{}}}".format(
    "".join(f'[fill="{light}"]{{fill:{other}}}[stroke="{light}"]{{stroke:{other}}}' for light, other in NIGHT.items())
)
"""The colours of a dark screen; a printer keeps the light ones."""
STYLE_SOURCE: Final = f"'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'"
"""The source of that style, for a Content-Security-Policy."""


def document(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """Return a whole picture on a ground of its own; the title is for screen readers."""
    size = f'viewBox="0 0 {number(width)} {number(height)}" width="{number(width)}" height="{number(height)}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} font-family={quoteattr(FONT)} font-size="12">'
    ground = rectangle(0, 0, width, height, fill=GROUND)
    style = f"<style>{STYLE}</style>"
    return "\n".join((head, f"<title>{safe(title)}</title>", style, ground, *parts, "</svg>")) + "\n"


def rectangle(x: float, y: float, width: float, height: float, **paint: Attribute) -> str:
    """Return a rectangle; its width may be 0."""
    return _element("rect", {"x": x, "y": y, "width": max(width, 0), "height": height, **paint})


def line(x1: float, y1: float, x2: float, y2: float, **paint: Attribute) -> str:
    """Return a line."""
    return _element("line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2, **paint})


def path(steps: str, **paint: Attribute) -> str:
    """Return a path; ``steps`` are commands with numbers."""
    return _element("path", {"d": steps, "fill": "none", **paint})


def label(x: float, y: float, content: str, **paint: Attribute) -> str:
    """Return a text; ``text_anchor`` says which part of it is at ``x``."""
    return _element("text", {"x": x, "y": y, **paint}, safe(content))


def wrapped(x: float, y: float, content: str, space: float, font_size: float = 12, **paint: Attribute) -> list[str]:
    """Return a text as lines that fit into a width, as far as the widths of common fonts go."""
    lines = wrap(one_line(content, LONGEST_TEXT), max(int(space / (font_size * CHARACTER)), 1))
    return [label(x, y + LINE * number, line, font_size=font_size, **paint) for number, line in enumerate(lines)]


def safe(content: str) -> str:
    """Return a text from anywhere as the content of an element: one line, without control characters."""
    return escape(NOT_IN_XML.sub("\ufffd", one_line(content, TEXT_LIMIT)))


def number(value: float) -> str:
    """Write a coordinate with one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")


def _element(name: str, attributes: Mapping[str, Attribute], content: str = "") -> str:
    written = " ".join(f"{_name(key)}={_value(value)}" for key, value in attributes.items())
    return f"<{name} {written}>{content}</{name}>" if content else f"<{name} {written}/>"


def _name(key: str) -> str:
    return key.replace("_", "-")


def _value(value: Attribute) -> str:
    return quoteattr(value) if isinstance(value, str) else f'"{number(value)}"'

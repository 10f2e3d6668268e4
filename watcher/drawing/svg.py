"""Elements of SVG 1.1 as text; every text from outside is escaped here.

Colours are attributes of elements, not CSS: a page with a strict Content-Security-Policy can hold the picture.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from watcher.core.messages.text import one_line

Attribute = str | float

FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans KR', sans-serif"
TEXT_LIMIT: Final = 120
"""The most characters of one text."""
NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may have (XML 1.0, production 2)."""


def document(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """Return a whole picture on white ground; the title is for screen readers."""
    size = f'viewBox="0 0 {number(width)} {number(height)}" width="{number(width)}" height="{number(height)}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} font-family={quoteattr(FONT)} font-size="12">'
    ground = rectangle(0, 0, width, height, fill="#ffffff")
    return "\n".join((head, f"<title>{safe(title)}</title>", ground, *parts, "</svg>")) + "\n"


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

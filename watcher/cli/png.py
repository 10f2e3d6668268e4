"""Pictures as PNG: by resvg, with a font of its own, since a server may have none."""

from __future__ import annotations

from typing import Final

import font_roboto
import resvg_py

ZOOM: Final = 2
"""Pixels for each unit of the picture, so that its text is sharp."""
FONT: Final = "Roboto"


def png_of(picture: str) -> bytes:
    """Return an SVG picture as PNG; signs that the font lacks come from the fonts of the system."""
    files = [font_roboto.Roboto]
    png = resvg_py.svg_to_bytes(
        svg_string=picture, zoom=ZOOM, font_files=files, font_family=FONT, sans_serif_family=FONT
    )
    return bytes(png)

"""The example configuration that is part of the package; there is one copy of it, at the root of the source."""

from __future__ import annotations

from pathlib import Path
from typing import Final

NAME: Final = "config.example.toml"


def example_text() -> str:
    """Return ``config.example.toml``: from the wheel, which holds it beside this module, or from the source."""
    here = Path(__file__).parent
    packaged = here / NAME
    return (packaged if packaged.is_file() else here.parents[1] / NAME).read_text(encoding="utf-8")

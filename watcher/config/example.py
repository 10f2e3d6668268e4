"""The example configuration of the package, which has one copy: the file at the root of the source."""

from __future__ import annotations

from pathlib import Path
from typing import Final

NAME: Final = "config.example.toml"


def example_text() -> str:
    """Return ``config.example.toml`` from the wheel, where it is beside this module, or from the source."""
    here = Path(__file__).parent
    packaged = here / NAME
    return (packaged if packaged.is_file() else here.parents[1] / NAME).read_text(encoding="utf-8")

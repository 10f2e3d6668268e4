"""Keys and kinds of older versions; the error for one of them names the present word."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

RENAMED_KEYS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType({"incident": {"good_looks": "recover_after"}})
"""For each table: old keys and their present names."""

RENAMED_KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "reachable": "recovered",
        "receiver-broken": "receiver-failing",
        "receiver-mended": "receiver-recovered",
        "store-trouble": "store-failing",
        "store-mended": "store-recovered",
    }
)
"""Old kinds of events and their present names."""

"""Words of older versions, so that a configuration that still has one is refused with the present word."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

RENAMED_KEYS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType({"incident": {"good_looks": "recover_after"}})
"""By table: the old key and the present one."""

RENAMED_KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "reachable": "recovered",
        "receiver-broken": "receiver-failing",
        "receiver-mended": "receiver-recovered",
        "store-trouble": "store-failing",
        "store-mended": "store-recovered",
    }
)
"""The old kind of event and the present one."""

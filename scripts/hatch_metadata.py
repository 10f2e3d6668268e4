"""Refuses an installation by an older Python, before the installer looks for versions of the dependencies.

Without this hook ``pip`` lists what it does not find for that Python, and not the reason.
"""

from __future__ import annotations

import sys
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class CustomMetadataHook(MetadataHookInterface):
    """The hook that the build calls for the metadata of the package."""

    def update(self, metadata: dict[str, Any]) -> None:  # noqa: ARG002 - the interface of hatchling
        """Change nothing.

        Raises:
            SystemExit: this Python is too old.
        """
        if sys.version_info < (3, 11):  # noqa: UP036 - an older Python runs this
            found = ".".join(map(str, sys.version_info[:3]))
            sys.exit(f"aitems-watcher needs Python 3.11 or newer; this is Python {found}")

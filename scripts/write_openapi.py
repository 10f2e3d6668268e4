"""Write ``docs/openapi.json``, the description of the API."""

from __future__ import annotations

import json
from pathlib import Path

from watcher.web.api.openapi import document

PAGE = Path(__file__).parents[1] / "docs" / "openapi.json"


def main() -> None:
    """Write the file."""
    PAGE.write_text(json.dumps(document(), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

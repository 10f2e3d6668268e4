"""Column types for text from anywhere, and for the order of recording."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from sqlalchemy import BigInteger, Dialect, Integer, Text, TypeDecorator

REPLACEMENT: Final = "\ufffd"
POSITION: Final = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows automatically only in a column of the type INTEGER, which has 64 bits there."""
_REFUSED: Final = re.compile("[\x00\ud800-\udfff]")


class StoredText(TypeDecorator[str]):
    """Text from anywhere, with a replacement for what a database refuses.

    PostgreSQL takes no NUL, and no driver takes half of a surrogate pair, which a command line in another encoding has.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's
        """Return the text as it is stored."""
        return _storable(value)

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], str | None]:  # noqa: ARG002 - SQLAlchemy's
        """Return the same as one function: it is called for each text of each row."""
        return _storable


def _storable(value: str | None) -> str | None:
    return value if value is None or _is_storable(value) else _REFUSED.sub(REPLACEMENT, value)


def _is_storable(text: str) -> bool:
    # To encode it is much faster than to search it, and Python knows of an ASCII text without reading it.
    try:
        return "\x00" not in text and (text.isascii() or bool(text.encode()))
    except UnicodeEncodeError:
        return False

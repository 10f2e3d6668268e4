"""A JSON object that is kept as its bytes, and read when it is shown: as objects it would take four times as much."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

NO_NAMES: Final[frozenset[str]] = frozenset()


class JsonObject(Mapping[str, object]):
    """A mapping of the fields of a JSON object.

    Args:
        text: the object in UTF-8; a caller has checked that it is one.
        hidden: names that do not belong to the mapping, although the text has them.
    """

    __slots__ = ("_hidden", "_text")

    def __init__(self, text: bytes, hidden: frozenset[str] = NO_NAMES) -> None:
        self._text = text
        self._hidden = hidden

    def __getitem__(self, name: str) -> object:
        return self.all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.all())

    def __len__(self) -> int:
        return len(self.all())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, JsonObject):
            is_same_text = self._text == other._text and self._hidden == other._hidden
            return is_same_text or self.all() == other.all()
        return self.all() == other if isinstance(other, Mapping) else NotImplemented

    # Compared by value, and kept in no set.
    __hash__ = None  # type: ignore[assignment]  # as of any mapping

    def __repr__(self) -> str:
        return repr(self.all())

    @property
    def key(self) -> tuple[bytes, frozenset[str]]:
        """The text and the hidden names: equal keys stand for equal objects."""
        return self._text, self._hidden

    def may_name(self, name: str) -> bool:
        """Say whether a name may occur in the text, at any depth; a sure "no" costs no reading."""
        # An escape may stand for any character of it.
        return name.encode() in self._text or b"\\" in self._text

    def all(self) -> dict[str, object]:
        """Return all fields, read anew."""
        return {name: value for name, value in json.loads(self._text).items() if name not in self._hidden}


def plain(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of an object; as bytes, they are read once for all."""
    return fields.all() if isinstance(fields, JsonObject) else dict(fields)


def json_object(fields: Mapping[str, object]) -> JsonObject:
    """Return these fields as bytes."""
    return JsonObject(json.dumps(dict(fields), ensure_ascii=False, separators=(",", ":")).encode())

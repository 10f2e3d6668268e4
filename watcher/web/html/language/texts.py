"""The texts of the pages in one language."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup, escape

from watcher.core.messages.language.words import ENGLISH_WORDS, Words
from watcher.core.messages.message import Style
from watcher.core.messages.text import visible
from watcher.web.html.language.english import ENGLISH


class Texts:
    """Looks texts up by key; values in them are escaped, unless they are markup of ours.

    Args:
        catalogue: the texts of the pages in one language.
        words: the texts of messages, reasons and advice in the same language.
    """

    def __init__(self, catalogue: Mapping[str, str] = ENGLISH, words: Words = ENGLISH_WORDS) -> None:
        self._catalogue = catalogue
        self.words = words
        self.style = Style(words=words)

    def __call__(self, key: str, /, **values: object) -> Markup:
        """Return a text; with ``n``, the form for one or for several.

        Raises:
            KeyError: there is no such text.
        """
        text = self._catalogue[key]
        one, _, several = text.partition("|")
        chosen = several if several and values.get("n") != 1 else one
        shown = {name: visible(value) if type(value) is str else value for name, value in values.items()}
        return Markup(escape(chosen)).format(**shown)  # noqa: S704 - escaped; the format escapes the values

    def has(self, key: str) -> bool:
        """Return whether there is such a text."""
        return key in self._catalogue

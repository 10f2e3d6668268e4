"""The end of a list, kept for the next list of the same path: it tells when a short page is the last one.

A server may show fewer records than the limit that it names, and have more behind them. A request behind the short page
shows it. While the records stay the same, it need not be repeated for each list.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Final

MAX_REPEATS: Final = 20
"""Lists with the same records that one confirmed end holds for.

A page with the most records that the server shows may stay the same although the list grows behind it.
"""


MAX_POSTPONED: Final = 5
"""After so many lists without room for the request behind their short page, it takes its turn among the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEnd:
    """The end of one list."""

    records: int | None = None
    """The hash of its records, where a request behind them brought nothing new."""
    failures: int = 0
    """Consecutive requests behind its records that failed."""
    repeats: int = 0
    """Lists since the latest request behind the records."""
    postponed: int = 0
    """Consecutive lists whose request behind the short page had no room in the account's budget."""
    cap: int | None = None
    """The most records of a short page that others followed. While it is known, no short page ends a list."""

    def is_known(self, records: int) -> bool:
        """Return whether a list with these records needs no request behind its short page.

        A server that fails for each request behind the records is asked ever more rarely.
        """
        if self.cap is not None:
            return False
        return self.repeats < (MAX_REPEATS if self.records == records else self._lists_to_wait)

    @property
    def is_overdue(self) -> bool:
        """Whether the request behind a short page was postponed so often that it takes its turn now."""
        return self.postponed >= MAX_POSTPONED

    @property
    def _lists_to_wait(self) -> int:
        """The lists before the next request: none after one failure, then 1, 3, 7 and so on."""
        return min((1 << max(self.failures - 1, 0)) - 1, MAX_REPEATS)

    def repeated(self) -> ListEnd:
        """Return the end of a list without a request behind its short page."""
        return replace(self, repeats=self.repeats + 1)

    def without_room(self) -> ListEnd:
        """Return the end of a list whose request behind its short page had no room."""
        return replace(self, postponed=self.postponed + 1)

    def confirmed(self, records: int) -> ListEnd:
        """Return the end of a list with nothing new behind these records."""
        return ListEnd(records=records, cap=self.cap)

    def failed(self) -> ListEnd:
        """Return the end of a list whose request behind its short page failed."""
        return replace(self, records=None, failures=self.failures + 1, repeats=0, postponed=0)

    def more_behind(self, short: int) -> ListEnd:
        """Return the end while records follow a short page of this many."""
        return replace(self, cap=max(short, self.cap or 0), failures=0, postponed=0)

    def after_first_page(self, count: int) -> ListEnd:
        """Return the end without its cap where a first page has more records.

        A training that is created between two requests follows a short page, too.
        """
        return replace(self, cap=None) if self.cap is not None and count > self.cap else self


def hash_of(records: Iterable[Hashable], unreadable: int) -> int:
    """Return a hash of the records of a list, in any order, and the number of its unreadable ones."""
    return hash((frozenset(records), unreadable))

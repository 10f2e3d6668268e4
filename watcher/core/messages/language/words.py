"""A language of messages: phrases with named parameters, and how it writes numbers, durations and times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from string import Formatter
from typing import Final

from watcher.core.messages.language.english import ENGLISH
from watcher.core.messages.language.english_times import (
    english_age,
    english_day,
    english_duration,
    english_ordinal,
    english_range,
)
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.text import Code, Link, Minute, Piece, TextLine, plain_text

Value = Piece | TextLine | int
"""The value of a parameter: a piece, a line of pieces, or a number."""
SAME_DAY: Final = timedelta(hours=12)
"""A time this near to the sending needs no day, in any zone."""
SAME_YEAR: Final = timedelta(days=300)
SEPARATOR: Final = " · "
EVEN_SHARE: Final = 20
"""A range below this share of its end is written as one duration."""
NEAR_SECONDS: Final = 60.0
NEAR_SHARE: Final = 4
"""A range below a minute is one duration too, where it is below this share of its end."""


@dataclass(frozen=True, slots=True)
class Words:
    """One language."""

    phrases: Mapping[Phrase, str] = field(hash=False)
    duration: Callable[[float], str]
    """Writes a span in seconds."""
    day: Callable[[int | None, int, int], str]
    """Writes a day from its year, month and day; the year is ``None`` where it is clear."""
    duration_range: Callable[[float, float], str]
    """Writes a range of durations in seconds, with its unit once where it can."""
    age: Callable[[float], str]
    """Writes an age in seconds in one unit."""
    ordinal: Callable[[int], str]
    """Writes the place in a row, from 1."""

    def say(self, phrase: Phrase, **values: Value) -> TextLine:
        """Return a phrase with its parameters as a line.

        Raises:
            KeyError: the phrase has a parameter without a value.
        """
        return tuple(self._pieces(self.phrases[phrase], values))

    def text(self, phrase: Phrase, **values: Value) -> str:
        """Return a phrase as plain text, for parameters of our own."""
        return plain_text(self.say(phrase, **values))

    def counted(self, phrase: Phrase, count: int, **values: Value) -> TextLine:
        """Return a phrase about ``count`` things; where one thing has a phrase of its own, that one."""
        one = f"{phrase}_one"
        return self.say(Phrase(one) if count == 1 and one in set(Phrase) else phrase, count=count, **values)

    def _pieces(self, template: str, values: Mapping[str, Value]) -> Iterator[Piece]:
        for text, name, _, _ in Formatter().parse(template):
            yield from _literal(text)
            if name is not None:
                yield from _as_line(values[name])

    def span(self, low_seconds: float, high_seconds: float) -> str:
        """Write a duration that is known between two values; as one where they are near each other."""
        low, high = max(low_seconds, 0.0), max(high_seconds, low_seconds, 0.0)
        width = high - low
        if width * EVEN_SHARE <= high or (width <= NEAR_SECONDS and width * NEAR_SHARE <= high):
            return self.duration((low + high) / 2)
        if self.duration(low) == self.duration(high):
            return self.duration(high)
        return self.text(Phrase.RANGE, low=self.duration(low), high=self.duration(high))

    def time(self, piece: datetime | Minute, now: datetime, zone: tzinfo, *, dated: bool = False) -> str:
        """Write a time without its zone: with the day where it is not near ``now``, e.g. ``26 Nov 09:00:00``.

        Args:
            piece: the time.
            now: the time of sending.
            zone: the zone of the reader.
            dated: whether the day is written for a time near ``now``, too.
        """
        time = time_of(piece)
        local = time.astimezone(zone)
        clock = f"{local:%H:%M}" if isinstance(piece, Minute) else f"{local:%H:%M:%S}"
        if not dated and abs(now - time) < SAME_DAY:
            return clock
        year = None if abs(now - time) < SAME_YEAR else local.year
        return f"{self.day(year, local.month, local.day)} {clock}"

    def joined(self, parts: Iterable[TextLine]) -> TextLine:
        """Join the parts that are not empty by dots."""
        return joined(parts, SEPARATOR)

    def listed(self, items: Sequence[TextLine], most: int, separator: str = ", ") -> TextLine:
        """List at most ``most`` items, and count the others."""
        more = len(items) - most
        shown = joined(items[:most], separator)
        return (*shown, " ", *self.say(Phrase.AND_MORE, count=more)) if more > 0 else shown

    def with_times(self, lines: Sequence[TextLine], now: datetime, zone: tzinfo) -> list[TextLine]:
        """Replace the times in lines by text; the zone is named once, after the last time of the first such line."""
        first = next((index for index, line in enumerate(lines) if _times(line)), None)
        return [self._with_times(line, now, zone, named=index == first) for index, line in enumerate(lines)]

    def _with_times(self, line: TextLine, now: datetime, zone: tzinfo, *, named: bool) -> TextLine:
        last = max(_times(line), default=None) if named else None
        dated = needs_days(line, now)
        return tuple(
            self.time(piece, now, zone, dated=dated) + (f" {zone_name(time_of(piece), zone)}" if index == last else "")
            if isinstance(piece, datetime | Minute)
            else piece
            for index, piece in enumerate(line)
        )


ENGLISH_WORDS: Final = Words(ENGLISH, english_duration, english_day, english_range, english_age, english_ordinal)


def capital(line: TextLine) -> TextLine:
    """Begin a line with a capital letter where it begins with our own words."""
    match line:
        case (str(first), *rest) if first:
            return (first[0].upper() + first[1:], *rest)
        case _:
            return line


def small(line: TextLine) -> TextLine:
    """Undo ``capital`` for a line that another part of the same line comes before."""
    match line:
        case (str(first), *rest) if first:
            return (first[0].lower() + first[1:], *rest)
        case _:
            return line


def joined(parts: Iterable[TextLine], separator: str) -> TextLine:
    """Join the parts that are not empty."""
    pieces = [piece for part in parts if part for piece in (separator, *part)]
    return tuple(pieces[1:])


def time_of(piece: datetime | Minute) -> datetime:
    """Return the time of a piece that is one."""
    return piece.time if isinstance(piece, Minute) else piece


def needs_days(line: TextLine, now: datetime) -> bool:
    """Return whether each time of a line has its day: beside one that needs it, a clock alone reads as today's."""
    return any(abs(now - time_of(piece)) >= SAME_DAY for piece in line if isinstance(piece, datetime | Minute))


def zone_name(time: datetime, zone: tzinfo) -> str:
    """Return the short name of a zone at a time, e.g. ``KST``."""
    return time.astimezone(zone).tzname() or ""


def _literal(text: str) -> Iterator[Piece]:
    """Return our own words; a part between backticks stands in code style."""
    for index, part in enumerate(text.split("`")):
        if part:
            yield Code(part) if index % 2 else part


def _times(line: TextLine) -> list[int]:
    return [index for index, piece in enumerate(line) if isinstance(piece, datetime | Minute)]


def _as_line(value: Value) -> TextLine:
    match value:
        case tuple():
            return value
        case int():
            return (str(value),)
        case str() | Code() | Link() | datetime() | Minute():
            return (value,)

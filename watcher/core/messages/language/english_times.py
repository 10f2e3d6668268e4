"""How English messages write durations, ages, days and ordinals."""

from __future__ import annotations

from typing import Final

_UNITS: Final = ((86_400, "day", "days"), (3_600, "h", "h"), (60, "min", "min"), (1, "s", "s"))
MINUTE: Final = 60
_MINUTES_UP_TO: Final = 120 * MINUTE
"""A range up to this is in minutes, e.g. ``88 to 104 min``."""
_ORDINALS: Final = ("th", "st", "nd", "rd")
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def english_duration(seconds: float) -> str:
    """Write a span in its two largest units, rounded down, e.g. ``2 h 10 min``; zero parts are left out."""
    rest = max(int(seconds), 0)
    parts = []
    for size, one, several in _UNITS:
        count, rest = divmod(rest, size)
        parts.append((count, one if count == 1 else several))
    first = next((index for index, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count) or "0 s"


def english_day(year: int | None, month: int, day: int) -> str:
    """Write a day, e.g. ``26 Nov``; with its year where one is given."""
    return f"{day} {MONTHS[month - 1]}" + ("" if year is None else f" {year}")


def english_range(low_seconds: float, high_seconds: float) -> str:
    """Write a range rounded down to minutes, its unit once where both ends have it, e.g. ``48 to 61 min``."""
    first, last = (_in_range(seconds, high_seconds) for seconds in (low_seconds, max(low_seconds, high_seconds)))
    if first == last:
        return last
    number, _, unit = first.partition(" ")
    return f"{number if last.split(' ')[1:] == [unit] else first} to {last}"


def _in_range(seconds: float, highest: float) -> str:
    if seconds < MINUTE:
        return english_duration(seconds)
    minutes = int(seconds) // MINUTE
    return f"{minutes} min" if highest <= _MINUTES_UP_TO else english_duration(minutes * MINUTE)


def english_age(seconds: float) -> str:
    """Write an age in its largest unit, rounded down, e.g. ``2 days``."""
    return " ".join(english_duration(seconds).split(" ")[:2])


def english_ordinal(number: int) -> str:
    """Write the place in a row, e.g. ``3rd``."""
    last = 0 if number // 10 % 10 == 1 else number % 10
    return f"{number}{_ORDINALS[last] if last < len(_ORDINALS) else 'th'}"

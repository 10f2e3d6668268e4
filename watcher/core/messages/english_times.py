"""How English messages write durations and days."""

from __future__ import annotations

from typing import Final

_UNITS: Final = ((86_400, "day", "days"), (3_600, "h", "h"), (60, "min", "min"), (1, "s", "s"))
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

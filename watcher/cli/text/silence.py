"""Silences as rows and lines for a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from watcher.cli.text.output import Cell, Screen, Table, cell
from watcher.cli.text.times import time_text
from watcher.core.routing.matcher import patterns_of
from watcher.core.routing.silence import Silence
from watcher.core.timestamps import from_text

COLUMNS = ("SILENCE", "OF", "FROM (UTC)", "UNTIL (UTC)", "BY", "WHY", "NOTE")


def silence_table(silences: Iterable[Silence]) -> Table:
    """Return one row a silence."""
    return Table(COLUMNS, [_row(item) for item in silences])


def _row(silence: Silence) -> tuple[Cell, ...]:
    note = "" if silence.ended_at is None else f"ended by {silence.ended_by} at {time_text(silence.ended_at)}"
    return (
        cell(silence.id),
        cell(match_text(patterns_of(silence.match))),
        cell(time_text(silence.starts_at)),
        cell(time_text(silence.ends_at)),
        cell(silence.author),
        cell(silence.reason),
        cell(note),
    )


def match_text(words: Mapping[str, Sequence[str]]) -> str:
    """Write a matcher as ``silence add`` takes it."""
    return " ".join(f"{key}={','.join(wanted)}" for key, wanted in words.items())


def silence_text(silence: Silence) -> str:
    """Write a silence in one line: what is quiet, until when, by whom and why."""
    of = match_text(patterns_of(silence.match))
    return f"{silence.id}: {of} until {time_text(silence.over_at)} UTC, by {silence.author}: {silence.reason}"


def show_added(added: Mapping[str, object], out: Screen) -> None:
    """Write what was added, and how it is ended before its time."""
    until = time_text(from_text(str(added["ends_at"])))
    out.line(cell(f"{added['id']}: nobody is told of what fits until {until} UTC"))
    out.line(cell(f"end it before that: aitems-watcher silence end {added['id']}"))

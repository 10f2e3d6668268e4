"""Silences as a table and lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from watcher.cli.text.layout import Cell, Column, Table
from watcher.cli.text.output import Screen, cell
from watcher.cli.text.times import LocalTimes
from watcher.core.routing.matcher import patterns_of
from watcher.core.routing.silence import Silence
from watcher.core.timestamps import from_text

TEXT_WIDTH: Final = 16
"""The least columns of a text; the rest needs ``--wide``."""


def silence_table(silences: Iterable[Silence], times: LocalTimes) -> Table:
    """Return one row per silence."""
    columns = (
        "SILENCE",
        Column("EVENTS", least=TEXT_WIDTH),
        Column(times.heading("FROM"), omitted=1),
        times.heading("UNTIL"),
        Column("BY", omitted=2),
        *(Column("REASON", least=TEXT_WIDTH), Column("NOTE", least=TEXT_WIDTH)),
    )
    return Table(columns, [_row(item, times) for item in silences])


def _row(silence: Silence, times: LocalTimes) -> tuple[Cell, ...]:
    note = "" if silence.ended_at is None else f"ended by {silence.ended_by} at {times.time(silence.ended_at)}"
    return (
        cell(silence.id),
        cell(match_text(patterns_of(silence.match))),
        Cell(times.time(silence.starts_at)),
        Cell(times.time(silence.ends_at)),
        cell(silence.author),
        cell(silence.reason),
        cell(note),
    )


def match_text(patterns: Mapping[str, Sequence[str]]) -> str:
    """Write a matcher in the form that ``silence add`` accepts."""
    return " ".join(f"{key}={','.join(wanted)}" for key, wanted in patterns.items())


def silence_text(silence: Silence, times: LocalTimes) -> str:
    """Write a silence in one line: its events, end, author and reason."""
    events = match_text(patterns_of(silence.match))
    return f"{silence.id}: {events} until {times.full(silence.over_at)}, by {silence.author}: {silence.reason}"


def show_added(added: Mapping[str, object], times: LocalTimes, out: Screen) -> None:
    """Write the new silence, and the command that ends it early."""
    until = times.full(from_text(str(added["ends_at"])))
    out.line(cell(f"{added['id']}: matching events are silenced until {until}"))
    out.line(cell(f"end it early: aitems-watcher silence end {added['id']}"))

"""The page of one training: lines of facts, then its events."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from watcher.cli.text.history import compared, history_table
from watcher.cli.text.output import FAINT, Screen, cell
from watcher.cli.text.runs import at_least, differences_lines, expected_sentence, stages_table, usual_sentence
from watcher.cli.text.silence import silence_text
from watcher.cli.text.status import show_incidents, show_polls, show_problems
from watcher.cli.text.times import age_text, duration_text
from watcher.cli.text.trainings import age_of, notes, status_cell
from watcher.core.messages.text import one_line
from watcher.core.messages.training import compose
from watcher.core.timestamps import date_without_zone, read_date
from watcher.reports.polls import target_text

if TYPE_CHECKING:
    from watcher.cli.text.times import LocalTimes
    from watcher.core.updates.model import UpdateLog
    from watcher.reports.training_page import TrainingPage

DATE: Final = "Date"
"""The end of the names of AiTEMS' dates."""
MAX_FIELDS: Final = 20
"""The most fields of AiTEMS' record that are shown; ``--json`` has all."""


def show_training(page: TrainingPage, times: LocalTimes, out: Screen) -> None:
    """Write everything about one training: the problems first, its events last."""
    show_problems(page.problems, out)
    snapshot, ref = page.training.snapshot, page.training.snapshot.ref
    name = f" ({page.training.name})" if page.training.name else ""
    out.line("training  ", cell(f"{ref.service}{name} {ref.type} {ref.version}, account {ref.account}"))
    known = snapshot.changed_before is not None
    age = age_of(snapshot, times) if known else at_least(times.now - snapshot.first_seen_at)
    out.line("status    ", status_cell(snapshot), f" for {age}, {times.since(snapshot)}")
    for label, text in _facts(page, times):
        out.line(f"{label:<10}", cell(text))
    for silence in page.silences:
        out.line("silenced  ", cell(silence_text(silence, times)))
    if page.poll is not None:
        show_polls([page.poll], times, out)
    advised = {page.poll.state.cause} if page.poll is not None and page.poll.failing else set()
    show_incidents(page.incidents, advised, times, out)
    for label, text in _latest_comparison(page, times):
        out.line(f"{label:<10}", cell(text))
    _show_stages(page, times, out)
    out.line()
    if page.events:
        out.table(history_table(page.events, times))
    else:
        out.line(cell("no events yet: nothing has changed since the first poll", FAINT))


def _latest_comparison(page: TrainingPage, times: LocalTimes) -> Iterator[tuple[str, str]]:
    """Yield how the latest event that knows compares with earlier runs."""
    texts = [text for item in page.events if (text := compared(item.event, compose(item.event), times))]
    for number, line in enumerate(texts[-1] if texts else ()):
        yield "" if number else "compared", line


def _show_stages(page: TrainingPage, times: LocalTimes, out: Screen) -> None:
    current = page.current_run
    if current is not None or page.runs:
        out.line()
        out.table(stages_table(current, page.runs, page.stage_usual, page.first_seen_at, times))


def _facts(page: TrainingPage, times: LocalTimes) -> Iterator[tuple[str, str]]:
    yield from _run_facts(page, times)
    yield "last seen", age_text(times.now - page.training.last_seen)
    for note in notes(page.training):
        yield "note", note
    if page.poll is not None:
        yield "polled by", f"{'view' if page.poll.poll.training else 'list'} of {target_text(page.poll.poll)}"
    if page.labels:
        yield "labels", " ".join(f"{key}={value}" for key, value in page.labels.items())
    if page.training.snapshot.updates is not None:
        yield "updates", updates_text(page.training.snapshot.updates)
    record = page.training.snapshot.record
    fields = [f"{key} {_field(key, value, page, times)}" for key, value in record.items() if _is_plain(value)]
    if fields:
        yield "record", ", ".join(fields[:MAX_FIELDS])


def _run_facts(page: TrainingPage, times: LocalTimes) -> Iterator[tuple[str, str]]:
    progress = page.training.progress
    if progress is not None and progress.run.start is not None:
        start = progress.run.start
        since = times.bounds(start.started_after, start.started_before)
        usual = "" if progress.usual is None else f"; {usual_sentence(progress.usual)}"
        yield "run", f"for {duration_text(times.now - start.bounds.middle)}, {since}{usual}"
    elif progress is not None:
        least = at_least(times.now - progress.run.seen_since(page.first_seen_at))
        usual = "" if progress.usual is None else f"; {usual_sentence(progress.usual)}"
        yield "run", f"for {least}, its start is not known{usual}"
    if progress is not None and progress.expected is not None:
        yield "ends", expected_sentence(progress.expected, times)
    config = page.training.snapshot.record.get("hpConfig")
    if isinstance(config, Mapping):
        yield "hpConfig", json.dumps(config, ensure_ascii=False)
    # The comparison of a run that has ended names the same version and settings.
    if page.differences is not None and (page.current_run is not None or not any(_latest_comparison(page, times))):
        yield from differences_lines(page.differences, times)


def updates_text(log: UpdateLog) -> str:
    """Write the recorded updates by status, e.g. ``23 completed, 1 learningFailed, latest completed``."""
    statuses = [one_line(status, 60) for status in log.statuses.values()]
    if not statuses:
        return "none"
    counts = ", ".join(f"{count} {status}" for status, count in Counter(statuses).most_common(MAX_FIELDS))
    return f"{counts}; the latest is {statuses[-1]}"


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float) and value != ""


def _field(key: str, value: object, page: TrainingPage, times: LocalTimes) -> str:
    """Write a field of AiTEMS' record; a date as a local time, since it names no zone itself."""
    if not key.endswith(DATE):
        return _plain(value)
    if time := read_date(value, page.zone):
        return times.full(time)
    text = date_without_zone(value) if page.zone is None else ""
    return f"{text} in an unknown zone" if text else _plain(value)


def _plain(value: object) -> str:
    return one_line(str(value), 60)

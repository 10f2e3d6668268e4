"""The page of one training: its stages, its events with their deliveries, its settings, and AiTEMS' own fields."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from watcher.core.durations.current_run import Bounds
from watcher.core.durations.past_runs import Outcome
from watcher.core.messages.comparison import guess_line, place_line
from watcher.core.messages.text import plain_text
from watcher.core.messages.training import compose
from watcher.core.training.comparison import MOST_CHANGES, SettingChange, options_of
from watcher.core.training.run import EndedStage
from watcher.reports.failing_polls import unpolled
from watcher.reports.runs.context import RunContext
from watcher.reports.runs.runs import left_stages
from watcher.reports.trail import Trail
from watcher.reports.training_page import TrainingPage
from watcher.web.html.language.texts import Texts
from watcher.web.html.outages import Outages
from watcher.web.html.times import duration
from watcher.web.html.trail import TrailTexts

VALUE_MAX = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """A stage in a table."""

    status: str
    entered: Bounds | None
    lasts: str
    goes_on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionRow:
    """An option of ``hpConfig`` beside that of the last good version."""

    option: str
    old: str | None
    """``None`` where the last good version lacks it, or there is none."""
    new: str | None
    changed: bool = False


def training_values(
    page: TrainingPage, trails: Mapping[str, Trail], context: RunContext, texts: Texts
) -> dict[str, object]:
    """Return the values of the template; ``trails`` are by the id of the event."""
    snapshot = page.training.snapshot
    record, differences = snapshot.record, page.differences
    config = record.get("hpConfig")
    changes = None if differences is None else differences.changes
    rows = list(_stages(page, texts))
    links = (
        {}
        if page.poll is None
        else page.poll.poll.attributes_of(snapshot.ref).links_of(snapshot.ref.service_ref, snapshot.ref)
    )
    polls = () if page.poll is None else (page.poll,)
    return {
        "nav": "overview",
        "page": page,
        "snapshot": snapshot,
        "ref": snapshot.ref,
        "name": page.training.name or snapshot.ref.service,
        "progress": page.training.progress,
        "unpolled": unpolled([page.training], polls, page.incidents).get(snapshot.ref),
        "outages": Outages(
            incidents=page.incidents,
            polls=polls,
            all_problems=page.problems,
            names={} if page.training.name is None else {snapshot.ref.service_ref: page.training.name},
            texts=texts,
        ),
        "links": list(links.items()),
        "stages": rows,
        "has_stages": bool(rows),
        "options": list(option_rows(config if isinstance(config, Mapping) else {}, changes, texts)),
        "compared": changes is not None,
        "stuck": snapshot.run is not None and snapshot.run.report is not None,
        "ended": page.runs[-1] if page.runs and page.current_run is None else None,
        "last_good": None if differences is None else differences.last_good,
        "changes": changes,
        "context": context,
        **_place(page, context, texts),
        "facts": [(key, written(value)) for key, value in record.items() if key != "hpConfig"],
        "title_of": lambda event: plain_text(compose(event, texts.style).title),
        "trails": trails,
        "trails_text": lambda times: TrailTexts(texts, times),
    }


def _place(page: TrainingPage, context: RunContext, texts: Texts) -> dict[str, object]:
    """Return the place of the latest run in a row, and where to look first if it failed: as its message has them."""
    facts = context.comparison
    if facts is None:
        return {"failed": False, "place": "", "guess": ""}
    run = page.runs[-1]
    failed = run.outcome is Outcome.FAILED
    return {
        "failed": failed,
        "place": plain_text(place_line(facts, texts.words, failed=failed)),
        "guess": plain_text(guess_line(facts, run.status, texts.words)) if failed else "",
    }


def written(value: object) -> str:
    """Write a value of a record, as JSON unless it is a text; a long one is cut."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_MAX else f"{text[:VALUE_MAX]}…"


def option_rows(
    config: Mapping[str, object], changes: Sequence[SettingChange] | None, texts: Texts
) -> Iterator[OptionRow]:
    """Yield the options that differ, then the others; without ``changes`` there is nothing to compare with."""
    found = changes or ()
    for item in found:
        old, new = (None if value is None else written(value) for value in (item.old, item.new))
        yield OptionRow(option=item.option, old=old, new=new, changed=True)
    # Changes beyond the limit are not known, so the value of the other version is not either.
    unknown = texts("not-compared") if len(found) >= MOST_CHANGES else None
    for option, value in sorted(set_options(config, {item.option for item in found}).items()):
        yield OptionRow(option=option, old=unknown or written(value), new=written(value))


def set_options(config: Mapping[str, object], without: AbstractSet[str]) -> dict[str, object]:
    """Return the options of ``hpConfig`` but some."""
    return {option: value for option, value in options_of(config) if option not in without}


def _stages(page: TrainingPage, texts: Texts) -> Iterator[StageRow]:
    """Yield the stages of the run in progress, or of the latest one that has ended."""
    first_seen_at = page.first_seen_at
    if page.current_run is not None:
        yield from (_left(stage, first_seen_at, texts) for stage in left_stages(page.current_run))
        present = page.current_run.stage
        since = first_seen_at if present.entered is None else present.entered.middle
        yield StageRow(
            status=present.status, entered=present.entered, lasts=duration(page.at - since, texts), goes_on=True
        )
    elif page.runs:
        yield from (_left(stage, first_seen_at, texts) for stage in page.runs[-1].stages)


def _left(stage: EndedStage, first_seen_at: datetime, texts: Texts) -> StageRow:
    least = stage.least(first_seen_at)
    lasts = least if stage.entered is None else stage.left.middle - stage.entered.middle
    return StageRow(status=stage.status, entered=stage.entered, lasts="" if lasts is None else duration(lasts, texts))

"""The page of one training: its stages, its events with their deliveries, its settings, and AiTEMS' own fields."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from watcher.core.durations.current_run import Bounds
from watcher.core.messages.reasons import reason_text
from watcher.core.messages.text import plain_text
from watcher.core.messages.training import compose
from watcher.reports.history import route_text
from watcher.reports.runs.runs import left_stages
from watcher.reports.training_page import TrainingPage
from watcher.web.html.times import duration

VALUE_MAX = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """A stage in a table."""

    status: str
    entered: Bounds | None
    lasts: str


def training_values(page: TrainingPage) -> dict[str, object]:
    """Return the values of the template."""
    snapshot = page.training.snapshot
    record, differences = snapshot.record, page.differences
    config = record.get("hpConfig")
    changes = None if differences is None or differences.changes is None else differences.changes
    rows = list(_stages(page))
    links = (
        {}
        if page.poll is None
        else page.poll.poll.attributes_of(snapshot.ref).links_of(snapshot.ref.service_ref, snapshot.ref)
    )
    return {
        "nav": "overview",
        "page": page,
        "snapshot": snapshot,
        "ref": snapshot.ref,
        "name": page.training.name or snapshot.ref.service,
        "progress": page.training.progress,
        "links": list(links.items()),
        "stages": rows,
        "has_stages": bool(rows),
        "options": sorted(config.items()) if isinstance(config, Mapping) else [],
        "changes": None if changes is None else {item.option: item for item in changes},
        "last_good": None if differences is None else differences.last_good,
        "facts": [(key, written(value)) for key, value in record.items() if key != "hpConfig"],
        "written": written,
        "title_of": lambda event: plain_text(compose(event).title),
        "route_of": route_text,
        "reason": reason_text,
    }


def written(value: object) -> str:
    """Write a value of a record, as JSON unless it is a text; a long one is cut."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_MAX else f"{text[:VALUE_MAX]}…"


def _stages(page: TrainingPage) -> Iterator[StageRow]:
    """Yield the stages of the run in progress, or of the latest one that has ended."""
    if page.current_run is not None:
        for stage in left_stages(page.current_run):
            lasts = "" if stage.entered is None else duration(stage.left.middle - stage.entered.middle)
            yield StageRow(status=stage.status, entered=stage.entered, lasts=lasts)
        present = page.current_run.stage
        yield StageRow(status=present.status, entered=present.entered, lasts="")
    elif page.runs:
        for stage in page.runs[-1].stages:
            lasts = "" if stage.entered is None else duration(stage.left.middle - stage.entered.middle)
            yield StageRow(status=stage.status, entered=stage.entered, lasts=lasts)

"""The runs of one training with their stages, and the settings that differ from the last good version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.core.durations.current_run import Bounds, CurrentRun
from watcher.core.timestamps import to_text
from watcher.core.training.comparison import OtherVersion, SettingChange, setting_changes
from watcher.core.training.earlier_runs import KnownVersion
from watcher.core.training.run import EndedRun, EndedStage, ended_stages


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """The settings of a training beside those of the last good version."""

    last_good: OtherVersion
    changes: tuple[SettingChange, ...] | None
    """``None`` where the settings of one of both are not known."""

    def as_json(self) -> dict[str, object]:
        """Return the differences for programs."""
        ended = self.last_good.ended
        return {
            "version": self.last_good.version,
            **_bounds_json("ended", ended),
            "changes": None if self.changes is None else [_change_json(item) for item in self.changes],
        }


def differences(record: Mapping[str, object], last_good: KnownVersion) -> Differences:
    """Return what differs between a training, by its record, and the last good version."""
    new, old = record.get("hpConfig"), last_good.config
    return Differences(
        last_good=OtherVersion(version=last_good.version, ended=last_good.ended),
        changes=setting_changes(old, new) if isinstance(new, Mapping) and old is not None else None,
    )


def run_json(run: EndedRun, first_seen_at: datetime) -> dict[str, object]:
    """Return a run that has ended for programs; durations are between the middles of their bounds.

    Args:
        run: The run.
        first_seen_at: The first answer with its training, UTC.
    """
    past = run.past_run
    return {
        "outcome": run.outcome.value,
        "status": run.status,
        **_bounds_json("started", None if run.start is None else run.start.bounds),
        **_bounds_json("ended", run.ended),
        "seconds": None if past is None else past.duration.total_seconds(),
        "uncertain_seconds": None if past is None else past.uncertainty.total_seconds(),
        "restored": run.restored,
        "stages": [_stage_json(run, stage, first_seen_at) for stage in run.stages],
    }


def current_run_json(run: CurrentRun, first_seen_at: datetime, now: datetime) -> dict[str, object]:
    """Return a run in progress with its stages for programs; arguments as for ``run_json``."""
    seen_since = run.seen_since(first_seen_at)
    return {
        **_bounds_json("started", None if run.start is None else run.start.bounds),
        "at_least_seconds": (now - seen_since).total_seconds() if run.start is None else None,
        "stages": [
            {
                "status": stage.status,
                **_bounds_json("entered", stage.entered),
                "at_least_seconds": _seconds(stage.least(first_seen_at)),
            }
            for stage in stages_until(run, now)
        ],
    }


def stages_until(run: CurrentRun, now: datetime) -> Iterable[EndedStage]:
    """Return the stages of a run in progress, the present one as if the training left it now."""
    return ended_stages(run, Bounds(after=now, before=now))


def left_stages(run: CurrentRun) -> Iterable[EndedStage]:
    """Yield the stages that a run in progress has left."""
    for stage, following in zip(run.stages, run.stages[1:], strict=False):
        if following.entered is not None:
            yield EndedStage(status=stage.status, entered=stage.entered, left=following.entered)


def _stage_json(run: EndedRun, stage: EndedStage, first_seen_at: datetime) -> dict[str, object]:
    past = run.past_stage(stage)
    return {
        "status": stage.status,
        **_bounds_json("entered", stage.entered),
        **_bounds_json("left", stage.left),
        "seconds": None if past is None else past.duration.total_seconds(),
        "uncertain_seconds": None if past is None else past.uncertainty.total_seconds(),
        "at_least_seconds": _seconds(stage.least(first_seen_at)),
    }


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()


def _change_json(change: SettingChange) -> dict[str, object]:
    return {"option": change.option, "old": change.old, "new": change.new}


def _bounds_json(name: str, bounds: Bounds | None) -> dict[str, object]:
    return {
        f"{name}_after": None if bounds is None else to_text(bounds.after),
        f"{name}_before": None if bounds is None else to_text(bounds.before),
    }

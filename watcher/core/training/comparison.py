"""The facts by which an event compares a training with earlier ones: its streak, its duration, its settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from watcher.core.durations.current_run import Bounds
from watcher.core.timestamps import from_text, to_text


@dataclass(frozen=True, slots=True, kw_only=True)
class UsualFacts:
    """How long the completed runs of a service and type took, or one of their stages."""

    median: timedelta
    low: timedelta
    """9 of 10 took longer."""
    high: timedelta
    """9 of 10 were shorter."""
    longest: timedelta
    runs: int
    level_since: datetime | None = None
    """The end of the first run of the present level, where the level has changed; earlier runs do not count."""
    whole_account: bool = False
    """Whether these are the runs of the type in the whole account, as the service has too few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndFacts:
    """When a run is expected to end, UTC."""

    median: datetime
    low: datetime
    """The start of the middle 80 %."""
    high: datetime
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange:
    """An option of ``hpConfig`` that differs from the version that a training is compared with."""

    option: str
    """Its name; one inside another is written with a dot."""
    old: object
    """A value of JSON; ``None`` where the other version lacks the option."""
    new: object
    """``None`` where this version lacks it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherVersion:
    """An earlier version of the service and type."""

    version: str
    ended: Bounds | None
    """``None`` for a version that the first poll found completed: AiTEMS gives no time of an end."""


class Pace(StrEnum):
    """How long a completed run took, beside earlier ones."""

    UNKNOWN = "unknown"
    """Too few runs are known, or the start of this one is not."""
    USUAL = "usual"
    FAST = "fast"
    """Shorter than half of the 5th percentile."""
    LONG = "long"
    """Longer than 9 of 10."""
    TOO_LONG = "too-long"
    """Longer than the limit after which it would be stuck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A run that ended, beside the runs of its service and type before it."""

    usual: UsualFacts | None = None
    """How long runs take until they complete; ``None`` where too few are known."""
    until_failure: UsualFacts | None = None
    """How long failed runs take until they fail; only with a failure."""
    pace: Pace = Pace.UNKNOWN
    failures: int = 0
    """Failed runs in a row: with a failure those up to this one, with a success those just before it."""
    successes: int = 0
    """Completed runs in a row just before a first failure; 0 with any other event."""
    last_good: OtherVersion | None = None
    """The version that completed last before."""
    compared_with: str | None = None
    """The version that the settings are compared with: the last good one, or with a success the last failed one.

    ``None`` where it is not known, or its settings are not.
    """
    changes: tuple[SettingChange, ...] = ()
    """The settings that differ from it; empty where none do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckFacts:
    """A stage, or a run, that takes longer than its limit."""

    level: int
    """1 after the limit, 2 after three times the limit."""
    whole_run: bool
    """Whether the limit is that of the run, rather than of its present stage."""
    since: Bounds
    """The start of the run, or of the stage; the first poll that showed it where no poll saw it begin."""
    limit: timedelta
    next_limit: timedelta | None
    """The limit of the next event about it; ``None`` after the last."""
    usual: UsualFacts | None
    """How long the run or the stage usually takes; ``None`` where that is not known."""
    learned: bool
    """Whether the limit was learned from earlier runs, rather than configured."""
    reported_at: datetime | None = None
    """The time of the first event that said so; ``None`` for that event itself."""
    begin_seen: bool = True
    """Whether polls saw it begin; otherwise it has lasted at least since then."""


MOST_CHANGES: Final = 100
"""More options than AiTEMS has; an object from elsewhere must not make an event large."""


def setting_changes(old: Mapping[str, object], new: Mapping[str, object]) -> tuple[SettingChange, ...]:
    """Return the options of two ``hpConfig`` objects that differ, by name; a number and its text are the same."""
    before, after = dict(options_of(old)), dict(options_of(new))
    names = sorted(before.keys() | after.keys())
    changed = [name for name in names if _comparable(before.get(name)) != _comparable(after.get(name))]
    return tuple(
        SettingChange(option=name, old=before.get(name), new=after.get(name)) for name in changed[:MOST_CHANGES]
    )


def options_of(config: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield each option with its value; one inside another is written with a dot."""
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from options_of(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _comparable(value: object) -> object:
    # AiTEMS documents numbers, and examples show some as texts.
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def usual_json(usual: UsualFacts) -> dict[str, object]:
    """Return usual durations as plain JSON, in seconds."""
    return {
        "median_seconds": usual.median.total_seconds(),
        "low_seconds": usual.low.total_seconds(),
        "high_seconds": usual.high.total_seconds(),
        "longest_seconds": usual.longest.total_seconds(),
        "runs": usual.runs,
        "level_since": None if usual.level_since is None else to_text(usual.level_since),
        "whole_account": usual.whole_account,
    }


def comparison_json(facts: Comparison) -> dict[str, object]:
    """Return a comparison as plain JSON."""
    last = facts.last_good
    return {
        "usual": None if facts.usual is None else usual_json(facts.usual),
        "until_failure": None if facts.until_failure is None else usual_json(facts.until_failure),
        "pace": facts.pace.value,
        "failures": facts.failures,
        "successes": facts.successes,
        "last_good": None if last is None else _version_json(last),
        "compared_with": facts.compared_with,
        "changes": [{"option": item.option, "old": item.old, "new": item.new} for item in facts.changes],
    }


def read_comparison(data: Mapping[str, Any] | None) -> Comparison | None:
    """Read a comparison that ``comparison_json`` wrote; older versions stored none."""
    if data is None:
        return None
    last = data["last_good"]
    return Comparison(
        usual=_read_usual(data["usual"]),
        until_failure=_read_usual(data["until_failure"]),
        pace=Pace(data["pace"]),
        failures=data["failures"],
        successes=data["successes"],
        last_good=None if last is None else _read_version(last),
        compared_with=data["compared_with"],
        changes=tuple(SettingChange(**item) for item in data["changes"]),
    )


def stuck_json(facts: StuckFacts) -> dict[str, object]:
    """Return the facts of an event ``stuck`` or ``unstuck`` as plain JSON."""
    return {
        "level": facts.level,
        "whole_run": facts.whole_run,
        "since": _bounds_json(facts.since),
        "begin_seen": facts.begin_seen,
        "limit_seconds": facts.limit.total_seconds(),
        "next_limit_seconds": None if facts.next_limit is None else facts.next_limit.total_seconds(),
        "usual": None if facts.usual is None else usual_json(facts.usual),
        "learned": facts.learned,
        "reported_at": None if facts.reported_at is None else to_text(facts.reported_at),
    }


def read_stuck(data: Mapping[str, Any] | None) -> StuckFacts | None:
    """Read what ``stuck_json`` wrote."""
    if data is None:
        return None
    following, reported = data["next_limit_seconds"], data["reported_at"]
    return StuckFacts(
        level=data["level"],
        whole_run=data["whole_run"],
        since=_read_bounds(data["since"]),
        limit=timedelta(seconds=data["limit_seconds"]),
        next_limit=None if following is None else timedelta(seconds=following),
        usual=_read_usual(data["usual"]),
        learned=data["learned"],
        # Older versions did not store it.
        begin_seen=data.get("begin_seen", True),
        reported_at=None if reported is None else from_text(reported),
    )


def end_json(facts: EndFacts) -> dict[str, object]:
    """Return an expected end as plain JSON."""
    times = {"median": facts.median, "low": facts.low, "high": facts.high}
    return {**{name: to_text(time) for name, time in times.items()}, "runs": facts.runs}


def read_end(data: Mapping[str, Any] | None) -> EndFacts | None:
    """Read an expected end that ``end_json`` wrote."""
    if data is None:
        return None
    median, low, high = (from_text(data[name]) for name in ("median", "low", "high"))
    return EndFacts(median=median, low=low, high=high, runs=data["runs"])


def _read_usual(data: Mapping[str, Any] | None) -> UsualFacts | None:
    if data is None:
        return None
    median, low, high, longest = (
        timedelta(seconds=data[f"{name}_seconds"]) for name in ("median", "low", "high", "longest")
    )
    return UsualFacts(
        median=median,
        low=low,
        high=high,
        longest=longest,
        runs=data["runs"],
        level_since=None if data["level_since"] is None else from_text(data["level_since"]),
        whole_account=data["whole_account"],
    )


def _version_json(other: OtherVersion) -> dict[str, object]:
    ended = {"after": None, "before": None} if other.ended is None else _bounds_json(other.ended)
    return {"version": other.version, **ended}


def _read_version(data: Mapping[str, Any]) -> OtherVersion:
    return OtherVersion(version=data["version"], ended=None if data["after"] is None else _read_bounds(data))


def _bounds_json(bounds: Bounds) -> dict[str, object]:
    return {"after": to_text(bounds.after), "before": to_text(bounds.before)}


def _read_bounds(data: Mapping[str, Any]) -> Bounds:
    return Bounds(after=from_text(data["after"]), before=from_text(data["before"]))

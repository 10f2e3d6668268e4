"""The page of a training: its runs with their stages, and the settings that differ from the last good version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, timedelta

import pytest

from tests.support.runs import DAY, FIRST_END, ended_run
from tests.unit.reports.facts import EVIL, STEERING, event, plain_screen, snapshot
from watcher.cli.text.times import LocalTimes
from watcher.cli.text.training_page import show_training
from watcher.core.durations.current_run import Bounds, CurrentRun, RunStart, Stage
from watcher.core.durations.expected_end import EndReason, EndTimes, ExpectedEnd
from watcher.core.durations.past_runs import Outcome
from watcher.core.training.comparison import Comparison, OtherVersion, UsualFacts
from watcher.core.training.earlier_runs import KnownVersion
from watcher.core.training.run import EndedRun
from watcher.reports.runs.progress import Progress
from watcher.reports.runs.runs import differences
from watcher.reports.status import KnownTraining
from watcher.reports.training_page import TrainingPage
from watcher.store.views import EventHistory

NOW = FIRST_END + DAY
GOOD = ended_run(0)
MINUTE = timedelta(minutes=1)
SEEN = Bounds(after=NOW - 21 * MINUTE, before=NOW - 20 * MINUTE)
USUAL = UsualFacts(median=50 * MINUTE, low=48 * MINUTE, high=61 * MINUTE, longest=66 * MINUTE, runs=23)


def page(record: Mapping[str, object] = {}, progress: Progress | None = None, **changes: object) -> TrainingPage:
    item = snapshot(record=record, seen_after=NOW, first_seen_at=NOW)
    training = KnownTraining(snapshot=item, name=None, last_seen=NOW, watched=True, progress=progress)
    facts = {"at": NOW, "training": training, "zone": None, "labels": {}, "poll": None, "events": (), "silences": ()}
    return TrainingPage(**facts | changes)  # type: ignore[arg-type]  # the fields of a page


def shown(whole: TrainingPage) -> str:
    screen, stream = plain_screen()
    show_training(whole, LocalTimes(NOW, UTC), screen)
    return stream.getvalue()


def line(text: str, label: str) -> str:
    return next((item for item in text.splitlines() if item.startswith(label)), "")


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ({"item_top_n": 20000}, {"item_top_n": 50000}, "changed   item_top_n 20000 → 50000"),
        ({"a": "1"}, {"a": 1}, "changed   no setting since then"),
        ({}, {"b": True, "x": {"y": "z"}}, 'changed   b (none) → true; x.y (none) → "z"'),
        (None, {"a": 1}, "changed   not known: the record of one of both has no hpConfig"),
        ({"a": 1}, None, "changed   not known: the record of one of both has no hpConfig"),
    ],
)
def test_the_page_names_what_differs_from_the_last_good_version(old: object, new: object, text: str) -> None:
    record = {} if new is None else {"hpConfig": new}
    good = KnownVersion(version="v0", ended=GOOD.ended, config=old)  # type: ignore[arg-type]  # a mapping or None
    found = shown(page(record, differences=differences(record, good)))
    assert line(found, "last good") == "last good v0, completed 24h ago"
    assert line(found, "changed") == text


def test_without_an_earlier_good_version_no_line_is_about_one() -> None:
    found = shown(page({"hpConfig": {"a": 1}}))
    assert line(found, "hpConfig") == 'hpConfig  {"a": 1}'
    assert line(found, "last good") == line(found, "changed") == ""


@pytest.mark.parametrize(
    ("reason", "claimed", "text"),
    [
        (EndReason.AS_USUAL, True, "ends      about 12:40 (12:35 to 12:52)"),
        (EndReason.LONGER_THAN_MOST, True, "ends      about 12:40 (12:35 to 12:52); it has taken longer than 9 of 10"),
        (EndReason.LONGER_THAN_USUAL, False, "ends      longer than usual, so no end is expected"),
    ],
)
def test_the_page_of_a_run_in_progress_has_its_stages_and_its_expected_end(
    reason: EndReason, text: str, *, claimed: bool
) -> None:
    began, moved = (Bounds(after=NOW - age - MINUTE, before=NOW - age) for age in (20 * MINUTE, 10 * MINUTE))
    stages = (Stage(status="waiting", entered=began), Stage(status="learning", entered=moved))
    start = RunStart(started_after=began.after, started_before=began.before)
    median, low, high = (NOW + number * MINUTE for number in (40, 35, 52))
    times = EndTimes(median=median, low=low, high=high) if claimed else None
    expected = ExpectedEnd(reason=reason, runs=23, times=times)
    running = Progress(run=CurrentRun(start=start, stages=stages), usual=USUAL, expected=expected)
    whole = page(progress=running, stage_usual={"learning": USUAL})
    found = shown(whole)
    assert line(found, "run ") == "run       for 20m30s, 11:39:00-11:40:00; usually 48m to 1h1m, 23 runs"
    assert line(found, "ends") == text
    table = found[found.index("RUN ") :].splitlines()
    assert table[1].split() == ["in", "progress", "waiting", "11:39:00-11:40:00", "10m", "±", "1m"]
    assert table[2].split() == ["learning", "11:49:00-11:50:00", "10m30s", "so", "far", "48m", "to", "1h1m"]
    document = whole.as_json()
    assert json.loads(json.dumps(document))["current_run"]["stages"][1]["status"] == "learning"


def test_a_stage_that_no_poll_saw_begin_took_at_least_as_long_as_it_was_seen() -> None:
    stages = (Stage(status="waiting", entered=None), Stage(status="learning", entered=SEEN))
    run = CurrentRun(start=None, stages=stages)
    ended = replace(ended_run(0), start=None)
    ended = replace(ended, stages=(replace(ended.stages[0], entered=None), *ended.stages[1:]))
    item = snapshot(first_seen_at=NOW - 90 * MINUTE, seen_after=NOW)
    training = KnownTraining(
        snapshot=item, name=None, last_seen=NOW, watched=True, progress=Progress(run=run, usual=None, expected=None)
    )
    whole = page(training=training, runs=(ended,))
    found = shown(whole)
    assert line(found, "status") == "status    learning for at least 1h30m, before 10:30:00"
    assert line(found, "run ") == "run       for at least 1h30m, its start is not known"
    rows = found[found.index("RUN ") :].splitlines()
    assert rows[1].split()[2:] == ["waiting", "not", "known", "at", "least", "1h9m"]
    assert rows[3].split() == ["completed", "waiting", "not", "known", "at", "least", "0s"]
    document = whole.as_json()
    current, runs = document["current_run"], document["runs"]
    assert current["at_least_seconds"] == 5400  # type: ignore[index]
    assert [stage["at_least_seconds"] for stage in current["stages"]] == [4140, None]  # type: ignore[index]
    assert [stage["at_least_seconds"] for stage in runs[0]["stages"]] == [0, None]  # type: ignore[index]


def test_a_run_that_is_being_stopped_is_not_called_in_progress() -> None:
    run = CurrentRun(start=None, stages=(Stage(status="stopping", entered=None),))
    found = shown(page(progress=Progress(run=run, usual=None, expected=None)))
    assert found[found.index("RUN ") :].splitlines()[1].split()[:2] == ["stopping", "stopping"]


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (ended_run(1), [["completed", "waiting"], ["learning"], ["completed"]]),
        (ended_run(1, outcome=Outcome.FAILED), [["failed", "waiting"], ["learning"], ["learningFailed"]]),
        (replace(ended_run(1), start=None, stages=()), [["completed", "completed"]]),
    ],
    ids=["completed", "failed", "start not known"],
)
def test_a_run_that_has_ended_has_its_stages_with_bounds_and_durations(run: EndedRun, words: list[list[str]]) -> None:
    whole = page(runs=(run,))
    table = shown(whole)
    rows = table[table.index("RUN ") :].splitlines()[1 : 1 + len(words)]
    assert [row.split()[: len(start)] for row, start in zip(rows, words, strict=True)] == words
    if run.stages:
        assert "5m ± 10s" in rows[0]
        assert rows[-1].endswith("50m ± 10s in all")
    else:
        assert rows[-1].endswith("start not known")
    (document,) = json.loads(json.dumps(whole.as_json()))["runs"]
    assert document["seconds"] == (3000.0 if run.stages else None)
    assert [item["status"] for item in document["stages"]] == [stage.status for stage in run.stages]


@pytest.mark.parametrize(("running", "lines"), [(False, 0), (True, 1)])
def test_the_settings_are_not_named_twice(lines: int, *, running: bool) -> None:
    failure = event(comparison=Comparison(failures=1, last_good=OtherVersion(version="v0", ended=GOOD.ended)))
    history = EventHistory(event=failure, routed_at=NOW, route=None, delivery_outcomes=())
    started = CurrentRun(start=None, stages=(Stage(status="learning", entered=None),))
    progress = Progress(run=started, usual=None, expected=None) if running else None
    found = differences({}, KnownVersion(version="v0", ended=GOOD.ended, config=None))
    text = shown(page(progress=progress, differences=found, events=(history,)))
    assert line(text, "compared")
    assert text.count("last good v0, completed") == lines


def test_hostile_settings_and_statuses_cannot_control_a_terminal() -> None:
    record = {"hpConfig": {EVIL: EVIL}}
    hostile = replace(GOOD, status=EVIL, ref=replace(GOOD.ref, version=EVIL))
    good = KnownVersion(version=EVIL, ended=GOOD.ended, config={})
    text = shown(page(record, runs=(hostile,), differences=differences(record, good)))
    assert not STEERING.search(text)

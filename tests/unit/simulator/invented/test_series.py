"""Series of versions in scripts: distributions, trends, changes of hpConfig, and planned updates."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from watcher.simulator import ScriptError, Training
from watcher.simulator.invented.series import Trend
from watcher.simulator.script import parse_script

DAY = 86_400.0
SERIES = """
[[service]]
id = "shop"
type = "{type}"
interval = "hour1"

[[service.series]]
type = "relatedItem"
every = "6h"
count = {count}
learning = {{ median = "40m", variation = 0.0 }}
requesting = {{ median = "20s", variation = 0.0 }}
waiting = {{ median = "40s", variation = 0.0 }}
{keys}
"""


def versions(keys: str = "", count: int = 20, seed: int | None = None) -> tuple[Training, ...]:
    text = SERIES.format(type="interval", count=count, keys=keys)
    return parse_script(text, Path("s.toml"), seed).world.services[0].trainings


def lasted(training: Training) -> float:
    """Return the duration of ``learning``."""
    steps = training.life.steps
    return steps[3].after_seconds - steps[2].after_seconds


def test_a_version_begins_every_few_hours() -> None:
    trainings = versions('first = "1h"', count=3)
    assert [training.life.born_seconds for training in trainings] == [3600.0, 7 * 3600.0, 13 * 3600.0]
    assert [round(step.after_seconds) for step in trainings[0].life.steps] == [3600, 3620, 3660, 6060]
    assert len({training.version for training in trainings}) == 3


def test_a_seed_gives_the_same_versions_and_another_one_others() -> None:
    keys = "failures = 0.3"
    assert versions(keys) == versions(keys, seed=0)
    assert versions(keys) != versions(keys, seed=1)


def test_durations_grow_slowly() -> None:
    trainings = versions("growth = 0.1", count=5)
    assert [round(lasted(training)) for training in trainings] == [round(2400 * 1.1 ** (n / 4)) for n in range(5)]


def test_the_level_of_durations_changes_at_a_time() -> None:
    trainings = versions('level = [{ at = "12h", factor = 2.0 }, { at = "1d", factor = 0.5 }]', count=6)
    assert [round(lasted(training) / 60) for training in trainings] == [40, 40, 80, 80, 20, 20]


@pytest.mark.parametrize(
    ("trend", "seconds", "factor"),
    [
        (Trend(), 10 * DAY, 1.0),
        (Trend(growth=-0.5), 2 * DAY, 0.25),
        (Trend(growth=1.0, levels=((DAY, 3.0),)), DAY, 6.0),
        (Trend(levels=((DAY, 3.0),)), DAY - 1, 1.0),
    ],
)
def test_growth_and_level_multiply(trend: Trend, seconds: float, factor: float) -> None:
    assert trend.factor(seconds) == pytest.approx(factor)


def test_a_hanging_version_ends_later_or_never() -> None:
    assert all(len(training.life.steps) < 4 for training in versions("hangs = 1.0"))
    late = versions('hangs = 1.0\nhang_for = "5h"')
    assert {round(training.life.steps[-1].after_seconds - training.life.born_seconds) for training in late} == {20460}


def test_an_option_differs_from_the_version_before() -> None:
    configs = [dict(training.hp_config) for training in versions("hp_changes = 0.5", count=40)]
    changes = [sum(one.get(key) != other.get(key) for key in one | other) for one, other in pairwise(configs)]
    assert configs[0] == {"is_enabled": False}
    # The first change turns the options on, each later one changes one of them.
    assert next(count for count in changes if count) == 6
    assert set(changes) - {6} == {0, 1}
    assert 10 < sum(count > 0 for count in changes) < 30


def test_the_options_stay_where_no_change_is_wanted() -> None:
    keys = "hp_config = { is_enabled = true, item_top_n = 7 }"
    assert {tuple(training.hp_config.items()) for training in versions(keys)} == {
        (("is_enabled", True), ("item_top_n", 7))
    }


def test_the_updates_of_a_version_end_when_the_next_one_has_completed() -> None:
    first, second, third = versions('update_plan = { duration = { median = "10m" } }', count=3)
    due = [update.planned_seconds - first.life.steps[-1].after_seconds for update in first.updates]
    # The next version completes six hours after the first, at the time of the sixth update.
    assert due == pytest.approx([3600.0 * number for number in range(1, 6)])
    assert len(second.updates) == 5
    assert len(third.updates) == 100


PLANNED = """
[[service]]
id = "shop"
type = "interval"
interval = "hour3"

[[service.training]]
type = "pop"
version = "p1"
life = [{{ at = "10m", status = "learning" }}, {{ at = "1h", status = "{end}" }}]
update_plan = {{ duration = {{ median = "10m", variation = 0.5 }}, {keys} }}
"""


def updates(keys: str = "count = 200", end: str = "completed") -> list[tuple[float, float, str]]:
    """Return delay, duration and end of each update."""
    (training,) = parse_script(PLANNED.format(keys=keys, end=end), Path("s.toml")).world.services[0].trainings
    found = []
    for update in training.updates:
        begins, ends = update.life.steps
        delay = begins.after_seconds - update.planned_seconds
        found.append((delay, ends.after_seconds - begins.after_seconds, str(ends.status)))
    return found


def planned(keys: str) -> list[float]:
    (training,) = parse_script(PLANNED.format(keys=keys, end="completed"), Path("s.toml")).world.services[0].trainings
    return [update.planned_seconds / 3600 for update in training.updates]


def test_updates_come_in_the_cycle_of_the_service_after_the_training_completed() -> None:
    assert planned("count = 3") == [4.0, 7.0, 10.0]


def test_updates_have_a_cycle_a_first_time_and_a_last_time_of_their_own() -> None:
    assert planned('every = "1h", first = "2h", until = "5h"') == [2.0, 3.0, 4.0]


def test_the_updates_of_a_training_that_never_completes_need_a_first_time() -> None:
    assert updates(end="learningFailed") == []
    assert len(updates('first = "2h", count = 3', end="learningFailed")) == 3


def test_some_updates_fail_and_their_durations_vary() -> None:
    found = updates("count = 200, failures = 0.3")
    assert 40 < [end for _, _, end in found].count("learningFailed") < 80
    assert 80 < sum(duration > 600 for _, duration, _ in found) < 120


def test_some_updates_begin_late() -> None:
    delays = [round(delay) for delay, _, _ in updates("count = 200, late = 0.2")]
    assert set(delays) == {0, 5400}
    assert 20 < delays.count(5400) < 60
    assert {round(delay) for delay, _, _ in updates('late = 1.0, late_by = "7m"')} == {420}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("failures = 1.5", "s.toml:14: service[0].series[0].failures: Input should be less than or equal to 1"),
        ("hang = 0.1", "s.toml:14: service[0].series[0].hang: Extra inputs"),
        ("growth = -1.0", "s.toml:7: service[0].series[0]: growth: -1 leaves no duration"),
        ('level = [{ at = "2d", factor = 1.0 }, { at = "1d", factor = 2.0 }]', "put the levels in order of time"),
        ('level = [{ at = "2d", factor = 0.0 }]', "level: a factor is more than 0"),
        ('result_after = { median = "0s" }', "s.toml:14: service[0].series[0].result_after: a median is more than 0s"),
        ('result_after = { median = "1s", variation = -1.0 }', "a coefficient of variation is zero or more"),
        ('update_plan = { every = "0s", duration = { median = "1m" } }', "every: a cycle is more than 0s"),
        ('update_plan = { first = "1h", duration = { median = "1m" } }', "update_plan: a series has no first"),
        ("update_plan = { count = 1 }", "s.toml:14: service[0].series[0].update_plan.duration: Field required"),
    ],
)
def test_a_faulty_series_is_refused_with_file_line_and_key(keys: str, message: str) -> None:
    with pytest.raises(ScriptError) as caught:
        versions(keys)
    assert message in str(caught.value)


def test_planned_updates_are_for_interval_services_alone() -> None:
    text = SERIES.format(type="batch", count=1, keys='update_plan = { duration = { median = "1m" } }')
    with pytest.raises(ScriptError, match='update_plan: only for a service of type "interval"'):
        parse_script(text.replace('interval = "hour1"\n', ""), Path("s.toml"))


def test_a_version_every_0_seconds_is_refused() -> None:
    text = SERIES.format(type="batch", count=1, keys="").replace('"6h"', '"0s"').replace('interval = "hour1"\n', "")
    with pytest.raises(ScriptError, match="the time between two versions is more than 0s"):
        parse_script(text, Path("s.toml"))


def test_the_seed_of_a_script_changes_its_series() -> None:
    text = SERIES.format(type="interval", count=5, keys="failures = 0.5")
    one, two = (parse_script(f"seed = {seed}\n{text}", Path("s.toml")).world for seed in (1, 2))
    assert one != two

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.simulator.world import Life, ServiceType, SimulatedService, Step, Training, World

LIFE = Life((Step(5, "requesting"), Step(10, "learning"), Step(20, "completed")))
WORDS = st.sampled_from(["ready", "waiting", "learning", "completed", None])


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """Return steps with times that are exact in binary, so that the rounds of a loop compare exactly."""
    quarters = draw(st.lists(st.integers(0, 400), min_size=1, max_size=6, unique=True).map(sorted))
    steps = tuple(Step(quarter / 4, draw(WORDS)) for quarter in quarters)
    pause = draw(st.none() | st.integers(1, 200))
    span = (quarters[-1] - quarters[0]) / 4
    return Life(steps, None if pause is None else span + pause / 4)


times = st.integers(-10, 4000).map(lambda quarter: quarter / 4)


@pytest.mark.parametrize(
    ("seconds", "status"),
    [(-1, None), (4.99, None), (5, "requesting"), (9.99, "requesting"), (10, "learning"), (1e9, "completed")],
)
def test_a_status_lasts_from_its_step_to_the_next(seconds: float, status: str | None) -> None:
    assert LIFE.status_at(seconds) == status


def test_a_step_without_a_status_removes_the_training() -> None:
    life = Life((Step(0, "completed"), Step(5, None), Step(9, "completed")))
    assert [life.status_at(seconds) for seconds in (4, 5, 9)] == ["completed", None, "completed"]


def test_a_training_without_steps_never_appears() -> None:
    assert Life().born_seconds == math.inf
    assert Life().status_at(1e9) is None


def test_a_loop_repeats_the_steps() -> None:
    life = Life((Step(5, "learning"), Step(8, "completed")), loop_seconds=10)
    taken = [(step.after_seconds, step.status) for step in life.steps_between(7, 28)]
    assert taken == [(8, "completed"), (15, "learning"), (18, "completed"), (25, "learning"), (28, "completed")]


@given(lives(), times)
def test_the_step_at_a_time_is_the_last_one_before_it(life: Life, seconds: float) -> None:
    taken = list(life.steps_between(-1, seconds))
    assert life.status_at(seconds) == (taken[-1].status if taken else None)


@given(lives(), times, times, times)
def test_the_steps_of_two_adjacent_spans_are_those_of_both(life: Life, one: float, two: float, three: float) -> None:
    first, middle, last = sorted((one, two, three))
    parted = [*life.steps_between(first, middle), *life.steps_between(middle, last)]
    assert parted == list(life.steps_between(first, last))
    assert all(earlier.after_seconds < later.after_seconds for earlier, later in pairwise(parted))


@given(lives(), times)
def test_a_loop_has_the_same_status_a_round_later(life: Life, seconds: float) -> None:
    if life.loop_seconds is not None and seconds >= life.born_seconds:
        assert life.status_at(seconds) == life.status_at(seconds + life.loop_seconds)


@given(st.floats(0.001, 100), st.floats(0.001, 100), st.floats(0, 1e6))
def test_a_loop_of_any_length_has_a_status_at_any_time(span: float, pause: float, seconds: float) -> None:
    life = Life((Step(0.0, "learning"), Step(span, "completed")), loop_seconds=span + pause)
    assert life.status_at(seconds) in {"learning", "completed"}


def test_a_round_begins_with_its_first_step_despite_rounding_errors() -> None:
    life = Life((Step(0.0, "learning"), Step(0.05, "completed")), loop_seconds=0.1)
    assert {life.status_at(number * 0.1) for number in range(1000)} == {"learning"}


@pytest.mark.parametrize(
    ("steps", "loop_seconds", "message"),
    [
        ((Step(5, "ready"), Step(5, "learning")), None, "put the steps in order"),
        ((Step(5, "ready"), Step(4, "learning")), None, "put the steps in order"),
        ((Step(-1, "ready"),), None, "zero or more seconds"),
        ((Step(math.inf, "ready"),), None, "zero or more seconds"),
        ((Step(math.nan, "ready"), Step(4, "ready")), None, "seconds"),
        ((Step(0, "ready"), Step(9, "learning")), 9, "not longer than its steps, which take 9 s"),
        ((), 9, "needs steps to repeat"),
    ],
)
def test_invalid_steps_are_refused(steps: tuple[Step, ...], loop_seconds: float | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Life(steps, loop_seconds)


@pytest.mark.parametrize(
    ("step", "found"),
    [
        (Step(0, "completed"), True),
        (Step(0, "learning"), False),
        (Step(0, "completed", inference=False), False),
        (Step(0, "learningFailed", inference=True), True),
    ],
)
def test_a_completed_training_has_a_result_by_default(step: Step, *, found: bool) -> None:
    assert step.has_result is found


def test_two_trainings_of_one_type_and_version_are_refused() -> None:
    training = Training(type="pop", version="v1")
    with pytest.raises(ValueError, match="the training 'pop/v1' is there twice"):
        SimulatedService(id="s", name="s", trainings=(training, training))


def test_two_services_of_one_id_are_refused() -> None:
    service = SimulatedService(id="s", name="s")
    with pytest.raises(ValueError, match="the service 's' is there twice"):
        World((service, service))


def test_only_an_interval_service_has_an_interval() -> None:
    assert SimulatedService(id="s", name="s", type=ServiceType.INTERVAL).learning_interval == "hour6"
    assert SimulatedService(id="s", name="s").learning_interval is None
    with pytest.raises(ValueError, match='only for a service of type "interval"'):
        SimulatedService(id="s", name="s", interval="hour1")
    with pytest.raises(ValueError, match="there is no 'hour2'; write one of hour1"):
        SimulatedService(id="s", name="s", type=ServiceType.INTERVAL, interval="hour2")

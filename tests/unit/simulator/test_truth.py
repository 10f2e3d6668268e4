from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from watcher.simulator.truth import ChangeOrigin, StatusChange, Truth
from watcher.simulator.world import Life, SimulatedService, Step, Training, World

LIFE = Life((Step(5, "learning"), Step(10, "completed")), loop_seconds=20)
SCRIPTED = Training(type="pop", version="v1", life=LIFE)


def make_truth() -> Truth:
    return Truth(World((SimulatedService(id="shop", name="Shop", trainings=(SCRIPTED,)),)))


def as_tuples(changes: list[StatusChange]) -> list[tuple[float, str | None, str | None, str]]:
    return [(change.at_seconds, change.previous, change.status, change.origin.value) for change in changes]


def status(truth: Truth, seconds: float, version: str = "v1") -> str | None:
    state = truth.training("shop", "pop", version, seconds)
    return state.status if state else None


def test_the_script_applies_until_control_sets_a_status() -> None:
    truth = make_truth()
    truth.put_training("shop", SCRIPTED, Step(7, "stopping"))
    assert [status(truth, seconds) for seconds in (4, 6, 7, 26)] == [None, "learning", "stopping", "stopping"]


def test_a_training_without_a_script_exists_from_its_first_status_on() -> None:
    truth = make_truth()
    truth.put_training("shop", Training(type="pop", version="v2"), Step(3, "waiting"))
    assert status(truth, 2.9, "v2") is None
    assert status(truth, 3, "v2") == "waiting"
    assert [state.training.version for state in truth.trainings("shop", 6)] == ["v1", "v2"]


def test_the_last_of_two_statuses_at_the_same_time_applies() -> None:
    truth = make_truth()
    truth.put_training("shop", SCRIPTED, Step(6, "waiting"))
    truth.put_training("shop", SCRIPTED, Step(6, "stopping"))
    assert status(truth, 6) == "stopping"


def test_changed_facts_do_not_change_the_script() -> None:
    truth = make_truth()
    truth.put_training("shop", Training(type="pop", version="v1", description="new"), Step(6, "waiting"))
    state = truth.training("shop", "pop", "v1", 5.5)
    assert state is not None
    assert (state.training.description, state.status, state.born_seconds) == ("new", "learning", 5)


def test_a_deleted_training_can_be_added_again() -> None:
    truth = make_truth()
    assert truth.delete_training("shop", "pop", "v1", 8)
    assert status(truth, 26) is None
    truth.put_training("shop", SCRIPTED, Step(30, "ready"))
    assert status(truth, 30) == "ready"


def test_an_unknown_training_or_service_cannot_be_deleted() -> None:
    truth = make_truth()
    assert not truth.delete_training("shop", "pop", "v1", 4)
    assert not truth.delete_training("shop", "pop", "v9", 4)
    assert not truth.delete_training("else", "pop", "v1", 9)
    assert not truth.delete_service("else", 9)


def test_deleting_a_service_deletes_its_trainings() -> None:
    truth = make_truth()
    assert truth.delete_service("shop", 8)
    assert truth.service("shop") is None
    assert as_tuples(truth.changes(7, 100)) == [(8, "learning", None, "control")]
    truth.put_service(SimulatedService(id="shop", name="Shop"))
    assert truth.trainings("shop", 26) == []


def test_the_history_holds_every_change_of_the_script_with_its_time() -> None:
    assert as_tuples(make_truth().changes(-1, 30)) == [
        (5, None, "learning", "script"),
        (10, "learning", "completed", "script"),
        (25, "completed", "learning", "script"),
        (30, "learning", "completed", "script"),
    ]


def test_the_history_has_the_statuses_of_control_and_no_script_after_them() -> None:
    truth = make_truth()
    truth.put_training("shop", SCRIPTED, Step(7, "stopping"))
    truth.delete_training("shop", "pop", "v1", 9)
    assert as_tuples(truth.changes(-1, 100)) == [
        (5, None, "learning", "script"),
        (7, "learning", "stopping", "control"),
        (9, "stopping", None, "control"),
    ]


def test_setting_the_same_status_again_is_no_change() -> None:
    truth = make_truth()
    truth.put_training("shop", SCRIPTED, Step(7, "learning"))
    assert as_tuples(truth.changes(6, 100)) == []


def test_the_history_can_be_read_in_parts() -> None:
    truth = make_truth()
    truth.put_training("shop", Training(type="pop", version="v2"), Step(12, "waiting"))
    changes = truth.changes(-1, 60)
    assert truth.changes(-1, 20) + truth.changes(20, 60) == changes
    assert [change.at_seconds for change in changes] == sorted(change.at_seconds for change in changes)


@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["ready", "learning", None])), max_size=8))
def test_replaying_the_history_gives_the_status_at_every_time(settings: list[tuple[int, str | None]]) -> None:
    truth = make_truth()
    for seconds, word in sorted(settings, key=lambda setting: setting[0]):
        truth.put_training("shop", SCRIPTED, Step(seconds, word))
    for second in range(60):
        changes = truth.changes(-1, second)
        assert status(truth, second) == (changes[-1].status if changes else None)
        assert all(change.origin is ChangeOrigin.CONTROL for change in changes if change.status == "ready")

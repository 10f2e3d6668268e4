from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from watcher.simulator.truth import Cause, Change, Truth
from watcher.simulator.world import Life, Service, Step, Training, World

LIFE = Life((Step(5, "learning"), Step(10, "completed")), loop_seconds=20)
SCRIPTED = Training(type="pop", version="v1", life=LIFE)


def make_truth() -> Truth:
    return Truth(World((Service(id="shop", name="Shop", trainings=(SCRIPTED,)),)))


def announced(changes: list[Change]) -> list[tuple[float, str | None, str | None, str]]:
    return [(change.at_seconds, change.previous, change.status, change.cause.value) for change in changes]


def status(truth: Truth, seconds: float, version: str = "v1") -> str | None:
    seen = truth.training("shop", "pop", version, seconds)
    return seen.status if seen else None


def test_a_script_decides_until_a_status_is_set_by_hand() -> None:
    truth = make_truth()
    truth.put_training("shop", SCRIPTED, Step(7, "stopping"))
    assert [status(truth, seconds) for seconds in (4, 6, 7, 26)] == [None, "learning", "stopping", "stopping"]


def test_a_training_without_script_is_there_from_when_it_was_set() -> None:
    truth = make_truth()
    truth.put_training("shop", Training(type="pop", version="v2"), Step(3, "waiting"))
    assert status(truth, 2.9, "v2") is None
    assert status(truth, 3, "v2") == "waiting"
    assert [seen.training.version for seen in truth.trainings("shop", 6)] == ["v1", "v2"]


def test_the_last_of_two_statuses_set_at_the_same_moment_holds() -> None:
    truth = make_truth()
    truth.put_training("shop", SCRIPTED, Step(6, "waiting"))
    truth.put_training("shop", SCRIPTED, Step(6, "stopping"))
    assert status(truth, 6) == "stopping"


def test_facts_are_changed_while_the_life_stays() -> None:
    truth = make_truth()
    truth.put_training("shop", Training(type="pop", version="v1", description="new"), Step(6, "waiting"))
    seen = truth.training("shop", "pop", "v1", 5.5)
    assert seen is not None
    assert (seen.training.description, seen.status, seen.born_seconds) == ("new", "learning", 5)


def test_a_deleted_training_is_gone_and_may_be_set_again() -> None:
    truth = make_truth()
    assert truth.delete_training("shop", "pop", "v1", 8)
    assert status(truth, 26) is None
    truth.put_training("shop", SCRIPTED, Step(30, "ready"))
    assert status(truth, 30) == "ready"


def test_what_is_not_there_cannot_be_deleted() -> None:
    truth = make_truth()
    assert not truth.delete_training("shop", "pop", "v1", 4)
    assert not truth.delete_training("shop", "pop", "v9", 4)
    assert not truth.delete_training("else", "pop", "v1", 9)
    assert not truth.delete_service("else", 9)


def test_a_deleted_service_takes_its_trainings_along_and_comes_back_empty() -> None:
    truth = make_truth()
    assert truth.delete_service("shop", 8)
    assert truth.service("shop") is None
    assert announced(truth.changes(7, 100)) == [(8, "learning", None, "control")]
    truth.put_service(Service(id="shop", name="Shop"))
    assert truth.trainings("shop", 26) == []


def test_the_history_holds_every_change_of_the_script_with_its_time() -> None:
    assert announced(make_truth().changes(-1, 30)) == [
        (5, None, "learning", "script"),
        (10, "learning", "completed", "script"),
        (25, "completed", "learning", "script"),
        (30, "learning", "completed", "script"),
    ]


def test_the_history_holds_what_was_set_by_hand_and_no_script_after_it() -> None:
    truth = make_truth()
    truth.put_training("shop", SCRIPTED, Step(7, "stopping"))
    truth.delete_training("shop", "pop", "v1", 9)
    assert announced(truth.changes(-1, 100)) == [
        (5, None, "learning", "script"),
        (7, "learning", "stopping", "control"),
        (9, "stopping", None, "control"),
    ]


def test_setting_the_same_status_again_is_no_change() -> None:
    truth = make_truth()
    truth.put_training("shop", SCRIPTED, Step(7, "learning"))
    assert announced(truth.changes(6, 100)) == []


def test_the_history_can_be_read_in_parts() -> None:
    truth = make_truth()
    truth.put_training("shop", Training(type="pop", version="v2"), Step(12, "waiting"))
    whole = truth.changes(-1, 60)
    assert truth.changes(-1, 20) + truth.changes(20, 60) == whole
    assert [change.at_seconds for change in whole] == sorted(change.at_seconds for change in whole)


@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["ready", "learning", None])), max_size=8))
def test_replaying_the_history_gives_the_status_at_every_moment(settings: list[tuple[int, str | None]]) -> None:
    truth = make_truth()
    for seconds, word in sorted(settings, key=lambda setting: setting[0]):
        truth.put_training("shop", SCRIPTED, Step(seconds, word))
    for moment in range(60):
        changes = truth.changes(-1, moment)
        assert status(truth, moment) == (changes[-1].status if changes else None)
        assert all(change.cause is Cause.CONTROL for change in changes if change.status == "ready")

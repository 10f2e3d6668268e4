"""The polls for the watches of a configuration."""

from __future__ import annotations

from datetime import timedelta

from watcher.core.polling.plan import Watch, plan_polls
from watcher.core.polling.schedule import Cadence
from watcher.core.training.model import ServiceRef, TrainingRef

SERVICE = ServiceRef("main", "s1")
POP = TrainingRef("main", "s1", "pop", "v1")


def watch(training: TrainingRef | None = None, seconds: int = 30, name: str | None = None, **labels: str) -> Watch:
    cadence = Cadence(interval=timedelta(seconds=seconds), idle_interval=timedelta(seconds=seconds * 10))
    return Watch(service=SERVICE, training=training, name=name, labels=labels, cadence=cadence)


def test_a_service_is_one_list_call_and_a_training_one_view_call() -> None:
    (listed,) = plan_polls([watch()])
    (viewed,) = plan_polls([watch(POP)])
    assert (listed.key, listed.training) == (SERVICE.subject, None)
    assert (viewed.key, viewed.training) == (POP.subject, POP)


def test_the_list_of_a_watched_service_covers_its_single_trainings_in_any_order() -> None:
    for watches in ([watch(), watch(POP)], [watch(POP), watch()]):
        (poll,) = plan_polls(watches)
        assert poll.training is None
        assert set(poll.single) == {POP}


def test_overlapping_watches_take_the_shorter_interval_and_the_more_specific_attributes() -> None:
    (poll,) = plan_polls(
        [watch(seconds=30, name="shop", team="a", env="prod"), watch(POP, seconds=5, name="best", team="b")]
    )
    assert poll.cadence.interval == timedelta(seconds=5)
    assert poll.attributes_of(POP).name == "best"
    assert poll.attributes_of(POP).labels == {"team": "b", "env": "prod"}
    other = TrainingRef("main", "s1", "pop", "v2")
    assert poll.attributes_of(other).labels == {"team": "a", "env": "prod"}


def test_a_training_watched_twice_has_one_poll() -> None:
    (poll,) = plan_polls([watch(POP, seconds=30, team="a"), watch(POP, seconds=10, env="prod")])
    assert poll.cadence.interval == timedelta(seconds=10)
    assert poll.attributes.labels == {"team": "a", "env": "prod"}

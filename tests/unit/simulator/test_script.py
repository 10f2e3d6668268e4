from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import paths
from watcher.simulator import CallKind, Fault, ScriptError, load_script
from watcher.simulator.script import parse_script
from watcher.simulator.truth import Truth
from watcher.simulator.world import ServiceType

DATA = paths.DATA / "simulator"
DOCUMENT = paths.DOCS / "simulator.md"


def faults_of(name: str) -> tuple[str, ...]:
    with pytest.raises(ScriptError) as caught:
        load_script(DATA / name)
    assert all(line.startswith(f"{DATA / name}:") for line in str(caught.value).splitlines())
    return tuple(str(fault) for fault in caught.value.faults)


def test_a_script_describes_services_and_trainings() -> None:
    shop, hourly = load_script(DATA / "good.toml").world.services
    assert (shop.id, shop.name, shop.type, shop.description) == ("shopmain001", "shop-main", ServiceType.BATCH, "home")
    assert (hourly.name, hourly.type, hourly.learning_interval) == ("hourlyfee02", ServiceType.INTERVAL, "hour1")
    first = shop.trainings[0]
    assert (first.type, first.version, first.description) == ("pop", "maqll000001", "weekly")
    assert first.hp_config == {"is_enabled": True, "item_top_n": 20000}
    assert first.created_date == "2024-07-30T11:25:36.558"


def test_a_script_describes_steps_with_loops_and_gaps() -> None:
    truth = Truth(load_script(DATA / "good.toml").world)
    changes = [(change.version, change.at_seconds, change.status) for change in truth.changes(-1, 100)]
    assert [row[1:] for row in changes if row[0] == "maqll000001"] == [
        (0, "requesting"),
        (5, "learning"),
        (20, "completed"),
        (50, None),
    ]
    assert [row[1:] for row in changes if row[0] == "maqll000002"] == [
        (10, "learning"),
        (30, "learningFailed"),
        (70, "learning"),
        (90, "learningFailed"),
    ]


def test_a_script_states_whether_a_training_has_a_result() -> None:
    truth = Truth(load_script(DATA / "good.toml").world)
    state = truth.training("shopmain001", "pop", "maqll000001", 20)
    assert state is not None
    assert state.inference is False


def test_a_script_describes_faults_over_time() -> None:
    assert load_script(DATA / "good.toml").faults == (
        Fault(kind="500", service="shopmain001", at_seconds=10, for_seconds=5),
        Fault(kind="429-rate", call=CallKind.LIST, rate=0.5, retry_after="soon"),
        Fault(kind="slow", at_seconds=60, times=3, seconds=0.2),
    )


def test_unknown_words_are_accepted_if_the_script_allows_them() -> None:
    training = load_script(DATA / "unknown-words.toml").world.services[0].trainings[0]
    assert (training.type, training.life.status_at(0)) == ("sequential", "hibernating")


def test_an_empty_script_is_an_empty_world() -> None:
    script = parse_script("", Path("empty.toml"))
    assert (script.world.services, script.faults) == ((), ())


@pytest.mark.parametrize("number", [1, 2])
def test_the_examples_of_the_document_can_be_loaded(number: int) -> None:
    text = DOCUMENT.read_text().split("```toml\n")[number].partition("```")[0]
    script = parse_script(text, DOCUMENT)
    assert all(service.trainings for service in script.world.services)
    assert bool(script.faults) is (number == 1)


@pytest.mark.parametrize(
    ("name", "key", "message"),
    [
        ("bad-status.toml", "service[0].training[0].life[1].status", "'learnng' is not a status; write one of ready"),
        ("bad-type.toml", "service[0].training[0].type", "'popular' is not a training's type"),
        ("bad-key.toml", "service[0].training[0].life[0].stauts", "Extra inputs"),
        ("bad-duration.toml", "service[0].training[0].life[0].at", "not a duration: '5 seconds'"),
        ("bad-order.toml", "service[0].training[0]", "put the steps in order of time"),
        ("bad-loop.toml", "service[0].training[0]", "a loop of 10 s is not longer than its steps, which take 20 s"),
        ("bad-step.toml", "service[0].training[0].life[0]", "give either a status or gone = true"),
        ("bad-twins.toml", "the file", "the service 'shopmain001' is there twice"),
        ("bad-versions.toml", "service[0]", "the training 'pop/maqll000001' is there twice"),
        ("bad-interval.toml", "service[0]", "there is no 'hour2'; write one of hour1, hour3, hour6, hour12"),
        ("bad-fault.toml", "fault[0]", "no such fault: '5xx'; write one of 400"),
        ("bad-fault-option.toml", "fault[0]", "the fault '500' takes no option, not retry_after"),
        ("bad-fault-call.toml", "fault[0].call", "Input should be 'view', 'list', 'service', 'services' or 'updates'"),
        ("bad-toml.toml", "is not TOML", "line 2"),
    ],
)
def test_a_bad_script_is_refused_with_file_and_key(name: str, key: str, message: str) -> None:
    (fault,) = faults_of(name)
    assert fault.startswith(f"{key}: ")
    assert message in fault


def test_all_faults_of_a_script_are_reported_at_once() -> None:
    faults = faults_of("bad-many.toml")
    assert [fault.partition(":")[0] for fault in faults] == [
        "service[0].id",
        "service[0].training[0].version",
        "service[0].training[0].life[0].at",
        "service[0].training[0].life[0].status",
        "fault[0].kind",
        "surprise",
    ]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("bad-status.toml", [9]),
        ("bad-key.toml", [7]),
        ("bad-twins.toml", [None]),
        ("bad-many.toml", [4, 8, 9, 9, 11, 1]),
        ("bad-toml.toml", [None]),
    ],
)
def test_each_fault_of_a_script_names_its_line(name: str, lines: list[int | None]) -> None:
    with pytest.raises(ScriptError) as caught:
        load_script(DATA / name)
    assert [fault.line for fault in caught.value.faults] == lines
    assert str(caught.value).startswith(f"{DATA / name}: " if lines[0] is None else f"{DATA / name}:{lines[0]}: ")


def test_a_missing_script_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"none\.toml: cannot be read: "):
        load_script(tmp_path / "none.toml")


def test_a_script_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ScriptError, match="is not UTF-8; save it as UTF-8"):
        load_script(path)

"""Each file under ``tests/data/config/bad`` has the name of its fault and states the expected reports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.paths import DATA
from watcher.config import ConfigError, ConfigFault, load

FOLDER = DATA / "config" / "bad"
FILES = sorted(FOLDER.glob("*.toml"))
SECRET = "HIDDEN"
"""The files have this text in place of secrets and of passwords in URLs."""


@dataclass(frozen=True)
class Expectation:
    line: int | None
    key: str
    remedy: str

    def matches(self, fault: ConfigFault) -> bool:
        return (fault.line, fault.key) == (self.line, self.key) and self.remedy in fault.remedy


def expectations(file: Path) -> list[Expectation]:
    lines = [line for line in file.read_text().splitlines() if line.startswith("# expect:")]
    return [_expectation(line) for line in lines]


def _expectation(comment: str) -> Expectation:
    line, key, remedy = (part.strip() for part in comment.removeprefix("# expect:").split("|"))
    return Expectation(None if line == "-" else int(line), key, remedy)


def faults_of(file: Path) -> tuple[ConfigFault, ...]:
    with pytest.raises(ConfigError) as caught:
        load(file)
    return caught.value.faults


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_exactly_the_expected_faults_are_reported_at_their_lines(file: Path) -> None:
    expected = expectations(file)
    faults = faults_of(file)

    assert expected, "the file states no expected report"
    assert len(faults) == len(expected), "\n".join(map(str, faults))
    for fault in faults:
        assert any(expectation.matches(fault) for expectation in expected), f"{fault}\n{expected}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_message_shows_the_value_of_a_secret(file: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(file)

    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value)
    assert caught.value.__context__ is None, "a chained error may carry the content of the file"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_message_names_the_file_and_is_one_line_with_a_remedy(file: Path) -> None:
    for fault in faults_of(file):
        assert str(fault).startswith(f"{file}:")
        assert "\n" not in str(fault)
        assert fault.problem
        assert fault.remedy


@pytest.mark.parametrize("file", sorted(FOLDER.glob("later-*.toml")), ids=lambda file: file.stem)
def test_planned_keys_are_rejected_as_planned(file: Path) -> None:
    [fault] = faults_of(file)

    assert fault.problem.startswith("this version does not have it yet")


def test_there_are_files_to_read() -> None:
    assert len(FILES) > 100


def test_faults_are_sorted_by_line() -> None:
    lines = [fault.line or 0 for fault in faults_of(FOLDER / "five-faults.toml")]

    assert len(lines) == 5
    assert lines == sorted(lines)


def test_faults_without_a_line_come_last() -> None:
    with pytest.raises(ConfigError) as caught:
        load(Path("config.toml"), text="[state]\nurl = 1\n")

    assert [fault.key for fault in caught.value.faults] == ["state.url", "account", "watch", "receiver"]

"""Each process of a parallel run begins with its share of the tests that mostly wait."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.shares import shares


class Located(NamedTuple):
    path: Path
    number: int


def _tests(folder: str, files: int, each: int) -> list[Located]:
    return [Located(Path(f"/clone/tests/{folder}/test_{file}.py"), n) for file in range(files) for n in range(each)]


ALL = [*_tests("acceptance", 6, 4), *_tests("integration/store", 9, 5), *_tests("unit/core", 10, 30)]


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_every_test_is_in_the_order_once(processes: int) -> None:
    assert sorted(shares(ALL, processes)) == sorted(ALL)


def test_each_equal_part_begins_with_whole_files_of_waiting_tests() -> None:
    ordered = shares(ALL, 3)
    parts = [ordered[:123], ordered[123:246], ordered[246:]]
    assert [[test.path.parts[3] for test in part].count("acceptance") for part in parts] == [8, 8, 8]
    assert [[test.path.parts[3] for test in part].count("integration") for part in parts] == [15, 15, 15]
    assert [part[0].path.parts[3] for part in parts] == ["acceptance"] * 3
    assert [part[-1].path.parts[3] for part in parts] == ["unit"] * 3


def test_tests_of_one_folder_keep_the_order_of_their_file() -> None:
    ordered = shares(_tests("acceptance", 1, 5), 2)
    assert [test.number for test in ordered] == [0, 1, 2, 3, 4]


def test_one_process_without_waiting_tests_keeps_the_order() -> None:
    unit = _tests("unit/core", 2, 3)
    assert shares(unit, 1) == unit

"""The table of faults: it joins the rows of several processes and keeps each failure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.fault_table import Row, Tally, main


def tally(*rows: Row) -> Tally:
    return Tally(rows={row.fault: row for row in rows})


def written(path: Path, *rows: Row) -> str:
    path.write_text(json.dumps(tally(*rows).facts()))
    return str(path)


def test_rows_of_one_fault_are_added_up() -> None:
    joined = tally(Row("R1", tests=1, rounds=60, checked=True, events=10, slowest_seconds=4.0, remarks=["a"]))
    joined.add(tally(Row("R1", tests=2, failed=1, rounds=2, lost=1, slowest_seconds=0.5, remarks=["b"])).facts())
    row = joined.rows["R1"]
    assert (row.tests, row.failed, row.rounds, row.events, row.lost) == (3, 1, 62, 10, 1)
    assert (row.checked, row.slowest_seconds, row.remarks) == (True, 4.0, ["a", "b"])


def test_several_files_give_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([written(tmp_path / "a", Row("R10", tests=1)), written(tmp_path / "b", Row("R9", tests=1, failed=1))])
    lines = capsys.readouterr().out.splitlines()[2:]
    assert [line.split()[0] for line in lines] == ["R9", "R10"]
    assert "1 of 1 tests FAILED" in lines[0]


def test_a_missing_part_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(tmp_path / "none")])
    assert "did not finish" in capsys.readouterr().out

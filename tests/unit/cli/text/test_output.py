"""Tables, lines and JSON, as a pipe and as a terminal gets them."""

from __future__ import annotations

import json

import pytest

from tests.unit.reports.facts import EVIL, STEERING, plain_screen, terminal_screen
from watcher.cli.text.output import BAD, GOOD, Cell, Table, cell, say, width

TABLE = Table(("NAME", "STATUS"), [(Cell("shop"), Cell("completed", GOOD)), (Cell("뉴스"), Cell("failed", BAD))])


def test_a_piped_table_is_aligned_by_what_each_dead_letter_takes() -> None:
    screen, stream = plain_screen()
    screen.table(TABLE)
    assert stream.getvalue() == "NAME  STATUS\nshop  completed\n뉴스  failed\n"


def test_a_column_that_nothing_fills_is_left_out() -> None:
    screen, stream = plain_screen()
    screen.table(Table(("A", "B", "C"), [(Cell("1"), Cell(""), Cell("3"))]))
    assert stream.getvalue() == "A  C\n1  3\n"


def test_a_table_without_rows_shows_nothing_but_an_empty_line() -> None:
    screen, stream = plain_screen()
    screen.table(Table(("A",), []))
    assert stream.getvalue().strip() == ""


def test_a_terminal_gets_colour() -> None:
    screen, stream = terminal_screen(colour=True)
    screen.table(TABLE)
    screen.line(Cell("all well", GOOD))
    assert "\x1b[32mcompleted" in stream.getvalue()
    assert "\x1b[32mall well" in stream.getvalue()


def test_a_terminal_without_colour_gets_no_sequence_at_all() -> None:
    screen, stream = terminal_screen(colour=False)
    screen.table(TABLE)
    screen.line(Cell("all well", GOOD))
    assert "completed" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_text_from_outside_steers_no_terminal_and_is_no_markup(*, terminal: bool) -> None:
    screen, stream = terminal_screen(colour=False) if terminal else plain_screen()
    screen.table(Table(("TEXT",), [(cell(EVIL),)]))
    screen.line(cell(EVIL))
    assert not STEERING.search(stream.getvalue())
    assert stream.getvalue().count("[bold]markup[/bold]") == 2


def test_json_keeps_text_as_it_came_and_steers_no_terminal() -> None:
    screen, stream = plain_screen()
    screen.json({"text": EVIL}, indent=None)
    assert json.loads(stream.getvalue()) == {"text": EVIL}
    assert stream.getvalue().isascii()
    assert not STEERING.search(stream.getvalue())


def test_what_is_said_keeps_its_lines_and_indents(capsys: pytest.CaptureFixture[str]) -> None:
    say("first \x1b[31mline\n  second")
    assert capsys.readouterr().err == "first line\n  second\n"


def test_width_counts_the_columns_of_a_terminal() -> None:
    assert [width("a"), width("한"), width("e\u0301")] == [1, 2, 1]

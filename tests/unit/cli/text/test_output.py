"""Tables, lines and JSON, in a pipe and on a terminal."""

from __future__ import annotations

import json

import pytest

from tests.unit.reports.facts import EVIL, STEERING, plain_screen, terminal_screen
from watcher.cli.text.layout import Cell, Table
from watcher.cli.text.output import BAD, GOOD, cell, say
from watcher.core.text_width import width

TABLE = Table(("NAME", "STATUS"), [(Cell("shop"), Cell("completed", GOOD)), (Cell("뉴스"), Cell("failed", BAD))])


def test_a_piped_table_is_aligned_by_the_width_of_each_letter() -> None:
    screen, stream = plain_screen()
    screen.table(TABLE)
    assert stream.getvalue() == "NAME  STATUS\nshop  completed\n뉴스  failed\n"


def test_an_empty_column_is_omitted() -> None:
    screen, stream = plain_screen()
    screen.table(Table(("A", "B", "C"), [(Cell("1"), Cell(""), Cell("3"))]))
    assert stream.getvalue() == "A  C\n1  3\n"


def test_a_table_without_rows_is_an_empty_line() -> None:
    screen, stream = plain_screen()
    screen.table(Table(("A",), []))
    assert stream.getvalue().strip() == ""


def test_a_terminal_gets_colour() -> None:
    screen, stream = terminal_screen(colour=True)
    screen.table(TABLE)
    screen.line(Cell("OK", GOOD))
    assert "\x1b[32mcompleted" in stream.getvalue()
    assert "\x1b[32mOK" in stream.getvalue()


def test_a_terminal_without_colour_gets_no_escape_sequence() -> None:
    screen, stream = terminal_screen(colour=False)
    screen.table(TABLE)
    screen.line(Cell("OK", GOOD))
    assert "completed" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_text_from_outside_cannot_control_a_terminal_and_is_no_markup(*, terminal: bool) -> None:
    screen, stream = terminal_screen(colour=False) if terminal else plain_screen()
    screen.table(Table(("TEXT",), [(cell(EVIL),)]))
    screen.line(cell(EVIL))
    assert not STEERING.search(stream.getvalue())
    assert stream.getvalue().count("[bold]markup[/bold]") == 2


def test_json_keeps_text_unchanged_and_cannot_control_a_terminal() -> None:
    screen, stream = plain_screen()
    screen.json({"text": EVIL}, indent=None)
    assert json.loads(stream.getvalue()) == {"text": EVIL}
    assert stream.getvalue().isascii()
    assert not STEERING.search(stream.getvalue())


def test_lines_on_standard_error_keep_their_indents(capsys: pytest.CaptureFixture[str]) -> None:
    say("first \x1b[31mline\n  second")
    assert capsys.readouterr().err == "first line\n  second\n"


def test_width_counts_columns_of_a_terminal() -> None:
    assert [width("a"), width("한"), width("e\u0301")] == [1, 2, 1]

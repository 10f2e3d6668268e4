from __future__ import annotations

import tomllib
from collections.abc import Iterator
from textwrap import dedent

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.config.toml_texts import texts_with_lines
from watcher.config.faults import KeyPath
from watcher.config.validation.line_numbers import Lines

# The machine may be busy, so the time of one example means nothing.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

FRAGMENTS = st.sampled_from(
    [*"[]{}=,.#'\"\\\n\r\t ab1é\x00", "'''", '"""', "[[", "]]", " = ", "key", "[a.b]\n", "x = [\n", '"\\u00', "\r\n"]
)


def paths_in(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, inner in parts:
        yield (*path, part)
        yield from paths_in(inner, (*path, part))


def lines_of(text: str) -> Lines:
    return Lines(dedent(text).lstrip("\n"))


@PATIENT
@given(texts_with_lines())
def test_every_key_of_a_generated_text_is_found_on_its_line(case: tuple[str, dict[KeyPath, int]]) -> None:
    text, expected = case

    assert set(expected) == set(paths_in(tomllib.loads(text))), "the writer of the test is wrong"
    assert dict(Lines(text).all) == expected


@PATIENT
@given(st.lists(FRAGMENTS, max_size=60).map("".join) | st.text())
def test_any_text_gives_lines_within_the_text(text: str) -> None:
    count = text.count("\n") + 1

    assert all(1 <= line <= count for line in Lines(text).all.values())


@pytest.mark.parametrize("text", ["[" * 100_000, "x = " + "[" * 100_000, "{" * 100_000, "a." * 100_000])
def test_deep_nesting_raises_no_error(text: str) -> None:
    assert Lines(text).of(("a",)) is None


def test_lines_of_tables_and_arrays_of_tables_are_found() -> None:
    lines = lines_of("""
        [account.main]
        timeout = "5s"

        [[watch]]
        service = "a"

        [[watch]]
        service = "b"
        [watch.labels]
        team = "search"
    """)

    assert lines.of(("account",)) == 1
    assert lines.of(("account", "main", "timeout")) == 2
    assert lines.of(("watch",)) == 4
    assert lines.of(("watch", 0, "service")) == 5
    assert lines.of(("watch", 1)) == 7
    assert lines.of(("watch", 1, "labels", "team")) == 10


def test_a_table_below_an_array_of_tables_belongs_to_the_latest_of_them() -> None:
    lines = lines_of("""
        [[a]]
        [[a.b]]
        x = 1
        [[a.b]]
        [[a]]
        [[a.b]]
        [a.b.c]
        x = 2
    """)

    assert lines.of(("a", 0, "b", 0, "x")) == 3
    assert lines.of(("a", 0, "b", 1)) == 4
    assert lines.of(("a", 1, "b", 0, "c", "x")) == 8


def test_a_header_after_those_of_its_subtables_is_found() -> None:
    lines = lines_of("""
        [account.main.deep]
        x = 1
        [account.main]
        y = 2
    """)

    assert lines.of(("account", "main")) == 3


def test_dotted_and_quoted_keys_are_found() -> None:
    lines = lines_of("""
        account.main.timeout = "5s"
        [receiver."my \\"team\\""]
        'kind' = "log"
        "h\\u0065aders" . X-Team = "a"
    """)

    assert lines.of(("account", "main", "timeout")) == 1
    assert lines.of(("account", "main")) == 1
    assert lines.of(("receiver", 'my "team"', "kind")) == 3
    assert lines.of(("receiver", 'my "team"', "headers", "X-Team")) == 4


def test_texts_and_comments_that_resemble_keys_are_ignored() -> None:
    lines = lines_of("""
        first = \"\"\"
        [account.main]
        secret_key = "x"
        \"\"\" # [state]
        # url = "x"
        second = '''
        [[watch]]'''
        third = "[delivery]"
    """)

    assert set(lines.all) == {("first",), ("second",), ("third",)}
    assert lines.of(("second",)) == 6
    assert lines.of(("third",)) == 8


def test_elements_of_an_array_over_several_lines_are_found() -> None:
    lines = lines_of("""
        to = [ # [x]
          "a",   # "b",

          { kind = "log", to = [1,
            2] },
          [3],
        ]
        last = 1
    """)

    assert [lines.of(("to", index)) for index in range(3)] == [2, 4, 6]
    assert lines.of(("to", 1, "kind")) == 4
    assert lines.of(("to", 1, "to", 1)) == 5
    assert lines.of(("to", 2, 0)) == 6
    assert lines.of(("last",)) == 8


def test_an_absent_key_has_the_line_of_the_nearest_table() -> None:
    lines = lines_of("""

        [account.main]
        timeout = "5s"
    """)

    assert lines.of(("account", "main", "secret_key")) == 1
    assert lines.of(("account", "main", "timeout", "deeper", 3)) == 2
    assert lines.of(("watch",)) is None
    assert lines.of(()) is None


def test_a_key_with_an_unknown_escape_is_kept_as_written() -> None:
    assert lines_of('"\\q" = 1').of(("\\q",)) == 1

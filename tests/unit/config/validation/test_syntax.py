"""The advice for invalid TOML fits the fault."""

from __future__ import annotations

import tomllib

import pytest

from watcher.config.validation.syntax import SyntaxProblem, syntax_problem

LIST, TABLE, TEXT = "a list that is not closed", "a table that is not closed", "text that is not closed"
END = "at the end: "
FAULTS = {
    "x = [": (1, END + LIST, "close it with ]"),
    "x = [\n": (1, END + LIST, "close it with ]"),
    'x = [\n  "a",\n': (2, END + LIST + ", opened on line 1", "close it with ]"),
    'x = [ # [\n  "a", # it\n\n': (3, END + LIST + ", opened on line 1", "close it with ]"),
    'x = ["a",\n[account.main]\nb = 1\n': (2, "column 2: " + LIST + ", opened on line 1", "close it with ]"),
    'x = [\n "a",\n [[route]]\n': (3, "column 4: " + LIST + ", opened on line 1", "close it with ]"),
    'x = [\n "a",\ny = 2': (3, "column 1: " + LIST + ", opened on line 1", "close it with ]"),
    'x = ["a"\n[y]': (2, "column 1: " + LIST + ", opened on line 1", "close it with ]"),
    "x = {": (1, END + TABLE, "close it with }"),
    "x = {\n env = 1\n}": (1, "column 6: " + TABLE, "close it with }"),
    'x = { env = "A"': (1, END + TABLE, "close it with }"),
    "x = { env =": (1, END + TABLE, "close it with }"),
    "x = { env = \n": (1, "column 13: " + TABLE, "close it with }"),
    'x = { env = "]" # why\n': (1, "column 17: " + TABLE, "close it with }"),
    "x = [{ a = 1, \n}]": (1, "column 15: " + TABLE, "close it with }"),
    'x = "abc': (1, END + TEXT, "on the same line"),
    'x = ["abc\n]': (1, "column 10: " + TEXT, "on the same line"),
    "x = 'abc\ny = 1": (2, END + TEXT + ", opened on line 1", "on the same line"),
    "x = 'abc\ny = 'b'\n": (1, "column 9: " + TEXT, "on the same line"),
    'x = """abc': (1, END + TEXT, 'close it with """'),
    'y = 1\nx = """abc\nz = [\n': (3, END + TEXT + ", opened on line 2", 'close it with """'),
    "x = '''abc\n": (1, END + TEXT, "close it with '''"),
    "x =": (1, END + "a key without a value", 'write key = "value"'),
    "x = \ny = 1": (1, "column 5: a key without a value", 'write key = "value"'),
    "x = # later\n": (1, "column 5: a key without a value", 'write key = "value"'),
    "x = [,]": (1, "column 6: a comma too many", "take it out"),
    "x = [1,,2]": (1, "column 8: a comma too many", "take it out"),
    "x = {a=1,}": (1, "column 10: a comma too many", "take it out"),
    "x = abc": (1, "column 5: a value that TOML does not have", "put text in quotes"),
    "x = [abc]": (1, "column 6: a value that TOML does not have", "put text in quotes"),
    "x = [\n  abc,\n]": (2, "column 3: a value that TOML does not have", "put text in quotes"),
    "[a\nb = 1": (1, "column 3: a table's header that is not closed", "close it with as many ]"),
}


@pytest.mark.parametrize("text", FAULTS)
def test_the_remedy_of_an_unfinished_text_fits_it(text: str) -> None:
    line, problem, remedy = FAULTS[text]
    found = explained(text)
    assert (found.line, found.problem) == (line, problem)
    assert found.remedy.startswith(remedy) or found.remedy.endswith(remedy)


def explained(text: str) -> SyntaxProblem:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    return syntax_problem(str(caught.value), text)

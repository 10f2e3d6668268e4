"""A wrong value of any option or argument ends a command with a plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from watcher.cli.app import app_for, whole_app
from watcher.cli.command_tree import Command, Option, ValueKind, tree_of

FOREIGN = re.compile(r"Value error|Input should|[Vv]alidation|pydantic|Traceback")


def options_with_choices() -> Iterator[tuple[Command, Option]]:
    for command in tree_of(whole_app()):
        for option in command.options:
            if option.value is not None and option.value.kind is ValueKind.CHOICE:
                yield command, option


CHOICES = {
    f"{' '.join(command.path)} {option.names[0]}": (command, option) for command, option in options_with_choices()
}


@pytest.fixture(autouse=True)
def width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def said(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    with pytest.raises(SystemExit) as ended:
        app_for(args)(list(args), prog_name="aitems-watcher")
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("name", CHOICES)
def test_a_value_that_is_no_choice_is_named_with_the_choices(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, option = CHOICES[name]
    text = said(capsys, *command.path, option.names[0], "nonsense")
    assert "'nonsense' is not one of" in text
    assert not FOREIGN.search(text)
    assert option.value is not None
    assert all(choice in text for choice in option.value.choices)


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("history", "--kind", "fail"), "did you mean 'failed'?"),
        (("route", "--kind", "succeded"), "did you mean 'succeeded'?"),
        (("simulate", "--control", "anyon"), "did you mean 'anyone'?"),
        (("completion", "zhs"), "did you mean 'zsh'?"),
        (("completion", "tcsh-of-old"), "is not one of"),
        (("history", "--limit", "0"), "is too small; the least is 1"),
        (("history", "--limit", "ten"), "'ten' is no whole number"),
        (("history", "--limit", "1.5"), "'1.5' is no whole number"),
        (("history", "--limit", "9" * 5000), "is no whole number"),
        (("deliveries", "list", "--limit", "-1"), "is too small; the least is 1"),
        (("simulate", "--port", "65536"), "is too large; the most is 65535"),
        (("simulate", "--port", ""), "'' is no whole number"),
        (("simulate", "--services", "-1"), "is too small; the least is 0"),
        (("simulate", "--seed", "x"), "'x' is no whole number"),
    ],
)
def test_a_wrong_value_has_a_plain_text(args: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, *args)
    assert text in shown
    assert not FOREIGN.search(shown)

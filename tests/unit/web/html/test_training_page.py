"""The settings on the page of a training, beside those of the last good version."""

from __future__ import annotations

from watcher.core.training.comparison import MOST_CHANGES, setting_changes
from watcher.web.html.language.texts import Texts
from watcher.web.html.training_page import OptionRow, option_rows


def test_options_that_differ_come_first() -> None:
    old, new = {"top": 10, "same": "x", "gone": 1}, {"top": 20, "same": "x"}
    assert list(option_rows(new, setting_changes(old, new), Texts())) == [
        OptionRow(option="gone", old="1", new=None, changed=True),
        OptionRow(option="top", old="10", new="20", changed=True),
        OptionRow(option="same", old="x", new="x"),
    ]


def test_an_option_beyond_the_limit_of_changes_is_not_said_to_be_unset() -> None:
    new = {f"option{number:03}": number for number in range(MOST_CHANGES + 1)}
    old = {name: 2 * number + 1 for name, number in new.items()}
    *changed, last = option_rows(new, setting_changes(old, new), Texts())
    assert all(item.changed for item in changed)
    assert last == OptionRow(option=f"option{MOST_CHANGES}", old="not compared", new=str(MOST_CHANGES))

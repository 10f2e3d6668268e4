"""The marks of events."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.receivers.samples import CASES, sample_event
from watcher.core.event import Mark
from watcher.core.messages.language.words import ENGLISH_WORDS
from watcher.core.messages.marks import mark_lines, mark_texts
from watcher.core.messages.training import compose


def test_every_mark_has_a_text_of_a_few_words() -> None:
    event = sample_event(late=True, restored=True, new=True, confirmed=False, to_status="paused", fallback_for="hook")
    assert set(event.marks) == set(Mark)
    assert all(0 < len(text.split()) <= 3 for text in mark_texts(event))


@pytest.mark.parametrize("case", sorted(CASES))
def test_the_message_about_each_kind_has_the_marks_of_its_event(case: str) -> None:
    event = replace(CASES[case], restored=True, fallback_for="hook")
    message = compose(event)
    assert message.marks == tuple(mark_lines((event,), ENGLISH_WORDS))
    assert len(message.facts) <= 2 or event.incident is not None

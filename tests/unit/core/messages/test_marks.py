"""The marks of events."""

from __future__ import annotations

from tests.unit.receivers.samples import sample_event
from watcher.core.event import Mark
from watcher.core.messages.marks import mark_texts


def test_every_mark_has_a_text_of_a_few_words() -> None:
    event = sample_event(late=True, restored=True, new=True, confirmed=False, to_status="paused", fallback_for="hook")
    assert set(event.marks) == set(Mark)
    assert all(0 < len(text.split()) <= 3 for text in mark_texts(event))

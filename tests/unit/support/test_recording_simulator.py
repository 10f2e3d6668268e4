"""The answers that the judge of the fault tests compares: a list is one answer, whatever the number of its pages."""

from __future__ import annotations

import pytest

from tests.support.recording_simulator import RecordingSimulator
from watcher.simulator import CallKind
from watcher.simulator.calls import Call


def shown_by(*pages: tuple[str, str]) -> list[str]:
    """Return the recorded statuses of a training for the queries of list calls and the statuses in their answers."""
    api = RecordingSimulator()
    for query, status in pages:
        call = Call(kind=CallKind.LIST, path="/api/v1/services/s/trains", query=query, service="s")
        api._record(call, {"trains": [{"serviceId": "s", "type": "pop", "version": "v1", "status": status}]})
    return [answer.status for answer in api.shown]


@pytest.mark.parametrize(
    ("pages", "shown"),
    [
        ([("", "ready"), ("offset=1&limit=10", "ready")], ["ready"]),
        ([("", "ready"), ("offset=1", "ready"), ("offset=2", "ready")], ["ready"]),
        ([("", "ready"), ("offset=1", "learning")], ["ready", "learning"]),
        ([("", "ready"), ("", "ready")], ["ready", "ready"]),
        ([("", "ready"), ("offset=1", "ready"), ("offset=0", "ready")], ["ready", "ready"]),
    ],
    ids=["ignored offset", "repeated twice", "changed meanwhile", "two lists", "an offset of zero"],
)
def test_a_page_that_repeats_a_record_is_no_second_answer_about_it(
    pages: list[tuple[str, str]], shown: list[str]
) -> None:
    assert shown_by(*pages) == shown

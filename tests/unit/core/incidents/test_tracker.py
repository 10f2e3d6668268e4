"""When failed looks become an incident, what it covers, and what ends it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.event import Kind
from watcher.core.incidents.tracker import (
    Failure,
    IncidentChange,
    IncidentChangeKind,
    IncidentTracker,
    Thresholds,
    kind_of,
)
from watcher.core.polling.result import Cause

START = datetime(2026, 11, 23, tzinfo=UTC)
THRESHOLDS = Thresholds(failures=3, after=timedelta(seconds=60), good_polls=2)
A, B, C = "service:main/a", "service:main/b", "service:main/c"
ACCOUNT = "account:main"


class Play:
    """An outlook whose turns are written at once."""

    def __init__(self, services: int = 3) -> None:
        self.tracker = IncidentTracker("main", THRESHOLDS)
        self.services = services
        self.announced: list[tuple[IncidentChangeKind, str]] = []
        self.silent: list[tuple[IncidentChangeKind, str]] = []

    def fail(self, second: float, *subjects: str, cause: Cause = Cause.CONNECT) -> None:
        now = START + timedelta(seconds=second)
        for subject in subjects or (A, B, C):
            failure = Failure(subject=subject, cause=cause, detail="no way", asked_at=now, ended_at=now)
            self.take(self.tracker.failed(failure, START - timedelta(seconds=30), self.services, now))

    def see(self, second: float, *subjects: str) -> None:
        for subject in subjects or (A, B, C):
            self.take(self.tracker.succeeded([subject], START + timedelta(seconds=second)))

    def take(self, changes: list[IncidentChange]) -> None:
        self.tracker.apply(changes)
        for change in changes:
            (self.announced if change.announced else self.silent).append((change.kind, change.incident.subject))


def test_a_few_failures_or_a_short_time_are_no_incident() -> None:
    play = Play()
    for second in (0, 20, 40, 59):
        play.fail(second, A)
        play.see(second, B)
    assert play.announced == []
    patient = Play()
    patient.fail(0, A)
    patient.see(1, B)
    patient.fail(500, A)
    assert patient.announced == []


def test_one_unreachable_service_among_others_that_answer_is_its_own_incident() -> None:
    play = Play()
    for second in range(0, 100, 10):
        play.fail(second, A)
        play.see(second + 1, B, C)
    assert play.announced == [(IncidentChangeKind.OPENED, A)]
    assert [incident.subject for incident in play.tracker.incidents] == [A]


def test_when_nothing_answers_it_is_the_account_and_one_message() -> None:
    play = Play()
    for second in range(0, 600, 10):
        play.fail(second)
    assert play.announced == [(IncidentChangeKind.OPENED, ACCOUNT)]


def test_an_accounts_incident_takes_over_those_of_its_services_silently() -> None:
    play = Play()
    for second in range(0, 80, 10):
        play.fail(second, A)
        play.see(second + 1, B, C)
    for second in range(80, 200, 10):
        play.fail(second)
    assert play.announced == [(IncidentChangeKind.OPENED, A), (IncidentChangeKind.OPENED, ACCOUNT)]
    assert (IncidentChangeKind.ABSORBED, A) in play.silent
    (account,) = play.tracker.incidents
    assert account.covers == {A}


def test_a_single_service_announces_its_outage_once() -> None:
    play = Play(services=1)
    for second in range(0, 600, 10):
        play.fail(second, A)
    assert play.announced == [(IncidentChangeKind.OPENED, A)]
    (incident,) = play.tracker.incidents
    assert incident.subject == ACCOUNT


def test_only_answers_in_a_row_end_an_incident() -> None:
    play = Play()
    for second in range(0, 100, 10):
        play.fail(second)
    play.see(100, A)
    play.fail(101, B)
    play.see(102, A)
    assert play.announced == [(IncidentChangeKind.OPENED, ACCOUNT)]
    play.see(103, A)
    assert play.announced[-1] == (IncidentChangeKind.CLOSED, ACCOUNT)
    assert play.tracker.incidents == ()


def test_what_stays_unreachable_after_the_accounts_incident_is_announced_by_itself() -> None:
    play = Play()
    for second in range(0, 100, 10):
        play.fail(second)
    play.see(100, B)
    play.see(101, B)
    play.fail(102, A)
    assert play.announced == [
        (IncidentChangeKind.OPENED, ACCOUNT),
        (IncidentChangeKind.CLOSED, ACCOUNT),
        (IncidentChangeKind.OPENED, A),
    ]


def test_another_kind_of_failure_updates_the_incident_once_it_stays() -> None:
    play = Play()
    for second in range(0, 100, 10):
        play.fail(second)
    play.fail(100, A, cause=Cause.KEY)
    assert len(play.announced) == 1
    for second in range(110, 200, 10):
        play.fail(second, A, cause=Cause.KEY)
    assert play.announced == [(IncidentChangeKind.OPENED, ACCOUNT), (IncidentChangeKind.UPDATED, ACCOUNT)]
    assert play.tracker.incidents[0].kind is Kind.DENIED


def test_another_cause_of_the_same_kind_is_noted_without_a_word() -> None:
    play = Play()
    for second in range(0, 100, 10):
        play.fail(second)
    for second in range(100, 200, 10):
        play.fail(second, cause=Cause.DNS)
    assert play.announced == [(IncidentChangeKind.OPENED, ACCOUNT)]
    assert play.tracker.incidents[0].cause is Cause.DNS


def test_a_service_that_is_not_found_never_darkens_the_account() -> None:
    play = Play()
    for second in range(0, 600, 10):
        play.fail(second, A, B, cause=Cause.NOT_FOUND)
    assert sorted(play.announced) == [(IncidentChangeKind.OPENED, A), (IncidentChangeKind.OPENED, B)]


def test_an_answer_that_something_is_not_found_shows_that_the_account_can_be_reached() -> None:
    play = Play()
    for second in range(0, 100, 10):
        play.fail(second)
    play.fail(100, A, cause=Cause.NOT_FOUND)
    play.fail(101, A, cause=Cause.NOT_FOUND)
    assert play.announced[:2] == [(IncidentChangeKind.OPENED, ACCOUNT), (IncidentChangeKind.CLOSED, ACCOUNT)]


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_has_a_kind(cause: Cause) -> None:
    assert isinstance(kind_of(cause), Kind)


steps = st.lists(st.tuples(st.sampled_from([A, B, C]), st.one_of(st.none(), st.sampled_from(list(Cause)))), max_size=80)


@given(steps)
def test_whatever_happens_incidents_open_before_they_close_and_never_twice(
    history: list[tuple[str, Cause | None]],
) -> None:
    play = Play()
    for index, (subject, cause) in enumerate(history):
        if cause is None:
            play.see(index * 20, subject)
        else:
            play.fail(index * 20, subject, cause=cause)
    open_now: set[str] = set()
    for kind, subject in play.announced:
        if kind is IncidentChangeKind.OPENED:
            assert subject not in open_now or subject in {A, B, C}
            open_now.add(subject)
        if kind in {IncidentChangeKind.CLOSED, IncidentChangeKind.UPDATED}:
            assert subject in open_now
        if kind is IncidentChangeKind.CLOSED:
            open_now.discard(subject)
    assert {incident.subject for incident in play.tracker.incidents} <= open_now | {ACCOUNT}

"""When failed polls become an incident, which subjects it covers, and when it ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.event import Kind
from watcher.core.incidents.evidence import NO_EVIDENCE, Evidence
from watcher.core.incidents.model import (
    Failure,
    IncidentChange,
    IncidentChangeKind,
    Thresholds,
    kind_of,
)
from watcher.core.incidents.tracker import IncidentTracker
from watcher.core.polling.result import Cause

START = datetime(2026, 11, 23, tzinfo=UTC)
THRESHOLDS = Thresholds(failures=3, after=timedelta(seconds=60), good_polls=2)
A, B, C, D = "service:main/a", "service:main/b", "service:main/c", "service:main/d"
ACCOUNT = "account:main"
LIST = "service:main/*"


class Account:
    """A tracker whose changes are written at once."""

    def __init__(self, services: int = 3) -> None:
        self.tracker = IncidentTracker("main", THRESHOLDS)
        self.services = services
        self.announced: list[tuple[IncidentChangeKind, str]] = []
        self.silent: list[tuple[IncidentChangeKind, str]] = []
        self.covered: frozenset[str] | None = None
        """The subjects that the end of the account's incident covers."""

    def fail(
        self,
        second: float,
        *subjects: str,
        cause: Cause = Cause.CONNECT,
        detail: str = "no way",
        evidence: Evidence = NO_EVIDENCE,
    ) -> None:
        now = START + timedelta(seconds=second)
        for subject in subjects or (A, B, C):
            failure = Failure(
                subject=subject, cause=cause, detail=detail, evidence=evidence, asked_at=now, ended_at=now
            )
            self.apply(self.tracker.failed(failure, START - timedelta(seconds=30), self.services, now))

    def answer(self, second: float, *subjects: str) -> None:
        for subject in subjects or (A, B, C):
            self.apply(self.tracker.succeeded([subject], START + timedelta(seconds=second)))

    def list_services(self, second: float) -> None:
        self.apply(self.tracker.succeeded([LIST], START + timedelta(seconds=second), of_services=True))

    def apply(self, changes: list[IncidentChange]) -> None:
        self.tracker.apply(changes)
        for change in changes:
            (self.announced if change.announced else self.silent).append((change.kind, change.incident.subject))
            if change.kind is IncidentChangeKind.CLOSED and change.incident.subject == ACCOUNT:
                self.covered = change.incident.covers


def test_a_few_failures_or_a_short_time_are_no_incident() -> None:
    account = Account()
    for second in (0, 20, 40, 59):
        account.fail(second, A)
        account.answer(second, B)
    assert account.announced == []
    slow = Account()
    slow.fail(0, A)
    slow.answer(1, B)
    slow.fail(500, A)
    assert slow.announced == []


def test_one_unreachable_service_has_its_own_incident_while_others_answer() -> None:
    account = Account()
    for second in range(0, 100, 10):
        account.fail(second, A)
        account.answer(second + 1, B, C)
    assert account.announced == [(IncidentChangeKind.OPENED, A)]
    assert [incident.subject for incident in account.tracker.incidents] == [A]


def test_an_account_without_answers_has_one_incident() -> None:
    account = Account()
    for second in range(0, 600, 10):
        account.fail(second)
    assert account.announced == [(IncidentChangeKind.OPENED, ACCOUNT)]


def test_the_accounts_incident_absorbs_those_of_its_services_without_an_event() -> None:
    account = Account()
    for second in range(0, 80, 10):
        account.fail(second, A)
        account.answer(second + 1, B, C)
    for second in range(80, 200, 10):
        account.fail(second)
    assert account.announced == [(IncidentChangeKind.OPENED, A), (IncidentChangeKind.OPENED, ACCOUNT)]
    assert (IncidentChangeKind.ABSORBED, A) in account.silent
    (incident,) = account.tracker.incidents
    assert incident.covers == {A}


@pytest.mark.parametrize(
    ("answering", "covered"),
    [((B, C), {B}), ((B, A), {A, B}), ((C, C), set()), ((A, A), {A}), ((A, C, C), {A})],
    ids=["one still fails", "the last answer is its own", "both still fail", "the other still fails", "one answered"],
)
def test_the_end_of_the_accounts_incident_covers_only_services_that_answer_again(
    answering: tuple[str, ...], covered: set[str]
) -> None:
    account = Account()
    for second in range(0, 80, 10):
        account.fail(second, A, B)
        account.answer(second + 1, C)
    for second in range(80, 200, 10):
        account.fail(second)
    for second, subject in enumerate(answering, start=200):
        account.answer(second, subject)
    assert account.covered is not None
    assert {*account.covered} == covered
    for subject in {A, B} - covered:
        account.fail(300, subject)
    again = [subject for kind, subject in account.announced[3:] if kind is IncidentChangeKind.OPENED]
    assert {*again} == {A, B} - covered


def test_a_single_service_announces_its_outage_once() -> None:
    account = Account(services=1)
    for second in range(0, 600, 10):
        account.fail(second, A)
    assert account.announced == [(IncidentChangeKind.OPENED, A)]
    (incident,) = account.tracker.incidents
    assert incident.subject == ACCOUNT


@pytest.mark.parametrize("second", [70, 80, 110, 130])
def test_a_single_service_announces_a_change_of_its_cause_once(second: int) -> None:
    account = Account(services=1)
    for earlier in range(0, second, 10):
        account.fail(earlier, A, cause=Cause.SERVER)
    for later in range(second, 600, 10):
        account.fail(later, A, cause=Cause.KEY)
    assert [kind for kind, _ in account.announced] == [IncidentChangeKind.OPENED, IncidentChangeKind.UPDATED]
    (incident,) = account.tracker.incidents
    assert (incident.subject, incident.cause) == (ACCOUNT, Cause.KEY)
    assert incident.previous is not None
    assert incident.previous.cause == Cause.SERVER


def with_own_incidents(*own: str, cause: Cause = Cause.SERVER) -> Account:
    """Return an account of four services whose first ones have incidents of their own, while the last one answers."""
    account = Account(services=4)
    for second in range(0, 100, 10):
        account.fail(second, *own, cause=cause)
        account.answer(second + 1, D)
    assert account.announced == [(IncidentChangeKind.OPENED, subject) for subject in own]
    account.announced.clear()
    return account


OWN = [(A,), (A, B), (A, B, C)]
CHANGES = [(Cause.SERVER, Cause.KEY), (Cause.CONNECT, Cause.THROTTLE), (Cause.KEY, Cause.SERVER)]


@pytest.mark.parametrize(("before", "after"), CHANGES)
@pytest.mark.parametrize("own", OWN)
def test_the_accounts_incident_takes_over_services_whose_cause_changes_with_it(
    own: tuple[str, ...], before: Cause, after: Cause
) -> None:
    account = with_own_incidents(*own, cause=before)
    for second in range(100, 600, 10):
        account.fail(second, A, B, C, D, cause=after)
    assert account.announced == [(IncidentChangeKind.OPENED, ACCOUNT)]
    (incident,) = account.tracker.incidents
    assert (incident.cause, incident.covers) == (after, frozenset(own))


@pytest.mark.parametrize("order", [(A, B, C, D), (D, C, B, A), (D, D, A, B, C)])
@pytest.mark.parametrize("own", OWN)
def test_services_that_the_account_took_over_have_no_end_of_their_own(
    own: tuple[str, ...], order: tuple[str, ...]
) -> None:
    account = with_own_incidents(*own)
    for second in range(100, 200, 10):
        account.fail(second, A, B, C, D, cause=Cause.KEY)
    for second, subject in enumerate(order, start=200):
        account.answer(second, subject)
    assert account.announced == [(IncidentChangeKind.OPENED, ACCOUNT), (IncidentChangeKind.CLOSED, ACCOUNT)]
    assert account.tracker.incidents == ()


@pytest.mark.parametrize("answer", ["soon", "late", "a service that is not found"])
def test_a_change_of_a_services_cause_is_announced_once_the_account_answers(answer: str) -> None:
    account = with_own_incidents(A)
    for second in range(100, 200, 10):
        account.fail(second, A, cause=Cause.KEY)
        if answer == "soon":
            account.answer(second + 1, D)
    if answer == "late":
        account.answer(200, D)
    elif answer != "soon":
        account.fail(200, C, cause=Cause.NOT_FOUND)
    assert account.announced == [(IncidentChangeKind.UPDATED, A)]
    assert account.tracker.incidents[0].kind is Kind.DENIED


@pytest.mark.parametrize("cause", [Cause.KEY, Cause.PERMISSION, Cause.THROTTLE])
def test_a_change_of_a_services_cause_that_has_passed_is_not_announced(cause: Cause) -> None:
    account = with_own_incidents(A)
    for second in range(100, 200, 10):
        account.fail(second, A, cause=cause)
    account.fail(200, A, cause=Cause.SERVER)
    account.answer(201, D)
    assert account.announced == []
    assert account.tracker.incidents[0].cause is Cause.SERVER


@pytest.mark.parametrize("cause", [Cause.KEY, Cause.PERMISSION, Cause.THROTTLE])
def test_evidence_is_wanted_before_the_cause_of_a_service_would_change(cause: Cause) -> None:
    account = with_own_incidents(A)
    account.fail(100, A)
    assert not account.tracker.wants_evidence(A, 4)
    account.fail(110, A, cause=cause)
    account.fail(120, A, cause=cause)
    assert account.tracker.wants_evidence(A, 4)
    account.answer(121, D)
    assert not account.tracker.wants_evidence(A, 4)


def test_only_good_polls_in_a_row_end_an_incident() -> None:
    account = Account()
    for second in range(0, 100, 10):
        account.fail(second)
    account.answer(100, A)
    account.fail(101, B)
    account.answer(102, A)
    assert account.announced == [(IncidentChangeKind.OPENED, ACCOUNT)]
    account.answer(103, A)
    assert account.announced[-1] == (IncidentChangeKind.CLOSED, ACCOUNT)
    assert account.tracker.incidents == ()


def test_a_service_that_is_still_unreachable_after_the_accounts_incident_has_its_own() -> None:
    account = Account()
    for second in range(0, 100, 10):
        account.fail(second)
    account.answer(100, B)
    account.answer(101, B)
    account.fail(102, A)
    assert account.announced == [
        (IncidentChangeKind.OPENED, ACCOUNT),
        (IncidentChangeKind.CLOSED, ACCOUNT),
        (IncidentChangeKind.OPENED, A),
    ]


def test_another_kind_of_failure_updates_the_incident_after_the_threshold() -> None:
    account = Account()
    for second in range(0, 100, 10):
        account.fail(second)
    account.fail(100, A, cause=Cause.KEY)
    assert len(account.announced) == 1
    for second in range(110, 200, 10):
        account.fail(second, A, cause=Cause.KEY)
    assert account.announced == [(IncidentChangeKind.OPENED, ACCOUNT), (IncidentChangeKind.UPDATED, ACCOUNT)]
    assert account.tracker.incidents[0].kind is Kind.DENIED
    previous = account.tracker.incidents[0].previous
    assert previous is not None
    assert (previous.cause, previous.until) == (Cause.CONNECT, START + timedelta(seconds=100))


@pytest.mark.parametrize("cause", [Cause.KEY, Cause.THROTTLE, Cause.PERMISSION])
def test_another_kind_of_failure_of_the_account_counts_across_its_services(cause: Cause) -> None:
    account = Account()
    for second in range(0, 100, 10):
        account.fail(second)
    for second, subject in zip((100, 200, 300), (A, B, C), strict=True):
        account.fail(second, subject, cause=cause)
    assert account.announced == [(IncidentChangeKind.OPENED, ACCOUNT), (IncidentChangeKind.UPDATED, ACCOUNT)]
    assert account.tracker.incidents[0].cause is cause


def test_services_of_one_account_that_fail_in_two_ways_update_its_incident_once_at_most() -> None:
    account = Account()
    for second in range(0, 100, 10):
        account.fail(second)
    for second in range(100, 4000, 200):
        account.fail(second, A, B, C, cause=Cause.KEY)
        account.fail(second + 100, A, B, C)
    assert account.announced == [(IncidentChangeKind.OPENED, ACCOUNT), (IncidentChangeKind.UPDATED, ACCOUNT)]


def test_another_cause_of_the_same_kind_is_noted_with_its_evidence_and_not_announced() -> None:
    account = Account()
    for second in range(0, 100, 10):
        account.fail(second)
    for second in range(100, 200, 10):
        account.fail(second, cause=Cause.SERVER, detail="HTTP 503", evidence=Evidence(http_status=503))
    assert account.announced == [(IncidentChangeKind.OPENED, ACCOUNT)]
    (incident,) = account.tracker.incidents
    assert (incident.cause, incident.detail, incident.evidence.http_status) == (Cause.SERVER, "HTTP 503", 503)


@pytest.mark.parametrize("answer", ["another service", "another service that is not found", "none"])
def test_the_incident_of_a_service_waits_for_an_answer_of_the_account(answer: str) -> None:
    account = Account()
    for second in range(0, 100, 10):
        account.fail(second, A)
    assert account.announced == []
    if answer == "another service":
        account.answer(100, B)
    elif answer == "another service that is not found":
        account.fail(100, B, cause=Cause.NOT_FOUND)
    assert account.announced == ([] if answer == "none" else [(IncidentChangeKind.OPENED, A)])


def test_the_incident_of_the_account_takes_the_place_of_those_that_waited() -> None:
    account = Account()
    for second in range(0, 100, 10):
        account.fail(second, A)
    for second in range(100, 200, 10):
        account.fail(second, B)
    account.answer(200, C)
    assert account.announced == [(IncidentChangeKind.OPENED, ACCOUNT)]


@pytest.mark.parametrize("failing", [(A,), (A, B), (A, B, C)])
def test_a_list_of_services_says_nothing_about_an_account_of_which_a_service_fails(failing: tuple[str, ...]) -> None:
    account = Account()
    for second in range(0, 200, 10):
        account.fail(second, *failing)
        account.list_services(second + 1)
    assert account.announced == ([] if failing == (A,) else [(IncidentChangeKind.OPENED, ACCOUNT)])


def test_a_list_of_services_ends_the_incident_of_an_account_of_which_nothing_else_fails() -> None:
    account = Account(services=0)
    for second in range(0, 200, 10):
        account.fail(second, LIST)
    account.list_services(200)
    account.list_services(210)
    assert [kind for kind, _ in account.announced] == [IncidentChangeKind.OPENED, IncidentChangeKind.CLOSED]


@pytest.mark.parametrize("ending", ["answered", "forgotten"])
def test_no_incident_waits_for_a_service_that_answers_or_is_polled_no_more(ending: str) -> None:
    account = Account()
    for second in range(0, 100, 10):
        account.fail(second, A)
    if ending == "answered":
        account.answer(100, A)
    else:
        account.tracker.forget(A)
    account.answer(101, B)
    assert account.announced == []


def test_evidence_is_wanted_before_an_incident_would_open_and_not_after_an_answer() -> None:
    account = Account()
    account.fail(0, A)
    assert not account.tracker.wants_evidence(A, 3)
    account.fail(30, A)
    assert account.tracker.wants_evidence(A, 3)
    assert not account.tracker.wants_evidence(A, 1)
    account.answer(31, B)
    assert not account.tracker.wants_evidence(A, 3)


def test_a_service_that_is_not_found_never_makes_the_account_unreachable() -> None:
    account = Account()
    for second in range(0, 600, 10):
        account.fail(second, A, B, cause=Cause.NOT_FOUND)
    assert sorted(account.announced) == [(IncidentChangeKind.OPENED, A), (IncidentChangeKind.OPENED, B)]


def test_a_not_found_answer_is_an_answer_of_the_account() -> None:
    account = Account()
    for second in range(0, 100, 10):
        account.fail(second)
    account.fail(100, A, cause=Cause.NOT_FOUND)
    account.fail(101, A, cause=Cause.NOT_FOUND)
    assert account.announced[:2] == [(IncidentChangeKind.OPENED, ACCOUNT), (IncidentChangeKind.CLOSED, ACCOUNT)]


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_has_a_kind(cause: Cause) -> None:
    assert isinstance(kind_of(cause), Kind)


steps = st.lists(st.tuples(st.sampled_from([A, B, C]), st.one_of(st.none(), st.sampled_from(list(Cause)))), max_size=80)


@given(steps)
def test_in_any_history_incidents_open_before_they_close_and_never_twice(
    history: list[tuple[str, Cause | None]],
) -> None:
    account = Account()
    for index, (subject, cause) in enumerate(history):
        if cause is None:
            account.answer(index * 20, subject)
        else:
            account.fail(index * 20, subject, cause=cause)
    open_now: set[str] = set()
    for kind, subject in account.announced:
        if kind is IncidentChangeKind.OPENED:
            assert subject not in open_now or subject in {A, B, C}
            open_now.add(subject)
        if kind in {IncidentChangeKind.CLOSED, IncidentChangeKind.UPDATED}:
            assert subject in open_now
        if kind is IncidentChangeKind.CLOSED:
            open_now.discard(subject)
    assert {incident.subject for incident in account.tracker.incidents} <= open_now | {ACCOUNT}


@pytest.mark.parametrize(
    ("pauses", "expected"),
    [
        ({A: 300}, 300),
        ({A: 300, B: 100}, 300),
        ({B: 300}, 300),
        ({A: 60}, None),
        ({}, None),
    ],
    ids=["own", "longest", "of another service", "over", "none"],
)
def test_an_incident_that_opens_during_a_pause_of_the_account_has_its_end(
    pauses: dict[str, int], expected: int | None
) -> None:
    account = Account()
    for second in (0, 30, 60):
        now = START + timedelta(seconds=second)
        for subject in (A, B):
            until = START + timedelta(seconds=pauses[subject]) if subject in pauses and second == 0 else None
            failure = Failure(
                subject=subject, cause=Cause.QUOTA, detail="", asked_at=now, ended_at=now, paused_until=until
            )
            changes = account.tracker.failed(failure, None, 2, now)
            account.apply(changes)
            opened = [change.paused_until for change in changes if change.kind is IncidentChangeKind.OPENED]
            if opened:
                assert opened == [None if expected is None else START + timedelta(seconds=expected)]
    assert account.announced == [(IncidentChangeKind.OPENED, ACCOUNT)]

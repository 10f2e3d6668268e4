"""The events of an incident: kind, subject, bounds and ids."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.event_facts import incident_of
from tests.unit.receivers.samples import (
    ACCOUNT_SCOPE,
    EPOCH,
    RECORDED,
    SERVICE_SCOPE,
    TRAINING_SCOPE,
    incident_event,
    sample_incident,
)
from watcher.core.event import INCIDENT_KINDS, Kind, event_id
from watcher.core.event_json import from_json, to_json
from watcher.core.incidents.events import IncidentScope, describe, with_id
from watcher.core.incidents.model import IncidentChange, IncidentChangeKind, kind_of
from watcher.core.polling.result import Cause

SCOPES = {"account": ACCOUNT_SCOPE, "service": SERVICE_SCOPE, "training": TRAINING_SCOPE}


@pytest.mark.parametrize("cause", Cause)
def test_the_start_has_the_kind_of_its_cause(cause: Cause) -> None:
    event = incident_event(SERVICE_SCOPE, cause=cause)
    assert event.kind is kind_of(cause)
    assert event.kind in INCIDENT_KINDS - {Kind.RECOVERED}
    assert (incident_of(event).kind, incident_of(event).cause) == (event.kind, cause.value)
    assert incident_of(event).lasted_seconds is None


@pytest.mark.parametrize("cause", Cause)
def test_the_end_is_a_recovery_with_the_kind_of_the_start(cause: Cause) -> None:
    event = incident_event(SERVICE_SCOPE, IncidentChangeKind.CLOSED, 2, cause=cause)
    assert event.kind is Kind.RECOVERED
    assert incident_of(event).kind is kind_of(cause)
    assert incident_of(event).lasted_seconds == 120.0


@pytest.mark.parametrize(
    ("scope", "type_"),
    [
        (ACCOUNT_SCOPE, "account.unreachable"),
        (SERVICE_SCOPE, "service.unreachable"),
        (TRAINING_SCOPE, "training.unreachable"),
    ],
    ids=SCOPES,
)
def test_the_event_names_the_scope_and_changes_no_status(scope: IncidentScope, type_: str) -> None:
    event = incident_event(scope)
    assert event.type == type_
    assert (event.account, event.service_name, event.labels) == (scope.account, scope.service_name, scope.labels)
    assert (event.from_status, event.to_status, event.late, event.new) == (None, None, False, False)
    assert event.urgent


def test_start_update_and_end_share_the_incident_and_have_their_own_event_ids() -> None:
    events = [
        incident_event(ACCOUNT_SCOPE, kind, seq)
        for seq, kind in enumerate(
            (IncidentChangeKind.OPENED, IncidentChangeKind.UPDATED, IncidentChangeKind.CLOSED), start=1
        )
    ]
    assert len({incident_of(event).id for event in events}) == 1
    assert [event.id for event in events] == [event_id(EPOCH, "account:main", seq) for seq in (1, 2, 3)]
    assert [event.reason for event in events] == ["opened", "updated", "closed"]


def test_an_incident_gets_its_id_once_at_its_start() -> None:
    nameless = IncidentChange(kind=IncidentChangeKind.OPENED, incident=sample_incident("account:main", id=""))
    first = with_id(nameless, EPOCH, 7)
    assert first.incident.id.startswith("inc_")
    assert with_id(nameless, EPOCH, 8).incident.id != first.incident.id
    assert with_id(first, EPOCH, 9) == first
    assert with_id(replace(nameless, kind=IncidentChangeKind.UPDATED), EPOCH, 7).incident.id == ""


def test_the_bounds_of_the_start_are_the_last_result_and_the_first_failure() -> None:
    event = incident_event(ACCOUNT_SCOPE)
    assert (event.after, event.before) == (RECORDED - timedelta(minutes=3), RECORDED - timedelta(minutes=2))
    never = incident_event(ACCOUNT_SCOPE, last_good_at=None)
    assert never.after == never.before == RECORDED - timedelta(minutes=2)


def test_the_bounds_of_the_end_are_its_start_and_now() -> None:
    event = incident_event(ACCOUNT_SCOPE, IncidentChangeKind.CLOSED, 2)
    assert (event.after, event.before) == (RECORDED - timedelta(minutes=2), RECORDED)


offsets = st.timedeltas(timedelta(days=-2), timedelta(days=2))


@given(kind=st.sampled_from(list(IncidentChangeKind)), since=offsets, last_good=st.none() | offsets)
def test_a_clock_that_stepped_reverses_no_bounds(
    kind: IncidentChangeKind, since: timedelta, last_good: timedelta | None
) -> None:
    incident = sample_incident(
        "account:main",
        since=RECORDED + since,
        last_good_at=None if last_good is None else RECORDED + last_good,
    )
    event = describe(IncidentChange(kind=kind, incident=incident), ACCOUNT_SCOPE, EPOCH, 1, RECORDED)
    lasted = incident_of(event).lasted_seconds
    assert event.after <= event.before
    assert lasted is None or lasted >= 0


@pytest.mark.parametrize("kind", list(IncidentChangeKind))
@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
def test_an_incident_event_reads_back_as_it_was_stored(scope: IncidentScope, kind: IncidentChangeKind) -> None:
    event = incident_event(scope, kind, covers=frozenset({"service:main/b", "service:main/a"}))
    kept = from_json(json.loads(json.dumps(to_json(event))))
    assert kept == event
    assert incident_of(kept).covers == ("service:main/a", "service:main/b")

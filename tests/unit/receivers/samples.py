"""Sample events for the tests of messages and receivers, and hostile texts."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.support import paths
from tests.unit.receivers.overdue_samples import OVERDUE_CASES, OVERDUE_GROUP
from tests.unit.receivers.sample_facts import (
    ENDED,
    EXPECTED_END,
    LAST_GOOD,
    UNSTUCK,
    first_failure,
    first_success,
    minutes,
    plain_success,
    run_of,
    stuck_facts,
    third_failure,
    usual_facts,
)
from tests.unit.receivers.update_samples import UNUSABLE_CASES, UPDATE_CASES
from watcher.core.delivery.model import ReceiverSignal, SignalKind
from watcher.core.delivery.reason import Context, Reason, ReasonCode, RefusalRemedy, in_context, text_reason
from watcher.core.delivery.receiver_health import DeadLetter, Waiting, state_change, undelivered
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.durations.current_run import RunStart
from watcher.core.event import Event, Kind, event_id, incident_id, named_event
from watcher.core.incidents.events import IncidentScope, describe
from watcher.core.incidents.evidence import Evidence, evidence_in_old
from watcher.core.incidents.model import Incident, IncidentChange, IncidentChangeKind, account_subject
from watcher.core.incidents.store_event import store_failing, store_recovered
from watcher.core.polling.plan import EVERY_SERVICE, WatchAttributes
from watcher.core.polling.result import Cause
from watcher.core.polling.service_event import ServiceFinding, service_event
from watcher.core.training.catch_up import Outage
from watcher.core.training.comparison import OtherVersion, Pace, SettingChange
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.pipeline.polling.incidents.subjects import clock_subject, updates_subject

DATA = paths.DATA / "receivers"
RECORDED = datetime(2026, 11, 23, 2, 20, 11, tzinfo=UTC)
REF = TrainingRef("main", "6wxgu1abcde", "pop", "maqll0abcde")
EPOCH = "epoch-of-the-tests"
ACCOUNT_SCOPE = IncidentScope(account=REF.account)
SERVICE_SCOPE = IncidentScope(
    account=REF.account, service=REF.service_ref, service_name="shop-main", labels={"team": "search", "env": "prod"}
)
TRAINING_SCOPE = IncidentScope(account=REF.account, service=REF.service_ref, training=REF, service_name="shop-main")
OUTAGE_SINCE = RECORDED - timedelta(hours=4, minutes=29)
OUTAGE = incident_id(EPOCH, account_subject(REF.account), 1)


def sample_event(**changes: Any) -> Event:
    """Return the event of a failed training, with the changes that a test needs."""
    seq = changes.get("seq", 4)
    usual: dict[str, Any] = {
        "id": event_id(EPOCH, REF.subject, seq),
        "kind": Kind.FAILED,
        "subject": REF.subject,
        "seq": seq,
        "reason": "ended",
        "account": REF.account,
        "service": REF.service,
        "training_type": REF.type,
        "version": REF.version,
        "service_name": "shop-main",
        "labels": {"team": "search", "env": "prod"},
        "from_status": "learning",
        "to_status": "learningFailed",
        "after": RECORDED - timedelta(seconds=31),
        "before": RECORDED - timedelta(seconds=1),
        "recorded_at": RECORDED,
        "record": {
            "hpConfig": {"is_enabled": False},
            "createdDate": "2026-11-23T09:14:07.031",
            "inference": False,
        },
    }
    return Event(**(usual | changes))


def sample_service_event(kind: Kind, service: str = REF.service) -> Event:
    """Return the event of a service that a pattern watches."""
    finding = ServiceFinding(
        kind=kind,
        service=ServiceRef(REF.account, service),
        attributes=WatchAttributes(
            name="shop-main" if service == REF.service else None, links={"console": "https://c.example/{service}"}
        ),
        after=RECORDED - timedelta(minutes=5),
        before=RECORDED - timedelta(seconds=1),
    )
    return service_event(finding, EPOCH, 1, RECORDED)


def sample_incident(subject: str, **changes: Any) -> Incident:
    """Return an incident after two minutes of failures, with the changes that a test needs."""
    usual: dict[str, Any] = {
        "id": incident_id(EPOCH, subject, 1),
        "subject": subject,
        "cause": Cause.SERVER,
        "detail": "HTTP 503, code 900, Service Unavailable",
        "since": RECORDED - timedelta(minutes=2),
        "last_good_at": RECORDED - timedelta(minutes=3),
        "opened_at": RECORDED,
    }
    facts = usual | changes
    return Incident(**({"evidence": evidence_in_old(facts["detail"])} | facts))


def incident_event(
    scope: IncidentScope, kind: IncidentChangeKind = IncidentChangeKind.OPENED, seq: int = 1, **changes: Any
) -> Event:
    """Return the event about an incident of this scope."""
    subject = changes.pop("subject", account_subject(scope.account))
    if scope.service is not None:
        subject = scope.service.subject if scope.training is None else scope.training.watch_subject
    paused_until = changes.pop("paused_until", None)
    change = IncidentChange(kind=kind, incident=sample_incident(subject, **changes), paused_until=paused_until)
    return describe(change, scope, EPOCH, seq, RECORDED)


EVERY_SERVICE_SUBJECT = ServiceRef(REF.account, EVERY_SERVICE).subject
SKEW: dict[str, Any] = {
    "subject": clock_subject(REF.account),
    "cause": Cause.CLOCK,
    "detail": "the server's clock is +90 s from ours",
    "last_good_at": None,
}
NEVER: dict[str, Any] = {"cause": Cause.NOT_FOUND, "detail": "HTTP 404, no such train", "last_good_at": None}

STORE_FAILING = store_failing("disk-full", "3,145,728 bytes are free beside the store", EPOCH, 1, RECORDED)
REFUSAL = ReceiverSignal(
    health=SignalKind.REFUSES,
    reason=Reason(code=ReasonCode.NAMED_REFUSED, name="channel_is_archived", remedy=RefusalRemedy.WEBHOOK_UNARCHIVE),
    answer="410 channel_is_archived",
)


def sample_receiver_event(
    signal: ReceiverSignal = REFUSAL, name: str = "ml-ops", failing_since: datetime | None = None, waiting: int = 3
) -> Event:
    """Return the event that a receiver is failing or has recovered."""
    receiver_state = ReceiverState(
        name=name,
        seq=2,
        failing_since=failing_since,
        parked=failing_since is not None,
        reason=REFUSAL.reason,
        answer=REFUSAL.answer,
    )
    waits = Waiting(count=waiting, expires_at=RECORDED + timedelta(days=3))
    event = state_change(receiver_state, signal, waits, EPOCH, RECORDED)[1]
    assert event is not None
    return event


def dead_letters_event(count: int, name: str = "ml-ops", service_name: str = "shop-main") -> Event:
    """Return the event about so many dead letters."""
    dead_letters = [
        DeadLetter(
            id=f"msg_{'abcdefghij'[number % 10]}4v7kq2x{number}",
            reason=in_context(Context.EXPIRED, REFUSAL.reason),
            event=named_event(sample_event(service_name=service_name)),
            created_at=RECORDED - timedelta(days=3),
            ended_at=RECORDED - timedelta(seconds=30),
        )
        for number in range(count)
    ]
    return undelivered(ReceiverState(name=name, seq=3), dead_letters, EPOCH, RECORDED)[1]


COMPLETED: dict[str, Any] = {
    "kind": Kind.SUCCEEDED,
    "to_status": "completed",
    "run": run_of(minutes(54)),
    "links": {"console": "https://console.example.com/6wxgu1abcde/pop/maqll0abcde"},
}
LINKS: dict[str, Any] = {"links": {**COMPLETED["links"], "runbook": "https://wiki.example.com/shop-main"}}
STUCK: dict[str, Any] = {
    **LINKS,
    "kind": Kind.STUCK,
    "from_status": None,
    "to_status": "learning",
    "reason": "stuck",
    "after": ENDED,
}
COMPARED: dict[str, Event] = {
    "failed-in-context": sample_event(run=run_of(timedelta(hours=2, minutes=10)), comparison=third_failure(), **LINKS),
    "failed-first": sample_event(
        to_status="refinedFailed", run=run_of(minutes(4)), comparison=first_failure(), **LINKS
    ),
    "failed-in-context-late": sample_event(
        run=run_of(timedelta(hours=2, minutes=10)), comparison=third_failure(), late=True, after=ENDED - minutes(87)
    ),
    "failed-after-stuck": sample_event(
        run=run_of(timedelta(hours=2, minutes=55)),
        comparison=first_failure(),
        stuck=stuck_facts(reported_at=ENDED - minutes(15)),
    ),
    "succeeded-after-failures": sample_event(**COMPLETED, comparison=first_success()),
    "succeeded-usual": sample_event(**COMPLETED, comparison=plain_success()),
    "stuck": sample_event(**STUCK, stuck=stuck_facts()),
    "stuck-configured": sample_event(
        **STUCK, stuck=stuck_facts(learned=False, limit=timedelta(hours=2), usual=None, next_limit=timedelta(hours=6))
    ),
    "stuck-again": sample_event(
        **STUCK,
        stuck=stuck_facts(
            level=2,
            whole_run=True,
            next_limit=None,
            usual=usual_facts(whole_account=True),
            reported_at=ENDED - timedelta(hours=20),
        ),
    ),
    "unstuck": sample_event(
        kind=Kind.UNSTUCK, from_status="waiting", to_status="learning", stuck=UNSTUCK, expected_end=EXPECTED_END
    ),
    "fast": sample_event(
        **(COMPLETED | {"kind": Kind.FAST, "run": run_of(minutes(12)), "reason": "fast"}),
        comparison=plain_success(pace=Pace.FAST),
    ),
}
"""One event for each case of a message that sets a training beside earlier ones."""
CASES: dict[str, Event] = {
    "receiver-failing": sample_receiver_event(),
    "receiver-recovered": sample_receiver_event(
        ReceiverSignal(health=SignalKind.PASSES), failing_since=RECORDED - timedelta(hours=3)
    ),
    "undelivered": dead_letters_event(1),
    "undelivered-storm": dead_letters_event(1_000),
    "failed": sample_event(),
    "failed-fallback": sample_event(fallback_for="hook"),
    "failed-run": sample_event(
        run=RunStart(
            started_after=RECORDED - timedelta(hours=2, minutes=11),
            started_before=RECORDED - timedelta(hours=2, minutes=10, seconds=30),
        ),
        links={
            "console": "https://console.example.com/6wxgu1abcde/pop/maqll0abcde",
            "runbook": "https://wiki.example.com/shop-main",
        },
    ),
    "failed-unconfirmed-late": sample_event(confirmed=False, late=True, reason="ended-unconfirmed"),
    "failed-restored": sample_event(restored=True, restored_from=RECORDED - timedelta(days=1), late=True),
    "data-refinement-failed": sample_event(to_status="refinedFailed", from_status="requesting"),
    "succeeded-skipped": sample_event(
        kind=Kind.SUCCEEDED,
        from_status="requesting",
        to_status="completed",
        skipped=("waiting", "learning"),
        record={
            "hpConfig": {"is_enabled": True, "item_top_n": 20000},
            "createdDate": "2026-11-23T09:14:07",
            "inference": True,
            "description": "nightly rebuild of <shop> & co",
        },
    ),
    "appeared": sample_event(
        kind=Kind.APPEARED,
        seq=1,
        new=True,
        from_status=None,
        to_status="requesting",
        reason="new-version",
        service_name=None,
        labels={},
        record={},
    ),
    "progress": sample_event(kind=Kind.PROGRESS, seq=3, from_status="waiting", to_status="learning"),
    "restarted": sample_event(kind=Kind.RESTARTED, seq=5, from_status="completed", to_status="requesting"),
    "unknown-status": sample_event(kind=Kind.UNKNOWN_STATUS, to_status="paused", reason="unknown-status"),
    "gone": sample_event(
        kind=Kind.GONE, seq=5, to_status=None, reason="not-found", after=RECORDED - timedelta(minutes=5)
    ),
    "gone-unlisted": sample_event(
        kind=Kind.GONE, seq=5, to_status=None, reason="not-listed", after=RECORDED - timedelta(minutes=5)
    ),
    "service-appeared": sample_service_event(Kind.APPEARED),
    "service-gone": sample_service_event(Kind.GONE),
    "service-back": sample_service_event(Kind.BACK),
    "back": sample_event(
        kind=Kind.BACK,
        seq=6,
        from_status=None,
        to_status="learning",
        reason="found-again",
        after=RECORDED - timedelta(hours=2),
    ),
    "account-unreachable": incident_event(
        ACCOUNT_SCOPE,
        covers=frozenset({"service:main/6wxgu1abcde", "service:main/7kpqr2fghij", REF.watch_subject}),
    ),
    "service-unreachable": incident_event(
        SERVICE_SCOPE, cause=Cause.DEADLINE, detail="aitems.apigw.ntruss.com:443: no whole answer within 10 s"
    ),
    "account-denied": incident_event(
        ACCOUNT_SCOPE, cause=Cause.KEY, detail="HTTP 401, code 200, Authentication Failed", last_good_at=None
    ),
    "account-denied-instead": incident_event(
        ACCOUNT_SCOPE,
        IncidentChangeKind.UPDATED,
        2,
        cause=Cause.PERMISSION,
        detail="HTTP 401, code 210, Permission Denied",
    ),
    "account-throttled": incident_event(
        ACCOUNT_SCOPE,
        cause=Cause.QUOTA,
        detail="HTTP 429, code 400, Quota Exceeded",
        paused_until=RECORDED + timedelta(minutes=5),
    ),
    "account-clock": incident_event(
        ACCOUNT_SCOPE,
        cause=Cause.CLOCK,
        detail="HTTP 401, code 200, Authentication Failed, the server's clock is +412 s from ours",
    ),
    "clocks-disagree": incident_event(ACCOUNT_SCOPE, **SKEW),
    "clocks-agree": incident_event(ACCOUNT_SCOPE, IncidentChangeKind.CLOSED, 2, **SKEW),
    "updates-denied": incident_event(
        ACCOUNT_SCOPE,
        subject=updates_subject(REF.account),
        cause=Cause.PERMISSION,
        detail="HTTP 401, code 210, Permission Denied",
        evidence=Evidence(http_status=401, code="210"),
        last_good_at=None,
    ),
    "updates-recovered": incident_event(
        ACCOUNT_SCOPE,
        IncidentChangeKind.CLOSED,
        seq=2,
        subject=updates_subject(REF.account),
        cause=Cause.PERMISSION,
        detail="HTTP 401, code 210, Permission Denied",
        evidence=Evidence(http_status=401, code="210"),
        last_good_at=None,
    ),
    "services-denied": incident_event(
        ACCOUNT_SCOPE,
        subject=EVERY_SERVICE_SUBJECT,
        cause=Cause.PERMISSION,
        detail="HTTP 401, code 210, Permission Denied",
    ),
    "services-recovered": incident_event(
        ACCOUNT_SCOPE,
        IncidentChangeKind.CLOSED,
        2,
        subject=EVERY_SERVICE_SUBJECT,
        cause=Cause.PERMISSION,
        detail="HTTP 401, code 210, Permission Denied",
    ),
    "service-not-found": incident_event(SERVICE_SCOPE, cause=Cause.NOT_FOUND, detail="HTTP 404, no such service"),
    "training-not-found": incident_event(TRAINING_SCOPE, **NEVER),
    "account-recovered": incident_event(
        ACCOUNT_SCOPE,
        IncidentChangeKind.CLOSED,
        2,
        since=RECORDED - timedelta(hours=12, minutes=3),
        covers=frozenset({"service:main/6wxgu1abcde"}),
    ),
    "store-failing": STORE_FAILING,
    "store-recovered": store_recovered(STORE_FAILING, EPOCH, RECORDED + timedelta(minutes=9)),
    "training-found": incident_event(TRAINING_SCOPE, IncidentChangeKind.CLOSED, 2, **NEVER),
    **OVERDUE_CASES,
    **UPDATE_CASES,
    **UNUSABLE_CASES,
    **COMPARED,
}
"""One event for each case of a message."""


def of_version(version: str, **changes: Any) -> Event:
    """Return an event of another training of the same service, found by the catch-up after the outage."""
    ref = TrainingRef(REF.account, REF.service, REF.type, version)
    seq = changes.get("seq", 2)
    usual = {"id": event_id(EPOCH, ref.subject, seq), "subject": ref.subject, "version": version, "seq": seq}
    return sample_event(**(usual | {"late": True, "group": OUTAGE} | changes))


def finished(version: str, **changes: Any) -> Event:
    """Return the event of a training that completed during the outage."""
    usual: dict[str, Any] = {
        "kind": Kind.SUCCEEDED,
        "from_status": "requesting",
        "to_status": "completed",
        "skipped": ("waiting", "learning"),
        "after": RECORDED - timedelta(hours=14),
    }
    return of_version(version, **(usual | changes))


def after_outage(version: str, **changes: Any) -> Event:
    """Return the event of a training that completed during the outage, which the event names."""
    outage = Outage(account_subject(REF.account), OUTAGE_SINCE)
    hidden = {"outage": outage, "after": OUTAGE_SINCE - timedelta(seconds=20)}
    return finished(version, **(hidden | changes))


def appeared(version: str) -> Event:
    """Return the event of a training that appeared during the outage."""
    return of_version(
        version, kind=Kind.APPEARED, seq=1, new=True, from_status=None, to_status="waiting", reason="new-version"
    )


def service_incident(
    name: str, kind: IncidentChangeKind = IncidentChangeKind.OPENED, seq: int = 1, **changes: Any
) -> Event:
    """Return the event about an incident of another service of the account."""
    scope = IncidentScope(account=REF.account, service=ServiceRef(REF.account, name), service_name=name)
    return incident_event(scope, kind, seq, **changes)


def training_incident(version: str, **changes: Any) -> Event:
    """Return the event about an incident of another training of the service."""
    ref = TrainingRef(REF.account, REF.service, REF.type, version)
    scope = IncidentScope(account=REF.account, service=REF.service_ref, training=ref, service_name="shop-main")
    return incident_event(scope, **changes)


GROUPS: dict[str, tuple[list[Event], list[Event]]] = {
    "group-late": (
        [
            finished("maqll0aaaaa"),
            finished("maqll0bbbbb", confirmed=False, from_status="learning", skipped=(), reason="ended-unconfirmed"),
            appeared("maqll0ccccc"),
            of_version("maqll0ddddd", kind=Kind.GONE, to_status=None, reason="not-found"),
            of_version("maqll0eeeee", kind=Kind.UNKNOWN_STATUS, to_status="paused", reason="unknown-status"),
        ],
        [of_version("maqll0fffff"), of_version("maqll0ggggg", to_status="refinedFailed")],
    ),
    "group-outage": (
        [
            after_outage("maqll0aaaaa"),
            after_outage("maqll0bbbbb", from_status="learning", skipped=(), after=OUTAGE_SINCE - timedelta(minutes=9)),
            after_outage("maqll0ccccc", kind=Kind.GONE, to_status=None, skipped=(), reason="not-found"),
        ],
        [of_version("maqll0fffff")],
    ),
    "group-outage-of-a-service": (
        [after_outage(f"maqll0{letter * 5}", outage=Outage(REF.service_ref.subject, OUTAGE_SINCE)) for letter in "ab"],
        [],
    ),
    "group-two": ([finished("maqll0aaaaa"), appeared("maqll0ccccc")], [of_version("maqll0fffff")]),
    "group-mixed": (
        [
            of_version("maqll0aaaaa", kind=Kind.PROGRESS, from_status="waiting", to_status="learning", late=False),
            of_version("maqll0bbbbb", kind=Kind.BACK, from_status=None, to_status="learning", late=False),
        ],
        [],
    ),
    "group-fallback": (
        [of_version(f"maqll0{letter * 5}", late=False, fallback_for="hook") for letter in "abcd"],
        [],
    ),
    "group-gone": (
        [
            of_version(f"maqll0{letter * 5}", kind=Kind.GONE, to_status=None, reason="not-listed-with-others")
            for letter in "abc"
        ],
        [],
    ),
    "group-services-gone": ([sample_service_event(Kind.GONE, service) for service in ("s1", "s2", "s3")], []),
    "group-incidents": ([service_incident(f"shop-{number:02}") for number in range(30)], []),
    "group-incidents-two-causes": (
        [
            service_incident("shop-a", since=RECORDED - timedelta(minutes=4)),
            service_incident("shop-b"),
            service_incident("shop-c", cause=Cause.DEADLINE, detail="no whole answer within 10 s"),
            service_incident("shop-d", cause=Cause.PERMISSION, detail="HTTP 401, code 210, Permission Denied"),
        ],
        [],
    ),
    "group-incidents-over": (
        [
            service_incident(f"shop-{name}", IncidentChangeKind.CLOSED, 2, since=RECORDED - timedelta(minutes=minutes))
            for minutes, name in enumerate("abcdefghi", start=2)
        ],
        [],
    ),
    "group-not-found": ([training_incident(f"maqll0{letter * 5}", **NEVER) for letter in "abcd"], []),
    "group-failed-compared": (
        [
            of_version(
                f"maqll0{letter * 5}",
                to_status=status,
                late=False,
                group=None,
                run=run_of(minutes(took)),
                comparison=first_failure() if failures == 1 else third_failure(failures=failures),
            )
            for letter, status, took, failures in (
                *(("a", "learningFailed", 130, 3), ("b", "learningFailed", 96, 1), ("c", "learningFailed", 41, 1)),
                *(("d", "learningFailed", 40, 1), ("e", "refinedFailed", 4, 1), ("f", "learningFailed", 22, 1)),
                *(("g", "learningFailed", 57, 1), ("h", "refinedFailed", 5, 2)),
            )
        ],
        [],
    ),
    "group-stuck": (
        [of_version(f"maqll0{letter * 5}", **STUCK, late=False, group=None, stuck=stuck_facts()) for letter in "abc"],
        [],
    ),
    "group-compared": (
        [
            of_version("maqll0aaaaa", **COMPLETED, late=False, group=None, comparison=first_success()),
            of_version("maqll0bbbbb", **STUCK, late=False, group=None, stuck=stuck_facts()),
            of_version(
                "maqll0ccccc",
                **(COMPLETED | {"kind": Kind.FAST, "run": run_of(minutes(12))}),
                late=False,
                group=None,
                comparison=plain_success(pace=Pace.FAST),
            ),
            of_version(
                "maqll0ddddd",
                kind=Kind.UNSTUCK,
                from_status="waiting",
                to_status="learning",
                late=False,
                group=None,
                stuck=UNSTUCK,
            ),
        ],
        [],
    ),
    "group-overdue": (OVERDUE_GROUP, []),
    "group-receivers": ([sample_receiver_event(), dead_letters_event(12)], []),
    "group-full": (
        [finished(f"maqll0ab{number:03}", confirmed=False) for number in range(1, 21)],
        [of_version(f"maqll0fa{number:03}") for number in range(1, 31)],
    ),
}
"""The events of one message, and the events of the same catch-up that were sent separately."""


def golden(name: str, text: str) -> str:
    """Return the golden file ``name``; with ``WRITE_GOLDEN=1`` in the environment, write ``text`` to it first."""
    path = DATA / name
    if os.environ.get("WRITE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    return path.read_text(encoding="utf-8")


HOSTILE = (
    "<!channel>",
    "<!everyone|x> <@U123> <https://evil.example|click>",
    "*bold* _it_ ~no~ `code` ```block```",
    "&lt;!here&gt; &amp; &",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b31m \x1b[2J",
    "<script>alert(1)</script>",
    "\u202egnp.exe\u202c \u2066x\u2069",
    "\ud800 lone \udfff",
    "line\nline\r\nline\u2028line\x85line",
    "\x00\x07\x7f",
    "",
    "   ",
    "`",
    "&" * 5_000,
    "<" * 100_000,
    "가" * 100_000,
    "👩‍👩‍👧" * 2_000,
    "]]>--><!--",
    "%s {0} {date} \\n \\",
)


def _hostile(number: int) -> str:
    return HOSTILE[number]


# Chosen by number, so that hypothesis prints no megabytes.
_listed = st.integers(0, len(HOSTILE) - 1).map(_hostile)
hostile_text = st.one_of(_listed, st.text(st.characters()), st.lists(_listed, max_size=3).map("".join))
hostile_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), hostile_text),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(hostile_text, inner, max_size=4)),
    max_leaves=8,
)
hostile_records = st.fixed_dictionaries(
    {},
    optional={
        "hpConfig": hostile_json,
        "createdDate": hostile_json,
        "inference": hostile_json,
        "description": hostile_json,
        "new-field": hostile_json,
    },
)
hostile_settings = st.builds(SettingChange, option=hostile_text, old=hostile_json, new=hostile_json)
hostile_comparisons = st.builds(
    third_failure,
    failures=st.integers(0, 30),
    last_good=st.none() | st.builds(OtherVersion, version=hostile_text, ended=st.sampled_from([LAST_GOOD.ended, None])),
    compared_with=st.none() | hostile_text,
    changes=st.lists(hostile_settings, max_size=5).map(tuple),
    usual=st.none() | st.builds(usual_facts, runs=st.integers(0, 50), whole_account=st.booleans()),
)
hostile_changes = st.builds(
    sample_event,
    kind=st.sampled_from(Kind),
    account=hostile_text,
    service=hostile_text,
    training_type=hostile_text,
    version=hostile_text,
    service_name=st.none() | hostile_text,
    labels=st.dictionaries(hostile_text, hostile_text, max_size=12),
    from_status=st.none() | hostile_text,
    to_status=st.none() | hostile_text,
    skipped=st.lists(hostile_text, max_size=12).map(tuple),
    late=st.booleans(),
    restored=st.booleans(),
    new=st.booleans(),
    confirmed=st.booleans(),
    after=st.timedeltas(timedelta(), timedelta(days=400)).map(lambda ago: RECORDED - timedelta(seconds=1) - ago),
    group=st.none() | hostile_text | hostile_text.map("inc_".__add__),
    record=hostile_records,
    run=st.none() | st.just(run_of(minutes(54))),
    comparison=st.none() | hostile_comparisons,
    stuck=st.none() | st.builds(stuck_facts, learned=st.booleans(), whole_run=st.booleans()),
    expected_end=st.none() | st.just(EXPECTED_END),
)


APART = {3: clock_subject(REF.account), 4: EVERY_SERVICE_SUBJECT}


def _hostile_incident(names: tuple[str, str, str, str], about: int, kind: IncidentChangeKind, **changes: Any) -> Event:
    account, service, train_type, version = names
    ref = TrainingRef(account, service, train_type, version)
    scopes = (
        IncidentScope(account=account),
        IncidentScope(account=account, service=ref.service_ref, service_name=version),
        IncidentScope(account=account, service=ref.service_ref, training=ref, labels={service: version}),
        IncidentScope(account=account),
        IncidentScope(account=account),
    )
    if about in APART:
        changes["subject"] = APART[about]
    changes["covers"] = frozenset(ServiceRef(account, name).subject for name in changes["covers"])
    return incident_event(scopes[about], kind, **changes)


hostile_incidents = st.builds(
    _hostile_incident,
    st.tuples(*[hostile_text.map(lambda text: text.encode("utf-8", "replace").decode())] * 4),
    st.integers(0, 4),
    st.sampled_from([IncidentChangeKind.OPENED, IncidentChangeKind.UPDATED, IncidentChangeKind.CLOSED]),
    cause=st.sampled_from(Cause),
    detail=hostile_text,
    last_good_at=st.none() | st.just(RECORDED - timedelta(minutes=3)),
    covers=st.lists(st.sampled_from(["a", "<!channel>", "`", "&" * 300, "\u202ex", "\x1b[31m"]), max_size=12),
)
hostile_receivers = st.one_of(
    st.builds(
        lambda reason, answer, name: sample_receiver_event(
            ReceiverSignal(health=SignalKind.REFUSES, reason=text_reason(reason), answer=answer),
            name.encode("utf-8", "replace").decode(),
        ),
        hostile_text,
        hostile_text,
        hostile_text,
    ),
    st.builds(dead_letters_event, st.integers(1, 60), st.just("hook"), hostile_text),
)
hostile_events = st.one_of(hostile_changes, hostile_incidents, hostile_receivers)

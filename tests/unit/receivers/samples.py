"""Events that the tests of the receivers tell of, and texts that mean harm."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from watcher.core.event import Event, Kind, event_id
from watcher.core.training import TrainingRef

ROOT = Path(__file__).parents[3]
DATA = ROOT / "tests" / "data" / "receivers"
RECORDED = datetime(2026, 11, 23, 2, 20, 11, tzinfo=UTC)
REF = TrainingRef("main", "6wxgu1abcde", "pop", "maqll0abcde")


def sample_event(**changes: Any) -> Event:
    """Return a failed training with everything usual, changed in what a test is about."""
    seq = changes.get("seq", 4)
    usual: dict[str, Any] = {
        "id": event_id("epoch-of-the-tests", REF.subject, seq),
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


CASES: dict[str, Event] = {
    "failed": sample_event(),
    "failed-unconfirmed-late": sample_event(confirmed=False, late=True, reason="ended-unconfirmed"),
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
    "unknown-status": sample_event(kind=Kind.UNKNOWN_STATUS, to_status="paused", reason="unknown-word"),
}
"""One event for each thing that a message must say."""


def golden(name: str, text: str) -> str:
    """Return what is kept under ``name``; with ``WRITE_GOLDEN=1`` in the environment, keep ``text`` first."""
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


# By number, so that hypothesis prints no megabytes.
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
        "unheard-of": hostile_json,
    },
)
hostile_events = st.builds(
    sample_event,
    kind=st.sampled_from(Kind),
    account=hostile_text,
    service=hostile_text,
    training_type=hostile_text,
    version=hostile_text,
    service_name=st.none() | hostile_text,
    labels=st.dictionaries(hostile_text, hostile_text, max_size=12),
    from_status=st.none() | hostile_text,
    to_status=hostile_text,
    skipped=st.lists(hostile_text, max_size=12).map(tuple),
    late=st.booleans(),
    new=st.booleans(),
    confirmed=st.booleans(),
    record=hostile_records,
)

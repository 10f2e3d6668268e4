"""The message about several events."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.receivers.sample_facts import first_failure, stuck_facts, third_failure
from tests.unit.receivers.samples import (
    CASES,
    GROUPS,
    OUTAGE,
    OUTAGE_SINCE,
    RECORDED,
    REF,
    STUCK,
    after_outage,
    appeared,
    finished,
    hostile_events,
    of_version,
    sample_event,
)
from watcher.core.durations.current_run import RunStart
from watcher.core.event import Event, Kind
from watcher.core.incidents.model import account_subject
from watcher.core.messages.groups.group import compose_group
from watcher.core.messages.groups.group_message import GroupMessage
from watcher.core.messages.message import Severity, Style, Symbol
from watcher.core.messages.text import WORD_LIMIT, Code, TextLine, plain_text
from watcher.core.training.catch_up import Outage
from watcher.core.training.comparison import Comparison

RUN = RunStart(started_after=RECORDED - timedelta(minutes=41), started_before=RECORDED - timedelta(minutes=41))


def title(*events: Event) -> str:
    return plain_text(compose_group(events, []).title)


def facts(*events: Event) -> str:
    return "\n".join(plain_text(line) for line in compose_group(events, []).facts)


def rows(*events: Event) -> list[str]:
    sections = compose_group(events, []).sections
    return [plain_text(line) for part in sections for line in (part.heading, *part.rows)]


def failed(version: str, service: str = "shop-main", status: str = "learningFailed") -> Event:
    return of_version(version, service_name=service, service=service, to_status=status, late=False, group=None)


def test_failures_are_counted_by_service() -> None:
    events = [failed("a"), failed("b"), failed("c", "shop-app")]
    assert title(*events) == "3 trainings failed · shop-main 2, shop-app 1"
    assert compose_group(events, []).sign is Symbol.FAILED
    many = [failed(str(number), f"shop-{number}") for number in range(6)]
    assert title(*many).endswith("shop-0 1, shop-1 1, shop-2 1 and 3 more")


def test_one_failure_among_other_changes_is_named() -> None:
    assert title(finished("b"), failed("a")) == "Training failed · shop-main · pop · a · 1 other change"
    assert title(*map(failed, "ab"), *map(finished, "cde")) == "2 trainings failed · 3 other changes"


def test_a_batch_without_failures_counts_its_trainings() -> None:
    changes = [finished("a"), finished("b"), of_version("c", kind=Kind.GONE, to_status=None)]
    assert title(*changes) == "3 trainings changed"
    assert compose_group(changes, []).sign is Symbol.SUMMARY
    assert facts(*changes) == "1 gone, 2 completed"


@pytest.mark.parametrize(
    ("case", "expected"),
    [("group-gone", "3 trainings no longer exist"), ("group-services-gone", "3 services no longer exist")],
)
def test_a_batch_of_things_that_are_gone_says_so_in_its_first_line(case: str, expected: str) -> None:
    events, _ = GROUPS[case]
    assert title(*events) == expected
    assert facts(*events) == "If nobody removed them on purpose, ask NAVER Cloud support"
    assert len(rows(*events)) == 1 + 3


def test_two_changes_of_one_training_are_not_counted_as_two_trainings() -> None:
    twice = [finished("a"), finished("a", seq=3)]
    assert title(*twice) == "2 changes of one training · shop-main · pop · a"
    assert title(*twice, finished("b")) == "3 changes"
    assert title(failed("a"), finished("a", seq=3)).startswith("2 changes of one training")


def test_failures_of_one_word_within_a_minute_have_probably_one_cause() -> None:
    events = [failed("a"), failed("b"), failed("c"), failed("d", status="refinedFailed")]
    assert facts(*events) == ("learningFailed 3, refinedFailed 1 · all within 30 s: probably one cause (a guess)")


@pytest.mark.parametrize(
    "events",
    [
        [failed("a"), failed("b")],
        [failed("a"), failed("b", status="x"), failed("c", status="y")],
        [failed("a"), failed("b"), of_version("c", late=False, after=RECORDED - timedelta(minutes=2))],
    ],
    ids=["two", "three words", "two minutes"],
)
def test_no_cause_is_guessed_without_a_reason(events: list[Event]) -> None:
    assert "cause" not in facts(*events)


def test_failures_come_first_and_rows_stand_below_the_heading_of_their_result() -> None:
    assert rows(
        finished("b", run=RUN),
        appeared("a"),
        failed("c"),
        of_version("d", kind=Kind.BACK, from_status=None, to_status="waiting"),
    ) == [
        "Failed 1",
        "• shop-main · pop · c: learning → learningFailed (2026-11-23 02:19:40 UTC to 2026-11-23 02:20:10 UTC)",
        "Completed 1",
        (
            "• shop-main · pop · b: requesting → completed after 0 s to 40 min 59 s; waiting, learning not seen"
            " (2026-11-22 12:20:11 UTC to 2026-11-23 02:20:10 UTC), late"
        ),
        "New 1",
        "• shop-main · pop · a: new, waiting (2026-11-23 02:19:40 UTC to 2026-11-23 02:20:10 UTC), late",
        "Other 1",
        "• shop-main · pop · d: exists again, waiting (2026-11-23 02:19:40 UTC to 2026-11-23 02:20:10 UTC), late",
    ]


def test_rows_of_failures_stand_below_their_service_without_repeating_it() -> None:
    assert rows(failed("a"), failed("c", "shop-app"), failed("b")) == [
        "shop-main 2",
        "• pop · a: learning → learningFailed",
        "• pop · b: learning → learningFailed",
        "shop-app 1",
        "• pop · c: learning → learningFailed",
    ]


def test_a_row_names_its_place_in_a_row_of_failures_from_the_second_on() -> None:
    events, _ = GROUPS["group-failed-compared"]
    shown = rows(*events)
    assert shown[1] == "• pop · maqll0aaaaa: learning → learningFailed after 2 h 10 min · 3 in a row"
    assert shown[8].endswith(" after 5 min · 2 in a row")
    assert [row.endswith("in a row") for row in shown] == [False, True, *[False] * 6, True]


@pytest.mark.parametrize(
    ("comparisons", "line"),
    [
        ([first_failure(), first_failure()], "For all of them, the run before was good"),
        ([first_failure(), third_failure(), third_failure()], "For 1 of the 3, the run before was good"),
        ([third_failure(), third_failure()], None),
        ([first_failure(), None], None),
        ([None, None], None),
    ],
)
def test_a_batch_of_failures_says_for_how_many_the_run_before_was_good(
    comparisons: list[Comparison | None], line: str | None
) -> None:
    events = [replace(failed(str(number)), comparison=facts) for number, facts in enumerate(comparisons)]
    shown = facts(*events)
    assert "run before" not in shown if line is None else line in shown.splitlines()


def stuck(version: str, **changes: Any) -> Event:
    return of_version(version, **STUCK, late=False, group=None, stuck=stuck_facts(**changes))


def test_a_batch_of_trainings_that_may_be_stuck_says_so_in_its_first_line() -> None:
    events = [stuck("a"), stuck("b")]
    message = compose_group(events, [])
    assert (title(*events), message.sign, message.severity) == (
        "2 trainings may be stuck",
        Symbol.LATE,
        Severity.WARNING,
    )
    assert facts(*events) == "A guess from earlier runs: AiTEMS does not report progress"
    assert rows(*events)[1] == "• shop-main · pop · a: learning for 2 h 40 min"
    assert "guess" not in facts(stuck("a", learned=False), stuck("b"))


def test_a_mixed_batch_counts_what_may_be_stuck_below_the_failures() -> None:
    events = [finished("a", late=False, group=None), stuck("b"), failed("c"), failed("d")]
    assert title(*events) == "2 trainings failed · 2 other changes"
    assert facts(*events) == "1 may be stuck, 1 completed"
    assert [row for row in rows(*events) if not row.startswith("•")] == ["Failed 2", "May be stuck 1", "Completed 1"]


def test_what_continues_is_in_progress_and_what_was_fast_says_so() -> None:
    events, _ = GROUPS["group-compared"]
    shown = rows(*events)
    assert shown[shown.index("In progress 1") + 1].endswith(": waiting → learning")
    assert shown[-1].endswith(": completed (unusually fast) after 12 min")


def test_an_event_that_was_sent_separately_says_that_it_may_be_stuck() -> None:
    message = compose_group([finished("a"), finished("b")], [stuck("c")])
    assert plain_text(message.sent_separately(8)).endswith("c learning (may be stuck)")


def test_a_mark_that_every_event_has_stands_in_the_message_alone() -> None:
    message = compose_group([finished("a"), finished("b", confirmed=False)], [])
    assert [entry.marks for entry in message.entries] == [(), ("unconfirmed",)]
    marks = "\n".join(plain_text(line) for line in message.marks)
    assert "Late: AiTEMS could not be polled" in marks
    assert "Unconfirmed: " in marks


def test_the_bounds_of_a_row_are_left_out_where_those_of_the_message_say_the_same() -> None:
    together = compose_group([failed("a"), failed("b")], [])
    assert [entry.bounds for entry in together.entries] == [None, None]
    assert plain_text(together.muted) == "Between 2026-11-23 02:19:40 UTC and 2026-11-23 02:20:10 UTC"
    apart = compose_group([failed("a"), finished("b")], [])
    assert None not in [entry.bounds for entry in apart.entries]
    assert plain_text(apart.muted).startswith("Between 2026-11-22 12:20:11 UTC and 2026-11-23 02:20:10 UTC")


def test_bounds_are_rounded_outwards_so_that_they_stay_true() -> None:
    odd = timedelta(microseconds=1)
    event = of_version("a", after=RECORDED - timedelta(hours=1) - odd, before=RECORDED + odd)
    bounds = compose_group([event, finished("b")], []).entries[0].bounds
    assert bounds == (RECORDED - timedelta(hours=1, seconds=1), RECORDED + timedelta(seconds=1))


def test_the_highest_severity_is_that_of_the_message() -> None:
    assert compose_group([finished("a"), finished("b")], []).severity is Severity.OK
    assert compose_group([finished("a"), CASES["gone"]], []).severity is Severity.WARNING
    assert compose_group([sample_event(), finished("a")], []).severity is Severity.ERROR


def test_an_event_that_was_sent_separately_is_named_with_its_status() -> None:
    events, also = GROUPS["group-late"]
    named = plain_text(compose_group(events, also).sent_separately(8))
    assert named == (
        "Sent separately: shop-main · pop · maqll0fffff learningFailed; shop-main · pop · maqll0ggggg refinedFailed"
    )


def test_many_separate_events_are_counted() -> None:
    message = compose_group([finished("a"), finished("b")], [of_version(f"v{number}") for number in range(100)])
    assert plain_text(message.sent_separately(2)).endswith("v1 learningFailed and 98 more")
    assert plain_text(message.sent_separately(0)) == "100 more sent separately"
    assert compose_group([finished("a"), finished("b")], []).sent_separately(8) == ()


def test_a_catch_up_after_an_outage_names_its_incident() -> None:
    assert plain_text(compose_group([finished("a"), finished("b")], []).muted) == OUTAGE[:12]
    earlier = finished("b", after=RECORDED - timedelta(hours=15))
    assert plain_text(compose_group([finished("a"), earlier], []).muted).endswith(f" · {OUTAGE[:12]}")
    after_the_start = [finished(version, group="start 2026-11-23T02:20:11.000000Z") for version in "ab"]
    assert "start" not in plain_text(compose_group(after_the_start, []).muted)


def after(outage: Outage, *versions: str, **changes: Any) -> list[Event]:
    return [after_outage(version, outage=outage, **changes) for version in versions]


OF_ACCOUNT = Outage(account_subject(REF.account), OUTAGE_SINCE)
OF_SERVICE = Outage(REF.service_ref.subject, OUTAGE_SINCE)
OF_TRAINING = Outage(REF.watch_subject, OUTAGE_SINCE)


@pytest.mark.parametrize(
    ("outage", "subject"),
    [
        (OF_ACCOUNT, "account main"),
        (OF_SERVICE, "service shop-main"),
        (OF_TRAINING, "shop-main · pop · a"),
    ],
)
def test_changes_after_an_outage_say_in_the_first_line_whose_outage_it_was(outage: Outage, subject: str) -> None:
    events = after(outage, "a", "b")
    assert title(*events) == (
        f"Changes during the outage of {subject} (2026-11-22 21:51:11 UTC to 2026-11-23 02:20:10 UTC)"
    )
    assert facts(*events) == "2 completed"
    assert compose_group(events, []).marks == ()
    assert plain_text(compose_group(events, []).muted) == f"Exact times are not known · {OUTAGE[:12]}"


def test_the_outage_of_a_service_names_the_account_where_there_are_several() -> None:
    message = compose_group(after(OF_SERVICE, "a", "b"), [], Style(several_accounts=True))
    assert "outage of service main/shop-main (" in plain_text(message.title)


def test_after_an_outage_only_bounds_that_differ_from_its_own_are_repeated() -> None:
    early = after_outage("b", after=OUTAGE_SINCE - timedelta(minutes=9))
    shown = rows(after_outage("a"), early)
    assert shown[1:] == [
        "• shop-main · pop · a: requesting → completed; waiting, learning not seen",
        (
            "• shop-main · pop · b: requesting → completed; waiting, learning not seen"
            " (2026-11-22 21:42:11 UTC to 2026-11-23 02:20:10 UTC)"
        ),
    ]
    alike = compose_group(after(OF_ACCOUNT, "a", "b", after=OUTAGE_SINCE - timedelta(minutes=9)), [])
    assert plain_text(alike.muted).startswith("Between 2026-11-22 21:42:11 UTC and 2026-11-23 02:20:10 UTC")


def test_trainings_that_are_gone_after_an_outage_say_so_in_their_rows() -> None:
    gone = after(OF_ACCOUNT, "a", "b", kind=Kind.GONE, to_status=None, skipped=())
    assert title(*gone).startswith("Changes during the outage of account main (")
    assert facts(*gone) == "2 gone\nIf nobody removed them on purpose, ask NAVER Cloud support"
    assert all(row.endswith("requesting, no longer exists") for row in rows(*gone)[1:])


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (after(OF_ACCOUNT, "a") + after(OF_SERVICE, "b"), "2 trainings changed"),
        ([*after(OF_ACCOUNT, "a"), finished("b")], "2 trainings changed"),
        ([finished(version, group="start 2026-11-23T02:20:11.000000Z") for version in "ab"], "2 trainings changed"),
        ([finished(version, restored=True, group="start x") for version in "ab"], "2 trainings changed"),
        (
            [*after(OF_ACCOUNT, "a", "b"), of_version("c", outage=OF_ACCOUNT)],
            "Training failed · shop-main · pop · c · 2 other changes",
        ),
    ],
    ids=["two outages", "an older store", "a start", "a restore", "a failure among them"],
)
def test_other_groups_keep_their_own_first_line(events: list[Event], expected: str) -> None:
    assert title(*events) == expected
    assert any("Late: " in plain_text(line) for line in compose_group(events, []).marks)


def test_a_clock_that_was_set_back_does_not_swap_the_bounds_of_an_outage() -> None:
    events = after(Outage(account_subject(REF.account), RECORDED + timedelta(hours=1)), "a", "b")
    assert title(*events).endswith("(2026-11-23 02:20:10 UTC to 2026-11-23 02:20:10 UTC)")


def test_several_accounts_are_distinguished() -> None:
    events = [failed("a"), failed("b")]
    assert plain_text(compose_group(events, [], Style(several_accounts=True)).title).endswith("main/shop-main 2")


@pytest.mark.parametrize("case", sorted(CASES))
def test_every_kind_of_event_has_a_row_in_a_group(case: str) -> None:
    message = compose_group([CASES[case], finished("b")], [CASES[case]])
    text = "\n".join(plain_text(row) for part in message.sections for row in part.rows)
    assert text.count("•") == 2
    assert "(none)" not in text + plain_text(message.sent_separately(1))


def pieces(message: GroupMessage) -> list[object]:
    every: list[TextLine] = [message.title, message.muted, message.sent_separately(8), *message.facts, *message.marks]
    every += [line for part in message.sections for line in (part.heading, *part.rows)]
    return [piece for line in every for piece in line]


@settings(deadline=None, max_examples=25)
@given(events=st.lists(hostile_events, min_size=2, max_size=5), also=st.lists(hostile_events, max_size=3))
def test_text_from_outside_stays_in_short_clean_code_pieces(events: list[Event], also: list[Event]) -> None:
    message = compose_group(events, also)
    assert sum(len(part.rows) for part in message.sections) == len(message.entries) == len(events)
    for piece in pieces(message):
        text = piece.text if isinstance(piece, Code) else ""
        assert len(text) <= WORD_LIMIT
        assert all(unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"} for character in text)
        assert not isinstance(piece, Code) or text


@pytest.mark.parametrize(
    ("shift_seconds", "line"),
    [
        (0, "Late: the watcher did not poll from 2026-11-23 02:19:40 UTC to 2026-11-23 02:20:10 UTC"),
        (20, "Late: the watcher did not poll from 2026-11-23 02:19:40 UTC to 2026-11-23 02:19:50 UTC"),
        (300, "Late: the watcher did not poll for part of that time"),
    ],
)
def test_late_events_name_only_a_time_in_which_none_of_them_was_polled(shift_seconds: int, line: str) -> None:
    first = sample_event(late=True)
    shift = timedelta(seconds=shift_seconds)
    second = sample_event(late=True, seq=5, after=first.after - shift, before=first.before - shift)
    assert line in map(plain_text, compose_group([first, second], ()).marks)

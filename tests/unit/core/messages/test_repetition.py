"""No message says a thing twice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.event_facts import incident_of
from tests.unit.receivers.samples import CASES, GROUPS, RECORDED, of_version, sample_event, sample_service_event
from watcher.core.delivery.reason import Context, Reason, ReasonCode, RefusalRemedy, in_context
from watcher.core.event import Event, Kind
from watcher.core.messages.groups.group import compose_group
from watcher.core.messages.message import PLAIN_STYLE, Message, Style
from watcher.core.messages.published import published_event
from watcher.core.messages.text import Code, TextLine, plain_text
from watcher.core.messages.training import compose

STYLES = {"without the host": PLAIN_STYLE, "with the host": Style(host="watcher-1", several_accounts=True)}
every_style = pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
PAIR = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC) (?:to|and) (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC)")


def lines_of(message: Message) -> list[str]:
    lines = [message.title, *message.facts, *message.rows, *message.remedy, *message.marks, message.muted]
    return [plain_text(line) for line in lines]


def group_lines(events: Sequence[Event], also: Sequence[Event] = ()) -> list[str]:
    message = compose_group(events, also)
    rows = [row for part in message.sections for row in part.rows]
    return [plain_text(line) for line in (message.title, *message.facts, *rows, *message.marks, message.muted)]


def parts_of(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield from (part.strip().lower() for part in re.split(r" · |; ", line))


def own_words(line: TextLine) -> set[str]:
    return {word for piece in line if isinstance(piece, str) for word in re.findall(r"\w{4,}", piece.lower())}


@every_style
@pytest.mark.parametrize("case", sorted(CASES))
def test_no_message_has_a_sentence_or_two_bounds_twice(case: str, style: Style) -> None:
    message = compose(CASES[case], style)
    lines = lines_of(replace(message, rows=message.rows[:1]))
    assert [part for part, count in Counter(parts_of(lines)).items() if count > 1] == []
    assert [pair for pair, count in Counter(PAIR.findall("\n".join(lines))).items() if count > 1] == []


@every_style
@pytest.mark.parametrize("case", sorted(CASES))
def test_the_subject_repeats_no_word_of_the_headline(case: str, style: Style) -> None:
    message = compose(CASES[case], style)
    assert own_words((message.headline,)) & own_words(message.subject) == set()


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_no_message_about_several_events_has_two_bounds_twice(name: str) -> None:
    events, also = GROUPS[name]
    lines = group_lines(events, also)
    outside_rows = [line for line in lines if not line.startswith("•")]
    assert [pair for pair, count in Counter(PAIR.findall("\n".join(outside_rows))).items() if count > 1] == []
    assert [pair for pair in PAIR.findall("\n".join(lines)) if pair[0] == pair[1]] == []


def failing(reason: Reason, answer: str) -> Event:
    event = CASES["receiver-failing"]
    assert event.receiver is not None
    return replace(event, receiver=replace(event.receiver, reason=reason, answer=answer))


REFUSED = Reason(code=ReasonCode.NAMED_REFUSED, name="invalid_auth", remedy=RefusalRemedy.NEW_TOKEN)


@pytest.mark.parametrize(
    ("reason", "answer"),
    [
        (REFUSED, '200 {"ok":false,"error":"invalid_auth"}'),
        (Reason(code=ReasonCode.HTTP_NAMED, status=500, name="oops"), "500 oops"),
        (Reason(code=ReasonCode.HTTP, status=503), "503 "),
        (Reason(code=ReasonCode.PROXY_REFUSED, cause="proxy-kind", detail="SOCKS proxies"), "SOCKS proxies"),
    ],
)
def test_an_answer_that_repeats_the_reason_is_left_out(reason: Reason, answer: str) -> None:
    assert "Answer:" not in "\n".join(lines_of(compose(failing(reason, answer))))


@pytest.mark.parametrize(
    ("reason", "answer"),
    [
        (Reason(code=ReasonCode.HTTP, status=503), "503 upstream connect error"),
        (REFUSED, '200 {"ok":false,"error":"invalid_auth","warning":"token expired"}'),
        (Reason(code=ReasonCode.NOT_SENT, cause="dns"), "no such host hooks.example"),
    ],
)
def test_an_answer_that_says_more_than_the_reason_is_shown(reason: Reason, answer: str) -> None:
    assert f"Answer: {answer}" in lines_of(compose(failing(reason, answer)))


@pytest.mark.parametrize(
    ("reason", "cause", "remedy"),
    [
        (REFUSED, "invalid_auth since", "Make a new bot token (app settings, OAuth & Permissions)"),
        (Reason(code=ReasonCode.REDIRECTED, status=301), "http 301 since", "Redirects are not followed"),
        (
            Reason(code=ReasonCode.SCOPE_MISSING, name="missing_scope", detail="chat:write"),
            "missing_scope since",
            "Give the app the scope chat:write",
        ),
        (
            Reason(code=ReasonCode.ADDRESS_REFUSED, cause="address", detail="link-local"),
            "not sent: address since",
            "Set url to another host",
        ),
        (Reason(code=ReasonCode.SECRET_UNUSABLE, detail="no file"), "a secret cannot be", "Repair the cause"),
    ],
)
def test_a_failing_receiver_has_its_cause_and_its_remedy_each_in_one_line(
    reason: Reason, cause: str, remedy: str
) -> None:
    lines = lines_of(compose(failing(reason, "")))
    assert lines[1].startswith(cause)
    assert lines[2].startswith(remedy)
    assert lines[2].endswith("then run aitems-watcher reload; after a change of env or credential, restart")


def test_a_dead_letter_says_once_that_it_expired() -> None:
    text = "\n".join(lines_of(compose(CASES["undelivered"])))
    assert text.lower().count("expired") == 1
    assert "Unarchive the channel, or make a webhook for another one; to send it again: aitems-watcher" in text
    many = "\n".join(lines_of(compose(CASES["undelivered-storm"])))
    assert "to send them again: aitems-watcher" in many


@pytest.mark.parametrize(
    "reason",
    [
        REFUSED,
        Reason(code=ReasonCode.HTTP_REFUSED, status=404, remedy=RefusalRemedy.CHECK_URL),
        Reason(code=ReasonCode.HTML_PAGE, status=200),
        in_context(Context.LOOKUP_FAILED, Reason(code=ReasonCode.SCOPE_MISSING, name="missing_scope", detail="x:read")),
        Reason(code=ReasonCode.REQUEST_INVALID, cause="invalid"),
        Reason(code=ReasonCode.ADDRESS_REFUSED, cause="address", detail="link-local"),
        Reason(code=ReasonCode.REDIRECTED, status=308),
    ],
)
def test_a_recovery_of_a_receiver_names_the_cause_without_its_remedy(reason: Reason) -> None:
    event = CASES["receiver-recovered"]
    assert event.receiver is not None
    event = replace(event, receiver=replace(event.receiver, reason=reason))
    published = published_event(event)["receiver"]
    assert isinstance(published, dict)
    for text in ("\n".join(lines_of(compose(event))), str(published["reason"])):
        assert not re.search(r"make a|check |set |give |follow", text)
    assert published["remedy"] == ""


@pytest.mark.parametrize("case", ["account-recovered", "services-recovered", "training-found", "store-recovered"])
def test_an_incident_that_is_over_has_no_advice_in_the_webhook(case: str) -> None:
    published = published_event(CASES[case])["incident"]
    assert isinstance(published, dict)
    assert published["advice"] == ""


def test_an_incident_that_goes_on_has_its_advice_in_the_webhook() -> None:
    published = published_event(CASES["account-unreachable"])["incident"]
    assert isinstance(published, dict)
    assert published["advice"]


def test_a_removed_store_is_named_once() -> None:
    event = CASES["store-failing"]
    facts = replace(incident_of(event), cause="store-removed", detail="the file is gone")
    assert "the file is gone" not in "\n".join(lines_of(compose(replace(event, incident=facts))))


@pytest.mark.parametrize(
    ("events", "rows"),
    [
        ([sample_service_event(Kind.GONE, service) for service in ("s1", "s2")], ["• s1", "• s2"]),
        (
            [of_version(f"v{n}", kind=Kind.GONE, to_status=None, reason="not-listed") for n in (1, 2)],
            ["• shop-main · pop · v1: last status learning", "• shop-main · pop · v2: last status learning"],
        ),
        (
            [
                sample_service_event(Kind.GONE, "s1"),
                of_version("v1", kind=Kind.GONE, to_status=None, late=False, after=RECORDED - timedelta(minutes=5)),
            ],
            ["• s1: Service no longer exists", "• shop-main · pop · v1: learning, no longer exists"],
        ),
    ],
)
def test_rows_repeat_a_headline_about_absence_only_where_it_does_not_say_so(
    events: list[Event], rows: list[str]
) -> None:
    message = compose_group(events, [])
    assert [plain_text(row).partition(" (")[0] for part in message.sections for row in part.rows] == rows


def test_a_late_message_names_its_bounds_once_and_an_event_of_one_time_names_it_once() -> None:
    late = "\n".join(lines_of(compose(sample_event(late=True))))
    assert "between" not in late.lower()
    assert "Late: the watcher did not poll from" in late
    at = sample_event(after=RECORDED, before=RECORDED)
    assert "At 2026-11-23 02:20:11 UTC ·" in plain_text(compose(at).muted).replace("created", "") or (
        "at 2026-11-23 02:20:11 UTC ·" in plain_text(compose(at).muted)
    )
    assert Code(at.short_id) in compose(at).muted

"""Slack's messages as JSON: agreed renderings, limits, and hostile texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.receivers.samples import (
    CASES,
    GROUPS,
    HOSTILE,
    RECORDED,
    finished,
    golden,
    hostile_events,
    of_version,
    sample_event,
)
from tests.unit.receivers.slack import slack_rules
from watcher.core.delivery.model import DeliveryRequest
from watcher.core.durations.current_run import RunStart
from watcher.core.event import Event, Kind
from watcher.core.routing.routes import MENTIONS_MAX, Group
from watcher.receivers.slack.blocks import payload
from watcher.receivers.slack.group import EVENTS_MAX, TABLE_FROM
from watcher.receivers.slack.layout import PREVIEW_LIMIT, TEXT_LIMIT
from watcher.receivers.slack.webhook import render


def request(
    *events: Event, degrade: int = 0, may_be_repeat: bool = False, also: tuple[Event, ...] = ()
) -> DeliveryRequest:
    return DeliveryRequest(
        delivery_id="msg_1", events=events, also=also, body=None, degrade=degrade, may_be_repeat=may_be_repeat
    )


def shown(body: Mapping[str, object]) -> str:
    """Return the texts that Slack shows: the blocks, or the text where there are none."""
    return "\n".join(slack_rules.texts(body.get("blocks", [])) or [str(body["text"])])


@pytest.mark.parametrize("degrade", [0, 1, 2])
@pytest.mark.parametrize("case", sorted(CASES))
def test_each_kind_of_event_is_rendered_as_agreed(case: str, degrade: int) -> None:
    body = json.loads(render(request(CASES[case], degrade=degrade)))
    assert slack_rules.faults(body) == []
    text = json.dumps(body, ensure_ascii=False, indent=2) + "\n"
    assert text == golden(f"{case}.slack{degrade}.json", text)


@pytest.mark.parametrize("degrade", [0, 1, 2])
@pytest.mark.parametrize("name", sorted(GROUPS))
def test_a_group_is_rendered_as_agreed(name: str, degrade: int) -> None:
    events, also = GROUPS[name]
    body = json.loads(render(request(*events, also=tuple(also), degrade=degrade)))
    assert slack_rules.faults(body) == []
    text = json.dumps(body, ensure_ascii=False, indent=2) + "\n"
    assert text == golden(f"{name}.slack{degrade}.json", text)


def test_a_possible_repeat_is_rendered_as_agreed() -> None:
    body = json.loads(render(request(sample_event(), may_be_repeat=True)))
    text = json.dumps(body, ensure_ascii=False, indent=2) + "\n"
    assert text == golden("repeat.slack0.json", text)


@settings(deadline=None)
@given(event=hostile_events, degrade=st.integers(0, 2), may_be_repeat=st.booleans())
def test_hostile_texts_keep_the_limits_and_mention_nobody(event: Event, degrade: int, *, may_be_repeat: bool) -> None:
    body = json.loads(render(request(event, degrade=degrade, may_be_repeat=may_be_repeat)))
    assert slack_rules.faults(body) == []
    assert ("May be a repeat" in body["text"]) is may_be_repeat


@settings(deadline=None, max_examples=30)
@given(
    events=st.lists(hostile_events, min_size=2, max_size=4),
    repeated=st.integers(1, 30),
    also=st.lists(hostile_events, max_size=12),
    degrade=st.integers(0, 2),
)
def test_groups_of_hostile_events_keep_the_limits(
    events: list[Event], repeated: int, also: list[Event], degrade: int
) -> None:
    body = json.loads(render(request(*(events * repeated), also=tuple(also), degrade=degrade, may_be_repeat=True)))
    assert slack_rules.faults(body) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_in_every_field_keeps_the_limits(text: str) -> None:
    event = sample_event(
        account=text,
        service=text,
        service_name=text or None,
        training_type=text,
        version=text,
        from_status=text,
        to_status=text,
        skipped=(text,) * 20,
        late=True,
        confirmed=False,
        new=True,
        labels={f"{text}{n}": text for n in range(20)},
        record={"description": text, "createdDate": text, "inference": text, "hpConfig": {"is_enabled": text}},
    )
    for degrade in (0, 1, 2):
        body = json.loads(render(request(event, degrade=degrade, may_be_repeat=True)))
        assert slack_rules.faults(body) == []


def test_a_mention_from_outside_is_only_text() -> None:
    event = sample_event(kind=Kind.APPEARED, record={"description": "<!channel> & <@U1>"})
    body = render(request(event)).decode()
    assert "&lt;!channel&gt; &amp; &lt;@U1&gt;" in body
    assert "&amp;lt;" not in body
    assert "<!channel" not in body


def test_each_step_of_simplifying_is_smaller_and_names_the_change() -> None:
    bodies = [payload([sample_event()], degrade, may_be_repeat=False) for degrade in (0, 1, 2)]
    sizes = [len(json.dumps(body)) for body in bodies]
    assert sizes == sorted(sizes, reverse=True)
    assert "blocks" not in bodies[2]
    for body in bodies:
        assert "Training failed · shop-main · pop · maqll0abcde" in str(body["text"]).replace("`", "")


@pytest.mark.parametrize("degrade", [0, 1, 2])
def test_a_possible_repeat_says_so_in_text_and_blocks(degrade: int) -> None:
    event = sample_event()
    first = payload([event], degrade, may_be_repeat=False)
    again = payload([event], degrade, may_be_repeat=True)
    assert "May be a repeat" not in json.dumps(first)
    assert f"`{event.short_id}`" in json.dumps(again)
    for part in ("text", "blocks") if degrade < 2 else ("text",):
        assert "May be a repeat" in json.dumps(again[part])


def test_links_are_never_unfurled_and_plain_words_never_become_links() -> None:
    body = payload([sample_event()], 0, may_be_repeat=False)
    assert (body["unfurl_links"], body["unfurl_media"]) == (False, False)
    assert json.dumps(body["blocks"]).count('"type": "mrkdwn"') == json.dumps(body["blocks"]).count('"verbatim": true')


LONGEST = "".join(chr(0xAC00 + number) for number in range(100))
"""The longest text that is shown as an id."""


def many(count: int, name: str = "completed", **changes: Any) -> list[Event]:
    """Return events of so many trainings of one service, found together after an outage."""
    usual = {"service_name": name, "training_type": name, "to_status": name, "confirmed": False}
    return [finished(f"{number:02}{name}", seq=number, **(usual | changes)) for number in range(1, count + 1)]


@pytest.mark.parametrize("degrade", [0, 1, 2])
@pytest.mark.parametrize("name", ["completed", LONGEST, "&" * 200, "`" * 200], ids=["usual", "long", "&", "`"])
@pytest.mark.parametrize("also", [0, 100])
@pytest.mark.parametrize("count", [7, 40])
def test_every_event_of_a_group_is_listed_for_any_length_of_names(
    degrade: int, name: str, also: int, count: int
) -> None:
    alone = tuple(finished(name, service_name=name) for _ in range(also))
    body = payload(many(count, name), degrade, may_be_repeat=True, also=alone)
    assert slack_rules.faults(body) == []
    assert len(str(body["text"])) <= (TEXT_LIMIT if degrade == 2 else PREVIEW_LIMIT)
    text = shown(body)
    assert [number for number in range(1, count + 1) if f"{number:02}" not in text] == []
    assert "late" in text.lower()
    assert "sent separately" in text.lower() if also else "separately" not in text


@pytest.mark.parametrize("degrade", [0, 1, 2])
def test_ordinary_events_are_listed_completely_and_in_order(degrade: int) -> None:
    events, also = GROUPS["group-full"]
    text = shown(payload(events, degrade, may_be_repeat=True, also=also))
    places = [text.index(str(event.version)) for event in events]
    assert places == sorted(places)
    if degrade:
        assert text.count("`requesting` → `completed`; `waiting`, `learning` not seen") == 20
    assert text.count("12:20:11") >= 1
    assert text.count("02:20:10") >= 1


def test_a_long_list_is_a_table_then_sections_then_text() -> None:
    types = []
    for degrade in (0, 1, 2):
        body = payload(many(TABLE_FROM), degrade, may_be_repeat=False)
        types.append([block["type"] for block in body.get("blocks", [])])  # type: ignore[attr-defined]  # JSON
    assert types[0].count("data_table") == 1
    assert "data_table" not in types[1]
    assert types[2] == []
    few = payload(many(TABLE_FROM - 1), 0, may_be_repeat=False)
    assert "data_table" not in json.dumps(few)


def test_the_table_of_a_batch_has_no_empty_column_and_sorts_by_duration() -> None:
    start = RunStart(started_after=RECORDED - timedelta(hours=20), started_before=RECORDED - timedelta(hours=20))
    plain = table_of([of_version(f"v{n}", late=False, group=None) for n in range(9)])
    assert [cell["text"] for cell in plain["rows"][0]] == ["Service", "Type", "Status", "From", "Version"]
    assert plain["caption"] == "9 failed trainings by service"
    timed = table_of([*many(9, to_status="completed", run=start), sample_event()])
    header = [cell["text"] for cell in timed["rows"][0]]
    assert header == ["Status", "Service", "Type", "From", "After", "Between", "Marks", "Version"]
    cells = dict(zip(header, timed["rows"][2], strict=True))
    assert cells["After"] == {"type": "raw_number", "value": 71_999.0, "text": "6 h to 19 h 59 min"}
    assert timed["rows"][1][0]["text"] == "learningFailed"
    assert timed["rows"][1][4] == {"type": "raw_text", "text": "-"}


def test_the_table_of_compared_failures_has_their_usual_time_their_place_and_the_last_good_version() -> None:
    events, _ = GROUPS["group-failed-compared"]
    header, first, *_ = table_of(events)["rows"]
    assert [cell["text"] for cell in header] == [
        *("Service", "Type", "Status", "After", "Usually done in", "In a row", "Last good", "Version"),
    ]
    assert [cell["text"] for cell in first][3:7] == ["2 h 10 min", "48 to 61 min", "3", "2 days ago"]
    assert first[5] == {"type": "raw_number", "value": 3, "text": "3"}


def table_of(events: list[Event]) -> dict[str, Any]:
    blocks: Any = payload(events, 0, may_be_repeat=False)["blocks"]
    (table,) = [block for block in blocks if block["type"] == "data_table"]
    return dict(table)


@pytest.mark.parametrize("degrade", [0, 1, 2])
def test_a_group_above_the_maximum_counts_its_omitted_events(degrade: int) -> None:
    events = [sample_event(seq=number) for number in range(1, EVENTS_MAX + 6)]
    assert "(cut, 5 more)" in shown(payload(events, degrade, may_be_repeat=False))


def test_the_largest_group_fits_into_one_message() -> None:
    assert Group(key="x", patience=timedelta()).largest <= EVENTS_MAX


@pytest.mark.parametrize("degrade", [0, 1, 2])
def test_a_single_event_is_rendered_the_same_with_and_without_other_events(degrade: int) -> None:
    alone = payload([sample_event()], degrade, may_be_repeat=False)
    assert alone == payload([sample_event()], degrade, may_be_repeat=False, also=[sample_event(version="other")])


@pytest.mark.parametrize("degrade", [0, 1, 2])
def test_a_repeated_group_says_so(degrade: int) -> None:
    events, also = GROUPS["group-late"]
    body = payload(events, degrade, may_be_repeat=True, also=also)
    assert "May be a repeat" in shown(body)
    assert "May be a repeat" in str(body["text"])


def test_the_preview_of_a_group_names_the_count_and_what_is_worst() -> None:
    failures = [of_version(f"v{n}", late=False, group=None) for n in range(12)]
    text = str(payload([*many(4), *failures], 0, may_be_repeat=False)["text"])
    assert text.startswith("❌ 12 trainings failed · 4 other changes\n")
    assert str(payload(failures, 0, may_be_repeat=False)["text"]).startswith("❌ 12 trainings failed · shop-main 12\n")


@pytest.mark.parametrize("degrade", [0, 1, 2])
def test_the_text_of_a_batch_has_the_former_status_the_bounds_and_the_mark(degrade: int) -> None:
    body = payload([of_version("a"), finished("b", late=False)], degrade, may_be_repeat=False)
    text = shown(body)
    for part in ("`learning` → `learningFailed`", "`requesting` → `completed`", "02:19:40", "12:20:11", ", late"):
        assert part in text


@pytest.mark.parametrize(
    ("hours", "dates"), [(0, 0), (11, 0), (13, 2), (24 * 30, 2)], ids=["now", "hours", "half a day", "a month"]
)
def test_times_have_a_day_where_the_message_is_sent_much_later(hours: int, dates: int) -> None:
    body = payload([sample_event()], 0, may_be_repeat=False, now=RECORDED + timedelta(hours=hours))
    assert json.dumps(body["blocks"]).count("{date_short_pretty}") == dates


def test_links_lead_to_the_pages_of_the_watch() -> None:
    links = {"console": "https://console.example/a|b?x=1&y=<z>", "runbook": "https://wiki.example/shop-main"}
    event = sample_event(links=links)
    text = json.dumps(payload([event], 0, may_be_repeat=False)["blocks"])
    assert "<https://console.example/a%7Cb?x=1&amp;y=%3Cz%3E|Console>" in text
    assert "<https://wiki.example/shop-main|Runbook>" in text
    for degrade in (0, 1, 2):
        assert slack_rules.faults(payload([event], degrade, may_be_repeat=False)) == []


TEAM = "<!subteam^S0123456789>"


@pytest.mark.parametrize("degrade", [0, 1, 2])
def test_a_mention_is_rendered_as_agreed(degrade: int) -> None:
    body = json.loads(render(replace(request(sample_event(), degrade=degrade), mentions=(TEAM, "<!here>"))))
    text = json.dumps(body, ensure_ascii=False, indent=2) + "\n"
    assert text == golden(f"mention.slack{degrade}.json", text)
    assert slack_rules.faults(body, (TEAM, "<!here>")) == []


@settings(deadline=None, max_examples=30)
@given(
    events=st.lists(hostile_events, min_size=1, max_size=2),
    repeated=st.integers(1, 20),
    degrade=st.integers(0, 2),
    count=st.integers(1, MENTIONS_MAX),
)
def test_mentions_of_the_routes_are_the_only_markup_and_keep_the_limits(
    events: list[Event], repeated: int, degrade: int, count: int
) -> None:
    mentions = tuple(f"<!subteam^S{number:020}>" for number in range(count))
    announced = request(*(events * repeated), degrade=degrade, may_be_repeat=True)
    body = json.loads(render(replace(announced, mentions=mentions)))
    assert slack_rules.faults(body, mentions) == []
    assert shown(body).split("\n")[0].endswith(" ".join(mentions))
    assert str(body["text"]).split("\n")[0].endswith(" ".join(mentions))


@pytest.mark.parametrize(
    ("waited_seconds", "text"),
    [(9, None), (41, "Sent together after up to 41 s"), (7_260, "Sent together after up to 2 h 1 min"), (-5, None)],
)
@pytest.mark.parametrize("degrade", [0, 1, 2])
def test_events_of_one_message_say_how_long_they_waited(waited_seconds: int, text: str | None, degrade: int) -> None:
    events = [of_version(version, late=False) for version in ("v1", "v2", "v3")]
    later = replace(events[2], recorded_at=RECORDED + timedelta(hours=1))
    body = payload([*events[:2], later], degrade, may_be_repeat=False, now=RECORDED + timedelta(seconds=waited_seconds))
    assert (text in shown(body)) if text else ("ogether" not in shown(body))
    if text:
        assert f"{text} · between" in shown(body)
    alone = payload(events[:1], degrade, may_be_repeat=False, now=RECORDED + timedelta(hours=3))
    assert "ogether" not in shown(alone)

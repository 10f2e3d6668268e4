"""Slack's messages as JSON: agreed renderings, limits, and hostile texts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.receivers.samples import CASES, GROUPS, HOSTILE, finished, golden, hostile_events, sample_event
from tests.unit.receivers.slack import slack_rules
from watcher.core.delivery.model import DeliveryRequest
from watcher.core.event import Event
from watcher.core.routing.routes import MENTIONS_MAX, Group
from watcher.receivers.slack.blocks import payload
from watcher.receivers.slack.group import EVENTS_MAX, PREVIEW_LIMIT, TEXT_LIMIT
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
    text = json.dumps(body, ensure_ascii=False, indent=2) + "\n"
    assert text == golden(f"{case}.slack{degrade}.json", text)


@pytest.mark.parametrize("degrade", [0, 1, 2])
@pytest.mark.parametrize("name", sorted(GROUPS))
def test_a_group_is_rendered_as_agreed(name: str, degrade: int) -> None:
    events, also = GROUPS[name]
    body = json.loads(render(request(*events, also=tuple(also), degrade=degrade)))
    text = json.dumps(body, ensure_ascii=False, indent=2) + "\n"
    assert text == golden(f"{name}.slack{degrade}.json", text)


def test_a_possible_repeat_is_rendered_as_agreed() -> None:
    body = json.loads(render(request(sample_event(), may_be_repeat=True)))
    text = json.dumps(body, ensure_ascii=False, indent=2) + "\n"
    assert text == golden("repeat.slack0.json", text)


@settings(deadline=None, max_examples=150)
@given(event=hostile_events, degrade=st.integers(0, 2), may_be_repeat=st.booleans())
def test_hostile_texts_keep_the_limits_and_mention_nobody(event: Event, degrade: int, *, may_be_repeat: bool) -> None:
    body = json.loads(render(request(event, degrade=degrade, may_be_repeat=may_be_repeat)))
    assert slack_rules.faults(body) == []
    assert ("may be a repeat" in body["text"]) is may_be_repeat


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
    body = render(request(sample_event(record={"description": "<!channel> & <@U1>"}))).decode()
    assert "&lt;!channel&gt; &amp; &lt;@U1&gt;" in body
    assert "&amp;lt;" not in body
    assert "<!channel" not in body


def test_each_step_of_simplifying_is_smaller_and_names_the_change() -> None:
    bodies = [payload([sample_event()], degrade, may_be_repeat=False) for degrade in (0, 1, 2)]
    sizes = [len(json.dumps(body)) for body in bodies]
    assert sizes == sorted(sizes, reverse=True)
    assert "blocks" not in bodies[2]
    for body in bodies:
        assert "Training failed: `shop-main` · `pop` · `maqll0abcde`" in str(body["text"])


@pytest.mark.parametrize("degrade", [0, 1, 2])
def test_a_possible_repeat_says_so_in_text_and_blocks_with_the_events_id(degrade: int) -> None:
    event = sample_event()
    first = payload([event], degrade, may_be_repeat=False)
    again = payload([event], degrade, may_be_repeat=True)
    assert "may be a repeat" not in json.dumps(first)
    assert f"`{event.short_id}`" in str(again["text"])
    for part in ("text", "blocks") if degrade < 2 else ("text",):
        assert "may be a repeat" in json.dumps(again[part])


def test_links_are_never_unfurled_and_plain_words_never_become_links() -> None:
    body = payload([sample_event()], 0, may_be_repeat=False)
    assert (body["unfurl_links"], body["unfurl_media"]) == (False, False)
    assert json.dumps(body["blocks"]).count('"type": "mrkdwn"') == json.dumps(body["blocks"]).count('"verbatim": true')


LONGEST = "".join(chr(0xAC00 + number) for number in range(100))
"""The longest text that is shown as an id."""


@pytest.mark.parametrize("degrade", [0, 1, 2])
@pytest.mark.parametrize("name", ["completed", LONGEST, "&" * 200, "`" * 200], ids=["usual", "long", "&", "`"])
@pytest.mark.parametrize("also", [0, 100])
def test_each_of_twenty_events_is_listed_for_any_length_of_names(degrade: int, name: str, also: int) -> None:
    events = [
        finished(
            f"{number:02}{name}",
            seq=number,
            service_name=name,
            training_type=name,
            to_status=name,
            new=True,
            confirmed=False,
        )
        for number in range(1, 21)
    ]
    alone = tuple(finished(name, service_name=name) for _ in range(also))
    body = payload(events, degrade, may_be_repeat=True, also=alone)
    assert slack_rules.faults(body) == []
    assert len(str(body["text"])) <= (TEXT_LIMIT if degrade == 2 else PREVIEW_LIMIT)
    lines = re.findall("^🟢.*(?:\n`.*)?", shown(body), re.MULTILINE)
    assert len(lines) == 20
    for number, line in enumerate(lines, start=1):
        assert f" · `{number:02}" in line
        # Only where every character of a name is escaped to five, the end of a line is cut too.
        assert ("UTC" in line and "late, new, unconfirmed" in line) or (degrade == 2 and "&" in name)
    assert "by themselves" in shown(body) if also else "themselves" not in shown(body)


@pytest.mark.parametrize("degrade", [0, 1, 2])
def test_twenty_ordinary_events_are_listed_completely_and_in_order(degrade: int) -> None:
    events, also = GROUPS["group-full"]
    text = shown(payload(events, degrade, may_be_repeat=True, also=also))
    places = [text.index(f"`{event.version}`") for event in events]
    assert places == sorted(places)
    assert text.count("`requesting` → (`waiting`, `learning`) → `completed`") == 20
    assert text.count("2026-11-22 12:20:11") == 20
    assert text.count("2026-11-23 02:20:10") == 20


@pytest.mark.parametrize("degrade", [0, 1, 2])
def test_a_group_above_the_maximum_counts_its_omitted_events(degrade: int) -> None:
    body = payload([sample_event(seq=number) for number in range(1, 26)], degrade, may_be_repeat=False)
    assert "(cut, 5 more)" in shown(body)


def test_the_largest_group_fits_into_one_message() -> None:
    assert Group(key="x", patience=timedelta()).largest <= EVENTS_MAX


@pytest.mark.parametrize("degrade", [0, 1, 2])
def test_a_single_event_is_rendered_the_same_with_and_without_other_events(degrade: int) -> None:
    alone = payload([sample_event()], degrade, may_be_repeat=False)
    assert alone == payload([sample_event()], degrade, may_be_repeat=False, also=[sample_event(version="other")])


@pytest.mark.parametrize("degrade", [0, 1, 2])
def test_a_repeated_group_says_so_with_the_first_events_id(degrade: int) -> None:
    events, also = GROUPS["group-late"]
    body = payload(events, degrade, may_be_repeat=True, also=also)
    note = f"Events `{events[0].short_id}` and 4 more."
    assert "may be a repeat" in shown(body)
    assert note in shown(body)
    assert note in str(body["text"])


def test_the_preview_of_a_group_names_each_training_and_its_status() -> None:
    events, also = GROUPS["group-full"]
    text = str(payload(events, 0, may_be_repeat=False, also=also)["text"])
    assert all(f"`{event.version}` → `completed`" in text for event in events)


TEAM = "<!subteam^S0123456789>"


@pytest.mark.parametrize("degrade", [0, 1, 2])
def test_a_mention_is_rendered_as_agreed(degrade: int) -> None:
    body = json.loads(render(replace(request(sample_event(), degrade=degrade), mentions=(TEAM, "<!here>"))))
    text = json.dumps(body, ensure_ascii=False, indent=2) + "\n"
    assert text == golden(f"mention.slack{degrade}.json", text)
    assert slack_rules.faults(body, (TEAM, "<!here>")) == []


@settings(deadline=None, max_examples=100)
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
    assert " ".join(mentions) in shown(body).split("\n")

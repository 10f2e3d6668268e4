from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.receivers import slack_rules
from tests.unit.receivers.samples import CASES, HOSTILE, golden, hostile_events, sample_event
from watcher.core.delivery import Parcel
from watcher.core.event import Event
from watcher.receivers.slack_blocks import payload
from watcher.receivers.slack_webhook import render


def parcel(*events: Event, degrade: int = 0, may_be_repeat: bool = False) -> Parcel:
    return Parcel(delivery_id="msg_1", events=events, body=None, degrade=degrade, may_be_repeat=may_be_repeat)


@pytest.mark.parametrize("degrade", [0, 1, 2])
@pytest.mark.parametrize("case", sorted(CASES))
def test_each_kind_of_event_looks_as_it_was_agreed(case: str, degrade: int) -> None:
    body = json.loads(render(parcel(CASES[case], degrade=degrade)))
    text = json.dumps(body, ensure_ascii=False, indent=2) + "\n"
    assert text == golden(f"{case}.slack{degrade}.json", text)


def test_a_possible_repeat_looks_as_it_was_agreed() -> None:
    body = json.loads(render(parcel(sample_event(), may_be_repeat=True)))
    text = json.dumps(body, ensure_ascii=False, indent=2) + "\n"
    assert text == golden("repeat.slack0.json", text)


@settings(deadline=None, max_examples=150)
@given(event=hostile_events, degrade=st.integers(0, 2), may_be_repeat=st.booleans())
def test_whatever_comes_from_outside_limits_hold_and_nothing_pings(
    event: Event, degrade: int, *, may_be_repeat: bool
) -> None:
    body = json.loads(render(parcel(event, degrade=degrade, may_be_repeat=may_be_repeat)))
    assert slack_rules.faults(body) == []
    assert ("may be a repeat" in body["text"]) is may_be_repeat


@settings(deadline=None, max_examples=30)
@given(events=st.lists(hostile_events, min_size=2, max_size=4), repeated=st.integers(1, 30), degrade=st.integers(0, 2))
def test_several_events_keep_to_the_limits_too(events: list[Event], repeated: int, degrade: int) -> None:
    body = json.loads(render(parcel(*(events * repeated), degrade=degrade, may_be_repeat=True)))
    assert slack_rules.faults(body) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_the_worst_text_in_every_place_at_once_keeps_to_the_limits(text: str) -> None:
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
        body = json.loads(render(parcel(event, degrade=degrade, may_be_repeat=True)))
        assert slack_rules.faults(body) == []


def test_a_mention_from_outside_is_shown_and_not_made() -> None:
    body = render(parcel(sample_event(record={"description": "<!channel> & <@U1>"}))).decode()
    assert "&lt;!channel&gt; &amp; &lt;@U1&gt;" in body
    assert "&amp;lt;" not in body
    assert "<!channel" not in body


def test_every_step_of_simplifying_is_simpler_and_says_what_happened() -> None:
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


def test_links_are_never_unfolded_and_bare_words_never_become_links() -> None:
    body = payload([sample_event()], 0, may_be_repeat=False)
    assert (body["unfurl_links"], body["unfurl_media"]) == (False, False)
    assert json.dumps(body["blocks"]).count('"type": "mrkdwn"') == json.dumps(body["blocks"]).count('"verbatim": true')


def test_events_that_do_not_fit_are_counted() -> None:
    body = payload([sample_event()] * 25, 0, may_be_repeat=False)
    assert "*25 events*" in json.dumps(body["blocks"])
    assert "(cut, 5 more)" in json.dumps(body["blocks"])

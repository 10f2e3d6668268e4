"""The console and log receivers."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import TextIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.receivers.samples import CASES, GROUPS, golden, hostile_events, of_version, sample_event
from watcher.clock import Clock
from watcher.core.delivery.model import Delivered, DeliveryRequest, RefusalScope, Refused, Uncertain
from watcher.core.event import Event
from watcher.core.messages.reasons import reason_text
from watcher.http import HttpClient, HttpSettings
from watcher.line_writer import LineWriter
from watcher.receivers import KINDS, Receiver, Spec

CONTROL = {*map(chr, range(32)), "\x7f", *map(chr, range(0x80, 0xA0))} - {"\n"}
BIDI = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


class FullDisk(io.StringIO):
    """A stream on a full disk."""

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def receiver(kind: str, stream: io.TextIOBase) -> Receiver:
    spec = Spec(
        name="out", http=HttpClient(HttpSettings(), Clock()), clock=Clock(), writer=LineWriter(cast("TextIO", stream))
    )
    return KINDS[kind](spec)


def request(target: Receiver, event: Event, *, may_be_repeat: bool = False) -> DeliveryRequest:
    return DeliveryRequest(
        delivery_id="msg_1", events=(event,), body=target.seal(event, 3), may_be_repeat=may_be_repeat
    )


async def shown(event: Event, *, stream: io.StringIO | None = None, may_be_repeat: bool = False) -> str:
    output = stream or io.StringIO()
    console = receiver("console", output)
    assert await console.send(request(console, event, may_be_repeat=may_be_repeat)) == Delivered()
    return output.getvalue()


@pytest.mark.parametrize("case", sorted(CASES))
async def test_the_console_renders_each_kind_of_event_as_agreed(case: str) -> None:
    text = await shown(CASES[case])
    assert text == golden(f"{case}.console.txt", text)


async def shown_together(events: Sequence[Event], also: Sequence[Event] = (), *, may_be_repeat: bool = False) -> str:
    output = io.StringIO()
    together = DeliveryRequest(
        delivery_id="msg_1", events=tuple(events), also=tuple(also), body=None, may_be_repeat=may_be_repeat
    )
    assert await receiver("console", output).send(together) == Delivered()
    return output.getvalue()


@pytest.mark.parametrize("name", sorted(GROUPS))
async def test_the_console_renders_groups_as_agreed(name: str) -> None:
    text = await shown_together(*GROUPS[name])
    assert text == golden(f"{name}.console.txt", text)


async def test_the_console_lists_every_event_of_a_group() -> None:
    text = await shown_together([of_version(f"v{number:03}") for number in range(50)])
    assert [f"v{number:03}" in text for number in range(50)] == [True] * 50


async def test_a_repeated_group_says_so_on_the_console() -> None:
    events, also = GROUPS["group-late"]
    assert "May be a repeat" in await shown_together(events, also, may_be_repeat=True)
    assert "May be a repeat" not in await shown_together(events, also)


async def test_a_single_event_is_shown_the_same_with_and_without_other_events() -> None:
    assert await shown_together([sample_event()], [of_version("other")]) == await shown(sample_event())


async def test_the_log_writes_a_group_as_one_line() -> None:
    events, also = GROUPS["group-late"]
    output = io.StringIO()
    log = receiver("log", output)
    body = log.seal_group([(event, 1) for event in events], also)
    assert (
        await log.send(DeliveryRequest(delivery_id="msg_1", events=tuple(events), also=tuple(also), body=body))
        == Delivered()
    )
    (line,) = output.getvalue().splitlines()
    assert [event["id"] for event in json.loads(line)["data"]["events"]] == [event.id for event in events]


@settings(deadline=None, max_examples=40)
@given(events=st.lists(hostile_events, min_size=2, max_size=5), also=st.lists(hostile_events, max_size=3))
async def test_a_group_of_hostile_events_sends_no_control_characters_to_the_terminal(
    events: list[Event], also: list[Event]
) -> None:
    text = await shown_together(events, also)
    assert not CONTROL & set(text)
    assert not BIDI & set(text)


@settings(deadline=None, max_examples=60)
@given(event=hostile_events)
async def test_a_hostile_event_sends_no_control_characters_to_the_terminal(event: Event) -> None:
    text = await shown(event)
    assert not CONTROL & set(text)
    assert not BIDI & set(text)


async def test_a_terminal_gets_colour_and_a_pipe_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[1;31m" in await shown(sample_event(), stream=Terminal())
    assert "\x1b" not in await shown(sample_event())


async def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[1;31m" not in await shown(sample_event(), stream=Terminal())


async def test_markup_of_the_library_is_shown_literally() -> None:
    text = await shown(sample_event(version="[bold]x[/bold] :smile:"))
    assert "[bold]x[/bold] :smile:" in text


async def test_a_long_line_is_not_broken() -> None:
    assert "y" * 100 in await shown(sample_event(version="y" * 100, service_name="z" * 100))


async def test_a_possible_repeat_says_so_on_the_console() -> None:
    assert "May be a repeat" in await shown(sample_event(), may_be_repeat=True)
    assert "May be a repeat" not in await shown(sample_event())


async def test_a_stream_that_cannot_show_an_emoji_still_shows_the_rest() -> None:
    raw = io.BytesIO()
    console = receiver("console", io.TextIOWrapper(raw, encoding="ascii"))
    assert await console.send(request(console, sample_event())) == Delivered()
    assert b"Training failed" in raw.getvalue()


async def test_the_log_writes_one_line_of_the_published_json() -> None:
    output = io.StringIO()
    log = receiver("log", output)
    event = sample_event(version="new\nline\x1b[31m")
    assert await log.send(request(log, event)) == Delivered()
    assert output.getvalue().endswith("\n")
    assert output.getvalue().count("\n") == 1
    assert "\x1b" not in output.getvalue()
    body = json.loads(output.getvalue())
    assert (body["type"], body["data"]["id"], body["data"]["receiver_seq"]) == ("training.failed", event.id, 3)


async def test_the_log_writes_the_sealed_bytes_at_each_attempt() -> None:
    output = io.StringIO()
    log = receiver("log", output)
    sealed = request(log, sample_event())
    await log.send(sealed)
    await log.send(sealed)
    first, second = output.getvalue().splitlines()
    assert first == second


async def test_the_log_refuses_only_a_message_without_sealed_bytes() -> None:
    log = receiver("log", io.StringIO())
    outcome = await log.send(DeliveryRequest(delivery_id="msg_1", events=(sample_event(),), body=None))
    assert isinstance(outcome, Refused)
    assert outcome.scope is RefusalScope.MESSAGE


@pytest.mark.parametrize("kind", ["log", "console"])
async def test_a_failing_stream_makes_the_attempt_uncertain(kind: str) -> None:
    target = receiver(kind, FullDisk())
    outcome = await target.send(request(target, sample_event()))
    assert isinstance(outcome, Uncertain)
    assert "No space left" in reason_text(outcome.reason)


@pytest.mark.parametrize("kind", ["log", "console"])
async def test_a_closed_stream_refuses_permanently(kind: str) -> None:
    stream = io.StringIO()
    target = receiver(kind, stream)
    stream.close()
    assert isinstance(await target.send(request(target, sample_event())), Refused)

"""The Slack bot against a local Slack with the limits of the real one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.receivers.raw_server import refusing_url
from tests.support.slack import CHANNEL, TOKEN, Bucket, LocalSlack, SlackFault, in_turn, local_slack
from tests.unit.receivers.samples import CASES, GROUPS, HOSTILE, sample_event
from watcher.clock import Clock
from watcher.core.delivery.lookup import LookupDenied, LookupFailed, LookupResult, MessageFound, MessageNotFound
from watcher.core.delivery.model import Degrade, Delivered, DeliveryRequest, RefusalScope, Refused, TryLater, Uncertain
from watcher.core.event import Event
from watcher.core.messages.reasons import reason_text
from watcher.core.secret import Secret
from watcher.http import HttpClient, HttpSettings
from watcher.receivers import Spec
from watcher.receivers.slack.blocks import MENTION_STEP, METADATA_STEP
from watcher.receivers.slack.bot import SlackReceiver

NO_MENTION = "Without its mention, which Slack refused"


@asynccontextmanager
async def bot(
    url: str, *, token: str = TOKEN, channel: str = CHANNEL, timeout_seconds: float = 30.0
) -> AsyncIterator[SlackReceiver]:
    http = HttpClient(HttpSettings(timeout_seconds=timeout_seconds), Clock())
    spec = Spec(name="ml-ops", http=http, clock=Clock(), secret=lambda: Secret(token), channel=channel, api_url=url)
    yield SlackReceiver(spec)
    await http.aclose()


@asynccontextmanager
async def slack_and_bot(timeout_seconds: float = 30.0, **facts: Any) -> AsyncIterator[tuple[LocalSlack, SlackReceiver]]:
    """Yield a local Slack without a rate limit by default, and a bot in it."""
    slack = LocalSlack(**({"pace": Bucket(1e9, 1.0)} | facts))
    async with local_slack(slack), bot(slack.url, timeout_seconds=timeout_seconds) as receiver:
        yield slack, receiver


def request(*events: Event, number: int = 1, **changes: Any) -> DeliveryRequest:
    usual: dict[str, Any] = {
        "delivery_id": f"msg_{number:052}",
        "events": events or (sample_event(),),
        "body": None,
        "attempted_at": datetime.now(UTC),
    }
    return DeliveryRequest(**(usual | changes))


async def lookup(receiver: SlackReceiver, delivery: DeliveryRequest) -> LookupResult:
    return (await receiver.look_up([delivery]))[delivery.delivery_id]


@pytest.mark.parametrize("degrade", [0, 1, 2, 4, 5, 6])
async def test_slack_accepts_every_kind_of_message_at_every_step(degrade: int) -> None:
    async with slack_and_bot() as (slack, receiver):
        for number, event in enumerate(CASES.values()):
            outcome = await receiver.send(request(event, number=number, degrade=degrade))
            assert isinstance(outcome, Delivered), outcome
            assert outcome.receipt == slack.messages[-1]["ts"]
        for number, (events, also) in enumerate(GROUPS.values()):
            outcome = await receiver.send(request(*events, also=tuple(also), number=100 + number, degrade=degrade))
            assert isinstance(outcome, Delivered), outcome
        assert len(slack.messages) == len(CASES) + len(GROUPS)
        assert all(body["unfurl_links"] is body["unfurl_media"] is body["link_names"] is False for body in slack.bodies)
        assert all(("metadata" in body) is (degrade < METADATA_STEP) for body in slack.bodies)
        assert all(("blocks" in body) is (degrade % METADATA_STEP < 2) for body in slack.bodies)


async def test_the_metadata_contains_only_ids() -> None:
    events = (sample_event(), sample_event(seq=5))
    async with slack_and_bot() as (slack, receiver):
        await receiver.send(request(*events))
    assert slack.messages[0]["metadata"] == {
        "event_type": "aitems_training",
        "event_payload": {"delivery_id": request().delivery_id, "event_ids": f"{events[0].id} {events[1].id}"},
    }


async def test_r28_hostile_text_is_only_text_in_slack() -> None:
    async with slack_and_bot() as (slack, receiver):
        for degrade in (0, 1, 2, METADATA_STEP + 2):
            for text in HOSTILE:
                event = sample_event(version=text, to_status=text, labels={text: text}, record={"description": text})
                outcome = await receiver.send(request(event, degrade=degrade, may_be_repeat=True))
                assert isinstance(outcome, Delivered), (text[:40], outcome)
            group = tuple(sample_event(version=text, service_name=text, to_status=text) for text in HOSTILE[:20])
            assert isinstance(await receiver.send(request(*group, also=group, degrade=degrade)), Delivered)
    assert not slack.refused
    assert not [raw for raw in slack.raw if b"<!channel" in raw or b"<!everyone" in raw]


async def test_mentions_of_the_routes_are_sent_unescaped() -> None:
    async with slack_and_bot() as (slack, receiver):
        outcome = await receiver.send(request(mentions=("<!subteam^S0123456789>",)))
    # The local Slack rejects any markup, so its refusal shows that the mention was sent unescaped.
    assert isinstance(outcome, Degrade)
    assert "<!subteam^S0123456789>" in slack.bodies[0]["text"]


@pytest.mark.parametrize(
    ("fault", "posted"),
    [
        (SlackFault.EARLY_RESET, 0),
        (SlackFault.LATE_RESET, 1),
        (SlackFault.ERROR, 0),
        (SlackFault.LATE_ERROR, 1),
        (SlackFault.HANG, 0),
        (SlackFault.LATE_HANG, 1),
        (SlackFault.PAGE, 0),
        ("fatal_error", 0),
    ],
)
async def test_the_history_shows_whether_an_uncertain_attempt_arrived(fault: str, posted: int) -> None:
    # Only an answer that never comes is waited for.
    timeout_seconds = 1.0 if fault in {SlackFault.HANG, SlackFault.LATE_HANG} else 30.0
    async with slack_and_bot(timeout_seconds, fault=in_turn([fault])) as (slack, receiver):
        uncertain = request()
        assert isinstance(await receiver.send(uncertain), Uncertain)
        assert len(slack.messages) == posted
        found = await lookup(receiver, uncertain)
        if posted:
            assert isinstance(found, MessageFound)
            assert found.receipt == slack.messages[0]["ts"]
        else:
            assert isinstance(found, MessageNotFound)


async def test_one_reading_of_all_pages_answers_for_every_uncertain_message() -> None:
    async with slack_and_bot(fault=in_turn([SlackFault.LATE_RESET] * 5)) as (slack, receiver):
        uncertain = [request(sample_event(seq=number), number=number) for number in range(1, 8)]
        for each in uncertain[:5]:
            assert isinstance(await receiver.send(each), Uncertain)
        for number in range(40):
            slack.say(f"chatter {number}")
        found = await receiver.look_up(uncertain)
        assert [type(found[each.delivery_id]) for each in uncertain] == [MessageFound] * 5 + [MessageNotFound] * 2
        assert slack.calls["conversations.history"] == 3, "45 messages, 15 a page"


async def test_the_history_is_read_from_a_minute_before_the_attempt() -> None:
    async with slack_and_bot() as (slack, receiver):
        old = request()
        await receiver.send(old)
        slack.messages[0]["ts"] = f"{(datetime.now(UTC) - timedelta(seconds=61)).timestamp():.6f}"
        assert isinstance(await lookup(receiver, old), MessageNotFound)
        slack.messages[0]["ts"] = f"{(datetime.now(UTC) - timedelta(seconds=30)).timestamp():.6f}"
        assert isinstance(await lookup(receiver, old), MessageFound)


@pytest.mark.parametrize("behind", [3600.0, -3600.0])
async def test_a_wrong_local_clock_hides_no_message(behind: float) -> None:
    async with slack_and_bot(behind_seconds=behind, fault=in_turn([SlackFault.LATE_RESET])) as (slack, receiver):
        uncertain = request()
        assert isinstance(await receiver.send(uncertain), Uncertain)
        for number in range(20):
            slack.say(f"chatter {number}")
        assert isinstance(await lookup(receiver, uncertain), MessageFound)


async def test_an_attempt_in_the_future_is_found() -> None:
    async with slack_and_bot() as (_, receiver):
        stepped = request(attempted_at=datetime.now(UTC) + timedelta(hours=1))
        await receiver.send(stepped)
        assert isinstance(await lookup(receiver, stepped), MessageFound)


@pytest.mark.parametrize("degrade", [METADATA_STEP, METADATA_STEP + 1, METADATA_STEP + 2])
async def test_a_message_without_metadata_is_recognised_by_its_text(degrade: int) -> None:
    async with slack_and_bot() as (slack, receiver):
        plain = request(degrade=degrade)
        await receiver.send(plain)
        slack.say(f"chatter about {plain.delivery_id} and of {request(number=2).delivery_id}?")
        assert isinstance(await lookup(receiver, plain), MessageFound)
        assert isinstance(await lookup(receiver, request(number=2)), MessageNotFound), (
            "a message of another author does not count"
        )


@pytest.mark.parametrize("name", ["missing_scope", "not_in_channel", "not_allowed_token_type"])
async def test_a_history_that_may_not_be_read_gives_a_remedy(name: str) -> None:
    async with slack_and_bot(history_fault=lambda: name) as (_, receiver):
        found = await lookup(receiver, request())
    assert isinstance(found, LookupDenied)
    assert reason_text(found.reason).startswith(name)


async def test_a_missing_scope_is_named() -> None:
    async with slack_and_bot(scopes=frozenset({"chat:write"})) as (_, receiver):
        found = await lookup(receiver, request())
    assert isinstance(found, LookupDenied)
    assert reason_text(found.reason) == "missing_scope: give the app the scope channels:history, and install it again"


@pytest.mark.parametrize(
    ("fault", "wait"),
    [(SlackFault.THROTTLED, 1.0), (SlackFault.ERROR, None), ("internal_error", None), ("invalid_auth", None)],
)
async def test_a_failed_reading_of_the_history_is_repeated_later(fault: str, wait: float | None) -> None:
    async with slack_and_bot(history_fault=lambda: fault) as (_, receiver):
        found = await lookup(receiver, request())
    assert isinstance(found, LookupFailed)
    assert found.after_seconds == wait


async def test_messages_found_before_the_history_fails_count_as_found() -> None:
    pages = iter([None, SlackFault.ERROR])
    async with slack_and_bot(history_fault=lambda: next(pages)) as (slack, receiver):
        first, second = request(number=1), request(number=2)
        for number in range(20):
            slack.say(f"chatter {number}")
        await receiver.send(first)
        found = await receiver.look_up([first, second])
    assert isinstance(found[first.delivery_id], MessageFound)
    assert isinstance(found[second.delivery_id], LookupFailed)


async def test_refused_content_is_simplified_until_it_is_accepted() -> None:
    def no_blocks(body: dict[str, Any]) -> str | None:
        return "invalid_blocks" if "blocks" in body else "metadata_too_large" if "metadata" in body else None

    async with slack_and_bot(fault=no_blocks) as (slack, receiver):
        attempt = request()
        while isinstance(outcome := await receiver.send(attempt), Degrade):
            attempt = replace(attempt, degrade=attempt.degrade + outcome.steps)
    assert isinstance(outcome, Delivered)
    assert attempt.degrade == METADATA_STEP + 2
    assert "maqll0abcde" in slack.texts[0]


@pytest.mark.parametrize("mention", ["<!channel>", "<!here>", "<!subteam^S0123456789>", "<@U0123456789>"])
@pytest.mark.parametrize("degrade", [0, 2, METADATA_STEP])
async def test_a_refused_mention_is_left_out_and_the_message_says_so(mention: str, degrade: int) -> None:
    def no_mentions(body: dict[str, Any]) -> str | None:
        return "restricted_action" if mention in body["text"] else None

    async with slack_and_bot(fault=no_mentions) as (slack, receiver):
        attempt = request(mentions=(mention,), degrade=degrade)
        while isinstance(outcome := await receiver.send(attempt), Degrade):
            attempt = replace(attempt, degrade=attempt.degrade + outcome.steps)
    assert isinstance(outcome, Delivered)
    assert attempt.degrade == degrade + MENTION_STEP
    body = slack.bodies[-1]
    assert mention not in json.dumps(body)
    assert NO_MENTION in body["text"]
    assert ("blocks" in body) is (NO_MENTION in json.dumps(body.get("blocks", "")))
    assert ("metadata" in body) is (degrade < METADATA_STEP)


async def test_a_channel_that_refuses_the_message_without_its_mention_too_is_refused() -> None:
    async with slack_and_bot(fault=lambda _: "restricted_action") as (_, receiver):
        outcome = await receiver.send(request(mentions=("<!channel>",), degrade=MENTION_STEP))
    assert isinstance(outcome, Refused)
    assert outcome.scope is RefusalScope.RECEIVER


async def test_a_burst_is_rate_limited_with_a_requested_wait() -> None:
    async with slack_and_bot(pace=Bucket(3, 1.0)) as (slack, receiver):
        outcomes = [await receiver.send(request(number=number)) for number in range(5)]
    assert isinstance(outcomes[-1], TryLater)
    assert (outcomes[-1].after_seconds, outcomes[-1].throttled) == (1.0, True)
    assert len(slack.messages) == sum(isinstance(outcome, Delivered) for outcome in outcomes)


async def test_r21_a_wrong_token_is_refused_and_a_rotated_one_is_used() -> None:
    tokens = ["xoxb-0000000000-wrong-and-quite-long-too"]
    slack = LocalSlack()
    http = HttpClient(HttpSettings(timeout_seconds=30.0), Clock())
    async with local_slack(slack):
        spec = Spec(
            name="r",
            http=http,
            clock=Clock(),
            secret=lambda: Secret(tokens[-1]),
            channel=CHANNEL,
            api_url=slack.url,
        )
        receiver = SlackReceiver(spec)
        refused = await receiver.send(request())
        assert isinstance(refused, Refused)
        assert refused.scope is RefusalScope.RECEIVER
        assert reason_text(refused.reason).startswith("invalid_auth: make a new bot token")
        assert tokens[0] not in repr(refused)
        tokens.append(TOKEN)
        assert isinstance(await receiver.send(request()), Delivered)
        tokens.clear()
        assert isinstance(await receiver.send(request(number=2)), Delivered), (
            "the last token is used while its file is being replaced"
        )
    await http.aclose()


async def test_an_answer_that_repeats_the_token_is_stored_without_it() -> None:
    async with slack_and_bot(fault=lambda _: f"no_such_thing {TOKEN}") as (_, receiver):
        outcome = await receiver.send(request())
    assert TOKEN not in repr(outcome)


async def test_a_refused_connection_sends_nothing_and_fails_the_lookup() -> None:
    async with bot(refusing_url()) as receiver:
        assert isinstance(await receiver.send(request()), TryLater)
        assert isinstance(await lookup(receiver, request()), LookupFailed)


async def test_slack_reports_the_permissions_of_a_token() -> None:
    async with slack_and_bot() as (_, receiver):
        access = await receiver.access()
    assert (access.identity, access.refused, access.unreadable) == ("aitems in Tests", None, None)
    assert access.scopes == ("channels:history", "chat:write")


async def test_a_missing_scope_or_a_wrong_token_is_reported() -> None:
    async with slack_and_bot(scopes=frozenset({"chat:write"})) as (slack, receiver):
        access = await receiver.access()
        assert access.unreadable == "missing_scope: give the app the scope channels:history, and install it again"
        slack.token = "xoxb-another"
        access = await receiver.access()
    assert access.refused is not None
    assert access.refused.startswith("auth.test: invalid_auth: ")


async def test_a_missing_channel_is_reported() -> None:
    async with local_slack(LocalSlack()) as slack, bot(slack.url, channel="C0000000009") as receiver:
        access = await receiver.access()
    assert access.refused is not None
    assert access.refused.startswith("conversations.history: channel_not_found: set channel to the channel's id")


def paces(pairs: Sequence[tuple[str, str, str]]) -> list[str]:
    http = HttpClient(HttpSettings(), Clock())

    def made(url: str, token: str, channel: str) -> SlackReceiver:
        return SlackReceiver(
            Spec(name="r", http=http, clock=Clock(), secret=lambda: Secret(token), channel=channel, api_url=url)
        )

    return [made(*pair).pace_key for pair in pairs]


def test_a_pace_key_identifies_one_channel_of_one_bot_and_shows_no_secret() -> None:
    url = "https://slack.com/api/"
    first, same, *others = paces(
        [
            (url, TOKEN, CHANNEL),
            ("https://slack.com/api", TOKEN, CHANNEL),
            (url, TOKEN, "C0000000002"),
            (url, "xoxb-2", CHANNEL),
            ("https://proxy.example/api/", TOKEN, CHANNEL),
        ]
    )
    assert first == same
    assert len({first, *others}) == 4
    assert TOKEN not in first

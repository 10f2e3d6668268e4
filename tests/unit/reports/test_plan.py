"""What a configuration comes to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.reports.facts import plain_screen
from watcher.cli.commands.check import show_plan
from watcher.config import load
from watcher.config.to_core import polls_of
from watcher.reports.plan import PollPlan, plan_of

ACCOUNT = """
[account.main]
access_key = { env = "NCP_ACCESS_KEY" }
secret_key = { env = "NCP_SECRET_KEY" }
requests_per_second = 0.1
"""
SERVICE = """
[[watch]]
service = "6wxgu1abcde"
name = "shop-main"
interval = "10s"
"""
TRAINING = """
[[watch]]
service = "6wxgu1abcde"
type = "pop"
version = "maqll0abcde"
interval = "5s"
"""
SLACK = """
[receiver.ml-ops]
kind = "slack-webhook"
url = { env = "SLACK_WEBHOOK_URL" }
"""
HOOK = """
[receiver.hook]
kind = "webhook"
url = "https://ci.example.com/hooks/as-good-as-a-password"
"""
SIGNED = """
[receiver.signed]
kind = "webhook"
url = { file = "/run/address" }
secret = { env = "HOOK_SECRET" }
"""


BOT = """
[receiver.bot]
kind = "slack"
token = { env = "SLACK_TOKEN" }
channel = "C0123456789"
"""


def plan(*parts: str) -> PollPlan:
    config = load(Path("/etc/aitems-watcher/config.toml"), text="".join(parts))
    return plan_of(config, polls_of(config))


def shown(item: PollPlan) -> str:
    screen, stream = plain_screen()
    show_plan(item, screen)
    return stream.getvalue()


def test_requests_a_minute_are_counted_by_poll_and_compared_with_the_budget() -> None:
    made = plan(ACCOUNT, SERVICE, SLACK)
    (account,) = made.accounts
    assert (account.busy_per_minute, account.idle_per_minute, account.allowed_per_minute) == (6.0, 0.2, 6.0)
    assert made.refusals == []


def test_more_requests_than_the_budget_allows_are_refused_with_what_would_be_enough() -> None:
    (refusal,) = plan(ACCOUNT, SERVICE, TRAINING, SLACK).refusals
    assert refusal == (
        "account main: with everything in progress 0.2 requests a second are needed and 0.1 are allowed; "
        "raise requests_per_second to 0.2, or interval to 10s"
    )


def test_each_advice_of_a_refusal_is_enough() -> None:
    enough = ACCOUNT.replace("= 0.1", "= 0.2")
    assert plan(enough, SERVICE, TRAINING, SLACK).refusals == []
    assert plan(ACCOUNT, SERVICE, TRAINING.replace("5s", "10s"), SLACK).refusals == []


def test_each_watch_is_announced_how_late_a_change_is_seen() -> None:
    (listed,) = plan(ACCOUNT, SERVICE, SLACK).watches
    assert (listed.typical_delay, listed.worst_delay) == ("5s", "30s")
    (viewed,) = plan(ACCOUNT, TRAINING.replace("5s", "20s"), SLACK).watches
    assert (viewed.typical_delay, viewed.worst_delay) == ("10s", "30s")


def test_what_a_list_call_saves_is_said() -> None:
    (whole,) = plan(ACCOUNT, SERVICE, SLACK).watches
    (single,) = plan(ACCOUNT, TRAINING, SLACK).watches
    joined = plan(ACCOUNT, TRAINING, TRAINING.replace("maqll0abcde", "another"), SLACK).watches
    assert whole.saves == "1 list call for all its trainings"
    assert single.saves == ""
    assert [watch.saves for watch in joined] == ["1 list call instead of 2 view calls"] * 2


def test_a_training_of_a_watched_service_is_served_by_the_services_list() -> None:
    watches = plan(ACCOUNT, SERVICE, TRAINING, SLACK).watches
    assert [(item.watch, item.served_by, item.interval) for item in watches] == [
        ("shop-main", "list of 6wxgu1abcde", "5s"),
        ("6wxgu1abcde pop maqll0abcde", "list of 6wxgu1abcde", "5s"),
    ]


def test_a_training_by_itself_is_served_by_a_view() -> None:
    (watch,) = plan(ACCOUNT, TRAINING, SLACK).watches
    assert (watch.served_by, watch.interval, watch.idle_interval) == ("view of 6wxgu1abcde", "5s", "5m")


def test_receivers_are_shown_without_what_is_as_good_as_a_secret() -> None:
    receivers = plan(ACCOUNT, SERVICE, SLACK, HOOK, SIGNED).receivers
    assert [(item.receiver, item.goes_to, item.signed) for item in receivers] == [
        ("ml-ops", "the address in env SLACK_WEBHOOK_URL", None),
        ("hook", "https://ci.example.com/…", False),
        ("signed", "the address in file /run/address", True),
    ]


def test_one_receiver_alone_gives_a_warning() -> None:
    assert plan(ACCOUNT, SERVICE, SLACK).warnings == [
        "receiver ml-ops is the only one: if it fails, nobody is told; add a second, or a [heartbeat]"
    ]
    assert plan(ACCOUNT, SERVICE, SLACK, '[heartbeat]\nurl = "https://beat.example/1"').warnings == []


def test_unsigned_and_unnamed_receivers_give_warnings() -> None:
    route = '[[route]]\nto = ["ml-ops"]\n'
    assert plan(ACCOUNT, SERVICE, SLACK, HOOK, SIGNED, route).warnings == [
        "receiver hook is unsigned: what it gets could come from anybody; give it a secret",
        "receiver hook is named by no route: it is never told",
        "receiver signed is named by no route: it is never told",
    ]


def test_routes_name_the_kinds_that_they_take() -> None:
    routes = '[[route]]\nmatch = { kind = ["failed"] }\nto = []\n[[route]]\nmatch = { kind = "*" }\nto = ["ml-ops"]\n'
    made = plan(ACCOUNT, SERVICE, SLACK, routes)
    assert [(item.route, item.kinds, item.to) for item in made.routes] == [
        (1, ("failed",), ()),
        (2, ("every kind",), ("ml-ops",)),
    ]
    assert "nobody, on purpose" in shown(made)


ROUTE = """
[[route]]
match = { status = ["stopped", "learn*"], labels = { env = "prod" } }
to = ["hook"]
mention = "<!here>"
group_for = "30s"
continue = true

[[route]]
to = ["ml-ops"]
"""


def test_routes_show_what_else_they_ask_for_and_how_they_announce() -> None:
    made = plan(ACCOUNT, SERVICE, SLACK, HOOK, ROUTE)
    first = made.routes[0]
    assert first.only == "status stopped or learn*, labels.env prod"
    assert (first.mention, first.group_for, first.continues) == (("<!here>",), "30s", True)
    text = shown(made)
    for word in ("labels.env prod", "<!here>", "30s", "yes"):
        assert word in text


def test_what_a_route_names_in_vain_gives_warnings() -> None:
    labelled = SERVICE.replace("name =", 'labels = { env = "x" }\nname =')
    assert [line for line in plan(ACCOUNT, SERVICE, SLACK, HOOK, ROUTE).warnings if line.startswith("route")] == [
        "route 1 waits for the status stopped, which AiTEMS' documents do not have",
        "route 1 asks for the label env, which no watch has",
        "route 1 mentions <!here>, and none of its receivers is in Slack",
    ]
    assert not any("label" in line for line in plan(ACCOUNT, labelled, SLACK, HOOK, ROUTE).warnings)


def test_a_route_without_kinds_takes_the_default_ones() -> None:
    (route,) = plan(ACCOUNT, SERVICE, SLACK).routes
    assert {"failed", "succeeded"} <= set(route.kinds)
    assert "progress" not in route.kinds


def test_everything_is_shown_and_no_secret_address_is() -> None:
    text = shown(plan(ACCOUNT, SERVICE, SLACK, HOOK))
    assert text.startswith("configuration is good: /etc/aitems-watcher/config.toml\n")
    for word in ("main", "shop-main", "every 10s", "every 5m", "ml-ops", "slack-webhook", "warning: receiver hook"):
        assert word in text
    assert "password" not in text


def test_json_announces_programs_the_same() -> None:
    document = json.loads(json.dumps(plan(ACCOUNT, SERVICE, SLACK).as_json()))
    assert document["watches"][0]["served_by"] == "list of 6wxgu1abcde"
    assert document["file"] == "/etc/aitems-watcher/config.toml"


@pytest.mark.parametrize(("policy", "webhook"), [("resend", "sent again, says so"), ("hold", "held")])
def test_what_is_done_about_an_attempt_in_doubt_is_said_of_each_receiver(policy: str, webhook: str) -> None:
    delivery = f'[delivery]\non_uncertain = "{policy}"\n'
    receivers = plan(ACCOUNT, SERVICE, SLACK, HOOK, BOT, delivery).receivers
    assert {item.receiver: item.in_doubt for item in receivers} == {
        "ml-ops": webhook,
        "hook": "sent again, same id",
        "bot": "looked up",
    }
    assert receivers[-1].goes_to == "slack.com, channel C0123456789"
    assert "looked up" in shown(plan(ACCOUNT, SERVICE, BOT))

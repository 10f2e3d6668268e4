"""The plan of a configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.reports.facts import plain_screen
from watcher.cli.text.plan import show_plan
from watcher.config import load
from watcher.config.to_core import polls_of
from watcher.reports.plan import PollPlan, plan_of

ACCOUNT = """
[account.main]
access_key = { env = "NCP_ACCESS_KEY" }
secret_key = { env = "NCP_SECRET_KEY" }
requests_per_second = 0.1
"""
ROOMY = ACCOUNT.replace("= 0.1", "= 0.2")
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


def test_requests_per_minute_are_counted_by_poll_and_compared_with_the_budget() -> None:
    made = plan(ACCOUNT, SERVICE, SLACK)
    (account,) = made.accounts
    assert (account.busy_per_minute, account.idle_per_minute, account.allowed_per_minute) == (6.0, 0.2, 6.0)
    assert made.refusals == []


def test_the_calls_about_interval_services_are_counted_and_warned_about_where_they_do_not_fit() -> None:
    made = plan(ACCOUNT, SERVICE, SLACK)
    assert made.accounts[0].updates_per_minute == 0.7
    assert [line for line in made.warnings if "interval services may need 6.7 requests" in line]
    enough = plan(ACCOUNT.replace("= 0.1", "= 0.2"), SERVICE, SLACK)
    assert not any("interval services" in line for line in enough.warnings)
    without = plan(ACCOUNT, SERVICE + "updates = false\n", SLACK)
    assert (without.accounts[0].updates_per_minute, without.refusals) == (0, [])
    assert not any("interval services" in line for line in without.warnings)
    assert plan(ACCOUNT, TRAINING.replace("5s", "10s"), SLACK).accounts[0].updates_per_minute == 0


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", "adds up to 6 requests per minute, and up to 0.7 for updates; 60 are enough for 8 services"),
        ("updates = false\n", "adds up to 6 requests per minute; 60 are enough for 9 services"),
    ],
)
def test_a_pattern_says_what_each_of_its_services_needs(more: str, expected: str) -> None:
    pattern = '[[watch]]\nservice = "6wx*"\ninterval = "10s"\n' + more
    assert [line for line in plan(ACCOUNT.replace("0.1", "1"), pattern, SLACK).warnings if expected in line]
    assert not any("of a pattern" in line for line in plan(ACCOUNT, SERVICE, SLACK).warnings)


def test_a_plan_above_the_budget_is_refused_with_sufficient_settings() -> None:
    (refusal,) = plan(ACCOUNT, SERVICE, TRAINING, SLACK).refusals
    assert refusal == (
        "account main: with everything in progress it needs 0.2 requests per second, and 0.1 are allowed; "
        "raise requests_per_second to 0.2, or interval to 10s"
    )


def test_each_setting_that_a_refusal_advises_is_sufficient() -> None:
    enough = ACCOUNT.replace("= 0.1", "= 0.2")
    assert plan(enough, SERVICE, TRAINING, SLACK).refusals == []
    assert plan(ACCOUNT, SERVICE, TRAINING.replace("5s", "10s"), SLACK).refusals == []


def test_each_watch_has_the_delay_until_a_change_is_detected() -> None:
    (listed,) = plan(ACCOUNT, SERVICE, SLACK).watches
    assert (listed.typical_delay, listed.worst_delay_in_progress, listed.worst_delay) == ("5s", "30s", "5m20s")
    (viewed,) = plan(ACCOUNT, TRAINING.replace("5s", "20s"), SLACK).watches
    assert (viewed.typical_delay, viewed.worst_delay_in_progress, viewed.worst_delay) == ("10s", "30s", "5m10s")
    assert (listed.new_service_delay, viewed.new_service_delay) == ("", "")


def test_a_watch_of_every_service_has_the_delay_of_a_new_one() -> None:
    (watch,) = plan(ACCOUNT, SERVICE.replace("6wxgu1abcde", "*").replace('name = "shop-main"', ""), SLACK).watches
    assert watch.new_service_delay == "5m20s"


def test_the_calls_that_a_list_call_saves_are_named() -> None:
    (whole,) = plan(ACCOUNT, SERVICE, SLACK).watches
    (single,) = plan(ACCOUNT, TRAINING, SLACK).watches
    joined = plan(ACCOUNT, TRAINING, TRAINING.replace("maqll0abcde", "another"), SLACK).watches
    assert whole.saves == "1 list call for all its trainings"
    assert single.saves == ""
    assert [watch.saves for watch in joined] == ["1 list call instead of 2 view calls"] * 2


def test_a_training_of_a_watched_service_is_served_by_the_list_of_the_service() -> None:
    watches = plan(ACCOUNT, SERVICE, TRAINING, SLACK).watches
    assert [(item.watch, item.served_by, item.interval) for item in watches] == [
        ("shop-main", "list of 6wxgu1abcde", "5s"),
        ("6wxgu1abcde pop maqll0abcde", "list of 6wxgu1abcde", "5s"),
    ]


def test_a_single_training_is_served_by_a_view() -> None:
    (watch,) = plan(ACCOUNT, TRAINING, SLACK).watches
    assert (watch.served_by, watch.interval, watch.idle_interval) == ("view of 6wxgu1abcde", "5s", "5m")


def test_receivers_are_shown_without_secrets_and_url_paths() -> None:
    receivers = plan(ACCOUNT, SERVICE, SLACK, HOOK, SIGNED).receivers
    assert [(item.receiver, item.goes_to, item.signed) for item in receivers] == [
        ("ml-ops", "the address in env SLACK_WEBHOOK_URL", None),
        ("hook", "https://ci.example.com/…", False),
        ("signed", "the address in file /run/address", True),
    ]


def test_a_single_receiver_gives_a_warning() -> None:
    assert plan(ROOMY, SERVICE, SLACK).warnings == [
        "receiver ml-ops is the only one: if it fails, nobody is notified; add another, or a [heartbeat]"
    ]
    assert plan(ROOMY, SERVICE, SLACK, '[heartbeat]\nurl = "https://beat.example/1"').warnings == []


def test_unsigned_receivers_and_receivers_without_a_route_give_warnings() -> None:
    route = '[[route]]\nto = ["ml-ops"]\n'
    assert plan(ROOMY, SERVICE, SLACK, HOOK, SIGNED, route).warnings == [
        "receiver hook is unsigned: anybody could forge its messages; give it a secret",
        "receiver hook is in no route: it is never notified",
        "receiver signed is in no route: it is never notified",
    ]


def test_routes_name_the_kinds_that_they_match() -> None:
    routes = '[[route]]\nmatch = { kind = ["failed"] }\nto = []\n[[route]]\nmatch = { kind = "*" }\nto = ["ml-ops"]\n'
    made = plan(ACCOUNT, SERVICE, SLACK, routes)
    assert [(item.route, item.kinds, item.to) for item in made.routes] == [
        (1, ("failed",), ()),
        (2, ("every kind",), ("ml-ops",)),
    ]
    assert "none, on purpose" in shown(made)


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


def test_routes_show_their_other_conditions_mentions_and_groups() -> None:
    made = plan(ACCOUNT, SERVICE, SLACK, HOOK, ROUTE)
    first = made.routes[0]
    assert first.only == "status stopped or learn*, labels.env prod"
    assert (first.mention, first.group_for, first.continues) == (("<!here>",), "30s", True)
    text = shown(made)
    for word in ("labels.env prod", "<!here>", "30s", "yes"):
        assert word in text


def test_conditions_and_mentions_without_effect_give_warnings() -> None:
    labelled = SERVICE.replace("name =", 'labels = { env = "x" }\nname =')
    assert [line for line in plan(ACCOUNT, SERVICE, SLACK, HOOK, ROUTE).warnings if line.startswith("route")] == [
        "route 1 matches the status stopped, which the documents of AiTEMS do not have",
        "route 1 matches the label env, which no watch has",
        "route 1 mentions <!here>, but none of its receivers is in Slack",
    ]
    assert not any("label" in line for line in plan(ACCOUNT, labelled, SLACK, HOOK, ROUTE).warnings)


@pytest.mark.parametrize(
    ("before", "undocumented"),
    [("paused", ["stopped", "paused"]), ("stopped", ["stopped"]), ("learning", ["stopped"]), ("p*", ["stopped"])],
)
def test_an_undocumented_status_before_gives_the_same_warning(before: str, undocumented: list[str]) -> None:
    route = ROUTE.replace('"learn*"],', f'"learn*"], from = "{before}",')
    warnings = [line for line in plan(ACCOUNT, SERVICE, SLACK, HOOK, route).warnings if "matches the status" in line]
    assert [line.split()[5].rstrip(",") for line in warnings] == undocumented


def test_a_route_without_kinds_matches_the_default_kinds() -> None:
    (route,) = plan(ACCOUNT, SERVICE, SLACK).routes
    assert {"failed", "succeeded"} <= set(route.kinds)
    assert "progress" not in route.kinds


def test_the_tables_show_everything_except_secret_addresses() -> None:
    text = shown(plan(ACCOUNT, SERVICE, SLACK, HOOK))
    assert text.startswith("the configuration is valid: /etc/aitems-watcher/config.toml\n")
    for word in ("main", "shop-main", "every 10s", "every 5m", "ml-ops", "slack-webhook", "warning: receiver hook"):
        assert word in text
    assert "password" not in text


def test_json_has_the_same_data_as_the_tables() -> None:
    document = json.loads(json.dumps(plan(ACCOUNT, SERVICE, SLACK).as_json()))
    assert document["watches"][0]["served_by"] == "list of 6wxgu1abcde"
    assert document["file"] == "/etc/aitems-watcher/config.toml"


@pytest.mark.parametrize(("policy", "webhook"), [("resend", "sent again, marked"), ("hold", "held")])
def test_each_receiver_shows_the_action_after_an_uncertain_attempt(policy: str, webhook: str) -> None:
    delivery = f'[delivery]\non_uncertain = "{policy}"\n'
    receivers = plan(ACCOUNT, SERVICE, SLACK, HOOK, BOT, delivery).receivers
    assert {item.receiver: item.after_uncertain for item in receivers} == {
        "ml-ops": webhook,
        "hook": "sent again, same id",
        "bot": "looked up",
    }
    assert receivers[-1].goes_to == "slack.com, channel C0123456789"
    assert "looked up" in shown(plan(ACCOUNT, SERVICE, BOT))

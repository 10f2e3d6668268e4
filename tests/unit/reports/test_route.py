"""The report of ``route``: each route's answer, and the notified receivers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.reports.facts import NOW
from watcher.config import Config, ConfigError, load
from watcher.core.event import INCIDENT_KINDS, Event, Kind
from watcher.core.routing.matcher import Matcher, facts_of
from watcher.core.routing.silence import Silence
from watcher.reports.route import RecipientReport, RouteAnswer, RouteReport, report_on
from watcher.reports.sample_event import STATUSES, SampleRequest, sample_event

TEXT = """
[account.main]
access_key = { env = "NCP_ACCESS_KEY" }
secret_key = { env = "NCP_SECRET_KEY" }

[account.spare]
access_key = { env = "NCP_ACCESS_KEY" }
secret_key = { env = "NCP_SECRET_KEY" }

[[watch]]
account = "main"
service = "6wxgu1abcde"
name = "shop-main"
labels = { env = "prod" }

[[watch]]
account = "main"
service = "6wxgu1abcde"
type = "relatedItem"
version = "v7"
labels = { team = "search" }

[[watch]]
account = "spare"
service = "*"
labels = { env = "test" }

[receiver.ml-ops]
kind = "slack-webhook"
url = { env = "SLACK_WEBHOOK_URL" }

[receiver.console]
kind = "log"

[[route]]
match = { kind = "failed", labels = { env = "prod*" } }
to = ["ml-ops", "console"]
mention = "<!here>"
continue = true

[[route]]
match = { kind = ["succeeded", "restarted"], type = "pop" }
to = []

[[route]]
match = { account = "main", service = "*" }
to = ["console", "ml-ops"]
group_for = "30s"

[[route]]
to = ["console"]
"""


@pytest.fixture(scope="module")
def config() -> Config:
    return load(Path("config.toml"), text=TEXT)


def report(config: Config, **properties: Any) -> RouteReport:
    return report_on(sample_event(SampleRequest(**properties), config, NOW), config)


def invented(config: Config, **properties: Any) -> Event:
    return sample_event(SampleRequest(**properties), config, NOW)


def test_each_route_has_the_reason_for_its_answer(config: Config) -> None:
    failed = report(config)
    assert failed.reason == "route 1, route 3"
    assert [(answer.takes, answer.why) for answer in failed.routes] == [
        (True, "everything matches; the next routes are tried too"),
        (False, "kind is failed, not restarted or succeeded"),
        (True, "everything matches"),
        (False, "not tried: route 3 matched first"),
    ]
    assert [answer.differs for answer in failed.routes] == [None, "kind", None, None]


def test_a_key_that_the_event_lacks_is_named(config: Config) -> None:
    outage = report(config, kind=Kind.UNREACHABLE)
    assert outage.routes[2] == RouteAnswer(
        route=3, takes=False, why="it has no service", differs="service", to=("console", "ml-ops")
    )
    assert [recipient_report.receiver for recipient_report in outage.recipients] == ["console"]


def test_a_label_and_a_kind_outside_the_defaults_are_named(config: Config) -> None:
    spare = report(config, account="spare")
    progress = report(config, kind=Kind.PROGRESS)
    assert spare.routes[0].why == "labels.env is test, not prod*"
    assert progress.routes[3].why == "kind is progress, not one of the default kinds"
    assert (progress.recipients, progress.reason) == ((), "no route matches")


def test_recipients_have_their_route_and_slack_receivers_their_mention(config: Config) -> None:
    assert report(config).recipients == (
        RecipientReport(receiver="ml-ops", kind="slack-webhook", route=1, mention=("<!here>",), group=""),
        RecipientReport(receiver="console", kind="log", route=1, mention=(), group=""),
    )


def test_a_grouped_event_names_its_group_and_the_longest_wait(config: Config) -> None:
    gone = report(config, kind=Kind.GONE)
    assert {recipient_report.group for recipient_report in gone.recipients} == {"route 3, within 30s"}
    digest = report_on(invented(config, kind=Kind.GONE), config, recent=11)
    assert digest.recipients[0].group.startswith("digest ")


def test_an_event_dropped_on_purpose_names_the_route(config: Config) -> None:
    dropped = report(config, status="completed")
    assert (dropped.recipients, dropped.reason) == ((), "route 2: dropped on purpose")


def test_json_has_the_whole_report(config: Config) -> None:
    document = report(config).as_json()
    assert set(document) == {"reason", "routes", "recipients", "silence"}


@pytest.mark.parametrize("kind", list(Kind))
def test_an_invented_event_of_each_kind_has_the_facts_of_that_kind(kind: Kind, config: Config) -> None:
    facts = facts_of(invented(config, kind=kind))
    if kind in INCIDENT_KINDS:
        assert set(facts) == {"account"}
    elif kind is Kind.OVERDUE:
        assert {"account", "service", "type"} <= set(facts)
        assert "version" not in facts
    elif kind in STATUSES:
        assert {"account", "service", "type", "version"} <= set(facts)
    else:
        assert facts == {}


def test_properties_without_a_request_come_from_the_watches(config: Config) -> None:
    first = invented(config)
    assert (first.account, first.service, first.service_name) == ("main", "6wxgu1abcde", "shop-main")
    assert first.labels == {"env": "prod"}
    single = invented(config, type="relatedItem", version="v7", labels={"team": "ads", "x": "y"})
    assert single.labels == {"env": "prod", "team": "ads", "x": "y"}
    found = invented(config, account="spare", service="7yabc2fghij")
    assert (found.service, found.labels) == ("7yabc2fghij", {"env": "test"})
    assert invented(config, account="main", service="unwatched").labels == {}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("completed", Kind.SUCCEEDED),
        ("refinedFailed", Kind.FAILED),
        ("learning", Kind.PROGRESS),
        ("ready", Kind.PROGRESS),
        ("paused", Kind.UNKNOWN_STATUS),
    ],
)
def test_a_status_alone_determines_the_kind(status: str, kind: Kind, config: Config) -> None:
    event = invented(config, status=status)
    assert (event.kind, event.to_status) == (kind, status)


def test_a_silence_is_named_and_no_receiver_is_notified(config: Config) -> None:
    quiet = Silence(
        id="sil_1", match=Matcher(), starts_at=NOW, ends_at=NOW + timedelta(hours=1), author="mina", reason="known"
    )
    event = sample_event(SampleRequest(), config, NOW)
    assert report_on(event, config).recipients
    document = report_on(event, config, silence=quiet).as_json()
    assert (document["recipients"], document["reason"]) == ([], report_on(event, config).reason)
    assert document["silence"]["by"] == "mina"  # type: ignore[index]  # as the report says


FROM = TEXT.replace(
    """[[route]]
match = { kind = "failed", labels = { env = "prod*" } }""",
    """[[route]]
match = { kind = "failed", from = ["learning", "wait*"] }""",
)


@pytest.mark.parametrize(
    ("before", "why"),
    [
        ("learning", "everything matches; the next routes are tried too"),
        ("waiting", "everything matches; the next routes are tried too"),
        ("requesting", "from is requesting, not learning or wait*"),
        (None, "it has no from"),
    ],
)
def test_an_invented_event_has_the_requested_status_before(before: str | None, why: str) -> None:
    routed = report(load(Path("config.toml"), text=FROM), from_status=before)
    assert routed.routes[0].why == why


@pytest.mark.parametrize("pattern", ["learning", "*", "l?arning"])
def test_a_last_route_that_matches_the_status_before_is_no_catch_all(pattern: str) -> None:
    text = TEXT.removesuffix('to = ["console"]\n') + f'match = {{ from = "{pattern}" }}\nto = ["console"]\n'
    with pytest.raises(ConfigError, match="the last route must match everything"):
        load(Path("config.toml"), text=text)

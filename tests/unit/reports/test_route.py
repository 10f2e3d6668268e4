"""What ``route`` says of an event: each route's answer, and who is told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.reports.facts import NOW
from watcher.config import Config, load
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


def asked(config: Config, **wish: Any) -> RouteReport:
    return report_on(sample_event(SampleRequest(**wish), config, NOW), config)


def wished(config: Config, **wish: Any) -> Event:
    return sample_event(SampleRequest(**wish), config, NOW)


def test_each_route_says_why_it_takes_the_event_or_not(config: Config) -> None:
    failed = asked(config)
    assert failed.reason == "route 1, route 3"
    assert [(answer.takes, answer.why) for answer in failed.routes] == [
        (True, "everything fits; the next ones are asked too"),
        (False, "kind is failed, not restarted or succeeded"),
        (True, "everything fits"),
        (False, "not asked: route 3 took it"),
    ]
    assert [answer.differs for answer in failed.routes] == [None, "kind", None, None]


def test_what_an_event_lacks_is_said(config: Config) -> None:
    outage = asked(config, kind=Kind.UNREACHABLE)
    assert outage.routes[2] == RouteAnswer(
        route=3, takes=False, why="it has no service", differs="service", to=("console", "ml-ops")
    )
    assert [recipient_report.receiver for recipient_report in outage.recipients] == ["console"]


def test_a_label_and_a_kind_that_is_no_default_are_named(config: Config) -> None:
    spare = asked(config, account="spare")
    progress = asked(config, kind=Kind.PROGRESS)
    assert spare.routes[0].why == "labels.env is test, not prod*"
    assert progress.routes[3].why == "kind is progress, none of the default kinds"
    assert (progress.recipients, progress.reason) == ((), "no route matches")


def test_who_is_announced_by_which_route_with_its_mention_where_that_is_shown(config: Config) -> None:
    assert asked(config).recipients == (
        RecipientReport(receiver="ml-ops", kind="slack-webhook", route=1, mention=("<!here>",), group=""),
        RecipientReport(receiver="console", kind="log", route=1, mention=(), group=""),
    )


def test_what_waits_for_others_says_for_what_and_how_long(config: Config) -> None:
    gone = asked(config, kind=Kind.GONE)
    assert {recipient_report.group for recipient_report in gone.recipients} == {"route 3, within 30s"}
    digest = report_on(wished(config, kind=Kind.GONE), config, recent=11)
    assert digest.recipients[0].group.startswith("digest ")


def test_what_is_dropped_on_purpose_says_by_which_route(config: Config) -> None:
    dropped = asked(config, status="completed")
    assert (dropped.recipients, dropped.reason) == ((), "route 2: dropped on purpose")


def test_json_announces_programs_the_same(config: Config) -> None:
    document = asked(config).as_json()
    assert set(document) == {"reason", "routes", "recipients", "silence"}


@pytest.mark.parametrize("kind", list(Kind))
def test_an_event_of_every_kind_can_be_invented_and_is_about_what_such_events_are_about(
    kind: Kind, config: Config
) -> None:
    facts = facts_of(wished(config, kind=kind))
    if kind in INCIDENT_KINDS:
        assert set(facts) == {"account"}
    elif kind in STATUSES:
        assert {"account", "service", "type", "version"} <= set(facts)
    else:
        assert facts == {}


def test_what_is_not_wished_for_comes_from_the_watches(config: Config) -> None:
    first = wished(config)
    assert (first.account, first.service, first.service_name) == ("main", "6wxgu1abcde", "shop-main")
    assert first.labels == {"env": "prod"}
    single = wished(config, type="relatedItem", version="v7", labels={"team": "ads", "x": "y"})
    assert single.labels == {"env": "prod", "team": "ads", "x": "y"}
    found = wished(config, account="spare", service="7yabc2fghij")
    assert (found.service, found.labels) == ("7yabc2fghij", {"env": "test"})
    assert wished(config, account="main", service="unwatched").labels == {}


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
def test_a_status_alone_gives_the_kind(status: str, kind: Kind, config: Config) -> None:
    event = wished(config, status=status)
    assert (event.kind, event.to_status) == (kind, status)


def test_while_a_silence_takes_it_nobody_is_notified_and_the_silence_is_named(config: Config) -> None:
    quiet = Silence(
        id="sil_1", match=Matcher(), starts_at=NOW, ends_at=NOW + timedelta(hours=1), author="mina", reason="known"
    )
    event = sample_event(SampleRequest(), config, NOW)
    assert report_on(event, config).recipients
    document = report_on(event, config, silence=quiet).as_json()
    assert (document["recipients"], document["reason"]) == ([], report_on(event, config).reason)
    assert document["silence"]["by"] == "mina"  # type: ignore[index]  # as the report says

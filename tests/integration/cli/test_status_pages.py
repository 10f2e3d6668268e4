"""``status`` beside a store of any size: filters, the page of a service, the page of a training."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.support import Run, runner
from tests.unit.reports.facts import event, snapshot
from watcher.cli.commands import status as status_command
from watcher.core.batch import Batch, IncidentRow
from watcher.core.event import Event, Kind
from watcher.core.health.problems import RUNNING, DaemonHealth, DaemonState
from watcher.core.incidents.model import Incident
from watcher.core.polling.result import Cause, PollState
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.reading.events import settled_events
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import Database, open_database
from watcher.store.views import EventHistory, Views

NOW = datetime.now(UTC)
CONFIG = """
[account.main]
access_key = { env = "A" }
secret_key = { env = "B" }
[account.test]
access_key = { env = "A" }
secret_key = { env = "B" }
[state]
url = "sqlite:///here.db"
[[watch]]
account = "main"
service = "shop0000001"
name = "shop-main"
labels = { team = "ml" }
[[watch]]
account = "main"
service = "news0000001"
[[watch]]
account = "test"
service = "news0000001"
[receiver.console]
kind = "log"
"""


@pytest.fixture(autouse=True)
def width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setattr(status_command, "daemon_health", lambda *_: RUNNING)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)


def ref(version: str, service: str = "shop0000001", account: str = "main") -> TrainingRef:
    return TrainingRef(account, service, "pop", version)


def training(version: str, status: str | None, hours: int = 1, **more: Any) -> Snapshot:
    changed = NOW - timedelta(hours=hours)
    of = {key: more.pop(key) for key in ("service", "account") if key in more}
    facts = {"changed_after": changed - timedelta(seconds=30), "changed_before": changed, "first_seen_at": changed}
    return snapshot(**{"ref": ref(version, **of), "status": status, "seen_after": NOW} | facts | more)


def an_event(number: int, kind: Kind = Kind.FAILED, age: timedelta = timedelta(), version: str = "v1") -> Event:
    at = NOW - age
    return event(
        id=f"evt_{number:04}abcdefghijkl",
        kind=kind,
        subject=ref(version).subject,
        service="shop0000001",
        version=version,
        seq=number,
        before=at,
        after=at,
        recorded_at=at,
    )


async def record(database: Database, batch: Batch) -> None:
    await PollStore(database).record(batch)


@pytest.fixture
def store(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a configuration and a store, and returns the configuration."""

    def write(*snapshots: Snapshot, events: tuple[Event, ...] = ()) -> Path:
        (tmp_path / "config.toml").write_text(CONFIG)
        with closing(open_database(tmp_path / "here.db", purpose="test", now=NOW)) as database:
            asyncio.run(record(database, Batch(snapshots=snapshots, events=events)))
        return tmp_path / "config.toml"

    return write


def many() -> list[Snapshot]:
    done = [training(f"done{number:03}", "completed") for number in range(90)]
    failed = [training(f"fail{number:03}", "learningFailed", hours=number + 1) for number in range(30)]
    busy = [training(f"busy{number:03}", "learning", hours=number + 1) for number in range(25)]
    return [*done, *failed, *busy]


def rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(("shop", "news", "main", "test"))]


def test_a_few_trainings_are_all_listed(run: Run, store: Callable[..., Path]) -> None:
    config = store(training("v1", "completed"), training("v2", "learning"), training("v3", "paused"))
    shown = run("status", "--config", config)
    assert [line.split()[3] for line in rows(shown.out)] == ["completed", "learning", "paused"]
    assert "3 trainings: 1 completed, 1 learning, 1 paused" in shown.out


def test_a_service_is_found_by_the_name_that_a_message_has(run: Run, store: Callable[..., Path]) -> None:
    named = replace(an_event(1, version="v1"), service_name="Shop of AiTEMS")
    config = store(training("v1", "learningFailed"), events=(named,))
    for text in ("Shop of AiTEMS", "main/Shop of AiTEMS"):
        assert "learningFailed" in run("status", text, "--config", config).out
    assert "evt_0001" in run("history", "Shop of AiTEMS/pop", "--config", config).out
    assert "there is no service" in run("status", "Shop", "--config", config).err


def test_of_many_only_those_in_progress_are_listed_the_longest_first(run: Run, store: Callable[..., Path]) -> None:
    shown = run("status", "--config", store(*many()))
    assert [line.split()[2] for line in rows(shown.out)] == [f"busy{number:03}" for number in range(24, 4, -1)]
    assert "only these 20 are listed; add --all" in shown.out
    assert "145 trainings: 90 completed, 30 learningFailed, 25 learning" in shown.out
    assert "STARTING: not everything was polled since the start, 25 trainings in progress" in shown.out


@pytest.mark.parametrize(
    ("options", "first", "count"),
    [
        (("--failed",), "fail000", 20),
        (("--failed", "--all"), "fail000", 30),
        (("--in-progress", "--all"), "busy024", 25),
        (("--failed", "--in-progress", "--all"), "fail029", 55),
        (("--all",), "busy000", 145),
        (("--service", "shop-*", "--failed"), "fail000", 20),
        (("--service", "main/shop0000001"), "busy024", 20),
    ],
)
def test_filters_choose_the_trainings(
    run: Run, store: Callable[..., Path], options: tuple[str, ...], first: str, count: int
) -> None:
    config = store(*many())
    listed = rows(run("status", *options, "--config", config).out)
    assert (listed[0].split()[2], len(listed)) == (first, count)
    document = json.loads(run("status", *options, "--json", "--config", config).out)
    assert len(document["trainings"]) == count
    assert document["totals"]["by_status"] == {"completed": 90, "learningFailed": 30, "learning": 25}


def test_a_filter_without_a_match_says_so(run: Run, store: Callable[..., Path]) -> None:
    config = store(training("v1", "completed"))
    assert "no training has failed" in run("status", "--failed", "--config", config).out
    assert "no training matches" in run("status", "--service", "x*", "--config", config).out


def test_trainings_that_are_gone_or_not_watched_are_counted_apart(run: Run, store: Callable[..., Path]) -> None:
    gone = training("g", "learning", gone=True)
    old = training("o", "learning", service="removed0001")
    config = store(*many(), gone, old)
    shown = run("status", "--in-progress", "--all", "--config", config).out
    assert len(rows(shown)) == 25
    assert "147 trainings: 90 completed, 30 learningFailed, 25 learning, 1 gone, 1 not watched any more" in shown


@pytest.mark.parametrize("name", ["shop-main", "shop0000001", "main/shop0000001"])
def test_a_service_has_a_page(run: Run, store: Callable[..., Path], name: str) -> None:
    config = store(*many(), training("other", "learning", service="news0000001"))
    shown = run("status", name, "--config", config)
    assert shown.status == 0
    assert len(rows(shown.out)) == 20
    assert "other" not in shown.out
    assert "STARTING: not everything was polled since the start, 25 trainings in progress" in shown.out


def test_a_name_in_two_accounts_needs_the_account(run: Run, store: Callable[..., Path]) -> None:
    two = (training("v1", "learning", service="news0000001", account=account) for account in ("main", "test"))
    config = store(*two)
    asked = run("status", "news0000001", "--config", config)
    assert asked.status == 1
    assert "write one of main/news0000001, test/news0000001" in asked.err
    assert len(rows(run("status", "test/news0000001", "--config", config).out)) == 1


@pytest.mark.parametrize(
    "target",
    [
        ("shop-main", "pop", "v1"),
        ("shop0000001/pop/v1",),
        ("main/shop-main/pop/v1",),
        ("main", "shop-main", "pop", "v1"),
    ],
)
def test_a_training_has_a_page_with_its_events(run: Run, store: Callable[..., Path], target: tuple[str, ...]) -> None:
    known = training("v1", "learning", record={"createdDate": "2026-11-23", "hpConfig": {"x": 1}})
    config = store(known, training("v2", "failed"), events=(an_event(1), an_event(2, version="v2")))
    shown = run("status", *target, "--config", config)
    assert shown.status == 0
    assert "training  shop0000001 (shop-main) pop v1, account main" in shown.out
    assert "status    learning for 1h" in shown.out
    assert "labels    team=ml" in shown.out
    assert "record    createdDate 2026-11-23" in shown.out
    assert "evt_0001" in shown.out
    assert "evt_0002" not in shown.out
    document = json.loads(run("status", *target, "--json", "--config", config).out)
    assert document["record"]["hpConfig"] == {"x": 1}
    assert [item["id"][:8] for item in document["events"]] == ["evt_0001"]


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        (("no-such",), 1, "there is no service 'no-such'"),
        (("shop-main", "pop", "v9"), 1, "there is no training shop0000001 pop v9"),
        (("shop-main", "pop"), 2, "write SERVICE, or SERVICE TYPE VERSION"),
        (("a", "b", "c", "d", "e"), 2, "write SERVICE, or SERVICE TYPE VERSION"),
    ],
)
def test_a_page_that_does_not_exist_has_a_remedy(
    run: Run, store: Callable[..., Path], target: tuple[str, ...], status: int, text: str
) -> None:
    refused = run("status", *target, "--config", store(training("v1", "learning")))
    assert (refused.status, text in refused.err) == (status, True)


@pytest.mark.parametrize("options", [(), ("--json",), ("shop-main",), ("shop-main", "pop", "v1")])
def test_watching_shows_it_again_until_it_is_interrupted(
    run: Run, store: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    config = store(training("v1", "learning"))
    waits: list[float] = []

    def interrupted(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    shown = run("status", *options, "--watch", "--config", config)
    assert (shown.status, waits) == (0, [2.0] * 3)
    # Without a selection it is the overview of the status page.
    assert shown.out.count("learning" if options else "1 open problem") >= 3
    if options == ("--json",):
        assert [json.loads(line)["trainings"][0]["version"] for line in shown.out.splitlines() if line] == ["v1"] * 3


def test_history_is_filtered_by_time_and_kinds(run: Run, store: Callable[..., Path]) -> None:
    day, events = timedelta(days=1), []
    for number in range(1, 61):
        kind = (Kind.FAILED, Kind.GONE, Kind.PROGRESS)[number % 3]
        events.append(an_event(number, kind, age=day * (60 - number)))
    config = store(training("v1", "learning"), events=tuple(events))

    def found(*options: str) -> int:
        return len(run("history", "--json", "--config", config, *options).out.splitlines())

    assert found() == 50
    assert found("--since", "60d") == 60
    assert found("--since", "36h") == 2
    assert found("--since", "60d", "--limit", "7") == 7
    assert found("--since", "60d", "--kind", "failed", "--kind", "gone") == 40
    assert found("--since", "60d", "shop0000001/pop") == 60
    assert "no events match" in run("history", "--since", "1s", "--kind", "back", "--config", config).out
    assert run("history", "--since", "soon", "--config", config).status == 2


@pytest.mark.parametrize("as_json", [False, True])
def test_following_shows_each_new_event_once(
    run: Run, store: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, *, as_json: bool
) -> None:
    config = store(training("v1", "learning"), events=(an_event(1, age=timedelta(minutes=1)),))
    coming = [(an_event(2, age=timedelta(seconds=9)),), (), (an_event(3, Kind.GONE, timedelta(seconds=9)),), ()]

    def recorded_meanwhile(_seconds: float) -> None:
        if not coming:
            raise KeyboardInterrupt
        with closing(open_database(config.parent / "here.db", purpose="test", now=NOW)) as database:
            asyncio.run(record(database, Batch(events=coming.pop(0))))

    monkeypatch.setattr(time, "sleep", recorded_meanwhile)
    shown = run("history", "--follow", "--config", config, *(["--json"] if as_json else []))
    assert shown.status == 0
    assert [shown.out.count(f"evt_000{number}") for number in (1, 2, 3)] == [1, 1, 1]


def test_an_event_that_is_still_being_routed_holds_later_ones_back() -> None:
    def entry(number: int, age: float, *, routed: bool) -> EventHistory:
        item = an_event(number, age=timedelta(seconds=age))
        return EventHistory(
            event=item, position=number, routed_at=NOW if routed else None, route=None, delivery_outcomes=()
        )

    fresh, routed, old = entry(1, 1, routed=False), entry(2, 1, routed=True), entry(3, 9, routed=False)
    assert settled_events([fresh, routed], NOW) == []
    assert settled_events([routed, old, fresh], NOW) == [routed, old]
    assert settled_events([replace(fresh, routed_at=NOW), routed], NOW) != []


@pytest.mark.parametrize("age", ["800000d", "9999999d"])
def test_a_time_before_the_first_date_is_refused_in_words(run: Run, store: Callable[..., Path], age: str) -> None:
    ended = run("history", "--since", age, "--config", store(training("v1", "completed")))
    assert ended.status == 2
    assert "Traceback" not in ended.out + ended.err


def test_filtered_services_whose_trainings_have_all_ended_are_counted(run: Run, store: Callable[..., Path]) -> None:
    config = store(*(training(f"v{number}", "completed") for number in range(30)))
    text = run("status", "--service", "*", "--config", config).out
    assert "no training is in progress" in text
    assert "30 completed" in text


@pytest.mark.parametrize(
    "fault",
    [
        ("[account.main]", "[account.main"),
        ("secret_key", "secret_kye"),
        ('service = "shop0000001"', "service = [1]"),
        ("[[watch]]", "[[wach]]"),
    ],
    ids=["an account", "the keys of accounts", "a watch", "all watches"],
)
def test_a_faulty_file_makes_no_claim_about_watches(
    run: Run, store: Callable[..., Path], fault: tuple[str, str]
) -> None:
    config = store(training("v1", "learning"), training("v2", "learning", service="news0000001"))
    config.write_text(CONFIG.replace(*fault))
    for target in ((), ("shop0000001",), ("shop0000001", "pop", "v1")):
        shown = run("status", *target, "--config", config)
        assert shown.status == 0, shown.err
        assert "the configuration is faulty" in shown.err
        assert "v1" in shown.out
        assert "not watched" not in shown.out
        assert "not polled" not in shown.out
        assert "polling" not in shown.out


def test_a_page_says_first_that_no_daemon_runs(
    run: Run, store: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = store(training("v1", "learning"))
    monkeypatch.setattr(status_command, "daemon_health", lambda *_: DaemonHealth(state=DaemonState.ABSENT))
    for target in ((), ("shop0000001",), ("shop0000001", "pop", "v1")):
        shown = run("status", *target, "--config", config)
        assert shown.status == 1
        assert shown.out.startswith("no daemon runs on this store")
        as_json = run("status", *target, "--json", "--config", config)
        assert as_json.status == 1
        assert [item["code"] for item in json.loads(as_json.out)["problems"]] == ["no-daemon"]


async def fail(database: Database, subject: str, cause: Cause) -> None:
    incident = Incident(
        id="inc_abcdefghijkl",
        subject=subject,
        cause=cause,
        detail="",
        since=NOW,
        last_good_at=None,
        opened_at=NOW,
    )
    row = IncidentRow(subject=subject, seq=1, incident=incident)
    await record(database, Batch(incident_rows=(row,)))


@pytest.mark.parametrize(
    ("subject", "status"),
    [
        ("account:main", 1),
        ("service:main/shop0000001", 1),
        ("watch:main/shop0000001/pop/v1", 1),
        ("watch:main/shop0000001/pop/v2", 0),
        ("service:main/news0000001", 0),
    ],
)
def test_the_page_of_a_training_has_the_incidents_that_include_it(
    run: Run, store: Callable[..., Path], subject: str, status: int
) -> None:
    config = store(training("v1", "learning"))
    with closing(open_database(config.parent / "here.db", purpose="test", now=NOW)) as database:
        asyncio.run(fail(database, subject, Cause.SERVER))
    shown = run("status", "shop0000001/pop/v1", "--config", config)
    assert shown.status == status
    assert ("inc_abcd" in shown.out) is bool(status)


@pytest.mark.parametrize(
    "target", [(), ("shop0000001",), ("shop0000001", "pop", "v1")], ids=["all", "a service", "a training"]
)
def test_a_page_reads_the_states_of_the_polls_once(
    store: Callable[..., Path], run: Run, monkeypatch: pytest.MonkeyPatch, target: tuple[str, ...]
) -> None:
    path, calls, read = store(training("v1", "learning")), list[Views](), Views.polls

    def polls(views: Views) -> dict[str, PollState]:
        calls.append(views)
        return read(views)

    monkeypatch.setattr(Views, "polls", polls)
    run("status", *target, "--config", str(path))
    assert len(calls) == 1

"""Every statement of the portable store runs on SQLite and compiles for PostgreSQL, too."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import ClauseElement, Connection, Engine, UpdateBase, event, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import CreateIndex, CreateTable

from tests.integration.store.conftest import NOW, SECOND
from tests.integration.store.test_deliveries import GROUP, claim, enqueue, settle
from tests.support import routing
from tests.support.paths import ROOT
from tests.support.runs import ended_run
from tests.support.schemas import make_schema
from watcher.core.action import Action, ActionKind
from watcher.core.batch import Batch, IncidentRow
from watcher.core.delivery.model import PARKED_RETRY, Claim, ReceiverSignal, Settlement, SignalKind, Verdict
from watcher.core.delivery.reason import DELIVERED, text_reason
from watcher.core.delivery.state import State
from watcher.core.durations.past_runs import Population
from watcher.core.event import Event, Kind
from watcher.core.incidents.model import Incident
from watcher.core.messages.advice import STORE_REMEDIES
from watcher.core.polling.deviation import Deviation
from watcher.core.polling.result import Cause, PollState
from watcher.core.routing.matcher import matcher_of
from watcher.core.routing.planning import OutboxState, OutdatedDecisionError, plan_deliveries
from watcher.core.routing.reason import NotAnnounced, routed
from watcher.core.routing.routes import Recipient, RoutingDecision
from watcher.core.training.earlier_runs import RunGroup, RunsWanted
from watcher.core.training.model import Snapshot
from watcher.core.training.retraining import Retraining, RetrainingRef
from watcher.pipeline.dead_letters import announce_dead_letters, note_removed
from watcher.pipeline.expiry import expire, expire_orphans
from watcher.store import schema
from watcher.store.actions import ActionLog, beside, latest_on
from watcher.store.actions import latest as latest_actions
from watcher.store.deliveries import Deliveries
from watcher.store.delivery import queue
from watcher.store.delivery.operator_actions import OperatorActions
from watcher.store.delivery.views import DeliveryFilter, last_delivered, sent_deliveries
from watcher.store.ended_sessions import EndedSessions, ended_sessions
from watcher.store.epoch import new_epoch, write_fact
from watcher.store.errors import StaleSnapshot
from watcher.store.export import Exported, events_of_deliveries, export_page
from watcher.store.health_stats import read_health_stats
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.retention import Retention
from watcher.store.runs import history, latest, queries
from watcher.store.runs.retrainings import retraining_of
from watcher.store.silences import SilenceRefusedError, Silences
from watcher.store.sql import bulk
from watcher.store.sql.write_faults import WriteFault, fault_of
from watcher.store.sqlite.connections import writer_engine
from watcher.store.sqlite.database import Database, open_database
from watcher.store.trainings import Order, TrainingQuery
from watcher.store.views import HistoryFilter, open_views

STORE: Final = ROOT / "watcher" / "store"
DIALECTS: Final = (sqlite.dialect(), postgresql.dialect())  # type: ignore[no-untyped-call]  # SQLAlchemy's
EXECUTES: Final = {"execute", "scalar", "scalars"}
DAY: Final = timedelta(days=1)
LATER: Final = NOW + 30 * DAY
MakeEvent = Callable[..., Event]
Place = tuple[str, int]


def portable_modules() -> list[Path]:
    return [path for path in STORE.rglob("*.py") if "sqlite" not in path.parts and "migrations" not in path.parts]


def places() -> Iterator[tuple[str, range]]:
    """Yield file and lines of each call that executes a statement."""
    for path in portable_modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _executes(ast.unparse(node.func)):
                assert node.end_lineno is not None
                yield str(path), range(node.lineno, node.end_lineno + 1)


def _executes(function: str) -> bool:
    of, _, name = function.rpartition(".")
    return function == "execute_many" or (name in EXECUTES and of.endswith("connection"))


class StatementCompiler:
    """Compiles each statement as it is executed, and remembers its place."""

    def __init__(self) -> None:
        self.places: set[Place] = set()
        self.locks: set[str] = set()

    def before_execute(
        self, _connection: Connection, statement: ClauseElement, many: Any, one: Any, _options: Any
    ) -> None:
        self.places |= set(_portable_frames())
        for compiled in both(statement, one or (many[0] if many else {})):
            if " FOR UPDATE" in compiled:
                self.locks.add(compiled.partition(" FOR UPDATE")[2])


def both(statement: ClauseElement, parameters: Mapping[str, Any]) -> list[str]:
    """Return the statement as each database gets it."""
    keys: dict[str, Any] = {"column_keys": list(parameters) or None} if isinstance(statement, UpdateBase) else {}
    return [str(statement.compile(dialect=dialect, **keys)) for dialect in DIALECTS]


def _portable_frames() -> Iterator[Place]:
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename.startswith(str(STORE)):
            yield frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment]  # the outermost frame has none


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[StatementCompiler]:
    made = StatementCompiler()
    # So that many rows go the way of PostgreSQL, which the event below sees.
    monkeypatch.setattr(bulk, "QUESTION_MARKS", "none")
    event.listen(Engine, "before_execute", made.before_execute)
    yield made
    event.remove(Engine, "before_execute", made.before_execute)


async def test_every_statement_compiles_for_both_databases(
    recorder: StatementCompiler,
    path: Path,
    make_event: MakeEvent,
    make_snapshot: Callable[..., Snapshot],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue, "FEW", 0)
    open_database(path, purpose="test", now=NOW).close()
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        await poll(database, make_snapshot)
        await deliver(database, make_event)
        await join(database, make_event)
        await block(database, make_event)
        await fail(database, make_event)
        await operate(database, make_event)
        read(database)
        await database.write(lambda connection: new_epoch(connection, "restored", LATER))
        await database.write(lambda connection: write_fact(connection, "probed_at", None))
        while await Retention(database).prune(LATER) or await Retention(database).prune_runs(LATER):
            pass
    missed = [
        (file, lines.start) for file, lines in places() if not any((file, line) in recorder.places for line in lines)
    ]
    assert missed == [], "a statement that this test does not execute"
    locked = {" OF delivery", " OF delivery SKIP LOCKED", " OF counter"}
    assert recorder.locks == locked, "PostgreSQL locks groups, leased rows and numbers"


async def poll(database: Database, make_snapshot: Callable[..., Snapshot]) -> None:
    store = PollStore(database)
    (known,) = await store.record(Batch(snapshots=(make_snapshot(),)))
    incident = Incident(
        id="i", subject="account:main", cause=Cause.DNS, detail="", since=NOW, last_good_at=None, opened_at=NOW
    )
    deviation = Deviation(description="new field: x", poll="service:main/s", seen_at=NOW, sample={})
    await store.record(
        Batch(
            snapshots=(replace(known, status="waiting"),),
            polls=(PollState(key="service:main/s"),),
            forgotten_polls=("service:main/gone",),
            incident_rows=(IncidentRow(subject="account:main", seq=1, incident=incident),),
            deviations=(deviation,),
            runs=(ended_run(1),),
            retrainings=(Retraining(ref=RetrainingRef("main", "s", "pop"), since=NOW),),
        )
    )
    await store.record(Batch(forgotten_polls=("service:main/s", "training:main/s/pop/v")))
    with pytest.raises(StaleSnapshot):
        await store.record(Batch(snapshots=(known,)))
    await store.load()
    await store.load({"main"})
    everything = RunsWanted(failed=True, streak=True, stages=frozenset({"learning"}))
    groups = [RunGroup("main", name, "pop", hpo) for name in ("s", "other") for hpo in (None, True, False)]
    await store.earlier_runs(dict.fromkeys(groups, everything), NOW)


async def deliver(database: Database, make_event: MakeEvent) -> None:
    deliveries, outbox = Deliveries(database), Outbox(database)
    late = [replace(make_event(1, version), group=GROUP.key) for version in ("v1", "v2")]
    failed = replace(make_event(1, "v3", Kind.FAILED), group=GROUP.key)
    await enqueue(database, failed)
    await enqueue(database, *late, group=GROUP, mentions=("<!here>",))
    await enqueue(database, replace(make_event(1, "v4"), group=GROUP.key), group=GROUP, mentions=("<@U1>",))
    await outbox.unrouted(9, {"main"})
    await outbox.release(GROUP.key, NOW)
    await outbox.release(None, NOW)
    assert await deliveries.next_due("hook", oldest_only=True) == NOW
    for leased in await claim(database, by_lookup=True):
        await settle(database, leased, State.UNCERTAIN, next_at=NOW)
    for leased in await claim(database, by_lookup=True, token="t2"):
        await settle(database, leased)
    await claim(database, token="t3", now=LATER)
    await deliveries.reclaim({"hook"}, NOW)
    await deliveries.next_due("hook")
    await deliveries.wake("hook", NOW)
    await deliveries.cap_waits(NOW, DAY)
    silence = await Silences(database).add(matcher_of({"kind": ["*"]}), DAY, "mina", "why", NOW)
    await enqueue(database, make_event(1, "v5"))
    await Silences(database).end(silence.id, "mina", NOW)


async def join(database: Database, make_event: MakeEvent) -> None:
    events = [make_event(1, f"b{number}") for number in range(4)]
    await PollStore(database).record(Batch(events=tuple(events)))
    decision = RoutingDecision(to=(Recipient(receiver="team"),), reason=routed(1))
    await routing.enqueue(Outbox(database), [(item, decision) for item in events], lambda *_: None, NOW)
    wanted = Claim(receiver="team", limit=1, token="b", lease=DAY, batch_max=40)
    (batch,) = await Deliveries(database).claim(wanted, NOW)
    assert len(batch.request.events) == len(events)
    await settle(database, batch)
    await join_failure_before_incident(database, make_event)


async def join_failure_before_incident(database: Database, make_event: MakeEvent) -> None:
    about_service = replace(make_event(1, "i1", Kind.UNREACHABLE), subject="service:main/i")
    events = [about_service, *(make_event(1, f"c{number}", Kind.FAILED) for number in range(4))]
    await PollStore(database).record(Batch(events=tuple(events)))
    decision = RoutingDecision(to=(Recipient(receiver="team"),), reason=routed(1))
    await routing.enqueue(Outbox(database), [(item, decision) for item in events], lambda *_: None, NOW)
    wanted = Claim(receiver="team", limit=1, token="b", lease=DAY, batch_max=40)
    for count in (4, 1):
        (batch,) = await Deliveries(database).claim(wanted, NOW)
        assert len(batch.request.events) == count
        await settle(database, batch)


async def block(database: Database, make_event: MakeEvent) -> None:
    await enqueue(database, make_event(1, "f1"), to=("team",))
    (first,) = await claim(database, receiver="team", token="f1")
    await settle(database, first, State.PENDING, next_at=LATER)
    await enqueue(database, make_event(2, "f1", Kind.FAILED), to=("team",))
    assert await Deliveries(database).urgent_since("team", "") == NOW
    for seq in (1, 2):
        (leased,) = await claim(database, receiver="team", token="f2")
        assert leased.request.events[0].seq == seq
        await settle(database, leased)


async def fail(database: Database, make_event: MakeEvent) -> None:
    deliveries = Deliveries(database)
    await enqueue(database, make_event(1, "w1"), make_event(1, "w2"), to=("chat",))
    first, second = await claim(database, receiver="chat", token="t4")
    refused = ReceiverSignal(health=SignalKind.REFUSES, reason=text_reason("http 410"))
    again = Verdict(state=State.PENDING, reason=text_reason("http 410"), next_at=NOW)
    await routing.settle(deliveries, "chat", first, Settlement(verdict=again, at=NOW, signal=refused))
    await Outbox(database).fallbacks_due({"chat": "hook"}, 9)
    passed = ReceiverSignal(health=SignalKind.PASSES)
    delivered = Verdict(state=State.DELIVERED, reason=DELIVERED)
    await routing.settle(deliveries, "chat", second, Settlement(verdict=delivered, at=NOW, signal=passed))
    await deliveries.probe("chat", NOW)
    await note_removed(deliveries, {"hook"}, timedelta(days=3), NOW)
    await expire(deliveries, "chat", LATER, LATER)
    await announce_dead_letters(deliveries, "chat", LATER)
    await enqueue(database, make_event(2, "w1"), to=("gone",))
    await expire_orphans(deliveries, {"hook"}, LATER, LATER)
    await announce_dead_letters(deliveries, None, LATER)
    outbox, nobody = (
        Outbox(database),
        RoutingDecision(to=(), reason=replace(routed(1), not_announced=NotAnnounced.NO_OTHER)),
    )
    about_receivers = [(item, nobody) for item, _ in await outbox.unrouted(9)]
    await routing.enqueue(outbox, about_receivers, lambda *_: None, LATER)


async def operate(database: Database, make_event: MakeEvent) -> None:
    actions = OperatorActions(database, {"hook", "chat"})
    await actions.retry_all_dead("chat", "mina", LATER)
    await enqueue(database, make_event(2, "w2"))
    with open_views(database.url) as views:
        waiting = views.deliveries(DeliveryFilter(receiver="hook"))
    await actions.retry([waiting[-1].id], "mina", LATER)
    await actions.drop([waiting[-1].id], "mina", LATER)
    ended = EndedSessions(database)
    await ended.add("0123456789abcdef", LATER, NOW)
    await ActionLog(database).record(Action(kind=ActionKind.TEST, target="hook", author="mina", at=LATER))
    # Unrouted, and in an open group: a new epoch renames both.
    await enqueue(database, make_event(3, "w2"), group=GROUP)
    await PollStore(database).record(Batch(events=(make_event(4, "w2"),)))


def read(database: Database) -> None:
    read_health_stats(database.url, LATER)
    read_runs(database)
    export_all(database)
    with open_views(database.url) as views:
        (newest, *_) = views.history(HistoryFilter(text="POP", kinds=frozenset({"progress"}), since=NOW - DAY))
        following = HistoryFilter(subject=newest.event.subject, after=newest.position - 1)
        assert views.history(following)[0] == newest
        assert views.newest_position() >= newest.position >= views.oldest_position()
        assert views.first_unrouted_position(NOW + DAY) is None
        assert views.by_id(newest.event.short_id, 2)
        (known, *_) = views.trainings()
        views.training_counts(), views.known_statuses([known.ref]), views.one_training(known.ref)
        statuses = frozenset({known.status, None})
        for order in Order:
            wanted = TrainingQuery(statuses=statuses, service=known.ref.service_ref, order=order, limit=1)
            assert list(views.find_trainings(wanted)) == [known]
            assert list(views.find_trainings(replace(wanted, takes=lambda ref: ref == known.ref))) == [known]
            assert list(views.find_trainings(replace(wanted, after=known.ref.subject))) == []
        views.facts(), views.polls(), views.incidents(), views.overdue(), views.deviations(), views.queues()
        views.queues([State.DEAD]), views.silences(NOW), views.every_silence(), views.silence("x")
        views.failing_receivers(), views.unannounced(), views.recent(newest.event), views.names_in_events()
        (delivery, *_) = views.deliveries(DeliveryFilter(beginning="msg_"))
        views.deliveries(DeliveryFilter(ids=frozenset({delivery.id})))
        assert [item.target for item in latest_actions(views.connection, {ActionKind.TEST}, 9)] == ["hook"]
        (test,) = latest_on(views.connection, ["hook"], ActionKind).values()
        assert beside(views.connection, test, 9) == ["hook"]
        assert list(last_delivered(views.connection, ["hook", "nobody"])) == ["hook"]
        assert list(ended_sessions(views.connection, NOW)) == ["0123456789abcdef"]
        found = views.deliveries(DeliveryFilter(states=frozenset(State), beginning="msg_"))
        assert len(sent_deliveries(views.connection, [item.id for item in found])) == len(found)
        views.service_name(known.ref.service_ref)


def read_runs(database: Database) -> None:
    known, week = ended_run(1), timedelta(days=7)
    period = queries.Period(since=known.ended.before - week, before=known.ended.before + week)
    with open_views(database.url) as views:
        reading = views.connection
        for service in (None, known.ref.service_ref):
            assert [len(page) for page in queries.run_lines(reading, period, service)] == [1]
            assert [len(page) for page in queries.stage_lines(reading, period, service)] == [len(known.stages)]
        assert list(queries.runs_of_service(reading, known.ref.service_ref, period)) == [replace(known, stages=())]
        whole = Population(known.ref.account, known.ref.type, known.ref.service, hpo=False)
        wide, learning = replace(whole, service=None, hpo=None), replace(whole, stage="learning")
        assert all(len(history.past_runs(reading, item, period.before)) == 1 for item in (whole, wide, learning))
        assert queries.runs_of(reading, known.ref, 3) == [known]
        (of,) = latest.types_with_runs(reading)
        assert [item.ref for item in latest.latest_results(reading, of, 3)] == [known.ref]
        assert [item.ref for item in latest.latest_ends(reading, 3)] == [known.ref]
        assert latest.failures_since(reading, of, "") == 0
        assert latest.first_failure_since(reading, of, "") is None
        assert latest.latest_hpo(reading, of) is False
        retraining_of(reading, RetrainingRef(of.account, of.service, of.type))
        completed = latest.last_completed(reading, of)
        assert completed is not None
        assert completed.ref == known.ref
        good = history.last_good(reading, known.ref, period.before)
        assert good is not None
        assert good.version == known.ref.version


def export_all(database: Database) -> None:
    with open_views(database.url) as views:
        for table in Exported:
            pages = [export_page(views.connection, table, since, None) for since in (None, NOW - DAY)]
            assert pages[0].rows
            after = (pages[0].rows[0][0],) if table is not Exported.RUNS else ("", "", 0)
            export_page(views.connection, table, None, after)
        deliveries = [row[0] for row in export_page(views.connection, Exported.DELIVERIES, None, None).rows]
        assert set(events_of_deliveries(views.connection, deliveries)) <= set(deliveries)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_every_table_and_index_compiles_for_both_databases(dialect: Any) -> None:
    ddl = ""
    for table in schema.metadata.sorted_tables:
        ddl += str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            if schema.CONDITION in index.info:
                index.dialect_kwargs["postgresql_where"] = index.info[schema.CONDITION]
            ddl += str(CreateIndex(index).compile(dialect=dialect))
    assert ddl.count("WHERE") == 6
    assert ("position BIGSERIAL" in ddl, "position INTEGER" in ddl) == (
        (True, False) if dialect.name == "postgresql" else (False, True)
    )


def test_every_migration_compiles_for_both_databases(path: Path) -> None:
    compiled: list[str] = []

    def compile_both(_connection: Connection, statement: ClauseElement, _many: Any, one: Any, _options: Any) -> None:
        compiled.extend(both(statement, one))

    event.listen(Engine, "before_execute", compile_both)
    try:
        make_schema(path, "head")
    finally:
        event.remove(Engine, "before_execute", compile_both)
    assert any("ALTER TABLE poll ADD COLUMN account" in statement for statement in compiled)


def test_strings_with_sql_are_in_the_sqlite_half_alone() -> None:
    for path in [*portable_modules(), *(STORE / "migrations").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func).rpartition(".")[2]
                # This one module executes the text of a statement that it has compiled.
                raw = name in {"text", "exec_driver_sql", "literal_column"} and path.name != "bulk.py"
                assert not raw, f"{path.name}:{node.lineno} has a string with SQL"
                first = node.args[0] if node.args else None
                assert not (name == "execute" and isinstance(first, ast.Constant | ast.JoinedStr)), path


def test_only_the_readers_of_the_portable_half_know_the_file() -> None:
    for path in portable_modules():
        knows = "store.sqlite" in path.read_text(encoding="utf-8")
        assert knows == (path.name in {"readers.py", "schema_version.py"}), path


async def test_a_plan_is_refused_when_an_event_was_routed_meanwhile(database: Database, make_event: MakeEvent) -> None:
    changed, outbox = make_event(), Outbox(database)
    await PollStore(database).record(Batch(events=(changed,)))
    decision = RoutingDecision(to=(Recipient(receiver="hook"),), reason=routed(1))
    plan = plan_deliveries([(changed, decision)], OutboxState(), lambda *_: b"", NOW)
    await outbox.enqueue(plan)
    with pytest.raises(OutdatedDecisionError):
        await outbox.enqueue(plan)
    assert len(await claim(database)) == 1


async def test_a_plan_is_refused_when_a_silence_began_or_ended(database: Database, make_event: MakeEvent) -> None:
    changed, outbox = make_event(), Outbox(database)
    await PollStore(database).record(Batch(events=(changed,)))
    decision = RoutingDecision(to=(Recipient(receiver="hook"),), reason=routed(1))
    before = await outbox.state({"hook"}, {changed.subject}, NOW)
    silence = await Silences(database).add(matcher_of({"kind": ["*"]}), DAY, "mina", "why", NOW)
    with pytest.raises(OutdatedDecisionError):
        await outbox.enqueue(plan_deliveries([(changed, decision)], before, lambda *_: b"", NOW))
    during = await outbox.state({"hook"}, {changed.subject}, NOW)
    await Silences(database).end(silence.id, "mina", NOW)
    with pytest.raises(OutdatedDecisionError):
        await outbox.enqueue(plan_deliveries([(changed, decision)], during, lambda *_: b"", NOW))
    assert len(await outbox.unrouted(9)) == 1


async def test_a_plan_is_refused_when_its_number_was_given_meanwhile(database: Database, make_event: MakeEvent) -> None:
    first, second = make_event(1), make_event(2)
    await PollStore(database).record(Batch(events=(first, second)))
    outbox, decision = Outbox(database), RoutingDecision(to=(Recipient(receiver="hook"),), reason=routed(1))
    for known in range(2):
        state = await outbox.state({"hook"}, {first.subject}, NOW)
        assert state.sequences.get(("hook", first.subject), 0) == known
        plans = [plan_deliveries([(item, decision)], state, lambda *_: b"", NOW) for item in (first, second)]
        with suppress(OutdatedDecisionError):
            await outbox.enqueue(plans[known])
            await outbox.enqueue(plans[1 - known])
    assert await outbox.unrouted(9) == []


async def test_the_state_of_a_receiver_is_compared_as_an_attempt_is_settled(
    database: Database, make_event: MakeEvent
) -> None:
    deliveries = Deliveries(database)
    await enqueue(database, make_event(1, "v1"), make_event(1, "v2"))
    first, second = await claim(database)
    stale = await deliveries.receiver_summary("hook")
    again = Verdict(state=State.PENDING, reason=text_reason("http 410"), next_at=NOW)
    refused = ReceiverSignal(health=SignalKind.REFUSES, reason=text_reason("http 410"))
    assert await routing.settle(deliveries, "hook", first, Settlement(verdict=again, at=NOW, signal=refused))
    unchanged = routing.unchanged(stale.state)
    with pytest.raises(OutdatedDecisionError):
        await deliveries.settle(second, Settlement(verdict=again, at=NOW), unchanged)
    assert await routing.settle(deliveries, "hook", second, Settlement(verdict=again, at=NOW, signal=refused))
    assert (await deliveries.receiver_summary("hook")).waiting == 2
    assert await deliveries.next_due("hook", oldest_only=True) == NOW + PARKED_RETRY


async def test_reclaim_takes_expired_leases_and_those_of_owned_receivers_only(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event(), to=("mine", "other"))
    for receiver in ("mine", "other"):
        await claim(database, receiver=receiver)
    assert await Deliveries(database).reclaim({"mine"}, NOW) == 1
    assert await Deliveries(database).reclaim((), NOW + SECOND) == 0
    assert await Deliveries(database).reclaim((), NOW + DAY) == 1


async def test_loads_are_limited_to_the_accounts_that_are_asked_for(
    database: Database, make_event: MakeEvent, make_snapshot: Callable[..., Snapshot]
) -> None:
    store = PollStore(database)
    rows = tuple(
        IncidentRow(subject=subject, seq=1, incident=None)
        for subject in ("account:main", "service:b/s", "watcher:store")
    )
    polls = tuple(PollState(key=key) for key in ("service:main/s", "joined service:b/s"))
    about_receiver = replace(make_event(9), subject="receiver:hook", account=None)
    batch = Batch(snapshots=(make_snapshot(),), events=(make_event(), about_receiver), polls=polls, incident_rows=rows)
    await store.record(batch)
    other = await store.load({"b"})
    assert (len(other.snapshots), [item.key for item in other.polls]) == (0, ["joined service:b/s"])
    assert {row.subject for row in other.incident_rows} == {"service:b/s", "watcher:store"}
    assert [found.subject for found, _ in await Outbox(database).unrouted(9, {"b"})] == ["receiver:hook"]
    assert len(await Outbox(database).unrouted(9, {"main"})) == 2


async def test_an_action_on_a_delivery_that_is_being_sent_by_now_changes_nothing(
    database: Database, make_event: MakeEvent
) -> None:
    await enqueue(database, make_event())
    deliveries = Deliveries(database)
    old = await deliveries.expirable("hook", LATER, uncertain=False, untried=True)
    (leased,) = await claim(database)
    assert await deliveries.end([routing.dropped(delivery) for delivery in old], NOW) == []
    assert await settle(database, leased)


@pytest.mark.parametrize("refused", ["\x00", "\udcff"])
async def test_a_character_that_a_database_refuses_is_replaced_as_a_text_is_stored(
    database: Database, refused: str
) -> None:
    silences = Silences(database)
    silence = await silences.add(matcher_of({"kind": [refused]}), DAY, "mina", f"\uae40{refused}b", NOW)
    with open_views(database.url) as views:
        found = views.silence(silence.id)
    assert found is not None
    assert found.reason == "\uae40\ufffdb"
    with pytest.raises(SilenceRefusedError, match="there is no silence"):
        await silences.end(refused, "mina", NOW)


class DriverError(Exception):
    """A driver's error."""

    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "fault"),
    [
        ("53100", WriteFault.FULL),
        ("58030", WriteFault.IO),
        ("25006", WriteFault.IO),
        ("40001", WriteFault.LOCKED),
        ("40P01", WriteFault.LOCKED),
        ("55P03", WriteFault.LOCKED),
        ("08006", WriteFault.AWAY),
        ("57P01", WriteFault.AWAY),
        ("23505", None),
    ],
)
def test_the_faults_of_postgresql_are_known(sqlstate: str, fault: WriteFault | None) -> None:
    assert fault_of(OperationalError("", {}, DriverError(sqlstate))) is fault


def test_every_fault_has_its_advice() -> None:
    assert set(STORE_REMEDIES) == {fault.value for fault in WriteFault}


def test_a_query_for_open_groups_uses_their_index(path: Path) -> None:
    open_database(path, purpose="test", now=NOW).close()
    table = schema.delivery.c
    query = select(table.position).where(table.receiver == "a", table.group_key == "b", ~table.sealed)
    engine = writer_engine(path)
    with engine.begin() as connection:
        explained = connection.execute(text(f"EXPLAIN QUERY PLAN {query.compile(engine, compile_kwargs=LITERAL)}"))
        assert "USING INDEX ix_delivery_group" in str(explained.all())
    engine.dispose()


LITERAL: Final = {"literal_binds": True}

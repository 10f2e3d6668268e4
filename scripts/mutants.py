"""Plant one fault after another into a copy of the mechanism, and run the tests that must catch it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
COPIED: Final = ("watcher", "tests", "pyproject.toml", "config.example.toml", "docs", "README.md", "systemd")
AT_ONCE: Final = 2
FAILED: Final = 1
"""pytest's exit status when a test failed."""

DELIVERIES: Final = "tests/integration/store/test_deliveries.py"
LINES: Final = "tests/integration/store/delivery/test_lines.py"
POLLS: Final = "tests/integration/store/test_polls.py"
CACHE: Final = "tests/unit/pipeline/polling/test_cache.py"
VERDICT: Final = "tests/unit/core/delivery/test_model.py"
LIFECYCLE: Final = "tests/unit/core/training/test_lifecycle.py"
BATCH_BOUNDARIES: Final = "tests/integration/store/test_batch_boundaries.py"
REFUSED_WRITES: Final = "tests/integration/virtual/test_refused_writes.py"
STORE_OUTAGE: Final = "tests/integration/virtual/test_store_outage.py"
GROUP_COMMIT: Final = "tests/integration/store/sqlite/test_group_commit.py"
SOCKET_STREAM: Final = "tests/integration/http/test_socket_stream.py"
SWEEP_ROWS: Final = "tests/integration/virtual/test_rows_of_a_sweep.py"
UPDATE_ROWS: Final = "tests/integration/virtual/test_rows_of_updates.py"
FLUSH: Final = "tests/unit/pipeline/polling/test_flush.py"
FAILURE_FIRST: Final = "tests/integration/store/delivery/test_failure_first.py"
WHAT_WAITS: Final = "tests/integration/store/delivery/test_what_waits.py"
STUCK: Final = "tests/unit/core/training/test_stuck.py"
HANGING: Final = "tests/integration/virtual/test_stuck.py"
RUN: Final = "tests/unit/core/training/test_run.py"
PAST_RUNS: Final = "tests/integration/store/test_past_runs.py"
COMPARER: Final = "tests/unit/pipeline/polling/runs/test_comparer.py"
DEADLINES: Final = "tests/unit/pipeline/polling/runs/test_deadlines.py"
INTERVALS: Final = "tests/unit/pipeline/polling/test_intervals.py"
OVERDUE: Final = "tests/integration/virtual/test_overdue.py"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted fault: its file, the old and the new text, and the tests that catch it."""

    fault: str
    file: str
    old: str
    new: str
    tests: str


MUTANTS: Final = (
    Mutant(
        "settling without the token",
        "watcher/store/deliveries.py",
        "found.update((row.id, row.position) for row in rows if row.token == tokens[row.id])",
        "found.update((row.id, row.position) for row in rows)",
        DELIVERIES,
    ),
    Mutant(
        "no lease: a delivery in sending is reclaimed at once",
        "watcher/store/delivery/leases.py",
        'and_(_delivery.c.receiver == bindparam("to"), _delivery.c.lease_until <= bindparam("now"))',
        '_delivery.c.receiver == bindparam("to")',
        DELIVERIES,
    ),
    Mutant(
        "the first delivery of a training does not block the next ones",
        "watcher/store/delivery/insertion.py",
        'row["first_in_line"] = subject not in occupied',
        'row["first_in_line"] = True',
        DELIVERIES,
    ),
    Mutant(
        "the next delivery of a line keeps its mark as the first one ends",
        "watcher/store/delivery/lines.py",
        "mark(connection, followers)",
        "assert followers is not None",
        LINES,
    ),
    Mutant(
        "a group does not wait for an earlier delivery of an event that joins it",
        "watcher/store/delivery/insertion.py",
        "    lines.mark(connection, [position])",
        "    assert position",
        LINES,
    ),
    Mutant(
        "a delivery that an operator sends again waits for a line that it left",
        "watcher/store/delivery/operator_actions.py",
        '        "first_in_line": True,\n',
        "",
        LINES,
    ),
    Mutant(
        "a store of an older version gets no marks",
        "watcher/store/migrations/versions/0009_first_in_line.py",
        "    _find_first()\n",
        "",
        LINES,
    ),
    Mutant(
        "of many due deliveries the oldest goes before an urgent one",
        "watcher/store/delivery/queue.py",
        ".order_by(_table.urgent.desc(), _table.position)",
        ".order_by(_table.position)",
        LINES,
    ),
    Mutant(
        "attempts that end together lose the one whose lease another has",
        "watcher/store/deliveries.py",
        "for leased, settlement in settled if leased.request.delivery_id in held]",
        "for leased, settlement in settled if held]",
        LINES,
    ),
    Mutant(
        "a batch leaves the earlier changes of a training behind",
        "watcher/store/delivery/batches.py",
        "yield position, list(line[:number])",
        "yield position, [position]",
        "tests/integration/store/delivery/test_joined_lines.py",
    ),
    Mutant(
        "a reclaimed delivery is not marked as a possible repeat",
        "watcher/store/delivery/leases.py",
        "token=None, may_be_repeat=True)",
        "token=None)",
        DELIVERIES,
    ),
    Mutant(
        "a delivery that ends does not release the next ones",
        "watcher/store/delivery/endings.py",
        "        lines.release(connection, [one.position for one in part])",
        "        assert lines",
        DELIVERIES,
    ),
    Mutant(
        "a delivery that ends leaves its ledger entries open",
        "watcher/store/delivery/endings.py",
        '            connection.execute(_CLOSE, {"ids": ids, "ending": ending, "ended_at": to_text(now)})',
        "            assert ids and ending",
        DELIVERIES,
    ),
    Mutant(
        "urgent deliveries do not go first",
        "watcher/store/delivery/queue.py",
        "[(not row.urgent, row.position)",
        "[(False, row.position)",
        LINES,
    ),
    Mutant(
        "a failure waits for the news of others behind a message of its own training",
        "watcher/store/delivery/insertion.py",
        'if row["urgent"] and not row["first_in_line"]])',
        'if row["urgent"] and row["first_in_line"]])',
        FAILURE_FIRST,
    ),
    Mutant(
        "an open group that a failure waits for keeps its wait",
        "watcher/store/delivery/insertion.py",
        '            self._connection.execute(_RELEASE_THESE, {"now": self._now, "positions": positions})\n',
        "            assert positions\n",
        FAILURE_FIRST,
    ),
    Mutant(
        "a failure has a receiver that has just refused tried at once",
        "watcher/store/delivery/urgency.py",
        " if not is_refusal(read_reason(row.reason))]",
        " if is_refusal(read_reason(row.reason)) is not None]",
        FAILURE_FIRST,
    ),
    Mutant(
        "a hurried message that fails counts as an urgent event",
        "watcher/store/delivery/receivers.py",
        "[row.created_at for row in failed if row.has_urgent_event]",
        "[row.created_at for row in failed]",
        FAILURE_FIRST,
    ),
    Mutant(
        "a failure behind a message that never passes is no failure of the receiver",
        "watcher/store/delivery/receivers.py",
        "[row.position for row in failed if not row.has_urgent_event]",
        "[]",
        FAILURE_FIRST,
    ),
    Mutant(
        "an event is marked as routed before its deliveries are made",
        "watcher/store/outbox.py",
        "        await self._database.write(lambda connection: enqueue(connection, plan))",
        "        def mark(connection: Connection) -> None:\n"
        "            _mark_routed(connection, plan)\n"
        "        await self._database.write(mark)\n"
        "        await self._database.write(lambda connection: enqueue(connection, plan))",
        BATCH_BOUNDARIES,
    ),
    Mutant(
        "the number of a receiver's message skips one",
        "watcher/store/outbox.py",
        '"last_seq": count}',
        '"last_seq": count + 1}',
        DELIVERIES,
    ),
    Mutant(
        "an event joins a group that is sealed",
        "watcher/store/delivery/insertion.py",
        "table.group_key == group.key, ~table.sealed)",
        "table.group_key == group.key)",
        DELIVERIES,
    ),
    Mutant(
        "an event joins a group that goes before its training's earlier message",
        "watcher/store/delivery/insertion.py",
        ".where(open_groups, in_order, _size_of(table.id) < group.largest)",
        ".where(open_groups, _size_of(table.id) < group.largest)",
        DELIVERIES,
    ),
    Mutant(
        "a single message leaves the earlier group open",
        "watcher/store/delivery/insertion.py",
        '        self._connection.execute(_RELEASE_OF_LINES, {"now": self._now, "to": receiver, "subjects": '
        "subjects})\n",
        "",
        DELIVERIES,
    ),
    Mutant(
        "the ledger takes two entries of an event and a receiver",
        "watcher/store/migrations/versions/0001_first_schema.py",
        'sa.Column("event_id", sa.Text, primary_key=True),\n        sa.Column("receiver", sa.Text, primary_key=True),',
        'sa.Column("event_id", sa.Text),\n        sa.Column("receiver", sa.Text),',
        "tests/integration/store/sqlite/test_database.py",
    ),
    Mutant(
        "a refused write keeps its rows",
        "watcher/store/sqlite/group_commit.py",
        '        file.execute("ROLLBACK TO piece")\n',
        "",
        GROUP_COMMIT,
    ),
    Mutant(
        "a failed statement ends the whole group for good",
        "watcher/store/sqlite/group_commit.py",
        "            # SQLite may have ended the transaction, so that no savepoint is left to return to.\n"
        "            return False\n",
        "            for piece in pieces:\n                WriteOutcome(error=RuntimeError()).report(piece)\n"
        "            return True\n",
        GROUP_COMMIT,
    ),
    Mutant(
        "a snapshot is written over a concurrent change",
        "watcher/store/polls.py",
        "if changed != len(snapshots):",
        "if changed > len(snapshots):",
        POLLS,
    ),
    Mutant(
        "an event is committed after its snapshot",
        "watcher/store/polls.py",
        "            await self._database.write(lambda connection: _record(connection, batch))",
        "            await self._database.write(lambda connection: _record(connection, replace(batch, events=())))\n"
        "            await self._database.write(lambda connection: _record(connection, Batch(events=batch.events)))",
        POLLS,
    ),
    Mutant(
        "the rows of a failed flush are dropped",
        "watcher/pipeline/polling/cache.py",
        "                self._unwritten_trainings |= trainings\n                self._unwritten_polls |= polls\n",
        "",
        CACHE,
    ),
    Mutant(
        "a noted poll wakes no flush",
        "watcher/pipeline/polling/cache.py",
        "        if self._unwritten_trainings or self._unwritten_polls:\n            self.changed.tick()\n",
        "",
        FLUSH,
    ),
    Mutant(
        "a failed flush waits for the next note",
        "watcher/pipeline/polling/flush.py",
        '"poll.write_delayed", reason=str(error))\n            self._cache.changed.tick()\n',
        '"poll.write_delayed", reason=str(error))\n',
        FLUSH,
    ),
    Mutant(
        "a poll that APScheduler misses after a step of the clock waits for the next look at the clocks",
        "watcher/scheduler.py",
        "        return min(max(due - self._clock.monotonic(), 0.0) + LATE_SECONDS, LONGEST_WAIT_SECONDS)",
        "        return LONGEST_WAIT_SECONDS",
        "tests/unit/test_scheduler.py",
    ),
    Mutant(
        "a store that is written is checked no sooner than an idle one",
        "watcher/pipeline/store_outage.py",
        "or await self._write_health.until_write(IDLE_SECONDS):",
        "or await asyncio.sleep(IDLE_SECONDS):",
        STORE_OUTAGE,
    ),
    Mutant(
        "another fallback trusts the marks of the one before it",
        "watcher/store/delivery/fallbacks.py",
        "    for clear in _CLEAR_OTHERS:\n        connection.execute(clear, these)\n",
        "",
        WHAT_WAITS,
    ),
    Mutant(
        "a lost lease is found by chance while nothing waits",
        "watcher/store/delivery/leases.py",
        "for time in (waiting, lease_until) if",
        "for time in (waiting,) if lease_until or",
        "tests/integration/store/delivery/test_claim_cost.py",
    ),
    Mutant(
        "the cache is updated before the store",
        "watcher/pipeline/polling/cache.py",
        "            written = await self._poll_store.record(replace(",
        "            self._adopt(snapshots)\n            written = await self._poll_store.record(replace(",
        CACHE,
    ),
    Mutant(
        "a changed list writes every training again",
        "watcher/pipeline/polling/recorded.py",
        "if snapshot is None or not is_recorded(snapshot, item):",
        "if snapshot is None or is_recorded(snapshot, item) is not None:",
        SWEEP_ROWS,
    ),
    Mutant(
        "a training whose updates go on is written in each round",
        "watcher/pipeline/polling/updates/changes.py",
        "if (new := decision.snapshot) != cache.training(new.ref)),",
        "if (new := decision.snapshot) is not None),",
        UPDATE_ROWS,
    ),
    Mutant(
        "a training without its inference result is written in each sweep",
        "watcher/pipeline/polling/updates/results.py",
        "snapshots += [decision.snapshot] if decision.snapshot != snapshot else []",
        "snapshots += [decision.snapshot]",
        UPDATE_ROWS,
    ),
    Mutant(
        "the parts of a list are trusted although what remains is another document",
        "watcher/aitems/split_list.py",
        " and page.get(list_name) == [MARK] else None",
        " else None",
        "tests/unit/aitems/test_known_lists.py",
    ),
    Mutant(
        "a change does not read the last answer from the row of its poll",
        "watcher/pipeline/polling/last_shown.py",
        "    return with_last_good_poll(snapshot, last_shown_at(cache, poll, snapshot.ref))",
        "    return with_last_good_poll(snapshot, None) if cache or poll else snapshot",
        SWEEP_ROWS,
    ),
    Mutant(
        "a list that hides a training counts as the last answer that showed it",
        "watcher/pipeline/polling/last_shown.py",
        "    if own is not None or (poll.training is None and cache.has_poll(ref.subject)):",
        "    if own is not None and poll.training is not None:",
        SWEEP_ROWS,
    ),
    Mutant(
        "an answer with the recorded status ends no wait for a confirmation",
        "watcher/core/training/lifecycle.py",
        "    if snapshot.pending is not None or snapshot.absent or snapshot.gone:",
        "    if snapshot.absent or snapshot.gone:",
        LIFECYCLE,
    ),
    Mutant(
        "a backward change needs no confirmation",
        "watcher/core/training/lifecycle.py",
        "    if transition in NEEDS_CONFIRMATION:",
        "    if transition in frozenset():",
        LIFECYCLE,
    ),
    Mutant(
        "an end in a list needs no confirmation",
        "watcher/core/training/lifecycle.py",
        "    return transition is not Transition.END or source is Source.VIEW",
        "    return True",
        LIFECYCLE,
    ),
    Mutant(
        "the id of an event does not depend on the epoch",
        "watcher/core/event.py",
        '    return "evt_" + _digest(epoch, subject, str(seq))',
        '    return "evt_" + _digest(subject, str(seq))',
        "tests/unit/core/test_event.py",
    ),
    Mutant(
        "a start trusts its clock at once",
        "watcher/pipeline/clock_trust.py",
        "        self._agreed_offset: float | None = None",
        "        self._agreed_offset: float | None = self._offset()",
        "tests/integration/virtual/test_reviewed_faults.py",
    ),
    Mutant(
        "no delivery ever expires",
        "watcher/core/delivery/model.py",
        "    if now >= deadline:",
        "    if False:",
        VERDICT,
    ),
    Mutant(
        "Retry-After is ignored",
        "watcher/core/delivery/model.py",
        "    if requested_seconds is not None:",
        "    if False:",
        VERDICT,
    ),
    Mutant(
        "Retry-After has no cap",
        "watcher/core/delivery/model.py",
        "min(max(requested_seconds, 0.0), MAX_RETRY_AFTER_SECONDS)",
        "max(requested_seconds, 0.0)",
        VERDICT,
    ),
    Mutant(
        "a delivery to hold is sent again",
        "watcher/core/delivery/model.py",
        "    if policy.on_uncertain is OnUncertain.HOLD:",
        "    if False:",
        VERDICT,
    ),
    Mutant(
        "the budget's window holds one request too many",
        "watcher/core/polling/rate_limit.py",
        "(WINDOW_SECONDS + margin_seconds) / in_a_window)",
        "(WINDOW_SECONDS + margin_seconds) / (in_a_window + 1))",
        "tests/unit/core/polling/test_rate_limit.py",
    ),
    Mutant(
        "the budget ignores a pause",
        "watcher/aitems/budget.py",
        "        self._rate_limiter = self._rate_limiter.paused(until)\n",
        "        assert seconds >= 0\n",
        "tests/unit/aitems/test_budget.py",
    ),
    Mutant(
        "routine polls go before confirmations",
        "watcher/aitems/budget.py",
        "queue := self._first or self._routine",
        "queue := self._routine or self._first",
        "tests/unit/aitems/test_budget.py",
    ),
    Mutant(
        "pruning removes a training's newest event",
        "watcher/store/retention.py",
        ".where(event.c.position.not_in(newest), ~waiting, ~unannounced)",
        ".where(~waiting, ~unannounced, newest.exists())",
        DELIVERIES,
    ),
    Mutant(
        "pruning removes events with open deliveries",
        "watcher/store/retention.py",
        ".where(event.c.position.not_in(newest), ~waiting, ~unannounced)",
        ".where(event.c.position.not_in(newest), waiting.is_not(None))",
        DELIVERIES,
    ),
    Mutant(
        "a delivery expires by a stepped clock",
        "watcher/pipeline/delivery/attempt.py",
        "return policy if self._parts.clock_trust.trusted else",
        "return policy if True else",
        "tests/integration/virtual/test_reviewed_faults.py",
    ),
    Mutant(
        "an answer that cannot be saved is dropped",
        "watcher/pipeline/polling/account_writer.py",
        "                    if not self._retries:\n",
        "                    if self._retries:\n",
        "tests/unit/pipeline/polling/test_account_writer.py",
    ),
    Mutant(
        "answers that wait for the store change their order",
        "watcher/pipeline/polling/account_writer.py",
        "self._turns.setdefault(account, asyncio.Lock())",
        "asyncio.Lock()",
        "tests/unit/pipeline/polling/test_account_writer.py",
    ),
    Mutant(
        "an unanswered name is queried again by each caller",
        "watcher/resolver.py",
        "self._open.get(query) or self._start(query)",
        "self._start(query)",
        "tests/integration/http/test_resolver.py",
    ),
    Mutant(
        "an end after a view with an earlier stage is not recorded",
        "watcher/pipeline/polling/decider.py",
        " or is_news(self._cache, differing)",
        "",
        "tests/integration/virtual/test_reviewed_faults.py",
    ),
    Mutant(
        "pruning removes a dead letter before it is announced",
        "watcher/store/retention.py",
        ".where(event.c.position.not_in(newest), ~waiting, ~unannounced)",
        ".where(event.c.position.not_in(newest), ~waiting)",
        DELIVERIES,
    ),
    Mutant(
        "a failure counts at each attempt to save it",
        "watcher/core/incidents/changes.py",
        "before.latest == failure",
        "before.latest is failure",
        REFUSED_WRITES,
    ),
    Mutant(
        "an answer counts again for its deviation",
        "watcher/pipeline/polling/recorder.py",
        'log.debug("contract.deviation_not_saved", poll=poll.key, reason=str(error))\n            return',
        'log.debug("contract.deviation_not_saved", poll=poll.key, reason=str(error))\n            raise',
        REFUSED_WRITES,
    ),
    Mutant(
        "an event that was sent directly is also routed",
        "watcher/pipeline/store_outage.py",
        "prerouted = await self._plan(failure, recovered)",
        "prerouted = None",
        STORE_OUTAGE,
    ),
    Mutant(
        "all failures of the store have one id",
        "watcher/core/incidents/store_event.py",
        'named_apart = f"{STORE_SUBJECT} {to_text(now)}"',
        "named_apart = STORE_SUBJECT",
        STORE_OUTAGE,
    ),
    Mutant(
        "a deleted training does not end the outage of its service",
        "watcher/pipeline/polling/incidents/monitor.py",
        "succeeded([self.subject_of(poll)], now), now)",
        "succeeded([], now), now)",
        "tests/integration/virtual/test_reviewed_faults.py",
    ),
    Mutant(
        "stuck is reported at each answer after the limit",
        "watcher/core/training/stuck.py",
        "if before is not None and before.level >= level:",
        "if before is not None and before.level > level:",
        STUCK,
    ),
    Mutant(
        "a limit passes by the earliest start instead of the latest",
        "watcher/core/training/stuck.py",
        "self.limit.level_after(time - self.since.before - self.unpolled)",
        "self.limit.level_after(time - self.since.after - self.unpolled)",
        STUCK,
    ),
    Mutant(
        "time in which AiTEMS could not be polled counts for stuck",
        "watcher/core/training/stuck.py",
        "return run.with_gap(gap) if gap > timedelta() else run",
        "return run",
        f"{STUCK} {HANGING}",
    ),
    Mutant(
        "a limit that passes before an unchanged list is not looked at",
        "watcher/pipeline/polling/runs/in_progress.py",
        "cache.deadlines(context.poll).due(result.asked_at)",
        "set()",
        HANGING,
    ),
    Mutant(
        "no poll follows a limit within the idle interval",
        "watcher/pipeline/polling/intervals.py",
        "if limit is None or limit >= start:",
        "if limit is None or limit >= 0:",
        INTERVALS,
    ),
    Mutant(
        "a step of the wall clock makes trainings stuck",
        "watcher/pipeline/polling/runs/clock_steps.py",
        "if abs(step) <= STEP_SECONDS:",
        "if True:",
        HANGING,
    ),
    Mutant(
        "the next stage keeps the report of the one before",
        "watcher/core/durations/current_run.py",
        "            report=None,\n",
        "",
        STUCK,
    ),
    Mutant(
        "the runs of one answer are each the first of their streak",
        "watcher/pipeline/polling/runs/comparer.py",
        "        group.earlier = group.earlier.with_run(run, config)\n",
        "",
        COMPARER,
    ),
    Mutant(
        "a run that a restore interrupted teaches",
        "watcher/core/training/run.py",
        "is_whole=not self.restored,",
        "is_whole=True,",
        RUN,
    ),
    Mutant(
        "a run is kept without its stages",
        "watcher/store/polls.py",
        "    if stages := [row for run in runs for row in stage_rows(run)]:\n",
        "    if stages := []:\n",
        PAST_RUNS,
    ),
    Mutant(
        "a gap that hid a change of stage counts against the run",
        "watcher/core/training/lifecycle.py",
        "if run is not None and unconfirmed.late:",
        "if run is None and unconfirmed.late:",
        LIFECYCLE,
    ),
    Mutant(
        "the limits of many trainings poll their list without a pause",
        "watcher/pipeline/polling/intervals.py",
        "max(passed, before + poll.cadence.interval.total_seconds())",
        "passed",
        INTERVALS,
    ),
    Mutant(
        "a deadline stays when its run changes",
        "watcher/pipeline/polling/runs/deadlines.py",
        "if self._deadlines.get(ref) == deadline:",
        "if ref in self._deadlines or self._deadlines.get(ref) == deadline:",
        DEADLINES,
    ),
    Mutant(
        "a deadline that has passed stays so although the clock was set back",
        "watcher/pipeline/polling/runs/deadlines.py",
        "if self._now is not None and now < self._now:",
        "if False:",
        DEADLINES,
    ),
    Mutant(
        "an idle service with one training in progress keeps the idle interval",
        "watcher/pipeline/polling/cache.py",
        "            yield from (known[ref] for ref in refs if ref in known)",
        "            yield from ()",
        "tests/unit/pipeline/polling",
    ),
    Mutant(
        "a run that ends before the next poll is no start of its retraining",
        "watcher/core/training/retraining.py",
        "    if event.kind in _ENDS:\n",
        "    if event.kind in ():\n",
        OVERDUE,
    ),
    Mutant(
        "samples of earlier runs stay when a run of their group ends",
        "watcher/pipeline/polling/runs/comparer.py",
        "        self._known.forget(item.ended_run.ref for item in decisions if item.ended_run is not None)\n",
        "",
        COMPARER,
    ),
    Mutant(
        "a decision is taken without the earlier runs while the store is locked",
        "watcher/store/polls.py",
        "if (fault := fault_of(error)) in SHORT_FAULTS:",
        "if (fault := fault_of(error)) in ():",
        PAST_RUNS,
    ),
    Mutant(
        "a request stays behind where its answer was read before",
        "watcher/http/socket_stream.py",
        "            asyncio.get_running_loop().call_soon(self._send)\n",
        "            assert self._transport\n",
        SOCKET_STREAM,
    ),
    Mutant(
        "a closing connection takes what waits",
        "watcher/http/socket_stream.py",
        "if unsent and not self._transport.is_closing():",
        "if unsent:",
        SOCKET_STREAM,
    ),
    Mutant(
        "a wait for a connection counts as the answer of the receiver",
        "watcher/pipeline/delivery/attempt.py",
        "        async with self._connections:\n            return await self._timed(request)\n",
        "        assert self._connections\n        return await self._timed(request)\n",
        "tests/integration/virtual/test_overlapping_attempts.py",
    ),
    Mutant(
        "lines that are lost together count as one",
        "watcher/line_writer.py",
        "self._lose(sum(end > result.written for end in accumulate(len(line.data) for line in lines)))",
        "self._lose(1)",
        "tests/integration/streams/test_line_writer.py",
    ),
    Mutant(
        "a name behind an escape does not occur in a record",
        "watcher/core/json_object.py",
        """ or b"\\\\" in self._text""",
        "",
        "tests/unit/core/test_json_object.py",
    ),
)


def caught(mutant: Mutant, folder: Path) -> str:
    """Plant the fault in a copy and run its tests; return the result."""
    copy = folder / str(MUTANTS.index(mutant))
    copy.mkdir()
    for name in COPIED:
        source = ROOT / name
        copier = shutil.copytree if source.is_dir() else shutil.copy
        copier(source, copy / name)
    file = copy / mutant.file
    text = file.read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        return f"STALE: {mutant.file} has its text {text.count(mutant.old)} times"
    file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    ended = run_tests(copy, mutant.tests.split())
    shutil.rmtree(copy)
    if ended.returncode != FAILED:
        return f"SURVIVES (pytest ended with {ended.returncode})"
    failed = [line for line in ended.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0].partition("::")[2].partition(" - ")[0] if failed else "caught"


def run_tests(copy: Path, tests: list[str]) -> subprocess.CompletedProcess[str]:
    """Run tests against the program of the copy."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--tb=no", *tests]
    environ = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=copy, env=environ, check=False, capture_output=True, text=True)  # noqa: S603


def main(wanted: str = "") -> int:
    """Print the test that caught each fault; return 1 if a fault survived."""
    chosen = [mutant for mutant in MUTANTS if wanted in mutant.fault]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        verdicts = list(pool.map(lambda mutant: caught(mutant, Path(folder)), chosen))
    for mutant, verdict in zip(chosen, verdicts, strict=True):
        print(f"{mutant.fault:75} {verdict}")  # noqa: T201 - the output of the script
    bad = sum(verdict.startswith(("SURVIVES", "STALE")) for verdict in verdicts)
    print(f"{len(chosen) - bad} of {len(chosen)} planted faults are caught")  # noqa: T201 - as above
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))

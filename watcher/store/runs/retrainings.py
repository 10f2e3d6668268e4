"""Convert retrainings to rows of their table, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, bindparam, select

from watcher.core.durations.current_run import Bounds
from watcher.core.timestamps import from_text, to_text
from watcher.core.training.absence import GoodVersion, Missing
from watcher.core.training.retraining import Retraining, RetrainingRef
from watcher.store import schema
from watcher.store.runs.updates import read_cycle, write_cycle

Row = dict[str, Any]
_ONE: Final = select(schema.retraining).where(schema.retraining.c.subject == bindparam("subject"))


def retraining_of(connection: Connection, ref: RetrainingRef) -> Retraining | None:
    """Return the state of a retraining; ``None`` where no training of it is known."""
    row = connection.execute(_ONE, {"subject": ref.subject}).mappings().first()
    return None if row is None else read_retraining(row)


def retraining_row(state: Retraining) -> Row:
    """Return the columns of a retraining."""
    good = state.last_good
    return {
        "subject": state.ref.subject,
        "account": state.ref.account,
        "since": to_text(state.since),
        "starts": _dump([_pair(start) for start in state.starts]),
        "last_good": None if good is None else _dump([good.version, *_pair(good.ended)]),
        "reported": _dump(sorted(item.value for item in state.reported)),
        "seq": state.seq,
        "cycle": None if state.cycle is None else write_cycle(state.cycle),
        "result_waits": _dump(state.result_waits),
    }


def read_retraining(row: RowMapping) -> Retraining:
    """Read a row of ``retraining``."""
    return Retraining(
        ref=RetrainingRef.from_subject(row["subject"]),
        since=from_text(row["since"]),
        starts=tuple(_bounds(times) for times in json.loads(row["starts"])),
        last_good=None if row["last_good"] is None else _read_good(json.loads(row["last_good"])),
        reported=frozenset(Missing(word) for word in json.loads(row["reported"])),
        seq=row["seq"],
        cycle=None if row["cycle"] is None else read_cycle(row["cycle"]),
        result_waits=tuple(json.loads(row["result_waits"])),
    )


def _read_good(data: Sequence[str]) -> GoodVersion:
    version, *times = data
    return GoodVersion(version=version, ended=_bounds(times))


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _pair(bounds: Bounds) -> list[str]:
    return [to_text(bounds.after), to_text(bounds.before)]


def _bounds(times: Sequence[str]) -> Bounds:
    after, before = times
    return Bounds(after=from_text(after), before=from_text(before))

"""Requests of an operator as JSON, and their refusals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from watcher.core.delivery.state import State
from watcher.core.routing.matcher import patterns_of
from watcher.core.routing.silence import LONGEST, Silence, is_allowed_length
from watcher.operations.backup import BackupRequest, BackupResult, back_up
from watcher.operations.deliveries import DropRequest, RetryRequest, changes_json, drop_deliveries, retry_deliveries
from watcher.operations.errors import OperationRefusedError
from watcher.operations.receiver_test import ReceiverTest
from watcher.operations.silences import NewSilence, SilenceEnd, end_silence
from watcher.store.delivery.operator_actions import Change, DeliveryRefusedError
from watcher.store.silences import SilenceRefusedError

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SILENCE: Mapping[str, object] = {"match": {"service": ["s"]}, "seconds": 60, "by": "mina", "why": "backfill"}


class FakeDeliveries:
    """Records the calls of the use cases; ``refuses`` makes each call fail."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses
        self.calls: list[tuple[object, ...]] = []

    def _called(self, *call: object) -> list[Change]:
        if self.refuses:
            raise DeliveryRefusedError("it was delivered")
        self.calls.append(call)
        return [Change(id="msg_1", receiver="hook", before=State.DEAD, after=State.PENDING)]

    async def retry(self, beginnings: Iterable[str], by: str, now: datetime) -> list[Change]:
        return self._called("retry", tuple(beginnings), by, now)

    async def retry_all_dead(
        self, receiver: str | None, by: str, now: datetime, limit: int | None = None
    ) -> list[Change]:
        return self._called("retry_all_dead", receiver, by, now, limit)

    async def drop(self, beginnings: Iterable[str], by: str, now: datetime) -> list[Change]:
        return self._called("drop", tuple(beginnings), by, now)


class RefusingSilences:
    """A store without any silence."""

    async def add(self, *_arguments: object) -> Silence:
        raise NotImplementedError

    async def end(self, *_arguments: object) -> Silence:
        raise SilenceRefusedError("there is no silence 'sil_1'")


def test_a_new_silence_is_read_from_json() -> None:
    request = NewSilence.from_json({**SILENCE, "by": " mina "})
    assert patterns_of(request.match) == {"service": ["s"]}
    assert (request.lasts, request.author, request.reason) == (timedelta(minutes=1), "mina", "backfill")


@pytest.mark.parametrize(
    "wrong",
    [
        {"match": {}},
        {"match": {"service": "s"}},
        {"match": None},
        {"seconds": 0},
        {"seconds": -1},
        {"seconds": LONGEST.total_seconds() + 1},
        {"seconds": float("inf")},
        {"seconds": float("nan")},
        {"seconds": "60"},
        {"by": " "},
        {"by": None},
        {"why": ""},
        {"by": "x" * 101},
        {"why": "x" * 1001},
    ],
)
def test_an_incomplete_or_invalid_silence_is_refused(wrong: Mapping[str, object]) -> None:
    with pytest.raises(OperationRefusedError):
        NewSilence.from_json({**SILENCE, **wrong})


def test_a_silence_lasts_more_than_no_time_and_at_most_a_year() -> None:
    lengths = (timedelta(), timedelta(seconds=1), LONGEST, LONGEST + timedelta(seconds=1))
    assert [is_allowed_length(lasts) for lasts in lengths] == [False, True, True, False]


async def test_a_refusal_of_the_store_is_a_refused_operation() -> None:
    with pytest.raises(OperationRefusedError, match="there is no silence"):
        await end_silence(RefusingSilences(), SilenceEnd.from_json({"id": "sil_1", "by": "mina"}), NOW)
    refusing = FakeDeliveries(refuses=True)
    with pytest.raises(OperationRefusedError, match="it was delivered"):
        await retry_deliveries(refusing, RetryRequest(ids=["msg_1"]), NOW)
    with pytest.raises(OperationRefusedError, match="it was delivered"):
        await drop_deliveries(refusing, DropRequest(ids=["msg_1"], by="mina"), NOW)


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        ({"ids": ["msg_1"], "all_dead": False, "by": " mina "}, ("retry", ("msg_1",), "mina", NOW)),
        # A command of an older version names nobody.
        ({"all_dead": True}, ("retry_all_dead", None, "", NOW, None)),
        ({"all_dead": True, "ids": [], "receiver": "hook", "by": None}, ("retry_all_dead", "hook", "", NOW, None)),
        ({"all_dead": True, "receiver": "hook", "limit": 2}, ("retry_all_dead", "hook", "", NOW, 2)),
    ],
)
async def test_a_retry_names_deliveries_or_every_dead_letter(
    arguments: Mapping[str, object], call: tuple[object, ...]
) -> None:
    deliveries = FakeDeliveries()
    changes = await retry_deliveries(deliveries, RetryRequest.from_json(arguments), NOW)
    assert deliveries.calls == [call]
    row = {"id": "msg_1", "receiver": "hook", "before": "dead", "after": "pending"}
    assert changes_json(changes) == {"deliveries": [row]}


async def test_a_drop_names_deliveries_and_their_operator() -> None:
    deliveries = FakeDeliveries()
    await drop_deliveries(deliveries, DropRequest.from_json({"ids": ["msg_1"], "by": "mina"}), NOW)
    assert deliveries.calls == [("drop", ("msg_1",), "mina", NOW)]


@pytest.mark.parametrize("arguments", [{}, {"ids": []}, {"ids": "msg_1"}, {"ids": None, "all_dead": "yes"}])
def test_a_request_that_names_no_delivery_is_refused(arguments: Mapping[str, object]) -> None:
    for request in (RetryRequest, DropRequest):
        with pytest.raises(OperationRefusedError, match="at least one delivery"):
            request.from_json(arguments)


@pytest.mark.parametrize("request_of", [RetryRequest, DropRequest, ReceiverTest])
def test_an_author_of_any_length_is_refused(request_of: type[RetryRequest]) -> None:
    with pytest.raises(OperationRefusedError, match="at most 100"):
        request_of.from_json({"ids": ["msg_1"], "receiver": "hook", "by": "x" * 101})


def test_a_backup_returns_its_file_and_size(tmp_path: Path) -> None:
    def write_backup(target: Path, now: datetime, *, force: bool) -> None:
        target.write_text(f"{now:%Y} {force}")

    made = back_up(write_backup, BackupRequest(target=tmp_path / "copy.db", force=True), NOW)
    assert made == BackupResult(target=tmp_path / "copy.db", size_bytes=len("2026 True"))

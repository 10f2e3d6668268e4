"""The client keeps the lists of services that exist, and no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.support.keys import FixedKeys
from tests.support.virtual import FakeApi, VirtualClock, run
from watcher.aitems.budget import Budget
from watcher.aitems.client import AccountSpec, AitemsClient, ServicesResult
from watcher.aitems.signing import KeyPair
from watcher.core.polling.result import PollResult
from watcher.core.secret import Secret
from watcher.core.training.model import ServiceRef
from watcher.http import Answered, HttpResult

SERVICES: Final = ("s1", "s2", "s3")
ONE_UNREADABLE: Final = b'{"services": [{"serviceId": "s1", "name": "s1"}, {"serviceId": 7}]}'


def client_of(api: FakeApi) -> AitemsClient:
    clock: Any = api.clock
    http: Any = api
    keys = FixedKeys(KeyPair(Secret("access"), Secret("secret-key")))
    account = AccountSpec(name="main", base_url="https://api.example/api/v1", keys=keys)
    return AitemsClient(http, account, clock, Budget(per_second=1000.0, max_concurrency=8, clock=clock))


async def list_all(client: AitemsClient) -> None:
    for service in SERVICES:
        assert isinstance(await client.list(ServiceRef("main", service)), PollResult)


def kept(change: Callable[[FakeApi], None]) -> tuple[list[str], list[str]]:
    """Return the services whose list is kept after a list of services, and after each was listed again."""

    async def main(clock: VirtualClock) -> tuple[list[str], list[str]]:
        api = FakeApi(clock)
        api.trainings = {(service, "v1"): "learning" for service in SERVICES}
        client = client_of(api)
        await list_all(client)
        change(api)
        await client.services()
        after = sorted(service.service for service in client._known)
        assert client._lists.ends.keys() - {"/services"} == {f"/services/{service}/trains" for service in after}
        api.fault, api.services = lambda _now, _path: None, None
        await list_all(client)
        return after, sorted(service.service for service in client._known)

    return run(main)


def answering(status: int, body: bytes | None = None) -> Callable[[FakeApi], None]:
    def change(api: FakeApi) -> None:
        def fault(_now: float, path: str) -> HttpResult | None:
            if not path.partition("?")[0].endswith("/services"):
                return None
            answer = api.answer(status, {"services": []})
            return (
                answer
                if body is None
                else Answered(
                    status=status,
                    headers=answer.headers,
                    body=body,
                    asked_at=answer.asked_at,
                    answered_at=answer.answered_at,
                )
            )

        api.fault = fault

    return change


def deleting(*services: str) -> Callable[[FakeApi], None]:
    return lambda api: setattr(api, "services", [service for service in SERVICES if service not in services])


@pytest.mark.parametrize(
    ("change", "after"),
    [
        (deleting(), ["s1", "s2", "s3"]),
        (deleting("s2"), ["s1", "s3"]),
        (deleting("s1", "s3"), ["s2"]),
        (answering(200), []),
        (answering(503), ["s1", "s2", "s3"]),
        (answering(200, ONE_UNREADABLE), ["s1", "s2", "s3"]),
    ],
    ids=["all exist", "one is deleted", "two are deleted", "an empty list", "no list", "a list that hides one"],
)
def test_the_lists_of_services_that_are_not_listed_are_forgotten(
    change: Callable[[FakeApi], None], after: list[str]
) -> None:
    assert kept(change) == (after, list(SERVICES))


def test_many_services_that_come_and_go_leave_nothing() -> None:
    async def main(clock: VirtualClock) -> int:
        api = FakeApi(clock)
        client = client_of(api)
        for number in range(50):
            api.trainings = {(f"s{number}", "v1"): "learning"}
            assert isinstance(await client.services(), ServicesResult)
            assert isinstance(await client.list(ServiceRef("main", f"s{number}")), PollResult)
        return len(client._known)

    # The latest, and the one before it until the next list of services.
    assert run(main) <= 2

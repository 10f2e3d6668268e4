"""Lists with unreadable records, as the client returns them."""

from __future__ import annotations

import json

import pytest

from tests.integration.aitems.conftest import Script
from tests.integration.aitems.test_client import SERVICE, failure, item, page, result
from tests.integration.http.raw_server import RawServer
from watcher.aitems.client import AitemsClient, ServicesResult
from watcher.core.polling.result import Cause

NO_STATUS = {**item(2), "status": None}


async def test_a_list_leaves_an_unreadable_record_out(api: AitemsClient, script: Script) -> None:
    script.add(page([item(1), NO_STATUS, item(3)], 0, 1000))
    outcome = result(await api.list(SERVICE))
    assert [observation.ref.version for observation in outcome.observations] == ["v1", "v3"]
    assert [record.identity for record in outcome.unreadable] == [("pop", "v2")]


async def test_an_unreadable_record_counts_for_the_next_offset(
    api: AitemsClient, server: RawServer, script: Script
) -> None:
    for body in (page([item(1), NO_STATUS], 0, 2), page([item(3), item(4)], 2, 2), page([item(5)], 4, 2)):
        script.add(body)
    outcome = result(await api.list(SERVICE))
    assert [observation.ref.version for observation in outcome.observations] == ["v1", "v3", "v4", "v5"]
    assert [line.partition("trains")[2] for line in server.request_lines][2] == "?offset=4&limit=2 HTTP/1.1"


async def test_a_training_that_one_page_lists_with_two_statuses_is_unreadable(
    api: AitemsClient, script: Script
) -> None:
    script.add(page([item(1, "learning"), item(2, "learning"), item(1, "completed"), item(1, "learning")], 0, 1000))
    outcome = result(await api.list(SERVICE))
    assert [observation.ref.version for observation in outcome.observations] == ["v2"]
    assert [record.identity for record in outcome.unreadable] == [("pop", "v1")]


async def test_a_training_that_changes_between_two_pages_has_the_later_status(
    api: AitemsClient, script: Script
) -> None:
    script.add(page([item(1), item(2, "learning")], 0, 2))
    script.add(page([item(2, "completed"), item(3)], 2, 2))
    script.add(page([], 4, 2))
    outcome = result(await api.list(SERVICE))
    assert [(each.ref.version, each.status) for each in outcome.observations][1] == ("v2", "completed")


@pytest.mark.parametrize("records", [[NO_STATUS], [None, 7, {}], [NO_STATUS, {**item(1), "serviceId": "other"}]])
async def test_a_list_without_one_readable_record_is_a_bad_answer(
    api: AitemsClient, script: Script, records: list[object]
) -> None:
    script.add({"trains": records, "offset": 0, "limit": 1000})
    problem = failure(await api.list(SERVICE))
    assert problem.cause is Cause.BAD_ANSWER
    assert "no record of the list can be read" in problem.detail


async def test_an_unreadable_service_is_left_out_of_the_accounts_list(api: AitemsClient, script: Script) -> None:
    services = [{"serviceId": name, "status": "learnable"} for name in "ab"]
    body = json.dumps({"services": [*services, {"serviceId": "c", "status": None}], "offset": 0, "limit": 1000})
    script.add(body.replace('"b", "status"', '"b", "name": NaN, "status"').encode())
    answer = await api.services()
    assert isinstance(answer, ServicesResult)
    assert [service.ref.service for service in answer.services] == ["a"]
    assert [record.identity for record in answer.unreadable] == [("b",), ("c",)]

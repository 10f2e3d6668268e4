"""``once`` and ``history``: one poll of everything, and its events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.acceptance.cli_support import EVERY_KIND, KEYS, Workplace

AWAY = """
[receiver.away]
kind = "webhook"
url = "http://127.0.0.1:1/hook"

[[route]]
to = ["console", "away"]
"""


@pytest.mark.smoke
def test_the_first_poll_announces_nothing_and_the_next_announces_the_changes(workplace: Workplace) -> None:
    workplace.write(EVERY_KIND)
    first = workplace.command("once", env=KEYS)
    assert (first.returncode, first.stdout) == (0, "1 poll, 0 failed; 0 events; 0 messages not delivered\n")
    workplace.set_training("v1", "completed")
    workplace.set_training("v2", "requesting")
    second = workplace.command("once", env=KEYS)
    assert second.returncode == 0
    assert "learning -> completed" in second.stdout
    assert second.stdout.endswith("1 poll, 0 failed; 2 events; 0 messages not delivered\n")


def test_json_is_one_object_even_if_a_receiver_writes_json(workplace: Workplace) -> None:
    workplace.command("once", env=KEYS)
    workplace.set_training("v1", "learningFailed")
    swept = workplace.command("once", "--json", env=KEYS)
    document = json.loads(swept.stdout)
    assert [event["to"] for event in document["events"]] == ["learningFailed"]
    assert document["undelivered"] == 0
    assert '"type":"training.failed"' in swept.stderr


def test_a_failed_poll_or_delivery_is_named_and_fails_the_command(workplace: Workplace) -> None:
    workplace.write(AWAY)
    workplace.command("once", env=KEYS)
    workplace.set_training("v1", "completed")
    undelivered = workplace.command("once", env=KEYS)
    assert undelivered.returncode == 1
    assert "pending: away (not sent: connect)" in undelivered.stdout
    workplace.simulator.control("DELETE", f"/services/{workplace.service}")
    failure = workplace.command("once", env=KEYS)
    assert failure.returncode == 1
    assert "cannot poll shop-main since " in failure.stdout
    assert "not-found" in failure.stdout
    assert "remove its [[watch]]" in failure.stdout


def test_history_is_filtered_by_training_id_kind_and_number(workplace: Workplace) -> None:
    workplace.write(EVERY_KIND)
    workplace.command("once", env=KEYS)
    workplace.set_training("v1", "completed")
    workplace.set_training("v2", "waiting")
    workplace.command("once", env=KEYS)

    def found(*args: str) -> list[Any]:
        shown = workplace.command("history", "--json", *args)
        assert shown.returncode == 0
        return [json.loads(line) for line in shown.stdout.splitlines()]

    every = found()
    assert {event["version"] for event in every} == {"v1", "v2"}
    assert [event["version"] for event in found("pop/v2")] == ["v2"]
    assert [event["version"] for event in found("--kind", "succeeded")] == ["v1"]
    assert found("-n", "1") == every[-1:]
    assert found(every[0]["id"][:12]) == every[:1]
    assert workplace.command("history", "no-such-training").stdout == "no events match\n"

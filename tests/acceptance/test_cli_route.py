"""``route``: the receivers of a stored or invented event, without sending and without a secret."""

from __future__ import annotations

from tests.acceptance.cli_support import KEYS, Workplace

ROUTES = """
[receiver.chat]
kind = "slack-webhook"
url = { env = "NOT_SET_ANYWHERE" }

[[route]]
match = { kind = "failed", type = "pop", labels = { env = "prod" } }
to = ["chat"]
mention = "<!here>"

[[route]]
match = { kind = "succeeded", version = "v?" }
to = []

[[route]]
to = ["console"]
group_for = "1m"
"""


def test_an_invented_event_shows_each_route_and_its_recipients(workplace: Workplace) -> None:
    workplace.write(ROUTES)
    shown = workplace.command("route", "--type", "relatedItem")
    assert shown.returncode == 0
    assert "type is relatedItem, not pop" in shown.stdout
    assert "kind is failed, not succeeded" in shown.stdout
    mentioned = workplace.json("route", "--label", "env=prod")
    assert [(item["receiver"], item["mention"]) for item in mentioned["recipients"]] == [("chat", ["<!here>"])]
    assert mentioned["routes"][0]["takes"]
    assert not workplace.folder.joinpath("watcher.db").exists()


def test_without_a_recipient_the_exit_status_is_1_with_the_reason(workplace: Workplace) -> None:
    workplace.write(ROUTES)
    dropped = workplace.command("route", "--status", "completed", "--version", "v1")
    assert dropped.returncode == 1
    assert "no receiver is notified: route 2: dropped on purpose" in dropped.stdout


def test_an_event_of_the_store_is_found_by_the_beginning_of_its_id(workplace: Workplace) -> None:
    workplace.write('\n[receiver.chat]\nkind = "log"\n')
    workplace.command("once", env=KEYS)
    workplace.set_training("v1", "completed")
    workplace.command("once", env=KEYS)
    (event,) = workplace.command("history", "--json").stdout.splitlines()
    identity = event.partition('"id": "')[2][:12]
    workplace.write(ROUTES)
    shown = workplace.command("route", identity)
    assert shown.returncode == 1
    assert "was routed by: route 1\n" in shown.stdout
    assert "no receiver is notified: route 2: dropped on purpose" in shown.stdout
    assert workplace.json("route", identity)["event"]["to"] == "completed"


def test_an_unknown_event_and_an_id_with_options_are_wrong_usage(workplace: Workplace) -> None:
    workplace.command("once", env=KEYS)
    unknown = workplace.command("route", "evt_nobody")
    both = workplace.command("route", "evt_nobody", "--kind", "failed")
    label = workplace.command("route", "--label", "env")
    assert [item.returncode for item in (unknown, both, label)] == [2, 2, 2]
    assert "no such event in the store" in unknown.stderr
    assert "NAME=VALUE" in label.stderr

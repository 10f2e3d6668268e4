"""``silence``: add and end silences, beside a daemon and without one."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.cli_support import KEYS, Workplace, eventually, started
from tests.acceptance.test_cli_deliveries import ROUTED, hook_server, listed


def silenced(workplace: Workplace) -> int:
    return len(listed(workplace, "--state", "silenced"))


def test_beside_a_daemon_nothing_arrives_until_the_silence_ends(workplace: Workplace) -> None:
    with hook_server() as (url, hook):
        hook.status = 204  # type: ignore[assignment]  # No Content
        workplace.write(ROUTED.format(url=url))
        workplace.command("once", env=KEYS)
        with started("run", "--config", workplace.config, env=KEYS):
            workplace.simulator.wait_for_polls(2)
            options = ("--for", "4h", "--why", "moving the data", "--by", "mina")
            added = json.loads(
                workplace.silence("add", f"service={workplace.service}", "type=pop", *options, "--json").stdout
            )
            assert (added["by"], added["why"]) == ("mina", "moving the data")
            workplace.set_training("v1", "learningFailed")
            eventually(lambda: silenced(workplace) == 1)
            (delivery,) = listed(workplace, "--state", "silenced")
            assert (delivery["receiver"], delivery["reason"]) == ("hook", added["id"])
            assert f"silenced: hook ({added['id'][:8]}" in workplace.command("history").stdout
            assert "by mina: moving the data" in workplace.deliveries("show", delivery["id"]).stdout
            status = workplace.command("status").stdout.splitlines()
            assert sum(added["id"] in line and "until 2" in line for line in status) == 1
            route = workplace.command("route", delivery["event_ids"][0])
            assert (route.returncode, "no receiver is notified: silenced by" in route.stdout) == (1, True)

            ended = workplace.silence("end", added["id"][:8], "--by", "jun")
            assert ended.returncode == 0, ended.stderr
            assert workplace.silence("list").stdout == "no silences\n"
            workplace.set_training("v1", "completed")
            eventually(lambda: len(hook.got) == 1)
            assert hook.got[0]["data"]["to"] == "completed"
            assert (silenced(workplace), len(listed(workplace, "--state", "delivered", "--receiver", "hook"))) == (1, 1)


def test_without_a_daemon_it_applies_to_the_next_run(workplace: Workplace) -> None:
    workplace.command("once", env=KEYS)
    added = workplace.silence("add", "kind=failed", "--for", "1h", "--why", "known")
    assert added.returncode == 0, added.stderr
    (item,) = [json.loads(line) for line in workplace.silence("list", "--json").stdout.splitlines()]
    assert item["match"] == {"kind": ["failed"]}
    assert item["by"]
    workplace.set_training("v1", "learningFailed")
    swept = workplace.command("once", env=KEYS)
    assert (swept.returncode, "training.failed" in swept.stdout) == (0, False)
    assert silenced(workplace) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--for", "4h", "--why", "x"), "name the events to silence"),
        (("service=a", "--why", "x"), "a silence needs an end; write e.g. --for 4h"),
        (("service=a", "--for", "4h"), "a silence needs a reason"),
        (("service=a", "--for", "4h", "--why", "  "), "a silence needs a reason"),
        (("service=a", "--for", "4 h", "--why", "x"), "not a duration; write a number and its unit"),
        (("service=a", "--for", "0s", "--why", "x"), "too short"),
        (("service=a", "--for", "9999999d", "--why", "x"), "at most 365d"),
        (("service=a", "--for", "4h", "--why", "x", "--by", " "), "write --by NAME"),
        (("servce=a", "--for", "4h", "--why", "x"), 'did you mean "service"?'),
        (("kind=receiver-failing", "--for", "4h", "--why", "x"), "is never silenced"),
    ],
)
def test_wrong_usage_is_refused_with_a_remedy(workplace: Workplace, arguments: tuple[str, ...], words: str) -> None:
    refused = workplace.silence("add", *arguments)
    assert refused.returncode == 2
    assert words in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_unknown_id_and_a_missing_store_are_refused(workplace: Workplace) -> None:
    missing = workplace.silence("add", "kind=*", "--for", "4h", "--why", "x")
    assert (missing.returncode, "there is no store" in missing.stderr) == (75, True)
    workplace.command("once", env=KEYS)
    unknown = workplace.silence("end", "sil_x")
    assert (unknown.returncode, "there is no silence 'sil_x'" in unknown.stderr) == (1, True)


def test_a_service_that_nobody_watches_is_a_warning(workplace: Workplace) -> None:
    workplace.command("once", env=KEYS)
    options = ("--for", "4h", "--why", "x")
    mistyped, watched = (workplace.silence("add", f"service={it}", *options) for it in ("x", workplace.service))
    warning = "warning: no watched service has this id"
    assert (mistyped.returncode, warning in mistyped.stderr) == (0, True)
    assert (watched.returncode, warning in watched.stderr) == (0, False)

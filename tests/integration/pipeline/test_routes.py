"""The routes of a configuration file, tested with real receivers."""

from __future__ import annotations

from pathlib import Path

from tests.support import daemon_in_process
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, as_slack, listening
from watcher.reports.history import route_text
from watcher.simulator import serve

SHOP = "6wxgu1abcde"
LAB = "7yabc2fghij"
ROUTES = """
[[route]]
match = { kind = "failed", service = "6wx*", labels = { env = "prod*" } }
to = ["chat"]
mention = ["<!subteam^S0123456789>", "<!here>"]
continue = true

[[route]]
match = { service = "7yabc2fghij", status = "completed" }
to = []

[[route]]
match = { kind = "*" }
to = ["hook", "chat"]
group_for = "3s"
"""


def text_for(base_url: str, hook: str) -> str:
    text = daemon_in_process.settings(base_url, [SHOP, LAB], {"hook": hook}, slack=True)
    before, _, _ = text.partition("[[route]]")
    labelled = before.replace(f'service = "{SHOP}"', f'service = "{SHOP}"\nlabels = {{ env = "prod-eu" }}')
    return labelled + ROUTES


async def test_routes_mention_group_drop_and_continue_as_configured(tmp_path: Path) -> None:
    api = RecordingSimulator()
    for number in range(3):
        api.set_training(SHOP, "pop", f"v{number}", "requesting")
    api.set_training(LAB, "pop", "v1", "learning")
    async with serve(api) as simulator, listening(Inbox()) as hook, listening(Inbox(as_slack)) as slack:
        async with daemon_in_process.running(
            tmp_path, text_for(simulator.base_url, hook.url), {"SLACK_URL": slack.url}
        ):
            api.set_training(LAB, "pop", "v1", "completed")
            api.set_training(SHOP, "pop", "v0", "learningFailed")
            for number in (1, 2):
                api.set_training(SHOP, "pop", f"v{number}", "waiting")
            await daemon_in_process.eventually(lambda: len(hook.events()) == 3 and len(slack.received) == 2)
        routes = {item.event.subject: route_text(item) for item in daemon_in_process.history(tmp_path)}
    assert routes == {
        f"training:main/{LAB}/pop/v1": "route 2: dropped on purpose",
        f"training:main/{SHOP}/pop/v0": "route 1, route 3",
        f"training:main/{SHOP}/pop/v1": "route 3",
        f"training:main/{SHOP}/pop/v2": "route 3",
    }
    failed, progress = slack.received
    assert failed.json["text"].splitlines()[0].endswith("<!subteam^S0123456789> <!here>")
    assert "<!" not in progress.json["text"]
    assert [len(item.events) for item in hook.received] == [1, 2], "the failed training waited for its group"
    assert not any("<!here>" in item.body.decode() for item in hook.received)

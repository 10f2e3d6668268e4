"""R21 for the Slack bot: no file and no output of the daemon has a token, valid or not, old or new."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import daemon_in_process
from tests.support.recording_simulator import RecordingSimulator
from tests.support.slack import CHANNEL, TOKEN, Bucket, LocalSlack, SlackFault, in_turn, local_slack
from watcher.core.messages.reasons import reason_text
from watcher.simulator import serve

SERVICE = "6wxgu1abcde"
WRONG = "xoxb-1111111111-this-one-was-revoked-long-ago"


def configuration(base_url: str, slack: LocalSlack, token: Path) -> str:
    head = daemon_in_process.settings(base_url, [SERVICE], {}).partition("[[route]]")[0]
    bot = f'[receiver.chat]\nkind = "slack"\ntoken = {{ file = "{token}" }}\nchannel = "{CHANNEL}"\n'
    return f'{head}{bot}api_url = "{slack.url}"\n[[route]]\nmatch = {{ kind = "*" }}\nto = ["chat"]\n'


def reasons(state: Path) -> list[str]:
    """Return the reason of each delivery."""
    return [
        reason_text(delivery_outcome.reason)
        for announced in daemon_in_process.history(state)
        for delivery_outcome in announced.delivery_outcomes
    ]


async def test_r21_a_token_is_read_again_and_written_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    token = tmp_path / "token"
    token.write_text(WRONG)
    api = RecordingSimulator()
    api.set_training(SERVICE, "pop", "v1", "waiting")
    # Slack's error names have the token too, and so does the lookup after a broken connection.
    faults = [f"odd_{TOKEN}", SlackFault.LATE_RESET]
    slack = LocalSlack(fault=in_turn(faults), pace=Bucket(100, 10.0))
    state = tmp_path / "state"
    state.mkdir()
    async with serve(api) as simulator, local_slack(slack):
        async with daemon_in_process.running(state, configuration(simulator.base_url, slack, token)):
            api.set_training(SERVICE, "pop", "v1", "learning")
            await daemon_in_process.eventually(lambda: slack.refused["invalid_auth"] > 0)
        assert [reason.partition(": ")[0] for reason in reasons(state)] == ["invalid_auth"]
        token.write_text(f"{TOKEN}\n")
        async with daemon_in_process.running(state, configuration(simulator.base_url, slack, token)):
            api.set_training(SERVICE, "pop", "v2", "learning")
            await daemon_in_process.eventually(lambda: len(slack.messages) == 1)
            await daemon_in_process.eventually(lambda: slack.calls["conversations.history"] > 0)
    written = "".join(capfd.readouterr()).encode() + b"".join(
        file.read_bytes() for file in state.rglob("*") if file.is_file()
    )
    assert b"delivery.retry_scheduled" in written
    for secret in (TOKEN, WRONG):
        assert secret.encode() not in written

"""R21: secrets are rotated while trainings change; no event is lost or sent twice."""

from __future__ import annotations

import base64
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.responses import PlainTextResponse, Response

from tests.support import daemon_in_process
from tests.support.changing_trainings import SERVICES, changes_under_way, wait_until_settled
from tests.support.fault_table import rounds
from tests.support.invariants import DaemonRun, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, Received, listening
from watcher.core.secret import Secret
from watcher.simulator import SIMULATOR_ACCESS_KEY, serve


@dataclass(slots=True)
class PresentSecrets:
    """The present secrets, and the files with them."""

    folder: Path
    ever: set[str] = field(default_factory=set)
    secret_key: str = ""
    hook_secrets: tuple[str, ...] = ()

    def rotate(self, api: RecordingSimulator) -> None:
        """Write new secrets. AiTEMS rejects the old key; the consumer accepts the previous secret until the next call.

        A consumer that rejects a signature made just before the rotation would count as failing, and be parked.
        """
        self.secret_key = secrets.token_hex(20)
        newest = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        self.hook_secrets = (newest, *self.hook_secrets[:1])
        self.ever |= {self.secret_key, newest}
        (self.folder / "secret-key").write_text(self.secret_key)
        (self.folder / "hook-secret").write_text(newest)
        api.keys[SIMULATOR_ACCESS_KEY] = Secret(self.secret_key)

    def consume(self, received: Received) -> Response:
        """Respond as a consumer that verifies each signature."""
        for secret in self.hook_secrets:
            with suppress(WebhookVerificationError):
                Webhook(secret).verify(received.body, received.headers)
                return PlainTextResponse("ok")
        return PlainTextResponse("wrong signature", 401)


async def test_r21_rotations_during_changes_lose_and_double_no_event(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    secret_folder, state, api = tmp_path / "secrets", tmp_path / "state", RecordingSimulator()
    secret_folder.mkdir()
    state.mkdir()
    keys = PresentSecrets(secret_folder)
    keys.rotate(api)
    async with serve(api) as simulator, listening(Inbox(keys.consume)) as hook:
        text = daemon_in_process.settings(simulator.base_url, list(SERVICES), {"hook": hook.url})
        text = text.replace('{ env = "NCP_SECRET_KEY" }', f'{{ file = "{secret_folder}/secret-key" }}')
        text = text.replace('{ env = "WEBHOOK_SECRET" }', f'{{ file = "{secret_folder}/hook-secret" }}')
        text += '\n[incident]\nafter_failures = 100\nafter = "1h"\n'
        started_at = datetime.now(UTC)
        async with daemon_in_process.running(state, text):
            async with changes_under_way(api, 21):
                for _ in range(rounds(few=4, full=100)):
                    announced, shown = len(hook.received), len(api.shown)
                    keys.rotate(api)
                    await daemon_in_process.eventually(
                        lambda announced=announced, shown=shown: (
                            len(hook.received) > announced + 2 and len(api.shown) > shown + 9
                        ),  # type: ignore[misc]
                        60,
                    )
            await wait_until_settled(state, api)
        life = DaemonRun(started_at, datetime.now(UTC))
    evidence = daemon_in_process.evidence(state, api.shown, [life], {"hook": hook.received})
    assert violations(evidence) == []
    kept = b"".join(file.read_bytes() for file in state.rglob("*") if file.is_file())
    written = "".join(capfd.readouterr()).encode() + kept
    assert b"training.changed" in written
    assert [secret for secret in keys.ever if secret.encode() in written] == []

"""A consumer of ``/api/v1/events?after=`` while the daemon is killed and started again: none missed, none twice."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

from tests.acceptance.page_shell import free_ports
from tests.slow.acceptance.test_kill import daemon
from tests.support import daemon_in_process
from tests.support.changing_trainings import SERVICES, changes_under_way, wait_until_settled
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, listening
from watcher.simulator import serve

KILLS = 50
EVERY_SECONDS = 0.06
"""Below the rate of requests that the API allows one address."""


@dataclass(slots=True)
class Consumer:
    """Keeps the events and the cursor behind them together, as the documentation asks for."""

    port: int
    cursor: str = ""
    seen: list[str] = field(default_factory=list)
    answers: int = 0
    failures: int = 0

    async def pull(self) -> None:
        """Pull until cancelled; a daemon that is away is asked again."""
        while True:
            try:
                page = await asyncio.to_thread(self._page)
            except (OSError, URLError, ValueError):
                # Also an answer that ended in its middle: the cursor stays, and the page is asked for again.
                self.failures += 1
            else:
                self.seen += [event["id"] for event in page["events"]]
                self.cursor, self.answers = page["next"], self.answers + 1
                assert page["missed"] is False
            await asyncio.sleep(EVERY_SECONDS)

    def _page(self) -> dict[str, Any]:
        after = f"&after={quote(self.cursor)}" if self.cursor else ""
        with urlopen(f"http://127.0.0.1:{self.port}/api/v1/events?limit=3{after}", timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


async def test_a_consumer_reads_each_event_once_while_the_daemon_is_killed_50_times(tmp_path: Path) -> None:
    draw = random.Random(20261129)  # noqa: S311 - the times of the kills
    api, consumer, hook = RecordingSimulator(), Consumer(free_ports(1)[0]), Inbox()
    async with serve(api) as simulator, listening(hook):
        text = daemon_in_process.settings(simulator.base_url, list(SERVICES), {"hook": hook.url})
        text = text.replace('listen = ""', f'listen = "127.0.0.1:{consumer.port}"').replace("200ms", "100ms")
        (tmp_path / "config.toml").write_text(text)
        pulling = asyncio.create_task(consumer.pull())
        async with changes_under_way(api, seed=1):
            for _ in range(KILLS):
                async with daemon(tmp_path, [], {}):
                    # One kill in three comes during the start, the others once the consumer reads.
                    if draw.random() > 1 / 3:
                        answers = consumer.answers
                        await daemon_in_process.eventually(lambda: pulling.done() or consumer.answers > answers)  # noqa: B023
                    await asyncio.sleep(draw.uniform(0.0, 0.2))
        async with daemon(tmp_path, [], {}):
            await wait_until_settled(tmp_path, api)
            recorded = [item.event.id for item in daemon_in_process.history(tmp_path)]
            await daemon_in_process.eventually(lambda: pulling.done() or len(consumer.seen) >= len(recorded))
            answers = consumer.answers
            await daemon_in_process.eventually(lambda: pulling.done() or consumer.answers > answers + 1)
        assert not pulling.done(), pulling.exception()
        pulling.cancel()
    assert consumer.seen == recorded
    assert len(recorded) > KILLS, "kills without events prove nothing"
    assert consumer.failures > 0, "a daemon that always answers proves nothing"

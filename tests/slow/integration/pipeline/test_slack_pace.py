"""Deliveries at the pace that Slack allows: a minute in which nothing is throttled."""

from __future__ import annotations

import random
from pathlib import Path

from tests.integration.pipeline.test_status_to_slack import (
    FAULTS,
    assert_one_each_in_order,
    changes,
    enqueue,
    sending,
    until_settled,
)
from tests.support.slack import LocalSlack, in_turn, local_slack
from watcher.receivers.slack.bot import SlackReceiver


class SingleSlackReceiver(SlackReceiver):
    """Sends each event by itself, so that many messages wait for the pace."""

    batch_max = 1


async def test_at_slacks_own_pace_nothing_is_throttled_and_nothing_dropped(tmp_path: Path) -> None:
    draw = random.Random(1)  # noqa: S311 - the order of the faults
    faults = list(FAULTS)
    draw.shuffle(faults)
    events = changes(versions=10, each=3)
    slack = LocalSlack(fault=in_turn(faults))
    async with local_slack(slack), sending(tmp_path, slack, kind=SingleSlackReceiver) as (database, worker, _):
        await enqueue(database, events)
        await until_settled(tmp_path, worker, 180)
    assert slack.too_fast == 0
    assert_one_each_in_order(slack, events)

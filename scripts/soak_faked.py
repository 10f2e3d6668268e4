"""Soak the complete daemon for hours of virtual time and draw its resources into docs/soak-72h.svg."""

from __future__ import annotations

import platform
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.support import long_soak, plot
from tests.support.long_soak import LongSoak, Plan

PICTURE: Final = Path(__file__).parent.parent / "docs" / "soak-72h.svg"


def draw(plan: Plan, result: LongSoak) -> str:
    """Return the picture of one soak."""
    samples = result.samples
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    title = (
        f"{plan.hours:g} h of virtual time, a poll each {plan.interval_seconds} s: {result.struck:,} faults, "
        f"{result.events:,} events, {len(result.violated)} broken promises ({platform.machine()}, {today})"
    )
    panels = [
        ("memory of the process, MB", [sample.memory_megabytes for sample in samples]),
        ("open descriptors", [float(sample.descriptors) for sample in samples]),
        ("write-ahead log, MB", [sample.journal_megabytes for sample in samples]),
        ("database, MB (history is kept for 24 h)", [sample.store_megabytes for sample in samples]),
        ("events in the database", [float(sample.events_kept) for sample in samples]),
        ("automatic backups, MB (one a day, kept for a week)", [sample.backups_megabytes for sample in samples]),
        ("latest poll of a service, s beyond its interval (without outages)", [s.lateness_seconds for s in samples]),
        ("slowest delivery since its record, s (with outages)", [sample.delay_seconds for sample in samples]),
    ]
    return plot.draw(title, "hours", [sample.minute / 60 for sample in samples], panels)


def summary(result: LongSoak, seconds: float) -> str:
    """Return the figures as a text."""
    samples = result.samples
    latest, descriptors = samples[-1], sorted(sample.descriptors for sample in samples)
    return (
        f"{seconds:.0f} s: {result.events} events, {result.struck} faults, {result.runs} runs of the daemon, "
        f"{result.heartbeats} heartbeats, broken promises: {result.violated or 'none'}\n"
        f"memory {latest.memory_megabytes:.1f} MB at the end, grown by {result.growth_megabytes:.1f} MB; "
        f"descriptors {descriptors[0]} to {descriptors[-1]}; "
        f"log at most {max(sample.journal_megabytes for sample in samples):.1f} MB; "
        f"store {latest.store_megabytes:.1f} MB with {latest.events_kept} events; "
        f"lateness at most {max(sample.lateness_seconds for sample in samples):.2f} s"
    )


def main(hours: float) -> int:
    """Soak, print and draw; return 1 if a promise was broken."""
    plan, start = Plan(hours=hours), time.monotonic()
    with tempfile.TemporaryDirectory(dir=long_soak.memory_folder()) as folder:
        result = long_soak.run(Path(folder), plan)
    print(summary(result, time.monotonic() - start))  # noqa: T201 - the output of the script
    PICTURE.write_text(draw(plan, result), encoding="utf-8")
    return 1 if result.violated else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 72.0))

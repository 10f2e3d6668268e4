"""Soak the watcher for some minutes and draw its resources and its lateness into docs/soak.svg."""

from __future__ import annotations

import asyncio
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.support import plot, soak
from tests.support.soak import Sample, Soak

PICTURE: Final = Path(__file__).parent.parent / "docs" / "soak.svg"


def draw(minutes: float, result: Soak) -> str:
    """Return the picture of one soak."""
    samples = result.samples
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    title = (
        f"500 trainings at a 1 s interval for {minutes:g} minutes, {result.struck:,} faults, {result.events:,} events, "
        f"{len(result.violated)} broken promises ({platform.machine()}, {today})"
    )
    panels = [
        ("memory of the daemon, MB", [sample.memory_megabytes for sample in samples]),
        ("open descriptors", [float(sample.descriptors) for sample in samples]),
        ("write-ahead log, MB", [sample.journal_megabytes for sample in samples]),
        ("database, MB (grows with the events that it keeps)", [sample.store_megabytes for sample in samples]),
        ("latest poll of a service, s beyond its interval", [sample.lateness_seconds for sample in samples]),
        ("slowest delivery since its record, s", [sample.delay_seconds for sample in samples]),
    ]
    return plot.draw(title, "minutes", [sample.minute for sample in samples], panels)


def summary(samples: list[Sample], result: Soak) -> str:
    """Return the figures as a text."""
    latest = samples[-1]
    descriptors = sorted(sample.descriptors for sample in samples)
    lateness = sorted(sample.lateness_seconds for sample in samples)
    return (
        f"{result.events} events, {result.struck} faults, broken promises: {result.violated or 'none'}\n"
        f"memory {latest.memory_megabytes:.1f} MB at the end, grown by {result.growth_megabytes:.1f} MB; "
        f"descriptors {descriptors[0]} to {descriptors[-1]}; "
        f"log at most {max(sample.journal_megabytes for sample in samples):.1f} MB; "
        f"store {latest.store_megabytes:.1f} MB; "
        f"lateness half below {lateness[len(lateness) // 2]:.2f} s, at most {lateness[-1]:.2f} s"
    )


def main(minutes: float) -> int:
    """Soak, print and draw; return 1 if a promise was broken."""
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(soak.run(Path(folder), minutes))
    print(summary(result.samples, result))  # noqa: T201 - the output of the script
    PICTURE.write_text(draw(minutes, result), encoding="utf-8")
    return 1 if result.violated else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 30.0))

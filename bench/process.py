"""CPU, memory and wake-ups of a process, as the Linux kernel counts them (``proc(5)``)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TICKS: Final = os.sysconf("SC_CLK_TCK")
PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class Usage:
    """The use of a process since its start."""

    cpu_seconds: float
    memory_mb: float
    """Resident memory now."""
    peak_mb: float
    wakeups: int
    """Voluntary context switches of all threads."""

    def since(self, before: Usage) -> Usage:
        """Return the CPU time and the wake-ups since an earlier measurement, with the memory of now."""
        return Usage(self.cpu_seconds - before.cpu_seconds, self.memory_mb, self.peak_mb, self.wakeups - before.wakeups)


def usage(pid: int) -> Usage:
    """Measure a process."""
    folder = PROC / str(pid)
    # The name of the program may contain blanks; the fields after its bracket are numbers.
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    status = (folder / "status").read_text()
    return Usage(
        cpu_seconds=(int(fields[11]) + int(fields[12])) / TICKS,
        memory_mb=_number(status, "VmRSS") / 1024,
        peak_mb=_number(status, "VmHWM") / 1024,
        wakeups=sum(_number((task / "status").read_text(), "voluntary_ctxt_switches") for task in _tasks(folder)),
    )


def total(pids: list[int]) -> Usage:
    """Measure several processes as one."""
    each = [usage(pid) for pid in pids]
    return Usage(
        sum(one.cpu_seconds for one in each),
        sum(one.memory_mb for one in each),
        sum(one.peak_mb for one in each),
        sum(one.wakeups for one in each),
    )


def _tasks(folder: Path) -> list[Path]:
    return list((folder / "task").iterdir())


def _number(status: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+)", status, re.MULTILINE)
    return int(found[1]) if found else 0

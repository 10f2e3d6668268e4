"""Write requirements-runtime.lock: the part of requirements.lock that the program needs at run time."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parents[1]
FULL: Final = ROOT / "requirements.lock"
RUNTIME: Final = ROOT / "requirements-runtime.lock"
PIN: Final = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)


def runtime_lock() -> str:
    """Return the pins of the dependencies, and of theirs, as the full lock has them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins, needed = _pins(FULL.read_text()), set[str]()
    open_names = [Requirement(line) for line in project["dependencies"]]
    while open_names:
        requirement = open_names.pop()
        name = canonicalize_name(requirement.name)
        if name in pins and name not in needed:
            needed.add(name)
            open_names += _needs_of(name, requirement.extras)
    return "".join(pins[name] for name in sorted(needed))


def _pins(text: str) -> dict[str, str]:
    starts = [*PIN.finditer(text)]
    ends = [*(match.start() for match in starts[1:]), len(text)]
    return {canonicalize_name(match[1]): text[match.start() : end] for match, end in zip(starts, ends, strict=True)}


def _needs_of(name: str, extras: set[str]) -> list[Requirement]:
    try:
        found = [Requirement(line) for line in requires(name) or ()]
    except PackageNotFoundError:
        # It is for other machines.
        return []
    return [item for item in found if _applies(item, extras)]


def _applies(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    # The marker of a machine stands in the lock itself: it holds for every machine.
    if marker is None or "extra" not in str(marker):
        return True
    return any(marker.evaluate({"extra": extra}) for extra in extras)


if __name__ == "__main__":
    RUNTIME.write_text(runtime_lock())
    print(f"generated {RUNTIME}")  # noqa: T201 - a script

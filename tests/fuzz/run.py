"""Fuzzes each target with atheris for some seconds: ``python -m tests.fuzz.run 60 [TARGET …]``; see ``make fuzz``.

A failing input is saved as ``crash-…`` in ``build/fuzz``. Fix the fault and add the input to the corpus for CI.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

CORPUS: Final = Path(__file__).parent / "corpus"
LONGEST_INPUT: Final = 4096


def fuzz(name: str, seconds: int) -> int:
    """Fuzz one target in its own process, because a failure ends the process; return its exit status."""
    found = Path("build") / "fuzz" / name
    found.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={seconds}", f"-max_len={LONGEST_INPUT}", "-timeout=10", "-rss_limit_mb=1024"]
    command = [sys.executable, "-m", "tests.fuzz.run", "--target", name, str(found), str(CORPUS / name)]
    return subprocess.run([*command, f"-artifact_prefix={found}/", *limits], check=False).returncode  # noqa: S603 - ours


def fuzz_here(name: str, arguments: list[str]) -> None:
    """Run the fuzzer in this process; it does not return."""
    import atheris  # noqa: PLC0415 - an optional group of dependencies

    with atheris.instrument_imports(include=["watcher"]):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - while imports are watched
    atheris.Setup([sys.argv[0], *arguments], TARGETS[name])
    atheris.Fuzz()


def main(arguments: list[str]) -> int:
    """Fuzz the named targets, or all; return the number that failed."""
    if arguments[:1] == ["--target"]:
        fuzz_here(arguments[1], arguments[2:])
        return 0
    seconds, names = int(arguments[0]), arguments[1:] or sorted(path.name for path in CORPUS.iterdir())
    failed = [name for name in names if fuzz(name, seconds)]
    print("failed:", ", ".join(failed) if failed else "nothing")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

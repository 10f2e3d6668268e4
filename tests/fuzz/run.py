"""Fuzz each target with atheris for so many seconds: ``python -m tests.fuzz.run 60 [TARGET …]``; see ``make fuzz``.

What falls is left as ``crash-…`` in ``build/fuzz``; mend it, and put the input into the corpus, so that CI replays it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

CORPUS: Final = Path(__file__).parent / "corpus"
LONGEST_INPUT: Final = 4096


def fuzz(name: str, seconds: int) -> int:
    """Fuzz one target in a process of its own, since a finding ends it."""
    found = Path("build") / "fuzz" / name
    found.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={seconds}", f"-max_len={LONGEST_INPUT}", "-timeout=10", "-rss_limit_mb=1024"]
    command = [sys.executable, "-m", "tests.fuzz.run", "--target", name, str(found), str(CORPUS / name)]
    return subprocess.run([*command, f"-artifact_prefix={found}/", *limits], check=False).returncode  # noqa: S603 - ours


def fuzz_here(name: str, arguments: list[str]) -> None:
    """Hand this process over to the fuzzer."""
    import atheris  # noqa: PLC0415 - an optional group of dependencies

    with atheris.instrument_imports(include=["watcher"]):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - while imports are watched
    atheris.Setup([sys.argv[0], *arguments], TARGETS[name])
    atheris.Fuzz()


def main(arguments: list[str]) -> int:
    """Fuzz what is named, or everything."""
    if arguments[:1] == ["--target"]:
        fuzz_here(arguments[1], arguments[2:])
        return 0
    seconds, names = int(arguments[0]), arguments[1:] or sorted(path.name for path in CORPUS.iterdir())
    fallen = [name for name in names if fuzz(name, seconds)]
    print("fell:", ", ".join(fallen) if fallen else "nothing")
    return len(fallen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

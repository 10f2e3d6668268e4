"""Draw the state machine of a training into docs/architecture.md, from the table of the code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from watcher.core.training.model import is_final
from watcher.core.training.transitions import STAGES, TRANSITIONS, Transition

PAGE: Final = Path(__file__).parent.parent / "docs" / "architecture.md"
BEGIN: Final = "<!-- drawn by scripts/draw_lifecycle.py: begin -->"
END: Final = "<!-- drawn by scripts/draw_lifecycle.py: end -->"

ENDS: Final = tuple(stage for stage in STAGES if is_final(stage))
OPEN: Final = tuple(stage for stage in STAGES if stage not in ENDS)


def picture() -> str:
    """Return the diagram and the table, as Markdown."""
    return "\n".join([BEGIN, "", "```mermaid", *_diagram(), "```", "", *_table(), "", END])


def _diagram() -> Iterator[str]:
    yield "stateDiagram-v2"
    yield "    state ended {"
    yield from (f"        {stage}" for stage in ENDS)
    yield "    }"
    for known in OPEN:
        yield from (f"    {known} --> {seen}" for seen in OPEN if TRANSITIONS[known, seen] is Transition.FORWARD)
    yield from (f"    {known} --> ended" for known in OPEN if _all_ends(known, Transition.END))
    yield from (f"    ended --> {seen} : restarted" for seen in OPEN if _from_all_ends(seen, Transition.RESTART))


def _all_ends(known: str, transition: Transition) -> bool:
    return all(TRANSITIONS[known, seen] is transition for seen in ENDS)


def _from_all_ends(seen: str, transition: Transition) -> bool:
    return all(TRANSITIONS[known, seen] is transition for known in ENDS)


def _table() -> Iterator[str]:
    yield f"| recorded ╲ seen | {' | '.join(STAGES)} |"
    yield f"|---|{'---|' * len(STAGES)}"
    for known in STAGES:
        yield f"| **{known}** | {' | '.join(f'`{TRANSITIONS[known, seen].value}`' for seen in STAGES)} |"


def drawn(page: str) -> str:
    """Return the page with the current picture."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + picture() + after


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text()))
    sys.stdout.write(f"drawn into {PAGE}\n")

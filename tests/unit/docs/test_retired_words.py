"""Retired words stay out of code, documents and help texts, and "what" stays rare in prose.

``docs/decisions/0011-names-and-layout.md`` explains the words. A failure lists ``file:line: word -> replacement``.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.support.paths import ROOT

EXEMPT: Final = {
    "CHANGELOG.md": "lists the old words beside the new ones",
    "docs/decisions/0011-names-and-layout.md": "explains the change of words",
    "watcher/config/renamed.py": "names the present word to authors of an old configuration",
    "watcher/store/migrations": "reads the words of older stores",
    "tests/unit/docs/test_retired_words.py": "holds the list",
}
"""Files and folders that may hold retired words, each with the reason."""
ALLOWED_SENTENCES: Final = {
    "configuration.md": "A renamed key is rejected with its new name, e.g. `recover_after` for the former `good_looks`."
}
"""Documents with one sentence that names an old key."""

ANYWHERE: Final = {
    r"heralds?": "notifier",
    r"couriers?": "delivery worker",
    r"storekeep(er|ers|ing)": "store outage handler, store check",
    r"lookouts?": "incident monitor",
    r"outlooks?": "incident tracker",
    r"crews?": "supervisor",
    r"parcels?": "delivery request",
    r"house": "daemon, fixtures",
    r"rivers?": "pipeline",
    r"lanes?": "channel, pace",
    r"oddit(y|ies)": "deviation",
    r"drifts?": "deviation",
    r"untold": "unannounced",
    r"restless": "flapping",
    r"(first|second) sights?": "first answer, confirmation",
    r"sights?": "poll result",
    r"sightings?": "unconfirmed status",
    r"mend(s|ed|ing)?": "recover",
    r"receiver[- ](broken|mended)": "receiver-failing, receiver-recovered",
    r"store[- ](trouble|mended)": "store-failing, store-recovered",
    r"troubles?": "failure, incident",
    r"good[_ ]looks": "recover_after",
    r"looks_total|look_lateness\w*": "polls_total, poll_lateness",
    r"unwell": "not ready",
    r"telling": "announcement, notification",
    r"upkeep": "maintenance",
    r"(lay|laid|lays) bare": "fallback render",
    r"occasions?": "catch-up",
    r"agenda": "poll schedule",
    r"pacer": "rate limiter",
    r"inquir(y|ies|er|ers)": "lookup",
    r"addressees?": "recipient",
    r"ailments?": "not-ready reason",
    r"vitals": "health stats",
    r"(bury|buries|buried)": "mark dead",
    r"strays": "orphan deliveries",
    r"shelf": "backup folder",
    r"soundness": "integrity",
    r"commotion": "test faults",
}
"""Words without another meaning here: pattern to replacement, for names and for prose."""

IN_PROSE: Final = {
    r"(is|are|was|were|be|been|being|gets?|nobody is|who is) told": "notified, announced, sent",
    r"tells? (nobody|somebody|everybody|people|of)": "notify, announce",
    r"told (of|twice|once|again|from)": "notified of, sent, announced",
    r"(a|each|every|first|last|next|failed|routine|good|between|before the) looks?": "poll",
    r"looks? (in a row|a second|is due|are due|starts?|rests?|under way)": "poll",
    r"looking(?! (up|at|for|like|back|into))": "polling",
    r"(is|are|was|goes?|went|stays?|turns?) dark|dark (host|name|service|account)s?": "unreachable",
    r"(gives?|given|gave|giving) up": "expire",
    r"for good": "permanently",
    r"all well": "OK",
    r"loops? turn(s|ed)?": "a loop makes progress",
    r"broken receivers?|receivers? (is|are|was) broken": "failing receiver",
    r"refuses? for good": "fails permanently",
    r"does not come to rest|comes? to rest": "keeps changing",
    r"status words?": "status",
    r"hand(s|ed)? over": "send, pass",
    r"hold(s|ing)? (one's|its|their) tongue": "withhold",
    r"docs/operations\.md": "docs/runbook.md",
    r"flow/\w*|flow\.ports": "pipeline/",
    r"[`\"]reachable[`\"]": "recovered",
}
"""Uses of ordinary words that have been retired: pattern to replacement, for comments, texts and documents."""

IN_NAMES: Final = {
    r"look(s|ed|ing)?(?! up)": "poll",
    r"told|tells?": "notified, announced, sent",
    r"dark": "unreachable",
    r"broken since": "failing since",
    r"(gives?|given|giving) up(?! after)": "expire",
    r"moments?": "time",
    r"hand over|take in|let go|heed|rein": "a plain verb",
    r"mine|wish(es)?": "a noun",
}
"""Retired parts of identifiers, with blanks between their words: pattern to replacement."""

RETIRED_CLASSES: Final = frozenset(
    {
        *("Look", "LookState", "Sight", "Unseen", "Sighting", "Move", "Background", "Outlook", "Turn"),
        *("Trouble", "Agenda", "Pacer", "Parcel", "Claimed", "Repeats", "Inquiry", "Sign", "Standing"),
        *("Addressee", "Difference", "Untold", "Posting", "Remembered", "Pulse", "Beat", "Vitals", "Ailment"),
        *("SecondSight", "Lookout", "Consequence", "Memory", "Line", "Courier", "Lane", "Inquirer"),
        *("Storekeeper", "Herald", "Hearing", "Upkeep", "ClockDoubt", "Strays", "Room", "Shelf", "Aside"),
        *("Letter", "Manual", "Told", "Handover", "Crew", "Stages", "Carriers", "Parts", "Surroundings"),
        *("Face", "Examiner", "NamesAside"),
    }
)
"""Class names that meant two things or were riddles."""

DOCUMENTS: Final = (
    *(ROOT / "docs").glob("*.md"),
    *(
        ROOT / name
        for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "config.example.toml", "docs/alerts.yml")
    ),
)
FINISHED_TESTS: Final = ("support", "system", "unit/config", "unit/http", "unit/simulator", "unit/support", "unit/docs")
CODE_BLOCK: Final = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
WHAT: Final = re.compile(r"\bwhat(ever|soever)?\b", re.IGNORECASE)
MOST_PER_THOUSAND: Final = 2.0


class Text(NamedTuple):
    """A piece of text with its first line; ``is_name`` for an identifier, with blanks between its words."""

    line: int
    text: str
    is_name: bool


def _pattern(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(rf"(?<![\w-])(?:{_any_blank(word)})(?!\w)" for word in words), re.IGNORECASE)


def _any_blank(word: str) -> str:
    """Let a phrase match across a line break."""
    return word.replace(" ", r"\s+")


def _replacement(found: str, words: dict[str, str]) -> str:
    flat = " ".join(found.split())
    return next((new for word, new in words.items() if re.match(f"(?:{word})$", flat, re.IGNORECASE)), "another word")


NAME_WORDS: Final = {**ANYWHERE, **IN_NAMES}
PROSE_WORDS: Final = {**ANYWHERE, **IN_PROSE}
NAMES: Final = _pattern(NAME_WORDS)
PROSE: Final = _pattern(PROSE_WORDS)


@cache
def _words_of(name: str) -> str:
    """Return the words of an identifier, in any case, separated by blanks."""
    return re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name).replace("_", " ").strip()


def code_texts(path: Path, *, names_only: bool) -> Iterator[Text]:
    """Yield the identifiers of a Python file, and its comments and strings."""
    yield Text(1, _words_of(path.stem), is_name=True)
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.NAME:
            yield Text(token.start[0], _words_of(token.string), is_name=True)
        elif token.type in {tokenize.STRING, tokenize.COMMENT} and not names_only:
            yield Text(token.start[0], token.string, is_name=False)


def document_text(path: Path) -> Text:
    """Return the text of a document, without the sentences that may name an old key."""
    text = path.read_text(encoding="utf-8")
    return Text(1, text.replace(ALLOWED_SENTENCES.get(path.name, "\0"), ""), is_name=False)


@cache
def _has_retired_name(text: str) -> bool:
    return NAMES.search(text) is not None


def retired(path: Path, texts: Iterable[Text]) -> Iterator[str]:
    """Yield ``file:line: word -> replacement`` for each retired word."""
    name = str(path.relative_to(ROOT))
    if any(name.startswith(exempt) for exempt in EXEMPT):
        return
    for text in texts:
        if text.is_name and not _has_retired_name(text.text):
            continue
        pattern, words = (NAMES, NAME_WORDS) if text.is_name else (PROSE, PROSE_WORDS)
        for match in pattern.finditer(text.text):
            line = text.line + text.text.count("\n", 0, match.start())
            yield f"{name}:{line}: {' '.join(match[0].split())} -> {_replacement(match[0], words)}"


def _area_of(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    if parts[0] == "tests":
        inside = "/".join(parts[1:])
        return next((f"tests/{name}" for name in FINISHED_TESTS if inside.startswith(name)), "/".join(parts[:2]))
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


def _files() -> dict[str, list[Path]]:
    """Return the files of each area: a package, a folder of tests, or the documents."""
    files: dict[str, list[Path]] = {"documents": list(DOCUMENTS)}
    for path in sorted((ROOT / "watcher").rglob("*.py")) + sorted((ROOT / "tests").rglob("*.py")):
        files.setdefault(_area_of(path), []).append(path)
    return files


def _findings(path: Path) -> Iterator[str]:
    is_code = path.suffix == ".py"
    texts = code_texts(path, names_only=path.is_relative_to(ROOT / "tests")) if is_code else [document_text(path)]
    return retired(path, texts)


# Each process of a run imports this module, so the files are read by the tests only.
FILES: Final = _files()


@pytest.mark.parametrize("area", sorted(FILES))
def test_no_retired_word_is_used(area: str) -> None:
    words = [word for path in FILES[area] for word in _findings(path)]
    assert words == [], "\n".join(words)


def _classes(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            yield node.name


def test_no_class_has_a_retired_name() -> None:
    paths = [path for path in (ROOT / "watcher").rglob("*.py") if "migrations" not in path.parts]
    used = [f"{path.relative_to(ROOT)}: {name}" for path in paths for name in _classes(path) if name in RETIRED_CLASSES]
    assert used == []


def _docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            # This includes the strings below attributes and constants.
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                yield str(statement.value.value)


def _per_thousand(texts: Iterable[str]) -> tuple[float, int]:
    text = "\n".join(texts)
    count = len(WHAT.findall(text))
    return 1000 * count / max(1, len(re.findall(r"[A-Za-z']+", text))), count


def test_docstrings_seldom_say_what() -> None:
    rate, _count = _per_thousand(text for path in (ROOT / "watcher").rglob("*.py") for text in _docstrings(path))
    assert rate <= MOST_PER_THOUSAND


def test_documents_seldom_say_what() -> None:
    pages = [path for path in DOCUMENTS if path.suffix == ".md"]
    rate, _count = _per_thousand(CODE_BLOCK.sub("", path.read_text(encoding="utf-8")) for path in pages)
    assert rate <= MOST_PER_THOUSAND

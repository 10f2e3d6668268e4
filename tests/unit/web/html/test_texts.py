"""The texts of the pages: each key that a page uses exists, and each that exists is used."""

from __future__ import annotations

import re
from collections import Counter

from markupsafe import Markup

from tests.support.paths import ROOT
from watcher.core.action import OF_RECEIVERS, OF_SILENCES
from watcher.core.delivery.state import State
from watcher.core.health.problems import ProblemCode
from watcher.core.incidents.model import kind_of
from watcher.core.polling.result import Cause
from watcher.core.routing.reason import NotAnnounced
from watcher.core.training.decision import DecisionReason
from watcher.drawing.captions import ENGLISH as PLOTS
from watcher.pipeline.heartbeat import HeartbeatOutcome
from watcher.reports.overview import OpenKind
from watcher.web.html.fleet.filter import STATUSES
from watcher.web.html.language.english import ENGLISH
from watcher.web.html.language.texts import Texts

FOLDER = ROOT / "watcher" / "web" / "html"
TEMPLATES = "".join(path.read_text() for path in sorted((FOLDER / "templates").glob("*.html")))
CODE = "".join(path.read_text() for path in sorted(FOLDER.rglob("*.py")) if not path.name.startswith("english"))
NO_EVENT = {
    *(DecisionReason.BASELINE, DecisionReason.UNCHANGED, DecisionReason.NOT_REPEATED),
    *(DecisionReason.AWAITS_REPEAT, DecisionReason.AWAITS_CONFIRMATION, DecisionReason.AWAITS_VIEW),
    # These events are about no training.
    *(DecisionReason.NO_START, DecisionReason.NO_COMPLETION),
}
BY_KIND = {
    *(f"kind-{kind}" for kind in OpenKind),
    *(f"outage-{kind_of(cause)}" for cause in Cause),
    *(f"state-{state}" for state in State),
    *(f"badge-{kind}" for kind in OpenKind),
    *PLOTS,
    *(f"status-{status}" for status in STATUSES),
    *(f"{part}-{code}" for part in ("problem", "remedy") for code in ProblemCode),
    *(f"not-announced-{why}" for why in NotAnnounced),
    *(f"due-{rule}" for rule in ("stale", "cycle", "learned", "expect-every")),
    *(f"rule-{reason}" for reason in set(DecisionReason) - NO_EVENT),
}
BY_KIND |= {f"done-{kind}" for kind in OF_RECEIVERS | OF_SILENCES} | {f"action-{kind}" for kind in OF_RECEIVERS}
BY_KIND |= {f"test-{outcome}" for outcome in ("accepted", "refused", "failed", "uncertain")}
BY_KIND |= {f"heartbeat-{outcome}" for outcome in HeartbeatOutcome}
BY_KIND |= {f"{field}-missing" for field in ("reason", "author")}


def used() -> set[str]:
    found = set(re.findall(r't\("([\w-]+)"[,)]', TEMPLATES)) | BY_KIND
    found |= {f"step-{key}" for key in re.findall(r'_line\(\s*"([\w-]+)"', CODE)}
    return found | {key for key in ENGLISH if f'"{key}"' in CODE + TEMPLATES}


def test_each_text_of_a_page_is_in_the_catalogue() -> None:
    assert used() - ENGLISH.keys() == set()


def test_no_part_of_the_catalogue_has_a_key_of_another_one() -> None:
    parts = "".join(path.read_text() for path in FOLDER.rglob("english*.py"))
    keys = [*PLOTS, *re.findall(r'^ {8}"([\w-]+)":', parts, re.MULTILINE)]
    assert [key for key, count in Counter(keys).items() if count > 1] == []


def test_each_text_of_the_catalogue_is_shown_somewhere() -> None:
    assert ENGLISH.keys() - used() == set()


def test_no_template_writes_an_english_sentence_itself() -> None:
    bare = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|<[^>]*>", "\n", TEMPLATES, flags=re.DOTALL)
    words = {line.strip() for line in bare.splitlines() if re.search(r"[A-Za-z]{4}", line)}
    assert words <= {"aitems-watcher", "AiTEMS", "· aitems-watcher", "/service/", "/training/"}


def test_values_are_escaped_unless_they_are_markup_of_ours() -> None:
    texts = Texts({"a": "<{x}> & {y}"})
    assert texts("a", x="<b>", y=Markup("<i>y</i>")) == "&lt;&lt;b&gt;&gt; &amp; <i>y</i>"


def test_one_and_several_have_their_own_form() -> None:
    texts = Texts({"a": "{n} run|{n} runs"})
    assert [str(texts("a", n=number)) for number in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]

"""Draw Slack messages as pictures for the documents: the blocks that the program posts, as HTML in Chromium.

It needs ``chromium`` and a font with emoji (on Debian ``fonts-noto-color-emoji``). The pictures are ours and only
resemble Slack. Run it from the root of the repository: ``PYTHONPATH=. python scripts/render_messages.py``.
"""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from watcher.core.durations.current_run import Bounds, RunStart
from watcher.core.event import NO_LINKS, Event, Kind, event_id
from watcher.core.incidents.events import IncidentScope, describe
from watcher.core.incidents.evidence import Evidence
from watcher.core.incidents.model import Incident, IncidentChange, IncidentChangeKind, account_subject
from watcher.core.messages.message import Style
from watcher.core.polling.overdue_event import overdue_event
from watcher.core.polling.plan import WatchAttributes
from watcher.core.polling.result import Cause
from watcher.core.training.absence import GoodVersion, Missing, OverdueFacts
from watcher.core.training.catch_up import Outage
from watcher.core.training.comparison import Comparison, OtherVersion, SettingChange, StuckFacts, UsualFacts
from watcher.core.training.model import TrainingRef
from watcher.core.training.overdue import tolerance_of
from watcher.core.training.retraining import Retraining, RetrainingRef
from watcher.receivers.slack.blocks import payload
from watcher.reports.receiver_check import marked_event

FOLDER: Final = Path("docs/pictures")
ZONE: Final = ZoneInfo("Asia/Seoul")
STYLE: Final = Style(receiver="ml-ops", host="watcher-1", zone=ZONE, account_zones={"main": ZONE})
MENTION: Final = "<!subteam^S0123456789>"
NOW: Final = datetime(2026, 11, 26, 18, 21, 1, tzinfo=UTC)
OUTAGE_ID: Final = "inc_jwy5vglo4k2m"
WIDTH: Final = 760
WIDTH_OF_TABLE: Final = 960
SCALE: Final = 1.5

CSS: Final = """
*{box-sizing:border-box;margin:0}
body{background:#fff;color:#1d1c1d;font:15px/1.47 Lato,'Noto Sans','DejaVu Sans','Noto Color Emoji',sans-serif}
main{display:grid;grid-template-columns:36px minmax(0,1fr);column-gap:10px;padding:14px 20px}
.logo{width:36px;height:36px;border-radius:8px;background:#067a3e;color:#fff;font-weight:700;display:grid;
place-items:center}
.name{font-weight:800}.app{font-size:10px;background:#ddd;color:#616061;border-radius:2px;padding:1px 3px;margin:0 6px}
.at{color:#616061;font-size:12px}
.section{margin:2px 0 6px;white-space:pre-wrap;overflow-wrap:anywhere}
.context{color:#616061;font-size:13px;margin:3px 0;white-space:pre-wrap;overflow-wrap:anywhere}
code{font:12px 'DejaVu Sans Mono',monospace;background:#f7f7f8;color:#c01343;border:1px solid #dedee0;border-radius:3px;
padding:1px 3px}
a{color:#1264a3;text-decoration:none}.mention{background:#e8f5fa;color:#1264a3;border-radius:3px;padding:0 2px}
.table{border:1px solid #ddd;border-radius:8px;margin:6px 0;overflow:hidden;font-size:13px}
.caption,.pages{padding:6px 10px;color:#616061}.pages{text-align:right}
table{border-collapse:collapse;width:100%}th,td{padding:5px 10px;border-bottom:1px solid #ddd;text-align:left;
white-space:nowrap}th{background:#f8f8f8}.number{text-align:right}
"""

DATE: Final = re.compile(r"&lt;!date\^\d+\^[^|]*\|([^&]*?)( [A-Z]{3,4})?&gt;")
LINK: Final = re.compile(r"&lt;(https?://[^|&]+(?:&amp;[^|&]+)*)\|([^&]*)&gt;")
CODE: Final = re.compile(r"`([^`\n]+)`")
BOLD: Final = re.compile(r"(?<![\w*])\*([^*\n]+)\*(?![\w*])")


def mrkdwn(text: str) -> str:
    """Return Slack's mrkdwn as HTML; a date as a reader in Seoul sees it."""
    # Slack's entities are escaped once more here, so that every mark has one form.
    shown = html.escape(html.unescape(text.replace("&lt;", "\x01").replace("&gt;", "\x02")), quote=False)
    shown = DATE.sub(r"\1", shown)
    shown = LINK.sub(r'<a href="#">\2</a>', shown)
    shown = shown.replace(html.escape(MENTION), '<span class="mention">@ml-oncall</span>')
    shown = BOLD.sub(r"<b>\1</b>", CODE.sub(r"<code>\1</code>", shown))
    return shown.replace("\x01", "&lt;").replace("\x02", "&gt;")


def block_html(block: Mapping[str, Any]) -> str:
    """Return one block as HTML.

    Raises:
        ValueError: the block has a type that the program does not post.
    """
    match block["type"]:
        case "section":
            return f'<div class="section">{mrkdwn(block["text"]["text"])}</div>'
        case "context":
            return f'<div class="context">{" ".join(mrkdwn(item["text"]) for item in block["elements"])}</div>'
        case "data_table":
            return table_html(block)
        case other:
            raise ValueError(f"no picture for a block of the type {other}")


def table_html(block: Mapping[str, Any]) -> str:
    """Return the first page of a table."""
    header, *rows = block["rows"]
    page = rows[: block["page_size"]]
    # A heading stands above its numbers.
    head = "".join(
        _cell_html({**title, "type": first["type"]}, "th") for title, first in zip(header, page[0], strict=True)
    )
    body = "".join(f"<tr>{''.join(_cell_html(cell, 'td') for cell in row)}</tr>" for row in page)
    return (
        f'<div class="table"><div class="caption">{html.escape(block["caption"])}</div>'
        f"<table><tr>{head}</tr>{body}</table>"
        f'<div class="pages">1-{len(page)} of {len(rows)}</div></div>'
    )


def _cell_html(cell: Mapping[str, Any], tag: str) -> str:
    kind = "number" if cell["type"] == "raw_number" else "text"
    return f'<{tag} class="{kind}">{html.escape(cell["text"])}</{tag}>'


def message_html(blocks: Sequence[Mapping[str, Any]], at: datetime) -> str:
    """Return one message with its sender."""
    sender = f'<span class="name">aitems-watcher</span><span class="app">APP</span><span class="at">{at:%H:%M}</span>'
    content = "".join(map(block_html, blocks))
    return f'<main><div class="logo">aw</div><div>{sender}{content}</div></main>'


def draw(shown: Mapping[str, str], folder: Path) -> None:
    """Write a picture of each message, as high as the message."""
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary) / "page.html"
        for (name, message), height in zip(shown.items(), _heights(list(shown.values()), source), strict=True):
            source.write_text(_page(message), encoding="utf-8")
            target = (folder / f"{name}.png").resolve()
            _chromium(
                f"--force-device-scale-factor={SCALE}",
                f"--window-size={_width(message)},{height}",
                f"--screenshot={target}",
                source,
            )


def _width(message: str) -> int:
    return WIDTH_OF_TABLE if 'class="table"' in message else WIDTH


def _heights(messages: Sequence[str], source: Path) -> list[int]:
    script = "document.title=[...document.querySelectorAll('main')].map(x=>x.offsetHeight).join(' ')"
    source.write_text(_page("".join(messages) + f"<script>{script}</script>"), encoding="utf-8")
    measured = _chromium(f"--window-size={WIDTH},600", "--dump-dom", source)
    title = re.search(r"<title>([0-9 ]+)</title>", measured)
    return [int(height) for height in title[1].split()] if title else []


def _page(body: str) -> str:
    return f'<!doctype html><meta charset="utf-8"><title></title><style>{CSS}</style>{body}'


def _chromium(*arguments: str | Path) -> str:
    base = [shutil.which("chromium") or "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    done = subprocess.run(  # noqa: S603 - our own page
        [*base, *map(str, arguments)], check=True, capture_output=True, text=True
    )
    return done.stdout


def training_event(
    ref: TrainingRef,
    service: str,
    status: str = "learningFailed",
    minutes: float = 130,
    links: Mapping[str, str] = NO_LINKS,
) -> Event:
    """Return the event of a training that failed so many minutes after its start."""
    start = NOW - timedelta(minutes=minutes, seconds=15)
    usual: dict[str, Any] = {
        "id": event_id("pictures", ref.subject, 4),
        "kind": Kind.FAILED,
        "subject": ref.subject,
        "seq": 4,
        "reason": "ended",
        "account": ref.account,
        "service": ref.service,
        "training_type": ref.type,
        "version": ref.version,
        "service_name": service,
        "from_status": "waiting" if status == "refinedFailed" else "learning",
        "to_status": status,
        "run": RunStart(started_after=start - timedelta(seconds=15), started_before=start + timedelta(seconds=15)),
        "after": NOW - timedelta(seconds=30),
        "before": NOW,
        "recorded_at": NOW,
        "links": links,
    }
    return Event(**usual)


LINKS: Final = {"console": "https://console.example.com/pop/maqll0abcde", "runbook": "https://wiki.example.com/shop"}
REF: Final = TrainingRef("main", "6wxgu1abcde", "pop", "maqll0abcde")
TOP_N: Final = "item_top_n"


def usual(median: float, low: float, high: float, longest: float) -> UsualFacts:
    """Return usual durations of 23 runs, in minutes."""
    times = [timedelta(minutes=number) for number in (median, low, high, longest)]
    return UsualFacts(median=times[0], low=times[1], high=times[2], longest=times[3], runs=23)


USUAL: Final = usual(54, 48, 61, 66)


def last_good(version: str, ago: timedelta) -> OtherVersion:
    """Return a version that completed so long ago."""
    return OtherVersion(version=version, ended=Bounds(after=NOW - ago, before=NOW - ago))


def failure() -> Event:
    """Return a third failure in a row, with the links of its watch."""
    good = last_good("maqkk9zzzzz", timedelta(days=2, hours=3))
    change = SettingChange(option=TOP_N, old=20_000, new=50_000)
    compared = Comparison(usual=USUAL, failures=3, last_good=good, compared_with=good.version, changes=(change,))
    return replace(training_event(REF, "shop-main", links=LINKS), comparison=compared)


def success() -> Event:
    """Return a success after three failures."""
    change = SettingChange(option=TOP_N, old=50_000, new=20_000)
    compared = Comparison(
        usual=USUAL,
        failures=3,
        last_good=last_good("maqkk9zzzzz", timedelta(days=2, hours=9)),
        compared_with=REF.version,
        changes=(change,),
    )
    ref = replace(REF, version="maqlm1bcdef")
    event = training_event(ref, "shop-main", "completed", 54, {"console": LINKS["console"]})
    return replace(event, kind=Kind.SUCCEEDED, comparison=compared)


def stuck() -> Event:
    """Return a training that may be stuck."""
    start = NOW - timedelta(hours=2, minutes=40)
    facts = StuckFacts(
        level=1,
        whole_run=False,
        since=Bounds(after=start, before=start),
        limit=timedelta(minutes=157),
        next_limit=timedelta(hours=7, minutes=51),
        usual=usual(37, 31, 44, 58),
        learned=True,
    )
    event = training_event(
        replace(REF, type="relatedItem", version="maqll4fghij"), "shop-main", "learning", links=LINKS
    )
    return replace(event, kind=Kind.STUCK, from_status=None, after=NOW, run=None, stuck=facts)


def overdue() -> Event:
    """Return a retraining that did not come, whose period was learned."""
    started, day = NOW - timedelta(hours=31, minutes=12), timedelta(days=1)
    facts = OverdueFacts(
        missing=Missing.START,
        last=Bounds(after=started, before=started),
        expected_at=started + day,
        deadline=started + day + tolerance_of(day),
        period=day,
        starts=21,
        last_good=GoodVersion(version="maqkk9zzzzz", ended=Bounds(after=started, before=started + timedelta(hours=1))),
    )
    ref = RetrainingRef(REF.account, REF.service, "personalRecommend")
    state = Retraining(ref=ref, since=NOW - 40 * day, seq=1)
    attributes = WatchAttributes(name="shop-main", links=LINKS)
    return overdue_event(state, facts, attributes, "pictures", asked_at=NOW - timedelta(seconds=1), now=NOW)


def batch() -> list[Event]:
    """Return twelve failures of three services in one answer."""
    services = {"shop-main": 5, "shop-app": 4, "brand-mall": 3}
    places = [(service, number) for service, count in services.items() for number in range(count)]
    types = ("pop", "personalRecommend", "relatedItem")
    return [
        replace(
            training_event(
                TrainingRef("main", service, types[number % 3], f"maql{index}{service[0]}{number}abc"),
                service,
                "refinedFailed" if number == 2 else "learningFailed",  # noqa: PLR2004 - one of each service
                4 if number == 2 else 31 + 13 * index,  # noqa: PLR2004 - as above
            ),
            comparison=_in_batch(index),
        )
        for index, (service, number) in enumerate(places)
    ]


def _in_batch(index: int) -> Comparison:
    """Return the facts of a failure in the batch: of the first and another one the run before failed too."""
    good = last_good("maqkk9zzzzz", timedelta(hours=6 + 7 * index))
    streak = {0: 3, 8: 2}.get(index, 1)
    return Comparison(
        usual=usual(40, 28 + 2 * index, 37 + 3 * index, 80),
        failures=streak,
        successes=41 if streak == 1 else 0,
        last_good=good,
    )


def outage(kind: IncidentChangeKind, now: datetime) -> Event:
    """Return the event about an account that cannot be polled, or can be polled again."""
    incident = Incident(
        id=OUTAGE_ID,
        subject=account_subject("main"),
        cause=Cause.SERVER,
        detail="HTTP 503, code 900, Service Unavailable",
        evidence=Evidence(http_status=503, code="900"),
        since=NOW - timedelta(minutes=3),
        last_good_at=NOW - timedelta(minutes=3, seconds=30),
        opened_at=NOW,
    )
    change = IncidentChange(kind=kind, incident=incident)
    return describe(change, IncidentScope(account="main", services=4), "pictures", 1, now)


def late_changes() -> list[Event]:
    """Return the changes that the catch-up after an outage found."""
    hidden = Outage(account_subject("main"), NOW - timedelta(minutes=3))
    later = NOW + timedelta(hours=1, minutes=23)
    rows = (
        ("shop-main", "relatedItem", "maqll4fghij", Kind.SUCCEEDED, "learning", "completed", ()),
        ("shop-app", "pop", "maqlp0mnopq", Kind.SUCCEEDED, "waiting", "completed", ("learning",)),
        ("brand-mall", "pop", "maqlr0stuvw", Kind.PROGRESS, "requesting", "learning", ("waiting",)),
        ("brand-mall", "pop", "maqlr9zzabc", Kind.APPEARED, None, "waiting", ()),
    )
    return [
        replace(
            training_event(TrainingRef("main", service, training_type, version), service),
            kind=kind,
            from_status=old,
            to_status=new,
            skipped=skipped,
            new=old is None,
            run=None,
            late=True,
            group=OUTAGE_ID,
            outage=hidden,
            after=NOW - timedelta(minutes=3, seconds=20),
            before=later - timedelta(seconds=1),
            recorded_at=later,
        )
        for service, training_type, version, kind, old, new, skipped in rows
    ]


def messages() -> dict[str, tuple[list[Event], tuple[str, ...]]]:
    """Return the events of each picture, and its mentions."""
    later = NOW + timedelta(hours=1, minutes=23)
    return {
        "failure": ([failure()], (MENTION,)),
        "stuck": ([stuck()], (MENTION,)),
        "overdue": ([overdue()], (MENTION,)),
        "success": ([success()], ()),
        "batch": (batch(), (MENTION,)),
        "outage": ([outage(IncidentChangeKind.OPENED, NOW)], (MENTION,)),
        "recovery": ([outage(IncidentChangeKind.CLOSED, later)], ()),
        "catch-up": (late_changes(), ()),
        "test": ([marked_event(NOW, "0a1b2c3d")], ()),
    }


def main() -> None:
    """Draw every picture."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    shown = {}
    for name, (events, mentions) in messages().items():
        now = max(event.recorded_at for event in events)
        body: Any = payload(events, 0, may_be_repeat=False, mentions=mentions, style=STYLE, now=now)
        shown[name] = message_html(body["blocks"], now.astimezone(ZONE))
    draw(shown, FOLDER)


if __name__ == "__main__":
    main()

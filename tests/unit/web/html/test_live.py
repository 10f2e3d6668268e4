"""The live parts of a page: found by their ids, sent at first and when they change."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import pytest

from watcher.operations.errors import OperationRefusedError
from watcher.store.errors import StoreError
from watcher.web.html import live
from watcher.web.html.live import LiveStreams, event, parts_of
from watcher.web.store_reader import ReadsBusyError

PAGE = (
    '<title>a &amp; b</title><main><p id="live-status"></p>'
    '<section class="a" id="live-a"><section>x</section>{}</section>'
    '<ul id="live-b"></ul></main>'
)

FIRST = 5
"""The events before the first change: the wait of the browser, the names, the title, and two parts."""


async def read(pages: Sequence[str | Exception], streams: LiveStreams) -> list[str]:
    following = iter(pages)

    async def render() -> str:
        page = next(following)
        if isinstance(page, Exception):
            raise page
        return page

    found: list[str] = []
    response = await streams.response(render)
    # No page is left, which ends the stream.
    with suppress(RuntimeError):
        async for part in response.body_iterator:  # type: ignore[attr-defined]  # a streaming response
            found.append(part)  # noqa: PERF401 - what came before the end counts
    return found


def test_a_part_is_its_whole_element() -> None:
    assert parts_of(PAGE.format("1")) == {
        "live-a": '<section class="a" id="live-a"><section>x</section>1</section>',
        "live-b": '<ul id="live-b"></ul>',
    }


async def test_a_stream_begins_with_each_part_for_a_page_that_is_older() -> None:
    sent = await read([PAGE.format("1")], LiveStreams(every_seconds=0))
    parts = [event("part", text) for text in parts_of(PAGE.format("1")).values()]
    assert sent == ["retry: 5000\n\n", event("parts", "live-a live-b"), event("title", "a & b"), *parts]


async def test_a_part_is_sent_when_its_text_has_changed() -> None:
    sent = await read([PAGE.format("1"), PAGE.format("1"), PAGE.format("2")], LiveStreams(every_seconds=0))
    changed = event("part", '<section class="a" id="live-a"><section>x</section>2</section>')
    assert sent[FIRST:] == [": \n\n", changed, ": \n\n"]


async def test_the_title_is_sent_when_it_has_changed() -> None:
    page = PAGE.format("1")
    sent = await read([page, page.replace("a &amp; b", "2 open problems")], LiveStreams(every_seconds=0))
    assert sent[FIRST:] == [event("title", "2 open problems"), ": \n\n"]


async def test_a_page_with_other_parts_is_loaded_again() -> None:
    sent = await read([PAGE.format("1"), "<main></main>"], LiveStreams(every_seconds=0))
    assert sent[-1] == event("whole", "")


async def test_one_stream_too_many_is_refused() -> None:
    streams = LiveStreams()
    streams._open = live.STREAMS_MAX

    async def render() -> str:
        return PAGE

    assert (await streams.response(render)).status_code == 503


def test_an_event_of_several_lines_stays_one_event() -> None:
    assert event("part", "a\nb") == "event: part\ndata: a\ndata: b\n\n"


@pytest.mark.parametrize("error", [StoreError("away"), ReadsBusyError()])
async def test_a_stream_outlives_a_store_that_cannot_be_read_for_a_time(error: Exception) -> None:
    sent = await read([PAGE.format("1"), error, PAGE.format("2")], LiveStreams(every_seconds=0))
    assert [part[:11] for part in sent[FIRST:]] == [": \n\n", "event: part", ": \n\n"]


async def test_a_page_that_is_gone_is_loaded_again_and_one_that_was_never_there_is_no_stream() -> None:
    sent = await read([PAGE.format("1"), OperationRefusedError("gone")], LiveStreams(every_seconds=0))
    assert sent[-1] == event("whole", "")
    with pytest.raises(OperationRefusedError):
        await read([OperationRefusedError("none")], LiveStreams())

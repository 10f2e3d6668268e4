"""The live parts of a page: found by their ids, sent at first and when they change."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest
from starlette.responses import Response
from starlette.types import Message

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
ALIVE = event("alive", "")


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
    assert sent[FIRST:] == [ALIVE, changed, ALIVE]


async def test_the_title_is_sent_when_it_has_changed() -> None:
    page = PAGE.format("1")
    sent = await read([page, page.replace("a &amp; b", "2 open problems")], LiveStreams(every_seconds=0))
    assert sent[FIRST:] == [event("title", "2 open problems"), ALIVE]


async def test_a_page_with_other_parts_is_loaded_again() -> None:
    sent = await read([PAGE.format("1"), "<main></main>"], LiveStreams(every_seconds=0))
    assert sent[-1] == event("whole", "")


async def test_a_stream_says_that_it_ends_as_intended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LONGEST_SECONDS", 0.0)
    sent = await read([PAGE.format("1")], LiveStreams(every_seconds=60))
    assert sent[-1] == event("again", "")


async def rendered() -> str:
    # Others come while a page is rendered.
    await asyncio.sleep(0)
    return PAGE


async def opened(streams: LiveStreams, clients: Sequence[str]) -> list[Response]:
    return list(await asyncio.gather(*(streams.response(rendered, client) for client in clients)))


async def test_one_stream_too_many_is_refused_also_where_all_come_at_once() -> None:
    clients = [str(number) for number in range(live.STREAMS_MAX + 3)]
    found = [response.status_code for response in await opened(LiveStreams(), clients)]
    assert (found.count(200), found.count(503)) == (live.STREAMS_MAX, 3)


async def test_one_client_leaves_streams_for_others() -> None:
    streams = LiveStreams()
    found = [response.status_code for response in await opened(streams, ["a"] * live.STREAMS_MAX)]
    assert found.count(200) == live.STREAMS_OF_ONE
    assert [response.status_code for response in await opened(streams, ["b"])] == [200]


async def test_a_stream_that_has_ended_leaves_its_place() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        raise OSError

    streams = LiveStreams()
    for _ in range(3):
        for response in await opened(streams, ["a"] * live.STREAMS_OF_ONE):
            assert response.status_code == 200
            with suppress(Exception):
                await response({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)
    for _ in range(live.STREAMS_OF_ONE):
        with pytest.raises(OperationRefusedError):
            await read([OperationRefusedError("none")], streams)
    assert not streams._open


def test_an_event_of_several_lines_stays_one_event() -> None:
    assert event("part", "a\nb") == "event: part\ndata: a\ndata: b\n\n"


@pytest.mark.parametrize("error", [StoreError("away"), ReadsBusyError()])
async def test_a_stream_outlives_a_store_that_cannot_be_read_for_a_time(error: Exception) -> None:
    sent = await read([PAGE.format("1"), error, PAGE.format("2")], LiveStreams(every_seconds=0))
    assert [part[:11] for part in sent[FIRST:]] == ["event: aliv", "event: part", "event: aliv"]


async def test_a_page_that_is_gone_is_loaded_again_and_one_that_was_never_there_is_no_stream() -> None:
    sent = await read([PAGE.format("1"), OperationRefusedError("gone")], LiveStreams(every_seconds=0))
    assert sent[-1] == event("whole", "")
    with pytest.raises(OperationRefusedError):
        await read([OperationRefusedError("none")], LiveStreams())


async def test_no_proxy_is_to_hold_a_stream_back_or_to_keep_it() -> None:
    (stream,) = await opened(LiveStreams(), ["a"])
    assert (stream.headers["x-accel-buffering"], stream.headers["cache-control"]) == ("no", "no-store")

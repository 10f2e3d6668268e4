"""The live parts of a page: found by their ids, sent when they change, and never by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from watcher.web.html import live
from watcher.web.html.live import LiveStreams, event, parts_of

PAGE = (
    '<main><p id="live-status"></p><section class="a" id="live-a"><section>x</section>{}</section>'
    '<ul id="live-b"></ul></main>'
)


async def read(pages: list[str], streams: LiveStreams) -> list[str]:
    following: Iterator[str] = iter(pages)

    async def render() -> str:
        return next(following)

    found: list[str] = []
    response = streams.response(render)
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


async def test_a_part_is_sent_when_its_text_has_changed() -> None:
    sent = await read([PAGE.format("1"), PAGE.format("1"), PAGE.format("2")], LiveStreams(every_seconds=0))
    changed = event("part", '<section class="a" id="live-a"><section>x</section>2</section>')
    assert sent == ["retry: 5000\n\n", ": \n\n", changed, ": \n\n"]


async def test_a_page_with_other_parts_is_loaded_again() -> None:
    sent = await read([PAGE.format("1"), "<main></main>"], LiveStreams(every_seconds=0))
    assert sent[-1] == event("whole", "")


async def test_one_stream_too_many_is_refused() -> None:
    streams = LiveStreams()
    streams._open = live.STREAMS_MAX

    async def render() -> str:
        return PAGE

    assert streams.response(render).status_code == 503


def test_an_event_of_several_lines_stays_one_event() -> None:
    assert event("part", "a\nb") == "event: part\ndata: a\ndata: b\n\n"

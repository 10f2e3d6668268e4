"""Writing to a stream of this process, classified like any other attempt."""

from __future__ import annotations

from typing import TextIO

from watcher.core.delivery.model import Delivered, Outcome, Refused, Uncertain


def write(stream: TextIO, text: str) -> Outcome:
    """Write ``text`` and flush it.

    It blocks where the stream does; the daemon's own log goes to such a stream too and would block alike.
    """
    try:
        stream.write(_showable(stream, text))
        stream.flush()
    except ValueError:
        return Refused(reason="the stream is closed")
    except OSError as error:
        # A part may have been written.
        return Uncertain(reason=f"the stream cannot be written: {error.strerror}")
    return Delivered()


def _showable(stream: TextIO, text: str) -> str:
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)

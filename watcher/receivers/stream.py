"""Writes to a stream of this process, with an outcome as of any other attempt."""

from __future__ import annotations

from typing import TextIO

from watcher.core.delivery.model import Delivered, Outcome, Refused, Uncertain


def write(stream: TextIO, text: str) -> Outcome:
    """Write ``text``, flush it, and return the outcome.

    This blocks while the stream does. The daemon's log uses such a stream too and blocks likewise.
    """
    try:
        stream.write(_encodable(stream, text))
        stream.flush()
    except ValueError:
        return Refused(reason="the stream is closed")
    except OSError as error:
        # A part may have been written.
        return Uncertain(reason=f"the stream cannot be written: {error.strerror}")
    return Delivered()


def _encodable(stream: TextIO, text: str) -> str:
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)

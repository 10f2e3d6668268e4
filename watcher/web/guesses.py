"""A limit on the tokens that a client may guess."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from watcher.web.rate import RequestRate

GUESSES_PER_SECOND: Final = 0.1
GUESSES_AT_ONCE: Final = 5.0
REMEMBERED: Final = 4096
"""Wrong values that are remembered; the one that was given longest ago is forgotten first."""
DIGEST_BYTES: Final = 16


class TooManyGuessesError(Exception):
    """A client has guessed too often; until it has waited, even the right token is refused."""

    def __init__(self, wait_seconds: float) -> None:
        super().__init__(f"wait {wait_seconds:.1f} s")
        self.wait_seconds = wait_seconds


class TokenGuesses:
    """Counts the different wrong tokens of each client.

    A program that has missed a rotation sends one wrong token again and again. That is one guess, so it does not lock
    out another program at its address.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._rate = RequestRate(GUESSES_PER_SECOND, GUESSES_AT_ONCE)
        self._key = secrets.token_bytes(DIGEST_BYTES)
        self._wrong: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    def note(self, client: str, given: str, *, is_right: bool) -> bool:
        """Count what a client has given; return whether it is a wrong token that it gives for the first time.

        Raises:
            TooManyGuessesError: it has guessed too often, so the caller may not tell whether this one is right.
        """
        guess = client, self._digest(given)
        if not is_right and guess in self._wrong:
            self._wrong.move_to_end(guess)
            return False
        wait = self._rate.wait_seconds(client, self._monotonic())
        if wait:
            raise TooManyGuessesError(wait)
        if is_right:
            self._rate.give_back(client)
            return False
        self._wrong[guess] = None
        if len(self._wrong) > REMEMBERED:
            self._wrong.popitem(last=False)
        return True

    def _digest(self, given: str) -> bytes:
        # What is kept must not be a token of yesterday.
        text = given.encode("utf-8", "surrogateescape")
        return hashlib.blake2b(text, key=self._key, digest_size=DIGEST_BYTES).digest()

"""The deliveries that one message joins: each with all earlier ones of its line."""

from __future__ import annotations

import pytest

from watcher.store.delivery.batches import choose


@pytest.mark.parametrize(
    ("candidates", "lines", "most", "expected"),
    [
        ([1, 5], {"a": [1, 5]}, 2, [1, 5]),
        # A failure goes first, but not before the earlier changes of its training.
        ([5, 1], {"a": [1, 5]}, 2, [1, 5]),
        ([5, 2, 1], {"a": [1, 5], "b": [2]}, 2, [1, 5]),
        ([5, 1], {"a": [1, 5]}, 1, [1]),
        # What cannot be joined keeps those behind it waiting.
        ([5, 2], {"a": [1, 5], "b": [2]}, 2, [2]),
        # A delivery that was retried by hand is in no line.
        ([7, 1], {"a": [1]}, 2, [7, 1]),
    ],
)
def test_each_delivery_is_joined_with_all_earlier_ones_of_its_line(
    candidates: list[int], lines: dict[str, list[int]], most: int, expected: list[int]
) -> None:
    assert choose(candidates, lines, most) == expected

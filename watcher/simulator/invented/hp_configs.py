"""Random values of ``hpConfig``, with the options that AiTEMS documents for each type of training.

Pure: the caller draws the random numbers and seeds them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from watcher.simulator.invented.draws import Draw, choice
from watcher.simulator.world import NO_HPO

_ENABLED: Final = "is_enabled"
_COMMON: Final = {
    "session_max_timestamp": (1800, 3600, 7200),
    "item_top_n": (20_000, 10_000, 50_000),
    "min_item_cut": (5, 3, 10),
    "min_session_length": (2, 3, 5),
}
_OPTIONS: Final[Mapping[str, Mapping[str, tuple[int, ...]]]] = MappingProxyType(
    {
        "personalRecommend": {**_COMMON, "max_user_recommend_top": (100, 50, 200)},
        "relatedItem": {**_COMMON, "max_relate_recommend_top": (100, 50, 200)},
    }
)
"""The options of each type with some values, the default first (page "Request service training").

``pop`` has no options.
"""


def optimized(train_type: str) -> Mapping[str, object]:
    """Return an ``hpConfig`` with every option of the type at its default; ``pop`` has no options."""
    options = _OPTIONS.get(train_type)
    return {_ENABLED: True, **{name: values[0] for name, values in options.items()}} if options else NO_HPO


def hp_configs(
    draw: Draw, train_type: str, first: Mapping[str, object], changes: float
) -> Iterator[Mapping[str, object]]:
    """Yield the ``hpConfig`` of one version after another, without end.

    Args:
        draw: the source of random numbers; each version takes three.
        train_type: the type of the trainings.
        first: the ``hpConfig`` of the first version.
        changes: the share of the versions in which one option differs from the version before.
    """
    config = first
    while True:
        yield config
        is_changed, option, value = draw() < changes, draw(), draw()
        if is_changed:
            config = _with_one_change(config, train_type, option, value)


def _with_one_change(
    config: Mapping[str, object], train_type: str, option: float, value: float
) -> Mapping[str, object]:
    options = _OPTIONS.get(train_type)
    if options is None:
        return config
    if config.get(_ENABLED) is not True:
        return optimized(train_type)
    name = choice(lambda: option, tuple(options))
    others = [other for other in options[name] if other != config.get(name)]
    return {**config, name: choice(lambda: value, others)}

"""The world of the demo: within a minute it has a completion, a failure, and a new version."""

from __future__ import annotations

from typing import Final

from watcher.core.training.model import Status
from watcher.simulator.world import Life, ServiceType, SimulatedService, Step, Training, World

_LATER_VERSIONS: Final = 500
_LATER_EVERY_SECONDS: Final = 40.0
_FIRST_LATER_SECONDS: Final = 75.0


def demo_world() -> World:
    """Return the demo's world.

    Some trainings exist at the start. A new version appears at 6 s and changes at 12 s. One training completes at
    24 s, one fails at 36 s, one fails early at 50 s. After that, one training restarts every 90 s, and a new version
    appears every 40 s.
    """
    return World((_shop(), _news(), _grocery()))


def _life(*steps: tuple[float, str], loop_seconds: float | None = None) -> Life:
    return Life(tuple(Step(seconds, status) for seconds, status in steps), loop_seconds)


def _shop() -> SimulatedService:
    completing = _life((0, Status.WAITING), (9, Status.LEARNING), (24, Status.COMPLETED))
    appearing = _life((6, Status.REQUESTING), (12, Status.WAITING), (20, Status.LEARNING), (58, Status.COMPLETED))
    return SimulatedService(
        id="6wxgshop001",
        name="shop-main",
        description="the shop's home page",
        trainings=(
            Training(type="pop", version="maqlpop0001", life=_life((0, Status.COMPLETED))),
            Training(type="personalRecommend", version="maqlper0001", life=completing, hp_config=_optimized()),
            Training(type="relatedItem", version="maqlrel0001", life=appearing, description="spring catalogue"),
            *_later_versions(),
        ),
    )


def _completed() -> Life:
    return _life((0, Status.COMPLETED))


def _optimized(item_top_n: int = 20000) -> dict[str, object]:
    return {"is_enabled": True, "item_top_n": item_top_n, "max_user_recommend_top": 100}


def _later_versions() -> tuple[Training, ...]:
    return tuple(_later_version(number) for number in range(_LATER_VERSIONS))


def _later_version(number: int) -> Training:
    begins = _FIRST_LATER_SECONDS + number * _LATER_EVERY_SECONDS
    end = Status.LEARNING_FAILED if number % 4 == 3 else Status.COMPLETED  # noqa: PLR2004 - every fourth one fails
    life = _life((begins, Status.REQUESTING), (begins + 6, Status.LEARNING), (begins + 25, end))
    return Training(type="pop", version=f"maqlpop{number + 2:04d}", life=life)


def _news() -> SimulatedService:
    failing = _life((0, Status.LEARNING), (36, Status.LEARNING_FAILED))
    failing_early = _life((30, Status.REQUESTING), (40, Status.WAITING), (50, Status.REFINED_FAILED))
    return SimulatedService(
        id="b28anews002",
        name="news-feed",
        trainings=(
            Training(type="personalRecommend", version="9fn9per0000", life=_completed(), hp_config=_optimized()),
            Training(
                type="personalRecommend",
                version="9fn9per0001",
                life=failing,
                description="nightly",
                # The failure names what differs from the version before.
                hp_config=_optimized(item_top_n=50000),
            ),
            Training(type="pop", version="9fn9pop0001", life=failing_early),
        ),
    )


def _grocery() -> SimulatedService:
    retrained = _life(
        (15, Status.REQUESTING), (20, Status.WAITING), (28, Status.LEARNING), (70, Status.COMPLETED), loop_seconds=90
    )
    return SimulatedService(
        id="49qkgroc003",
        name="grocery-hourly",
        type=ServiceType.INTERVAL,
        interval="hour1",
        trainings=(
            Training(type="relatedItem", version="k2z1rel0001", life=retrained),
            Training(type="pop", version="k2z1pop0001", life=_life((0, Status.COMPLETED))),
        ),
    )

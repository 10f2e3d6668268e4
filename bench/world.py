"""The trainings that the benchmark's server shows: many services, and a share of their trainings that moves on."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Final

STAGES: Final = ("requesting", "waiting", "learning", "completed")
PAGE: Final = 1000
"""Records of one page, as AiTEMS answers without ``limit``."""

CREATED: Final = "2026-11-28T09:00:00.000"
HP_CONFIG: Final = {"hpo": False, "item_top_n": 20000, "batch_size": 512, "epochs": 12}


class Service:
    """One service as bytes; a list is joined anew only after one of its trainings moved on."""

    def __init__(self, name: str, trainings: int) -> None:
        self.name = name
        self.stages = [0] * trainings
        self._records = [self._record(number) for number in range(trainings)]
        self._pages: dict[int, bytes] = {}

    def view(self, number: int) -> bytes:
        """Return the record of one training."""
        return self._records[number]

    def page(self, offset: int) -> bytes:
        """Return a page of the list."""
        if offset not in self._pages:
            joined = b",".join(self._records[offset : offset + PAGE])
            self._pages[offset] = b'{"trains":[%b],"offset":%d,"limit":%d}' % (joined, offset, PAGE)
        return self._pages[offset]

    def move_on(self, number: int) -> bool:
        """Put a training into its next stage; return false where it has ended."""
        if self.stages[number] == len(STAGES) - 1:
            return False
        self.stages[number] += 1
        self._records[number] = self._record(number)
        self._pages.pop(number // PAGE * PAGE, None)
        return True

    def _record(self, number: int) -> bytes:
        record = {
            "serviceId": self.name,
            "type": "pop",
            "hpConfig": HP_CONFIG,
            "version": version(number),
            "status": STAGES[self.stages[number]],
            "createdDate": CREATED,
            "inference": False,
        }
        return json.dumps(record, separators=(",", ":")).encode()


class World:
    """All services by name."""

    def __init__(self, services: int, trainings: int, *, seed: int = 1) -> None:
        self.services = {name: Service(name, trainings) for name in map(service_name, range(services))}
        self._random = random.Random(seed)  # noqa: S311 - not for secrets
        self._list = json.dumps({"services": [_item(name) for name in self.services], "offset": 0, "limit": PAGE})

    def service_list(self) -> bytes:
        """Return the list of services."""
        return self._list.encode()

    def service_record(self, name: str) -> bytes:
        """Return the view of one service."""
        return json.dumps(_item(name)).encode()

    def move_on(self, share: float) -> int:
        """Put this share of the trainings of each service into the next stage; return how many moved."""
        return sum(service.move_on(number) for service, number in self._chosen(share))

    def move_one(self) -> tuple[str, str, str] | None:
        """Put one random training into its next stage; return its service, version and new status."""
        service = self._random.choice(list(self.services.values()))
        number = self._random.randrange(len(service.stages))
        if not service.move_on(number):
            return None
        return service.name, version(number), STAGES[service.stages[number]]

    def _chosen(self, share: float) -> Iterator[tuple[Service, int]]:
        for service in self.services.values():
            count = round(len(service.stages) * share)
            yield from ((service, number) for number in self._random.sample(range(len(service.stages)), count))


def service_name(number: int) -> str:
    """Return the id of a service."""
    return f"bench{number:05d}"


def version(number: int) -> str:
    """Return the version of a training."""
    return f"v{number:06d}"


def _item(name: str) -> dict[str, str]:
    return {"serviceId": name, "name": name, "status": "learnable", "createdDate": CREATED, "updatedDate": CREATED}

"""A day's work of a client, at the limit and on a bad line: pulls, lookups, and some that give up.

What is delivered is compared with the truth each time. What the client holds is looked at between.
"""

import asyncio
import gc
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import attrs

from infobip_email_logs import EmailLogsClient, LogsQuery, Pull
from infobip_email_logs.sandbox import Fault, Record

PASSING = (
    Fault(500),
    Fault(502, body="<html>Bad gateway</html>", content_type="text/html"),
    Fault(503, headers={"Retry-After": "1"}),
    Fault(disconnect="before_headers"),
    Fault(disconnect="in_body"),
    Fault(delay=0.5),
)
"""No 429 is among them: after one of those a client keeps to less than the limit for a while."""

RARE = Fault(stalls=True)


def faults(seed: int, requests: int, share: float = 0.2) -> list[Fault | None]:
    """Return what so many requests meet: trouble that passes, and rarely some that costs time."""
    chance = Random(f"faults {seed}")
    return [_drawn(chance, share) for _ in range(requests)]


def _drawn(chance: Random, share: float) -> Fault | None:
    if chance.random() >= share:
        return None
    return RARE if chance.random() < 0.01 else chance.choice(PASSING)


@attrs.frozen
class Truth:
    """What there is to be had.

    Attributes:
        bulks: The message ids of each bulk; those of no bulk under None.
        since: When the first of them was sent.
    """

    bulks: dict[str | None, list[str]]
    since: datetime

    @classmethod
    def of(cls, records: Sequence[Record]) -> "Truth":
        """Return what these records come to."""
        bulks: dict[str | None, list[str]] = {}
        for record in records:
            bulks.setdefault(record.bulk_id, []).append(record.message_id or "")
        return cls(bulks, min(record.sent_at for record in records))

    @property
    def window(self) -> LogsQuery:
        """All of them, and nothing that expires meanwhile."""
        return LogsQuery(sent_since=self.since - timedelta(hours=1))

    @property
    def ids(self) -> list[str]:
        """All message ids."""
        return [one for ids in self.bulks.values() for one in ids]

    @property
    def bulk_ids(self) -> list[str]:
        """All bulk ids."""
        return [one for one in self.bulks if one is not None]


@attrs.define
class Counts:
    """What was done.

    Attributes:
        records: The logs that pulls delivered, all of them right.
        pulls: The pulls that came to their end.
        lookups: The single messages that were looked up.
        left: The calls that were given up.
    """

    records: int = 0
    pulls: int = 0
    lookups: int = 0
    left: int = 0


@attrs.frozen
class Sample:
    """What is held at one moment, between two tasks' turns.

    Attributes:
        memory: As it is measured.
        tasks: The tasks of the loop.
        files: The files and sockets of the process.
    """

    memory: float
    tasks: int
    files: int


class Work:
    """Callers of one client, who go on until they are stopped.

    Args:
        client: Whom they ask.
        truth: What they have to get.
        teams: How many of each kind there are.
        pace: The seconds that they rest between two calls, at most.
        seed: Equal seeds make equal choices.
    """

    def __init__(
        self, client: EmailLogsClient, truth: Truth, *, teams: int, pace: float, seed: int
    ) -> None:
        self._client = client
        self._pace = pace
        self._teams = teams
        self._truth = truth
        self._chance = Random(f"work {seed}")
        self.counts = Counts()

    async def run(self, *, samples: int, every: float, memory: Callable[[], float]) -> list[Sample]:
        """Let all work, and look at what is held now and then.

        Raises:
            BaseExceptionGroup: Something was not delivered as it should be.
        """
        taken: list[Sample] = []
        async with asyncio.TaskGroup() as group:
            callers = (self._window, self._bulks, self._messages, self._leave, *[self._look_up] * 4)
            tasks = [group.create_task(_for_ever(one)) for one in callers * self._teams]
            for _ in range(samples):
                await asyncio.sleep(every)
                gc.collect()
                files = len([*Path("/dev/fd").iterdir()])
                taken.append(Sample(memory(), len(asyncio.all_tasks()), files))
            for task in tasks:
                task.cancel()
        return taken

    async def _window(self) -> None:
        await self._pulled(self._client.logs(self._truth.window), self._truth.ids)

    async def _bulks(self) -> None:
        bulks = self._chance.sample(self._truth.bulk_ids, 3)
        wanted = [one for bulk in bulks for one in self._truth.bulks[bulk]]
        await self._pulled(self._client.logs_by_bulk_id(bulks), wanted)

    async def _messages(self) -> None:
        wanted = self._chance.sample(self._truth.ids, 80)
        await self._pulled(self._client.logs_by_message_id([*wanted, "absent"]), wanted)

    async def _pulled(self, pull: Pull, wanted: list[str]) -> None:
        async with pull:
            came = [log.message_id or "" async for log in pull]
        assert sorted(came) == sorted(wanted)
        self.counts.pulls += 1
        self.counts.records += len(came)

    async def _look_up(self) -> None:
        one = self._chance.choice(self._truth.ids)
        log = await self._client.get_log(one)
        assert log
        assert log.message_id == one
        self.counts.lookups += 1
        await asyncio.sleep(self._chance.uniform(0, self._pace))

    async def _leave(self) -> None:
        """Give up, in one way or another."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._chance.uniform(0, self._pace)):
                if self._chance.random() < 0.5:
                    await self._client.get_logs(self._chance.sample(self._truth.ids, 5))
                async for _ in self._client.logs(self._truth.window):
                    if self._chance.random() < 0.05:
                        break
        self.counts.left += 1
        await asyncio.sleep(self._chance.uniform(0, self._pace))


async def _for_ever(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        await work()


def growth(samples: Sequence[Sample], of: Callable[[Sample], float]) -> float:
    """Return by how much something grew from the second third of the samples to the last."""
    third = len(samples) // 3
    middle, last = samples[third : 2 * third], samples[-third:]
    return median(map(of, last)) - median(map(of, middle))

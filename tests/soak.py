"""Ten real minutes at the limit on a bad line; the service is a process of its own.

    python tests/soak.py
    python tests/soak.py 600

Fails where a log is missing or one too many, where the limit is exceeded or not used, and where
memory, tasks or open files are more in the last third than in the second one. The numbers are
printed as they come.
"""

import asyncio
import multiprocessing
import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from soaking import Sample, Truth, Work, faults, growth

from infobip_email_logs import ApiKey, EmailLogsClient, KeepAnswers, RetryPolicy, Timeouts
from infobip_email_logs.sandbox import Sandbox, Settings, TimeWindow, Traffic

A_MINUTE = 1200
"""Requests; an attempt that is given up keeps its token for five seconds longer."""

SAMPLES = 60
MEGABYTE = 1 << 20
TRAFFIC = Traffic(bulks=20, bulk_size=(5, 40), loose=300, hours=20)


async def serve(pipe: Connection, requests: int) -> None:
    """Answer requests; tell how many came, and how many met the limit, whenever asked."""
    settings = Settings(v1_limits=(TimeWindow(A_MINUTE, 60.0),), latency=(0.0, 0.1))
    async with Sandbox(traffic=TRAFFIC, settings=settings, seed=1) as box:
        box.script(*faults(1, requests))
        pipe.send((box.url, box.credentials.api_key, Truth.of(box.records)))
        while await asyncio.to_thread(pipe.recv):
            pipe.send((len(box.arrivals), box.throttled))
            box.arrivals.clear()


def served(pipe: Connection, requests: int) -> None:
    """Do so in a process."""
    asyncio.run(serve(pipe, requests))


@contextmanager
def service(requests: int) -> Iterator[Any]:
    """Run the service; gives the end of a pipe to it."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=served, args=(theirs, requests))
    process.start()
    try:
        yield ours
    finally:
        ours.send(False)
        process.join()


def resident() -> float:
    """Return the megabytes of this process; 0 where the platform does not tell."""
    pages = Path("/proc/self/statm")
    return int(pages.read_text(encoding="ascii").split()[1]) / 256 if pages.exists() else 0.0


async def soak(pipe: Any, seconds: float) -> tuple[list[Sample], list[float], Work, int]:
    """Work for so long; return what was held, and how many requests arrived."""
    url, key, truth = pipe.recv()
    rss: list[float] = []
    requests = 0

    def memory() -> float:
        nonlocal requests
        pipe.send(True)
        arrived, throttled = pipe.recv()
        assert not throttled, f"{throttled} requests met the limit"
        requests += arrived
        rss.append(resident())
        traced = tracemalloc.get_traced_memory()[0] / MEGABYTE
        print(
            f"{len(rss) * seconds / SAMPLES:6.0f} s {requests:7} requests {traced:7.2f} MB traced"
            f" {rss[-1]:7.1f} MB resident {len(asyncio.all_tasks()):4} tasks",
            flush=True,
        )
        return traced

    async with EmailLogsClient(
        url,
        ApiKey(key),
        limit=f"{A_MINUTE}/60s",
        retry=RetryPolicy(attempts=20, total=seconds),
        timeouts=Timeouts(read=2),
        keep_answers=KeepAnswers(final=2, pending=1),
    ) as client:
        work = Work(client, truth, teams=4, pace=1, seed=1)
        samples = await work.run(samples=SAMPLES, every=seconds / SAMPLES, memory=memory)
    return samples, rss, work, requests


def main(seconds: float) -> None:
    """Print the figures, and fail where they are not as they should be."""
    wanted = int(seconds * A_MINUTE / 60)
    with service(2 * wanted) as pipe:
        tracemalloc.start()
        begin = time.monotonic()
        samples, rss, work, requests = asyncio.run(soak(pipe, seconds))
    took = time.monotonic() - begin
    grown = growth(samples, lambda one: one.memory)
    resident_grown = max(rss[-SAMPLES // 3 :]) - max(rss[SAMPLES // 3 : -SAMPLES // 3])
    print(f"{took:.0f} s, {requests} requests of {wanted} that the limit allows; {work.counts}")
    print(f"grown: {grown:.3f} MB traced, {resident_grown:.2f} MB resident")
    print(f"files {samples[0].files} to {samples[-1].files}")
    assert requests > 0.9 * wanted
    assert grown < 0.5
    assert resident_grown < 4.0
    assert growth(samples, lambda one: one.tasks) <= 10
    assert growth(samples, lambda one: one.files) <= 4


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 600.0)

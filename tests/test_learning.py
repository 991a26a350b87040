"""Services that allow less than was said, and limits that are shared by programs unawares.

The service here is the sandbox's own count, which knows nothing of the limiter.
"""

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Iterator

import attrs
import pytest
from sharing import Shelf

from infobip_email_logs import LIMIT_V1, LIMIT_V4, Limiter, LocalLimiter
from infobip_email_logs.bucket import TimeLimit
from infobip_email_logs.sandbox.limits import Gate, Limit, TimeWindow, TokenBucket
from infobip_email_logs.shared_limiter import SharedLimiter

AT_A_TIME = 50
TEN_MINUTES = 600.0
PROCESSES = 4

BUCKET_OF_5 = TokenBucket(5, 1.0)
SIXTY = [
    TimeWindow(60),
    TimeWindow(60, kind="fixed", phase=47.0),
    TimeWindow(60, kind="fixed", phase=21.0),
    TokenBucket(60, 1.0),
]
REPLIES = list(itertools.product((True, False), repeat=2))


@attrs.define
class Service:
    """Counts what arrives, and refuses what is too much.

    Attributes:
        limit: What it allows.
        retry_after: Whether it says when to come back.
        count_rejected: Whether it counts what it refuses.
        gate: Its count.
        chance: What it draws latencies from.
    """

    limit: Limit
    retry_after: bool
    count_rejected: bool
    gate: Gate = attrs.field(factory=Gate)
    chance: random.Random = attrs.field(factory=lambda: random.Random(1))

    async def ask(self) -> tuple[bool, float | None]:
        """Send a request; return whether it was let in, and how long it asks to wait else."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self.chance.uniform(0.02, 0.12))
        wait = self.gate.arrive([self.limit], loop.time(), count_rejected=self.count_rejected)
        await asyncio.sleep(self.chance.uniform(0.02, 0.12))
        return not wait, wait if self.retry_after else None


@attrs.define
class Caller:
    """Asks through a limiter of its own, so much at a time as there is to ask.

    Attributes:
        limiter: The limiter.
        service: The service.
        at_a_time: How much is asked at a time.
        passed: How many requests were let in.
        before: How many were refused that left before the first refusal was known.
        after: How many were refused later.
        done: When the last one was answered.
    """

    limiter: Limiter
    service: Service
    at_a_time: int = AT_A_TIME
    passed: int = 0
    before: int = 0
    after: int = 0
    done: float = 0.0
    known: float = float("inf")

    async def ask(self, requests: int | None = None) -> None:
        """Ask until so many requests were let in; or for ten minutes."""
        left = itertools.count() if requests is None else iter(range(requests))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TEN_MINUTES), asyncio.TaskGroup() as group:
                for _ in range(self.at_a_time):
                    group.create_task(self._ask(left))

    async def _ask(self, left: Iterator[int]) -> None:
        for _ in left:
            while not await self._once():
                pass

    async def _once(self) -> bool:
        permit = await self.limiter.acquire()
        try:
            passed, retry_after = await self.service.ask()
        except asyncio.CancelledError:
            permit.abandoned()
            raise
        self.done = asyncio.get_running_loop().time()
        if passed:
            self.passed += 1
            permit.answered()
        else:
            self.known = min(self.known, self.done)
            self.before += permit.sent_at <= self.known
            self.after += permit.sent_at > self.known
            permit.throttled(retry_after)
        return passed


@pytest.fixture(autouse=True)
async def _quick() -> None:
    """Do without what asyncio notes for debugging: thousands of requests are made here."""
    asyncio.get_running_loop().set_debug(False)


@pytest.mark.parametrize(("retry_after", "count_rejected"), REPLIES)
async def test_a_small_bucket_that_nobody_announced_costs_a_handful_of_429s(
    *, retry_after: bool, count_rejected: bool
) -> None:
    """It is taken for 60 a minute; after the first refusal is known, hardly anything is refused."""
    caller = Caller(LocalLimiter(LIMIT_V1), Service(BUCKET_OF_5, retry_after, count_rejected))
    start = asyncio.get_running_loop().time()
    await caller.ask(600)
    assert caller.before <= AT_A_TIME
    assert caller.after <= 6
    assert caller.done - start < 1.05 * 595


@pytest.mark.parametrize(("retry_after", "count_rejected"), REPLIES)
async def test_a_slow_start_finds_it_with_even_less(
    *, retry_after: bool, count_rejected: bool
) -> None:
    """A handful in all, though fifty are asked at once."""
    limiter = LocalLimiter(LIMIT_V1, slow_start=True)
    caller = Caller(limiter, Service(BUCKET_OF_5, retry_after, count_rejected))
    start = asyncio.get_running_loop().time()
    await caller.ask(300)
    assert caller.before + caller.after <= 6
    assert caller.done - start < 1.05 * 295
    assert limiter.snapshot().throttled == caller.before + caller.after


@pytest.mark.parametrize(("retry_after", "count_rejected"), REPLIES)
@pytest.mark.parametrize("limit", SIXTY, ids=str)
async def test_half_of_what_was_said_is_found_and_used(
    limit: Limit, *, retry_after: bool, count_rejected: bool
) -> None:
    """We believe 120 a minute, 60 are allowed: at most 12 further 429s in ten minutes."""
    caller = Caller(LocalLimiter(LIMIT_V4), Service(limit, retry_after, count_rejected))
    await caller.ask()
    assert caller.before <= AT_A_TIME
    assert caller.after <= 12
    assert caller.passed >= 0.9 * 600


@pytest.mark.parametrize(("retry_after", "count_rejected"), REPLIES)
@pytest.mark.parametrize("limit", SIXTY, ids=str)
async def test_two_who_do_not_know_of_each_other_come_to_equal_shares(
    limit: Limit, *, retry_after: bool, count_rejected: bool
) -> None:
    """Of ten minutes each has 40 to 60 %, together 90 %, and 3 % of the requests are refused."""
    service = Service(limit, retry_after, count_rejected)
    pair = [Caller(LocalLimiter(LIMIT_V1), service) for _ in range(2)]
    await asyncio.gather(*(caller.ask() for caller in pair))
    passed = sum(caller.passed for caller in pair)
    assert all(0.4 * passed <= caller.passed <= 0.6 * passed for caller in pair)
    assert passed >= 0.9 * 600
    assert sum(caller.after for caller in pair) <= 0.03 * passed


@contextlib.asynccontextmanager
async def sharing(limit: TimeLimit, service: Service) -> AsyncIterator[list[Caller]]:
    """Give the callers of several processes, which share what they believe to be the limit."""
    shelf = Shelf(delay=lambda: 0.001)
    async with contextlib.AsyncExitStack() as stack:
        limiters = [
            await stack.enter_async_context(SharedLimiter(shelf, limit)) for _ in range(PROCESSES)
        ]
        yield [Caller(limiter, service, AT_A_TIME // PROCESSES) for limiter in limiters]


@pytest.mark.parametrize(("retry_after", "count_rejected"), REPLIES)
async def test_processes_find_a_small_bucket_together(
    *, retry_after: bool, count_rejected: bool
) -> None:
    """What one of them is told by a 429, all of them keep to."""
    service = Service(BUCKET_OF_5, retry_after, count_rejected)
    start = asyncio.get_running_loop().time()
    async with sharing(LIMIT_V1, service) as callers:
        await asyncio.gather(*(caller.ask(600 // PROCESSES) for caller in callers))
    assert sum(caller.before for caller in callers) <= AT_A_TIME
    assert sum(caller.after for caller in callers) <= 6
    assert max(caller.done for caller in callers) - start < 1.05 * 595


@pytest.mark.parametrize(("retry_after", "count_rejected"), REPLIES)
@pytest.mark.parametrize("limit", SIXTY, ids=str)
async def test_processes_find_half_of_what_was_said_together(
    limit: Limit, *, retry_after: bool, count_rejected: bool
) -> None:
    """At most 12 further 429s in ten minutes, and one of each that could not know of the first."""
    async with sharing(LIMIT_V4, Service(limit, retry_after, count_rejected)) as callers:
        await asyncio.gather(*(caller.ask() for caller in callers))
    assert sum(caller.before for caller in callers) <= AT_A_TIME
    assert sum(caller.after for caller in callers) <= 12 + PROCESSES
    passed = [caller.passed for caller in callers]
    assert sum(passed) >= 0.9 * 600
    assert min(passed) >= 0.22 * sum(passed)

"""What waiting costs: calls that need not wait, and a hundred thousand that must."""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from types import FrameType
from typing import Any

from limits_peers import PEERS, loops_time, outside
from limits_world import Loop, TooSlowError, virtually
from measuring import Result, Row, beside_peers

from infobip_email_logs import LIMIT_V1, LocalLimiter, TimeLimit, TokenLimit

CALLS = 20_000
ROUNDS = 15
FEW, MANY = 1_000, 100_000
PEERS_SECONDS = 10.0

Acquire = Callable[[], Awaitable[Any]]


def rows() -> Iterator[Row]:
    """Yield the cases."""
    yield Row("storm", _storm)
    yield beside_peers("acquire", _acquire)
    yield beside_peers("drain", _drain)


def _storm() -> list[Result]:
    """Ten callers a second, each of whom gives up after half a second; one may go each second."""
    granted, waited = virtually(_stormed)
    return [
        Result("storm: grants missed, of 60", max(0, 60 - granted), 2),
        Result("storm: seconds that the next one waits", waited, 1),
    ]


async def _stormed() -> tuple[int, float]:
    limiter = LocalLimiter(TokenLimit(burst=1, refill=1.0))
    granted = 0

    async def caller(number: int) -> None:
        nonlocal granted
        await asyncio.sleep(number / 10)
        try:
            async with asyncio.timeout(0.5):
                permit = await limiter.acquire()
        except TimeoutError:
            return
        granted += 1
        permit.answered()

    await asyncio.gather(*map(caller, range(600)))
    begin = asyncio.get_running_loop().time()
    (await limiter.acquire()).answered()
    return granted, asyncio.get_running_loop().time() - begin


def _acquire() -> list[Result]:
    """Microseconds of a call that need not wait, each limiter in turn; the median of the rounds."""
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):
        ours.append(asyncio.run(_called(_our_acquire)))
        theirs.append(asyncio.run(_called(_their_acquire)))
    note = f"{statistics.median(ours):.2f} and {statistics.median(theirs):.2f} microseconds"
    figure = statistics.median(ours) / statistics.median(theirs)
    return [Result("acquire: time / aiolimiter's", figure, 1, note=note)]


def _our_acquire() -> Acquire:
    return LocalLimiter(TimeLimit(10_000_000, per=60)).acquire


def _their_acquire() -> Acquire:
    limiter = outside("aiolimiter").AsyncLimiter(10_000_000, 60)
    acquire: Acquire = limiter.acquire
    return acquire


async def _called(make: Callable[[], Acquire]) -> float:
    acquire = make()
    begin = time.perf_counter()
    for _ in range(CALLS):
        await acquire()
    return (time.perf_counter() - begin) / CALLS * 1e6


def _drain() -> list[Result]:
    """All wait at once for 60 a minute: the processor's time for each of them."""
    few, few_timers = _drained(_our_drain, FEW)
    many, many_timers = _drained(_our_drain, MANY)
    peers = dict(_peers_drains())
    finished = {name: took for name, took in peers.items() if took is not None}
    told = ", ".join(f"{name} {_told(took)}" for name, took in peers.items())
    quickest = min(finished.values(), default=float("nan"))
    return [
        Result("drain: time a waiter, 100 000 / 1000", many / few, 3, note=f"{many:.1f} µs"),
        Result("drain: timers a waiter, 100 000 / 1000", many_timers / few_timers, 1.1),
        Result("drain: calls a waiter, 10 000 / 1000", _calls(10 * FEW) / _calls(FEW), 1.05),
        Result("drain: time / the best peer's", many / quickest, 0.5, note=told),
    ]


def _told(took: float | None) -> str:
    return f"more than {PEERS_SECONDS:g} s" if took is None else f"{took:.1f} µs"


def _our_drain() -> Acquire:
    limiter = LocalLimiter(LIMIT_V1)

    async def acquire() -> None:
        (await limiter.acquire()).answered()

    return acquire


def _peers_drains() -> Iterator[tuple[str, float | None]]:
    for name in ("aiolimiter", "pyrate-limiter", "throttled-py", "limits"):
        try:
            with loops_time():
                yield name, _drained(PEERS[name], MANY)[0]
        except TooSlowError:
            yield name, None


def _drained(make: Callable[[], Acquire], waiters: int) -> tuple[float, float]:
    """Return the microseconds and the timers of each waiter."""

    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Loop)
        loop.give_up_after(PEERS_SECONDS)
        acquire, begin = make(), time.process_time()
        await asyncio.gather(*(acquire() for _ in range(waiters)))
        loop.give_up_after(float("inf"))
        return (time.process_time() - begin) / waiters * 1e6, loop.timers / waiters

    return virtually(main)


def _calls(waiters: int) -> float:
    """Return how many functions of the package are called for each waiter."""
    count = 0

    def profile(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        count += event == "call" and "infobip_email_logs" in frame.f_code.co_filename

    sys.setprofile(profile)
    try:
        _drained(_our_drain, waiters)
    finally:
        sys.setprofile(None)
    return count / waiters

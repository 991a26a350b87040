"""The peers: each as its documentation has it for 60 per minute, and once with a burst of 1.

Of the variants this package's limiter is told what they are, in one row; in the other it is told
"60 per minute" like all the rest, also where that is not true.

What meets a 429 is tried again by tenacity: after the seconds that ``Retry-After`` asks for, or
after pauses drawn at random up to a bound that doubles to a minute. Their clocks are the loop's.
"""

import asyncio
import importlib
import statistics
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import limits_variants
import tenacity
from limits_server import Server, best, models
from limits_world import START, Client, Maker, Run, Send, alone, cases, ours
from measuring import Result, Row, beside_peers

from infobip_email_logs import LIMIT_V1

REQUESTS = 600
PATIENCE = 4
"""How many times the best possible time a run may take; then it counts as never finished."""

FOREVER = 1e9

Acquire = Callable[[], Awaitable[Any]]


def rows() -> Iterator[Row]:
    """Yield a row for each limiter, this package's among them."""
    yield Row("field-ours", partial(_measured, "ours", None))
    yield Row("field-ours-told-60", partial(_measured, "ours-told-60", ours(LIMIT_V1)))
    for name in PEERS:
        yield beside_peers(f"field-{name}", partial(_measured, name, partial(client, name)))


def outside(name: str) -> ModuleType:
    """Return an installed module, though a file of this folder has its name."""
    here = Path(__file__).parent.resolve()
    kept = list(sys.path)
    sys.path[:] = [path for path in kept if Path(path or ".").resolve() != here]
    try:
        return importlib.import_module(name)
    finally:
        sys.path[:] = kept


def _aiolimiter(rate: int, per: int) -> Acquire:
    acquire: Acquire = outside("aiolimiter").AsyncLimiter(rate, per).acquire
    return acquire


def _pyrate(rate: int, per: int) -> Acquire:
    pyrate = outside("pyrate_limiter")
    bucket = pyrate.InMemoryBucket([pyrate.Rate(rate, per * 1000)])
    limiter = pyrate.Limiter(pyrate.BucketAsyncWrapper(bucket))
    return lambda: limiter.try_acquire_async("item")


def _throttled(quota: str) -> Acquire:
    throttled = outside("throttled.asyncio")
    throttle = throttled.Throttled(
        using=throttled.RateLimiterType.TOKEN_BUCKET.value,
        quota=quota,
        timeout=FOREVER,
        store=throttled.MemoryStore(),
    )

    async def acquire() -> None:
        while (await throttle.limit("account")).limited:
            pass

    return acquire


def _limits(rate: str) -> Acquire:
    limits, strategies = outside("limits"), outside("limits.aio.strategies")
    storage = outside("limits.aio.storage")
    window = strategies.MovingWindowRateLimiter(storage.MemoryStorage())
    item = limits.parse(rate)
    time = asyncio.get_running_loop().time

    async def acquire() -> None:
        while not await window.hit(item, "account"):
            stats = await window.get_window_stats(item, "account")
            await asyncio.sleep(max(0.001, stats.reset_time - time()))

    return acquire


async def _at_once() -> None:
    """Wait for no limiter at all."""


PEERS: dict[str, Callable[[], Acquire]] = {
    "aiolimiter": partial(_aiolimiter, 60, 60),
    "aiolimiter-burst-1": partial(_aiolimiter, 1, 1),
    "pyrate-limiter": partial(_pyrate, 60, 60),
    "pyrate-limiter-burst-1": partial(_pyrate, 1, 1),
    "throttled-py": partial(_throttled, "60/m"),
    "throttled-py-burst-1": partial(_throttled, "60/m burst 1"),
    "limits": partial(_limits, "60/minute"),
    "limits-burst-1": partial(_limits, "1/second"),
    "tenacity-alone": lambda: _at_once,
}


class _TooManyError(Exception):
    def __init__(self, retry_after: float | None) -> None:
        super().__init__()
        self.retry_after = retry_after


def client(name: str) -> Client:
    """Return a client with the limiter of that name."""
    acquire = PEERS[name]()
    drawn = tenacity.wait_random_exponential(multiplier=1, max=60)

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome and state.outcome.exception()
        asked = error.retry_after if isinstance(error, _TooManyError) else None
        return drawn(state) if asked is None else asked

    async def once(send: Send) -> None:
        await acquire()
        passed, retry_after = await send()
        if not passed:
            raise _TooManyError(retry_after)

    async def have(send: Send) -> None:
        again = tenacity.AsyncRetrying(
            wait=wait, retry=tenacity.retry_if_exception_type(_TooManyError), sleep=asyncio.sleep
        )
        await again(once, send)

    return have


@contextmanager
def loops_time() -> Iterator[None]:
    """Have the peers look at the clock of the loop that runs them."""

    def now() -> float:
        return asyncio.get_running_loop().time()

    def nanoseconds() -> int:
        return int(now() * 1e9)

    clock = SimpleNamespace(time=now, monotonic=now, perf_counter=now, perf_counter_ns=nanoseconds)
    with ExitStack() as stack:
        for module in ("throttled.utils", "limits.aio.storage.memory", "limits.aio.strategies"):
            stack.enter_context(patch.object(outside(module), "time", clock))
        clocks = outside("pyrate_limiter.clocks")
        stack.enter_context(patch.object(clocks, "monotonic_ns", nanoseconds))
        yield


def _measured(name: str, maker: Maker | None) -> list[Result]:
    """Return the 429s of a run on average, and the time of those that finish."""
    with loops_time() if maker and not name.startswith("ours") else nullcontext():
        runs = list(_runs(maker))
    throttled = statistics.mean(run.before + run.after for run, _ in runs)
    longest = [run.makespan / shortest for run, shortest in runs if run.finished]
    never = sum(not run.finished for run, _ in runs)
    mine = maker is None
    note = f"429s in {sum(run.before + run.after > 0 for run, _ in runs)} of {len(runs)} runs"
    return [
        Result(f"field-{name}: 429s a run", throttled, 0 if mine else None, note=note),
        Result(f"field-{name}: runs that never finish", never, 0 if mine else None),
        Result(
            f"field-{name}: time / best",
            statistics.mean(longest) if longest else float("nan"),
            note=f"at worst {max(longest, default=float('nan')):.3f}",
        ),
    ]


def _runs(maker: Maker | None) -> Iterator[tuple[Run, float]]:
    """Yield a run on each server, and the best possible time."""
    for name, model in models().items():
        shortest = best(model, START, REQUESTS)
        for server, seed in cases(model, seeds=[1]):
            chosen = maker or limits_variants.as_it_is(name)
            yield _run(chosen, server, shortest, seed), shortest


def _run(maker: Maker, server: Server, shortest: float, seed: int) -> Run:
    return alone(maker, server, requests=REQUESTS, most=PATIENCE * shortest, seed=seed)

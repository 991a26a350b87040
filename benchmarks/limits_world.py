"""A loop whose clock jumps, and callers whose requests a model of the service answers."""

import asyncio
import itertools
import random
import selectors
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from typing import Any, TypeVar

import attrs
from limits_server import PER, Model, Server

from infobip_email_logs import LocalLimiter

T = TypeVar("T")

LATENCY = (0.02, 0.12)
"""Seconds on the way, each way."""

START = 17 * PER
"""When the callers begin: fixed windows of phase 0 begin then, too."""

AT_A_TIME = 50
"""The requests that are under way at a time."""

SEEDS = (1, 2, 3)

Reply = tuple[bool, float | None]
"""Whether a request was let in, and what ``Retry-After`` said."""

Send = Callable[[], Awaitable[Reply]]

Client = Callable[[Send], Awaitable[None]]
"""Has one request let in, however often it has to send it."""

Maker = Callable[[], Client]
"""Makes a client, on the loop that it is used on."""


class TooSlowError(Exception):
    """More time on the clock on the wall than anybody wants to wait."""


class _Jumping(selectors.DefaultSelector):
    """A selector that lets the time go by which it would have waited."""

    now = START
    until = float("inf")

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:  # a thread is waited for
            return super().select(None)
        if time.process_time() > self.until:
            self.until = float("inf")
            raise TooSlowError
        self.now += max(timeout, 0.0)
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    """An event loop that waits for no timer: its clock jumps to the next one.

    Attributes:
        timers: The timers that were set.
    """

    def __init__(self) -> None:
        self._jumping = _Jumping()
        self.timers = 0
        super().__init__(self._jumping)

    def time(self) -> float:
        """Tell the virtual time."""
        return self._jumping.now

    def call_at(  # type: ignore[override]
        self, when: float, *args: Any, **options: Any
    ) -> asyncio.TimerHandle:
        """Set a timer."""
        self.timers += 1
        return super().call_at(when, *args, **options)

    def run_in_executor(  # type: ignore[override]
        self, _: object, work: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Do what is meant for a thread at once: no time goes by meanwhile."""
        done: asyncio.Future[T] = self.create_future()
        done.set_result(work(*args))
        return done

    def give_up_after(self, seconds: float) -> None:
        """Raise :class:`TooSlowError` when so many seconds of the processor are used."""
        self._jumping.until = time.process_time() + seconds


def virtually(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine on such a loop."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(main())


@attrs.define
class Run:
    """What became of some requests.

    Attributes:
        end: When the last that was let in arrived.
        passed: How many were let in.
        before: The 429s of requests that left before the first 429 was back.
        after: All other 429s.
        finished: Whether all were let in that should be.
        first: When the first 429 was back.
        begun: When the first could leave.
    """

    begun: float = START
    end: float = START
    passed: int = 0
    before: int = 0
    after: int = 0
    finished: bool = True
    first: float = float("inf")

    @property
    def makespan(self) -> float:
        """The seconds until the last arrived."""
        return self.end - self.begun


def sender(server: Server, run: Run, chance: random.Random) -> Send:
    """Return what sends a request to the server, and notes in ``run`` what became of it."""
    loop = asyncio.get_running_loop()

    async def send() -> Reply:
        left = loop.time()
        await asyncio.sleep(chance.uniform(*LATENCY))
        reply = server.arrive(loop.time())
        if reply[0]:
            run.end, run.passed = loop.time(), run.passed + 1
        await asyncio.sleep(chance.uniform(*LATENCY))
        if not reply[0]:
            run.first = min(run.first, loop.time())
            run.before += left <= run.first
            run.after += left > run.first
        return reply

    return send


async def work(client: Client, send: Send, run: Run, *, requests: int | None, most: float) -> None:
    """Have so many requests let in, or as many as there is time for, in so many seconds at most."""
    left: Iterable[int] = itertools.count() if requests is None else iter(range(requests))

    async def worker() -> None:
        for _ in left:
            await client(send)

    run.begun = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(most), asyncio.TaskGroup() as group:
            for _ in range(AT_A_TIME):
                group.create_task(worker())
    except TimeoutError:
        run.finished = requests is None


def alone(maker: Maker, server: Server, *, requests: int | None, most: float, seed: int) -> Run:
    """Return how one client fares with a server."""
    return together(maker, server, clients=1, requests=requests, most=most, seed=seed)[0]


def together(
    maker: Maker,
    server: Server,
    *,
    clients: int,
    requests: int | None,
    most: float,
    seed: int,
    late: float = 0.0,
) -> list[Run]:
    """Return how clients fare that do not know of each other, each ``late`` after the last one."""
    runs = [Run() for _ in range(clients)]
    chance = random.Random(seed)

    async def one(number: int) -> None:
        await asyncio.sleep(late * number)
        send = sender(server, runs[number], chance)
        await work(maker(), send, runs[number], requests=requests, most=most - late * number)

    async def main() -> None:
        await asyncio.gather(*map(one, range(clients)))

    virtually(main)
    return runs


def ours(*limits: Any, **options: Any) -> Maker:
    """Return what makes clients of this package's limiter."""

    def maker() -> Client:
        limiter = LocalLimiter(limits, max_pause=1e9, **options)

        async def client(send: Send) -> None:
            passed = False
            while not passed:
                permit = await limiter.acquire()
                try:
                    passed, retry_after = await send()
                except asyncio.CancelledError:
                    permit.abandoned()
                    raise
                permit.answered() if passed else permit.throttled(retry_after)

        return client

    return maker


def cases(model: Model, seeds: Iterable[int] = SEEDS) -> Iterator[tuple[Server, int]]:
    """Yield new servers, each with a seed.

    They say when to come back or do not, and count what they reject or do not.
    """
    for retry_after, count_rejected, seed in itertools.product((True, False), (True, False), seeds):
        yield Server(model(), retry_after, count_rejected), seed

"""Processes that share a limit, played on one loop: each has a limiter, all of them one ledger."""

import asyncio
import random
from bisect import bisect_left
from collections.abc import Callable, Sequence

from infobip_email_logs.errors import LimiterUnavailable
from infobip_email_logs.ledger import Ledger
from infobip_email_logs.line import Priority
from infobip_email_logs.messages import SECOND, Answer, Message
from infobip_email_logs.shared_limiter import SharedLimiter


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


class Shelf:
    """A ledger in memory, on a clock of its own; it may be far away, away, or lost."""

    def __init__(
        self,
        *,
        delay: Callable[[], float] = lambda: 0.0,
        ahead: float = 0.0,
        away: bool = False,
    ) -> None:
        self.delay = delay
        self.ahead = ahead
        self.away = away
        self.ledger: Ledger | None = None
        self.messages: list[Message] = []

    async def tell(self, message: Message) -> Answer:
        """Give the ledger a message, and return its answer, each after a while."""
        if delay := self.delay():
            await asyncio.sleep(delay)
        if self.away:
            raise LimiterUnavailable("the ledger is away")
        self.messages.append(message)
        clock = int((now() + self.ahead) * SECOND)
        self.ledger = self.ledger or Ledger(since=clock, last=clock)
        answer = self.ledger.tell(clock, message)
        if delay := self.delay():
            await asyncio.sleep(delay)
        return answer

    async def close(self) -> None:
        """Do nothing."""


class Account:
    """The service's side: when requests arrived."""

    def __init__(self) -> None:
        self.arrivals: list[float] = []

    async def ask(
        self,
        limiter: SharedLimiter,
        there: float = 0.0,
        back: float = 0.0,
        *,
        max_wait: float | None = None,
        priority: Priority = Priority.LOOKUP,
    ) -> float:
        """Send a request through a limiter; return when it left."""
        permit = await limiter.acquire(max_wait=max_wait, priority=priority)
        left = now()
        try:
            await asyncio.sleep(there)
            self.arrivals.append(now())
            await asyncio.sleep(back)
        except asyncio.CancelledError:
            permit.abandoned()
            raise
        permit.answered()
        return left


def fullest(arrivals: Sequence[float], per: float) -> int:
    """Return how many arrivals the fullest stretch of time holds, wherever it begins."""
    ordered = sorted(arrivals)
    return max((bisect_left(ordered, at + per) - n for n, at in enumerate(ordered)), default=0)


def between(rng: random.Random, low: float, high: float) -> Callable[[], float]:
    """Return a function that draws numbers."""
    return lambda: rng.uniform(low, high)

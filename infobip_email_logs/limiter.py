"""Waiting for the limit: the :class:`Limiter` protocol, and one process's own keeper of it."""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from typing import TYPE_CHECKING, Protocol

from .bucket import GRACE, ReturningTokens, TimeLimit
from .errors import InvalidInput, WaitTooLong
from .gate import Gate
from .one_loop import OneLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class End(enum.Enum):
    """How it ended with a request that was admitted."""

    ANSWERED = enum.auto()
    THROTTLED = enum.auto()
    ABANDONED = enum.auto()
    UNUSED = enum.auto()


class Permit:
    """The leave to send one request; tell it how that ended. What is told twice counts once."""

    __slots__ = ("_settle", "sent_at")

    def __init__(self, sent_at: float, settle: Callable[[float, End, float | None], None]) -> None:
        self.sent_at = sent_at
        self._settle: Callable[[float, End, float | None], None] | None = settle

    def answered(self) -> None:
        """The answer arrived, and it was no 429."""
        self._end(End.ANSWERED)

    def throttled(self, retry_after: float | None) -> None:
        """The answer was a 429 that asks to wait so many seconds, or does not say how long."""
        self._end(End.THROTTLED, retry_after)

    def abandoned(self) -> None:
        """The attempt was given up; its request may have arrived, or still arrive."""
        self._end(End.ABANDONED)

    def unused(self) -> None:
        """No request was sent."""
        self._end(End.UNUSED)

    def _end(self, end: End, retry_after: float | None = None) -> None:
        settle, self._settle = self._settle, None
        if settle:
            settle(self.sent_at, end, retry_after)


class Limiter(Protocol):
    """Admits requests so that the service's limit is never exceeded."""

    async def acquire(self, *, max_wait: float | None = None) -> Permit:
        """Wait until one request may be sent.

        Raises:
            WaitTooLong: That takes longer than ``max_wait`` seconds.
        """
        ...  # pragma: no cover - a protocol's body never runs

    @property
    def pause(self) -> float:
        """The seconds for which a 429 forbids every request; 0 when none does."""
        ...  # pragma: no cover - a protocol's body never runs


class LocalLimiter:
    """Keeps one or several limits for all callers on one event loop, first come first served.

    A 429 that is met all the same belongs to everybody: nobody sends before the service said.
    Where it did not say, one request at a time goes out after growing pauses, until one passes.

    It keeps the account's limit only while nobody else uses the account: one process per account.

    Args:
        limits: One limit, or several that must all agree.
        max_pause: The longest silence, in seconds, that a 429 may ask for: with a longer one,
            those who wait and those who come are refused until it is over.
    """

    def __init__(
        self, limits: TimeLimit | Iterable[TimeLimit], *, max_pause: float = 300.0
    ) -> None:
        self._max_pause = max_pause
        self.limits = (limits,) if isinstance(limits, TimeLimit) else tuple(limits)
        if not self.limits:
            raise InvalidInput("a limiter needs at least one limit")
        self._tokens = [ReturningTokens(limit) for limit in self.limits]
        self._queue: deque[asyncio.Future[Permit]] = deque()
        self._waiting = 0
        self._loop = OneLoop("limiter")
        self._timer: asyncio.TimerHandle | None = None
        self._gate = Gate()

    def __repr__(self) -> str:
        """Return the limits and how many wait."""
        return f"LocalLimiter({self}; {self._waiting} waiting)"

    def __str__(self) -> str:
        """Return the limits, as ``60/60s``."""
        return ", ".join(map(str, self.limits))

    @property
    def waiting(self) -> int:
        """How many callers wait."""
        return self._waiting

    def pace(self, requests: int) -> float:
        """Return the seconds until the last of so many requests may leave, from a quiet start."""
        return max(max(0, requests - 1) // one.requests * one.per for one in self.limits)

    @property
    def pause(self) -> float:
        """The seconds for which a 429 forbids every request; 0 when none does."""
        loop = self._loop.first
        return max(0.0, self._gate.opens - loop.time()) if loop else 0.0

    async def acquire(self, *, max_wait: float | None = None) -> Permit:
        """Wait until one request may be sent, behind those who came before.

        Raises:
            WaitTooLong: That takes longer than ``max_wait`` seconds, at once, where it is known;
                or a 429 asks for a longer silence than ``max_pause``.
            InvalidState: The limiter is in use on another event loop.
        """
        loop = self._loop()
        if not self._waiting and (permit := self._admit(loop.time())):
            return permit
        if self.pause > self._max_pause:
            raise self._silenced()
        place: asyncio.Future[Permit] = loop.create_future()
        expiry = self._expiry(place, max_wait)
        self._queue.append(place)
        self._waiting += 1
        self._arm()
        try:
            return await place
        except asyncio.CancelledError:
            self._leave(place)
            raise
        finally:
            if expiry:
                expiry.cancel()

    def _expiry(
        self, place: asyncio.Future[Permit], max_wait: float | None
    ) -> asyncio.TimerHandle | None:
        """Refuse a wait that is known to be too long; else see to it that it ends in time."""
        if max_wait is None:
            return None
        loop = place.get_loop()
        wait = self._ready(loop.time(), ahead=self._waiting) - loop.time()
        if wait > max_wait:
            raise WaitTooLong(
                f"the limit of {self} makes this request wait {wait:.1f} s, "
                f"longer than the {max_wait:g} s it was allowed",
                wait=wait,
                max_wait=max_wait,
            )
        return loop.call_later(max_wait, self._expire, place, max_wait)

    def _silenced(self) -> WaitTooLong:
        return WaitTooLong(
            f"a 429 asks everybody to wait for {self.pause:.0f} s, "
            f"longer than the {self._max_pause:g} s that are waited for",
            wait=self.pause,
            max_wait=self._max_pause,
        )

    def dismiss(self, why: Callable[[], Exception]) -> None:
        """Let nobody who waits now wait any longer: each is told why."""
        for place in self._queue:
            if not place.done():
                place.set_exception(why())
        self._queue.clear()
        self._waiting = 0

    def _expire(self, place: asyncio.Future[Permit], max_wait: float) -> None:
        if place.done():
            return
        self._waiting -= 1
        place.set_exception(
            WaitTooLong(
                f"the limit of {self} did not admit this request within {max_wait:g} s",
                wait=max_wait,
                max_wait=max_wait,
            )
        )

    def _leave(self, place: asyncio.Future[Permit]) -> None:
        """Tidy up behind a cancelled caller, who may have been granted its permit meanwhile."""
        if place.cancelled():
            self._waiting -= 1
            if len(self._queue) > 2 * self._waiting + 8:
                self._queue = deque(waiter for waiter in self._queue if not waiter.done())
            self._arm()
        elif not place.exception():
            place.result().unused()

    def _ready(self, now: float, ahead: int = 0) -> float:
        """Return the earliest instant at which a request may be sent behind ``ahead`` others."""
        tokens = max(tokens.ready(now, ahead) for tokens in self._tokens)
        return max(tokens, self._gate.opens)

    def _admit(self, now: float) -> Permit | None:
        if self._ready(now) > now:
            return None
        for tokens in self._tokens:
            tokens.take(now)
        self._gate.pass_through(now)
        return Permit(now, self._settle)

    def _grant(self) -> None:
        """Wake those who may go, in their order; then see to it that this runs again in time."""
        loop = self._loop()
        while self._queue:
            if self._queue[0].done():
                self._queue.popleft()
            elif permit := self._admit(loop.time()):
                self._waiting -= 1
                self._queue.popleft().set_result(permit)
            else:
                break
        self._arm()

    def _arm(self) -> None:
        """Keep one timer while anybody waits, at the first instant that may admit somebody."""
        ready = self._ready(self._loop().time()) if self._waiting else None
        if self._timer:
            if self._timer.when() == ready:
                return
            self._timer.cancel()
            self._timer = None
        if ready is not None:
            self._timer = self._loop().call_at(ready, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._grant()

    def _settle(self, sent_at: float, end: End, retry_after: float | None) -> None:
        """Let the tokens of a permit return, and learn from how it ended."""
        now = self._loop().time()
        arrived = now + GRACE if end is End.ABANDONED else now
        for tokens in self._tokens:
            if end is End.UNUSED:
                tokens.give_back()
            else:
                tokens.release(arrived)
        if end is End.THROTTLED:
            self._gate.close(now, sent_at, retry_after)
            if self.pause > self._max_pause:
                self.dismiss(self._silenced)
        elif end is End.ANSWERED:
            self._gate.open(now, sent_at)
        elif end is End.UNUSED:
            self._gate.withdraw(now, sent_at)
        self._grant()

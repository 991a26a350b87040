"""Waiting for the limit: the :class:`Limiter` protocol, and one process's own keeper of it."""

from __future__ import annotations

import asyncio
import enum
from asyncio import get_running_loop
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from .bucket import Limit, limits_of
from .budget import Budget
from .errors import InvalidInput
from .line import Line, Priority
from .one_loop import OneLoop
from .patience import above_zero, check_max_wait, silenced, too_long

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .errors import WaitTooLong

LOOKUP = Priority.LOOKUP


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
        if self._settle:
            self._settle(self.sent_at, end, retry_after)
            self._settle = None


@attrs.frozen(kw_only=True)
class Snapshot:
    """What a limiter knows now, for people and for metrics.

    Attributes:
        tokens: The requests that its tokens allow at once; None where it does not know, since
            others share them.
        waiting: How many callers wait.
        not_before: Seconds from now for which a 429 forbids every request; 0 when none does.
        throttled: The 429s that it was told of since it began.
        rate: The requests per second that it lets go in the long run: the limit's own, or less
            since a 429 though the limit was kept.
        burst: The requests that it lets go at once, likewise.
    """

    tokens: int | None
    waiting: int
    not_before: float
    throttled: int
    rate: float
    burst: int


class Limiter(Protocol):
    """Admits requests so that the service's limit is never exceeded."""

    async def acquire(
        self, *, max_wait: float | None = None, priority: Priority = Priority.LOOKUP
    ) -> Permit:
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
    """Keeps one or several limits for all callers on one event loop.

    Those who came first go first; lookups before bulk pulls, of which one goes after every few
    lookups. A 429 that is met all the same belongs to everybody: nobody sends before the service
    said. Where it did not say, one request at a time goes out after growing pauses, until one
    passes. Then the limiter lets less go, and more again as time goes by.

    It keeps the account's limit only while nobody else uses the account: one process per account.

    Args:
        limits: One limit, several that must all agree, or their text: ``60/60s, 20+10/s``.
        max_pause: The longest silence, in seconds, that a 429 may ask for: with a longer one,
            those who wait and those who come are refused until it is over.
        slow_start: Whether the first requests leave a few at a time, growing with each that
            passes: for a service that may allow less than it says.

    Raises:
        InvalidInput: It is no limit, or none at all.
    """

    def __init__(
        self,
        limits: Limit | str | Iterable[Limit],
        *,
        max_pause: float = 300.0,
        slow_start: bool = False,
    ) -> None:
        self._max_pause = above_zero("max_pause", max_pause)
        self._budget = Budget(limits_of(limits), slow_start=slow_start)
        self._line: Line[asyncio.Future[Permit]] = Line()
        self._patience: dict[asyncio.Future[Permit], tuple[asyncio.TimerHandle, float]] = {}
        self._loop = OneLoop("limiter")
        self._timer: asyncio.TimerHandle | None = None
        self._told = self._settle  # bound once, not for each request

    def __repr__(self) -> str:
        """Return the limits and how many wait."""
        return f"LocalLimiter({self}; {self.waiting} waiting)"

    def __str__(self) -> str:
        """Return the limits, as ``60/60s``."""
        return ", ".join(map(str, self.limits))

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The limits."""
        return self._budget.limits

    @property
    def waiting(self) -> int:
        """How many callers wait."""
        return self._line.length

    @property
    def pause(self) -> float:
        """The seconds for which a 429 forbids every request; 0 when none does."""
        loop = self._loop.first
        return max(0.0, self._budget.opens - loop.time()) if loop else 0.0

    def pace(self, requests: int) -> float:
        """Return the seconds until the last of so many requests may leave, from a quiet start."""
        return max(limit.pace(requests) for limit in self.limits)

    def snapshot(self) -> Snapshot:
        """Return what is known now."""
        loop = self._loop.first
        tokens = self._budget.left(loop.time() if loop else 0.0)
        return Snapshot(
            tokens=tokens,
            waiting=self.waiting,
            not_before=self.pause,
            throttled=self._budget.throttled,
            rate=self._budget.rate,
            burst=self._budget.burst,
        )

    async def acquire(
        self, *, max_wait: float | None = None, priority: Priority = LOOKUP
    ) -> Permit:
        """Wait until one request may be sent, behind those of the same priority who came before.

        Args:
            max_wait: The seconds that it may take.
            priority: Whether somebody waits for this one request, or it is one of many.

        Raises:
            WaitTooLong: It takes longer, at once, where that is known; or a 429 asks for a longer
                silence than ``max_pause``.
            InvalidState: The limiter is in use on another event loop.
            InvalidInput: There is no such priority.
        """
        loop = get_running_loop()
        if loop is not self._loop.first:
            self._loop()
        if priority is not LOOKUP:
            check_priority(priority)
        if max_wait is not None:
            check_max_wait(max_wait)
        now = loop.time()
        if not self._line.length and self._budget.take(now):
            return Permit(now, self._told)
        if self.pause > self._max_pause:
            raise self._silenced()
        place: asyncio.Future[Permit] = loop.create_future()
        if max_wait is not None:
            self._be_patient(place, max_wait, priority)
        self._line.join(place, priority)
        if self._line.length == 1:  # else those ahead have seen to the timer
            self._arm(now)
        try:
            return await place
        except asyncio.CancelledError:
            self._leave(place)
            raise
        finally:
            if max_wait is not None:
                self._patience.pop(place)[0].cancel()

    def use_up(self, *, silence: float = 0.0) -> None:
        """Take it that all that the limits allow at once has just been asked for.

        Args:
            silence: The seconds for which a 429 forbids every request besides.
        """
        self._budget.use_up(self._loop().time(), silence)

    def dismiss(self, why: Callable[[], Exception]) -> None:
        """Let nobody who waits now wait any longer: each is told why."""
        for place in self._line.clear():
            if not place.done():
                place.set_exception(why())
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _be_patient(
        self, place: asyncio.Future[Permit], max_wait: float, priority: Priority
    ) -> None:
        """Refuse a wait that is known to be too long; else see to it that it ends in time."""
        loop = place.get_loop()
        now = loop.time()
        wait = self._budget.ready(now, self._line.ahead(priority)) - now
        if wait > max_wait:
            raise too_long(self, wait, max_wait)
        expiry = loop.call_later(max_wait, self._expire, place)
        self._patience[place] = expiry, max_wait

    def _silenced(self) -> WaitTooLong:
        return silenced(self.pause, self._max_pause)

    def _expire(self, place: asyncio.Future[Permit]) -> None:
        """End a wait whose time is over, or is known to be over before anybody may go."""
        self._grant()  # this may be the very instant at which it may go
        if place.done():
            return
        expiry, max_wait = self._patience[place]
        self._line.leave(place)
        until = max(expiry.when(), self._budget.opens)
        place.set_exception(too_long(self, until - expiry.when() + max_wait, max_wait))
        self._grant()

    def _expire_early(self) -> None:
        """A 429 may silence everybody for longer than some are prepared to wait."""
        for place, (expiry, _) in tuple(self._patience.items()):
            if expiry.when() < self._budget.opens:
                self._expire(place)

    def _leave(self, place: asyncio.Future[Permit]) -> None:
        """Tidy up behind a cancelled caller, who may have been granted its permit meanwhile."""
        if place.cancelled():
            self._line.leave(place)
            self._grant()
        elif not place.exception():
            place.result().unused()

    def _grant(self) -> None:
        """Wake those who may go, in their order; then see to it that this runs again in time."""
        now = self._loop().time()
        while (place := whose_turn(self._line)) and self._budget.take(now):
            self._line.serve()
            place.set_result(Permit(now, self._told))
        self._arm(now)

    def _arm(self, now: float) -> None:
        """Keep one timer while anybody waits, at the first instant that may admit somebody."""
        ready = self._budget.ready(now) if self._line.length else now
        if self._timer:
            if self._timer.when() == ready:
                return
            self._timer.cancel()
            self._timer = None
        if ready > now:  # else nobody waits, or only an answer can admit somebody
            self._timer = self._loop().call_at(ready, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._grant()

    def _settle(self, sent_at: float, end: End, retry_after: float | None) -> None:
        """Let the tokens of a permit return, and learn from how it ended."""
        now = self._loop().time()
        if end is End.ANSWERED:
            wary = self._budget.wary
            self._budget.answered(now, sent_at)
            if not wary:
                return
        elif end is End.THROTTLED:
            self._budget.refused(now, sent_at, retry_after)
            if self.pause > self._max_pause:
                self.dismiss(self._silenced)
            self._expire_early()
        elif end is End.ABANDONED:
            self._budget.abandoned(now, sent_at)
        else:
            self._budget.unused(now, sent_at)
        if self._line.length:
            self._grant()


def whose_turn(line: Line[asyncio.Future[Permit]]) -> asyncio.Future[Permit] | None:
    """Return the one whose turn it is; those who were cancelled in this turn of the loop leave."""
    while line.length:
        place = line.first()
        if not place.done():
            return place
        line.leave(place)
    return None


def check_priority(priority: Any) -> None:
    """Refuse what is no priority.

    Raises:
        InvalidInput: It is none.
    """
    if not isinstance(priority, Priority):
        raise InvalidInput(f"a priority is Priority.LOOKUP or Priority.BULK, not {priority!r}")

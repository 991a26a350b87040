"""Waiting for a limit that several processes share: one conversation with its ledger for all.

All callers of a process wait in one line here; the ledger only knows how many they are. While
one message is on its way, what happens is collected for the next. A message leaves when a caller
comes or leaves, when the ledger said that it is time, and a little after a request ended.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, Self

import attrs

from .bucket import GRACE, limits_of
from .closing import to_the_end
from .errors import EmailLogsError, InvalidState, LimiterUnavailable
from .limiter import (
    End,
    LocalLimiter,
    Permit,
    Snapshot,
    check_priority,
    whose_turn,
)
from .line import Line, Priority
from .messages import SECOND, Answer, Ended, Message, longest, terms_of
from .one_loop import OneLoop
from .patience import above_zero, check_max_wait, silenced, too_long
from .quiet import FRESH, LONGEST_SILENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    from .bucket import Limit
    from .errors import WaitTooLong

logger = logging.getLogger("infobip_email_logs")

SHORTEST_LEASE, LONGEST_LEASE = 1.0, 15.0
"""Seconds after which a process that is silent counts as gone: half a period, within these."""

HOLD_BACK = 0.05
"""Seconds for which it is not told yet that a request ended: a caller may come meanwhile."""

TRY_AGAIN = 1.0
"""Seconds between two attempts to reach a ledger that can't be reached, while nobody waits."""

NEVER = float("inf")
LONG_AGO = float("-inf")


class Book(Protocol):
    """Where a ledger is kept."""

    async def tell(self, message: Message) -> Answer:
        """Give the ledger a message, and return its answer.

        Raises:
            LimiterUnavailable: It can't be reached.
        """
        ...  # pragma: no cover - a protocol's body never runs

    async def close(self) -> None:
        """Let go of what it is reached by."""
        ...  # pragma: no cover - a protocol's body never runs


class _MovedError(Exception):
    """A caller has to queue up elsewhere."""


@attrs.frozen
class _Ended:
    """A request that ended, by the loop's clock."""

    number: int
    end: End
    at: float
    left: float
    retry_after: float | None
    after: int

    def told(self, now: float) -> Ended:
        """Return it as it is told at ``now``."""
        ago, left = (int((now - instant) * SECOND) for instant in (self.at, self.left))
        after = None if self.retry_after is None else int(self.retry_after * SECOND)
        return Ended(self.number, self.end.name.lower(), ago, left, after, self.after)


class SharedLimiter:
    """Keeps one or several limits for all processes that share a ledger, first come first served.

    Lookups go before bulk pulls, those of other processes, too; but one bulk pull goes after
    every few lookups. What was promised to a bulk pull for the next second stays its own.

    A 429 belongs to all processes: nobody sends before the service said. Where it did not say, one
    request of all at a time goes out after growing pauses, until one passes. Then all of them
    together let less go, and more again as time goes by.

    Not promised: where a process is stopped for longer than its lease (half a period, 1 to 15
    seconds) between a permit and its request, that request may come on top of the limit.

    Args:
        book: Where the ledger is kept.
        limits: One limit, several that must all agree, or their text: ``60/60s, 20+10/s``; the
            same ones for all processes.
        max_pause: The longest silence, in seconds, that a 429 may ask for: with a longer one,
            those who wait and those who come are refused until it is over.
        alone: What this process keeps to by itself while the ledger can't be reached; where it
            is empty, nothing is sent then.

    Raises:
        InvalidInput: It is no limit, none at all, or one that a ledger can't keep: of more than
            10 000 requests at once, or that takes more than a year to be there again.
    """

    def __init__(
        self,
        book: Book,
        limits: Limit | str | Iterable[Limit],
        *,
        max_pause: float = 300.0,
        alone: Sequence[Limit] = (),
    ) -> None:
        self.limits = limits_of(limits)
        self._book = book
        self._max_pause = above_zero("max_pause", max_pause)
        self._alone = tuple(alone)
        self._local: LocalLimiter | None = None
        self._own_number = 0
        self._terms = terms_of(self.limits)
        self._most = min(one.tokens for one in self._terms)
        self._lease = min(max(longest(self._terms) / SECOND / 2, SHORTEST_LEASE), LONGEST_LEASE)
        self._loop = OneLoop("limiter")
        self._line: Line[asyncio.Future[Permit]] = Line()
        self._patience: dict[asyncio.Future[Permit], float] = {}
        self._grants: deque[tuple[float, int]] = deque()
        self._asked = self._lookups_asked = 0
        self._out: dict[int, float] = {}
        self._ended: list[_Ended] = []
        self._throttled = 0
        self._kept = (0, 0)
        self._urgent = False
        self._opens = self._told = self._heard = LONG_AGO
        self._come = NEVER
        self._try_at = LONG_AGO
        self._seen = self._said = 0
        self._talk: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def __repr__(self) -> str:
        """Return the limits and how many wait."""
        return f"{type(self).__name__}({self}; {self.waiting} waiting)"

    def __str__(self) -> str:
        """Return the limits, as ``60/60s``."""
        return ", ".join(map(str, self.limits))

    async def __aenter__(self) -> Self:
        """Return the limiter."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the limiter."""
        await self.aclose()

    @cached_property
    def _member(self) -> str:
        """Its name in the ledger, chosen when it is first needed: a process may fork before."""
        return secrets.token_hex(8)

    @property
    def waiting(self) -> int:
        """How many callers of this process wait."""
        return self._line.length + (self._local.waiting if self._local else 0)

    @property
    def pause(self) -> float:
        """The seconds for which a 429 forbids every request; 0 when none does.

        A 429 that another process met is known here from the next message on.
        """
        if self._local:
            return self._local.pause
        loop = self._loop.first
        return max(0.0, self._opens - loop.time()) if loop else 0.0

    def pace(self, requests: int) -> float:
        """Return the seconds until the last of so many requests may leave, from a quiet start."""
        return max(limit.pace(requests) for limit in self.limits)

    def snapshot(self) -> Snapshot:
        """Return what this process knows now.

        Its own callers, and the 429s that they met; the rate and the burst as they were in the
        last answer of the ledger. The tokens are None: how many are there is known to it only.
        While a share is kept because the ledger can't be reached, all is that share's.
        """
        if self._local:
            alone = self._local.snapshot()
            return attrs.evolve(alone, waiting=self.waiting, throttled=self._throttled)
        burst, interval = self._kept
        return Snapshot(
            tokens=None,
            waiting=self.waiting,
            not_before=self.pause,
            throttled=self._throttled,
            rate=SECOND / interval if interval else min(limit.rate for limit in self.limits),
            burst=burst or min(limit.burst for limit in self.limits),
        )

    async def acquire(
        self, *, max_wait: float | None = None, priority: Priority = Priority.LOOKUP
    ) -> Permit:
        """Wait until one request may be sent.

        Behind those of the same priority of this process, and the callers of others, who came
        before.

        Args:
            max_wait: The seconds that it may take.
            priority: Whether somebody waits for this one request, or it is one of many.

        Raises:
            WaitTooLong: That takes longer than ``max_wait`` seconds; where it is known, after
                one look into the ledger. Or a 429 asks for a longer silence than ``max_pause``.
            LimiterUnavailable: The ledger can't be reached.
            InvalidState: The limiter is closed, or in use on another event loop.
            InvalidInput: There is no such priority, or ``max_wait`` is no number.
        """
        loop = self._loop()
        check_priority(priority)
        check_max_wait(max_wait)
        until = None if max_wait is None else loop.time() + max_wait
        while True:
            if self._closed:
                raise InvalidState("this limiter is closed")
            try:
                if self._local:
                    return await self._acquire_alone(self._local, until, priority)
                return await self._queued(until, max_wait, priority)
            except _MovedError:
                continue

    async def flush(self) -> None:
        """Tell the others at once of the requests that ended, if the ledger can be reached.

        Raises:
            InvalidState: The limiter is in use on another event loop.
        """
        self._loop()
        while self._ended or self._talk:
            if not self._talk:
                self._urgent = True
                self._turn()
            if not self._talk:
                return
            await asyncio.wait([self._talk])

    async def aclose(self) -> None:
        """Give back what is reserved, and let go of the ledger. It can't be used afterwards.

        What is on the wire still counts as given up. Cancelled meanwhile, it is done all the same.

        Raises:
            InvalidState: The limiter is in use on another event loop.
        """
        self._loop()
        if self._closed:
            return
        self._closed = True
        self._dismiss(lambda: InvalidState("this limiter is closed"))
        if self._timer:
            self._timer.cancel()
        await to_the_end(self._leave_the_ledger())

    async def _leave_the_ledger(self) -> None:
        while self._talk:
            await asyncio.wait([self._talk])
        for number in [*self._out]:
            self._settle(number, End.ABANDONED, None)
        try:
            if self._seen:
                await self._book.tell(attrs.evolve(self._message(self._loop().time()), leaves=True))
        except LimiterUnavailable as error:
            logger.debug("the others were not told: %s", error)
        finally:
            await self._book.close()

    async def _queued(
        self, until: float | None, max_wait: float | None, priority: Priority
    ) -> Permit:
        """Wait for a permit of the ledger."""
        loop = self._loop()
        if self.pause > self._max_pause:
            raise self._silenced()
        place: asyncio.Future[Permit] = loop.create_future()
        self._line.join(place, priority)
        expiry = None
        if until is not None and max_wait is not None:
            self._patience[place] = max_wait
            expiry = loop.call_at(until, self._expire, place, max_wait)
        self._turn()
        try:
            return await place
        except asyncio.CancelledError:
            self._leave(place)
            raise
        finally:
            self._patience.pop(place, None)
            if expiry:
                expiry.cancel()

    def _expire(self, place: asyncio.Future[Permit], max_wait: float) -> None:
        if not place.done():
            self._line.leave(place)
            place.set_exception(too_long(self, max_wait, max_wait))
            self._turn()

    def _leave(self, place: asyncio.Future[Permit]) -> None:
        """Tidy up behind a cancelled caller, who may have got its permit meanwhile."""
        if place.cancelled():
            self._line.leave(place)
            self._turn()
        elif not place.exception():
            place.result().unused()

    def _silenced(self) -> WaitTooLong:
        return silenced(self.pause, self._max_pause)

    def _dismiss_line(self, why: Callable[[], Exception]) -> None:
        for place in self._line.clear():
            if not place.done():
                place.set_exception(why())

    def _dismiss(self, why: Callable[[], Exception]) -> None:
        self._dismiss_line(why)
        if self._local:
            self._local.dismiss(why)

    def _turn(self) -> None:
        """Let go who may go, say what is to be said, and see to it that this runs in time."""
        if self._talk or self._closed:
            return
        now = self._loop().time()
        self._hand_out(now)
        if self._speaks_at(now) <= now:
            self._talk = self._loop().create_task(self._speak())
        else:
            self._arm(now)

    def _arm(self, now: float) -> None:
        """Keep one timer, at the first instant at which there is something to do."""
        goes_at = self._grants[0][0] if self._grants and self._line.length else NEVER
        first = min(self._speaks_at(now), goes_at)
        if self._timer:
            self._timer.cancel()
        self._timer = None if first == NEVER else self._loop().call_at(first, self._turn)

    def _hand_out(self, now: float) -> None:
        """Give permits to those whose instant has come."""
        while (place := whose_turn(self._line)) and self._grants and self._may_go(now):
            _, number = self._grants.popleft()
            self._line.serve()
            self._asked -= 1
            self._lookups_asked = min(self._lookups_asked, self._lookups)
            place.set_result(self._permit(number, now))

    def _permit(self, number: int, now: float) -> Permit:
        self._out[number] = now
        return Permit(now, lambda _, end, retry_after: self._settle(number, end, retry_after))

    def _may_go(self, now: float) -> bool:
        """Say whether the first reserved instant has come, and is still good."""
        go = self._grants[0][0]
        return go <= now and not self._urgent and now < self._good(go)

    def _good(self, go: float) -> float:
        """Return until when a promise can be relied on: at once, or soon after it was asked for."""
        return self._told + (self._lease if go <= self._heard else FRESH / SECOND)

    def _speaks_at(self, now: float) -> float:
        """Return when the next message is due."""
        at = [self._try_at if self._local else NEVER]
        if self._urgent or self._asked != self._wanted or self._lookups > self._lookups_asked:
            at.append(LONG_AGO)
        if self._ended:
            at.append(self._ended[0].at + HOLD_BACK)
        if self._grants and not max(now, self._grants[0][0]) < self._good(self._grants[0][0]):
            at.append(self._grants[0][0])
        if self._line.length:
            at.append(self._come)
        if self._line.length or self._out:
            at.append(self._told + self._lease / 3)
        return max(min(at), LONG_AGO if self._line.length else self._try_at)

    @property
    def _wanted(self) -> int:
        """For how many callers tokens are to be reserved: never more than can be told."""
        wanted = min(self._line.length, self._most)
        many = self._line.length > self._most and self._asked > self._most * 3 // 4
        return self._asked if many else wanted

    @property
    def _lookups(self) -> int:
        """For how many lookups tokens are to be reserved."""
        return min(self._line.count(Priority.LOOKUP), self._most)

    async def _speak(self) -> None:
        """Tell the ledger everything, and heed its answer."""
        began = self._loop().time()
        message, told = self._message(began), len(self._ended)
        self._lookups_asked = message.lookups
        self._urgent = False
        try:
            answer = await self._book.tell(message)
        except Exception as error:  # noqa: BLE001 - those who wait are told
            self._forget_promises()
            self._go_on_without(error)
        else:
            del self._ended[:told]
            self._heed(answer, began)
        finally:
            self._talk = None
        self._turn()

    def _message(self, now: float) -> Message:
        old = now - 2 * (longest(self._terms) / SECOND + GRACE)
        self._ended = [one for one in self._ended if one.at > old]
        self._said += 1
        return Message(
            member=self._member,
            terms=self._terms,
            lease=int(self._lease * SECOND),
            lookups=self._lookups,
            bulk=min(self._line.count(Priority.BULK), self._most - self._lookups),
            out=tuple(self._out),
            ended=tuple(one.told(now) for one in self._ended),
            seen=self._seen,
            since=int((now - self._told) * SECOND) if self._seen else 0,
            serial=self._said,
        )

    def _heed(self, answer: Answer, began: float) -> None:
        """Take over what the ledger reserved; an answer counts from when it is here."""
        now = self._loop().time()
        if self._local:
            self._return(self._local)
        self._seen, self._told, self._heard, self._try_at = answer.now, began, now, LONG_AGO
        self._grants = deque((now + wait / SECOND, number) for number, wait in answer.grants)
        self._asked = len(answer.grants) + len(answer.places)
        self._come = now + answer.places[0] / SECOND if answer.places else NEVER
        self._opens = now + answer.silence / SECOND
        if self.pause > self._max_pause:
            self._dismiss(self._silenced)
        self._kept = (answer.burst, answer.interval)
        waits = sorted([*(wait for _, wait in answer.grants), *answer.places])
        self._tell_the_impatient([wait / SECOND for wait in waits])

    def _tell_the_impatient(self, waits: list[float]) -> None:
        """Refuse those at once of whom it is known that they would have to wait too long."""
        first = 0
        for place in self._line.order() if self._patience else ():
            if place.done():
                continue
            rounds, at = divmod(first, self._most)
            if at >= len(waits):
                return
            wait = waits[at] + rounds * longest(self._terms) / SECOND
            max_wait = self._patience.pop(place, NEVER)
            if wait > max_wait:
                self._line.leave(place)
                place.set_exception(too_long(self, wait, max_wait))
            else:
                first += 1

    def _settle(self, number: int, end: End, retry_after: float | None) -> None:
        """Take note of how a request ended; a 429 is told at once."""
        now = self._loop().time()
        if (left := self._out.pop(number, None)) is None:
            return
        if retry_after is not None:
            retry_after = min(retry_after, LONGEST_SILENCE / SECOND) if retry_after > 0 else None
        self._ended.append(_Ended(number, end, now, left, retry_after, self._said))
        self._throttled += end is End.THROTTLED
        self._urgent = self._urgent or end in (End.THROTTLED, End.UNUSED)
        if retry_after is not None:
            self._opens = max(self._opens, now + retry_after)
        self._turn()

    def _refuse_all(self, error: Exception) -> None:
        """Let nobody wait for a ledger that can't be used."""
        kind = type(error) if isinstance(error, EmailLogsError) else LimiterUnavailable

        def why() -> Exception:
            told = kind(str(error))
            told.__cause__ = error
            return told

        self._dismiss(why)

    def _forget_promises(self) -> None:
        """Rely on nothing, and try again in a while; who comes meanwhile tries at once."""
        self._grants.clear()
        self._asked = self._lookups_asked = 0
        self._come = NEVER
        self._try_at = self._loop().time() + TRY_AGAIN

    def _go_on_without(self, error: Exception) -> None:
        """Refuse those who wait, or keep to a limit of this process alone.

        It begins as if it had just been used up: nobody knows what the others sent.
        """
        if not self._alone or not isinstance(error, LimiterUnavailable):
            self._refuse_all(error)
        elif not self._local:
            local = LocalLimiter(self._alone, max_pause=self._max_pause)
            logger.warning("%s; %s is kept for this process alone", error, local)
            local.use_up(silence=self.pause)
            self._local = local
            self._dismiss_line(_MovedError)

    def _return(self, local: LocalLimiter) -> None:
        """Share the limit again."""
        logger.warning("the limit of %s is shared again", self)
        self._local = None
        local.dismiss(_MovedError)

    async def _acquire_alone(
        self, local: LocalLimiter, until: float | None, priority: Priority
    ) -> Permit:
        """Wait for a permit of this process alone; the ledger is told of it when it is back."""
        loop = self._loop()
        max_wait = None if until is None else max(0.0, until - loop.time())
        permit = await local.acquire(max_wait=max_wait, priority=priority)
        number = self._own_number = self._own_number - 1
        self._out[number] = loop.time()

        def settle(_: float, end: End, retry_after: float | None) -> None:
            if end is End.THROTTLED:
                permit.throttled(retry_after)
            else:
                getattr(permit, end.name.lower())()
            self._settle(number, end, retry_after)

        return Permit(permit.sent_at, settle)

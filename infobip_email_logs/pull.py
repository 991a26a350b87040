"""A stream of logs: carries a plan out, several requests at a time, through a bounded buffer.

No generator yields inside a task group (PEP 789): the fetching is a task of its own, and the
consumer meets what went wrong in it as the error that it was.
"""

from __future__ import annotations

import asyncio
import math
import weakref
from collections import deque
from collections.abc import Callable, Collection, Coroutine
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, Self, cast

from .errors import IncompleteError, InvalidInput, InvalidState, RequestRejected, clip
from .matching import broken_filter
from .models import EmailLog, RejectedRecord, iso
from .one_loop import OneLoop
from .plans import FULL_PAGE
from .report import Bounds, PullPlan, PullReport, RequestsSpent, Tally

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from types import TracebackType

    from .models import Gap, LogsPage
    from .plans import Plan
    from .query import LogsQuery

PAGES_AHEAD = 4
"""The answers that are kept for a slow consumer, at most, beside those on their way."""

CLOSED = "closed"
"""Why a stretch is a gap: the pull was closed, or left, before its end."""

TURN = 50
"""The logs that are handed over before the event loop gets its turn."""


Feed = Callable[[asyncio.Condition], Coroutine[None, None, None]]
"""Feeds a plan beside the asking, and tells the condition."""

Spawn = Callable[[Coroutine[None, None, None]], asyncio.Task[None]]
"""Starts a task that its client knows of."""


class Fetch(Protocol):
    """Gets one page: through the limit, with retries, decoded."""

    def __call__(self, query: LogsQuery, tally: Tally) -> Awaitable[LogsPage]:
        """Return the page for ``query``."""
        ...  # pragma: no cover - a protocol's body never runs


class _Buffer:
    """Hands pages' logs from the fetching to the consumer; holds so many at most."""

    def __init__(self) -> None:
        self._pages: asyncio.Queue[list[EmailLog] | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(PAGES_AHEAD)

    async def put(self, logs: list[EmailLog]) -> None:
        """Hand over some logs, when there is room."""
        try:
            await self._room.acquire()
        finally:  # what was received is not lost when the fetching is stopped meanwhile
            self._pages.put_nowait(logs)

    def end(self) -> None:
        """Nothing comes any more."""
        self._pages.put_nowait(None)

    def drain(self) -> list[EmailLog]:
        """Return all that is here, without waiting."""
        pages = [self._pages.get_nowait() for _ in range(self._pages.qsize())]
        self.end()
        return [log for page in pages if page for log in page]

    async def get(self) -> list[EmailLog] | None:
        """Return the next logs; None at the end, to everybody who asks."""
        logs = await self._pages.get()
        if logs is None:
            self.end()
        self._room.release()
        return logs


class _Fetching:
    """The side of a pull that asks. It knows nothing of the consumer but the buffer.

    Args:
        plan: What to ask.
        feed: Feeds the plan, beside the asking; it tells the condition of what it fed.
        fetch: Gets a page.
        unwanted: Names a filter for which a log is not delivered; a request may ask for more.
        concurrency: The requests at a time, at most.
        bounds: What it may cost.
        limit: The logs that are wanted, at most.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        feed: Feed | None,
        fetch: Fetch,
        unwanted: Callable[[EmailLog], str | None],
        concurrency: int,
        bounds: Bounds,
        limit: int | None,
    ) -> None:
        self.plan = plan
        self._left = limit
        self.tally = Tally(most=bounds.max_requests)
        self._deadline = bounds.deadline
        self._spent = False
        self._again: LogsQuery | None = None
        self._feeding: asyncio.Task[None] | None = None
        self.buffer = _Buffer()
        self.rejects: list[RejectedRecord] = []
        self.error: BaseException | None = None
        self._feed = feed
        self._fetch = fetch
        self._unwanted = unwanted
        self._concurrency = concurrency
        self._changed = asyncio.Condition()
        self._started: float | None = None
        self._ended: float | None = None

    async def run(self) -> None:
        """Ask until the plan is over, all that it may cost is spent, or something goes wrong."""
        self._started = asyncio.get_running_loop().time()
        patience = asyncio.timeout(self._deadline)
        try:
            async with patience:
                await self._ask()
        except TimeoutError:
            if not patience.expired():
                raise
            self.plan.stop("deadline")
        except BaseExceptionGroup as errors:
            self.error = _first(errors)
        if self._spent:
            self.plan.stop("max_requests")

    async def _ask(self) -> None:
        async with asyncio.TaskGroup() as group:
            if self._feed:
                self._feeding = group.create_task(_loudly(self._feed(self._changed)))
            for _ in range(self._concurrency):
                group.create_task(_loudly(self._work()))

    async def probe(self) -> None:
        """Ask for what the plan needs to know to choose: one page at most."""
        if self._feed:
            await self._feed(self._changed)
            self._feed = None
        query, self._again = self._again, None
        query = query or (self.plan.take() if self.plan.probing else None)
        if query is None:
            return
        try:
            await self._answer(query)
        except RequestsSpent:
            self._spent = True
        except BaseException:
            self._again = query
            raise

    def finish(self, task: asyncio.Task[None]) -> None:
        """The task that ran this has ended, or was cancelled before it began."""
        if task.cancelled():
            self.error = InvalidState("the pull was closed before its end")
        self._ended = task.get_loop().time()
        self.buffer.end()

    def seconds(self, now: float) -> float:
        """Return how long it has taken, or took."""
        if self._started is None:
            return 0.0
        return (now if self._ended is None else self._ended) - self._started

    async def _work(self) -> None:
        """Ask what the plan says, one request after the other."""
        while (query := await self._next()) is not None:
            try:
                await self._answer(query)
            except RequestsSpent:
                self._spent = True
                if self._feeding:
                    self._feeding.cancel()
            async with self._changed:
                self._changed.notify_all()

    async def _answer(self, query: LogsQuery) -> None:
        """Ask for a page, and take it in."""
        try:
            page = await self._fetch(query, self.tally)
        except RequestRejected as error:
            if not self.plan.refused(query, error.status):
                raise
        else:
            await self._take_in(query, page)

    async def _next(self) -> LogsQuery | None:
        async with self._changed:
            while not self._spent and (self._left is None or self._left > 0):
                again, self._again = self._again, None
                if (query := again or self.plan.take()) is not None:
                    return query
                if self.plan.over:
                    return None
                await self._changed.wait()
            return None

    async def _take_in(self, query: LogsQuery, page: LogsPage) -> None:
        """Learn from a page, and hand over what is wanted of it."""
        self.tally.contradictions.update(page.contradictions)
        wanted = [log for log in page.logs if self._unwanted(log) is None]
        await asyncio.sleep(0)
        new = self.plan.answer(query, page, [*wanted, *page.rejects])
        rejects = [record for record in new if isinstance(record, RejectedRecord)]
        self.tally.rejected += len(rejects)
        self.rejects.extend(rejects)
        if logs := [record for record in new if isinstance(record, EmailLog)]:
            if self._left is not None:
                self._left -= len(logs)
            await self.buffer.put(logs)


async def _loudly(work: Coroutine[None, None, None]) -> None:
    """Run a part of the fetching; a task group would take its being cancelled for its end."""
    try:
        await work
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task and task.cancelling():
            raise
        raise InvalidState("something that the pull waited for was cancelled") from error


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that a group began with."""
    error = errors.exceptions[0]
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error


class Pull:
    """The logs of one call: an async iterator, and an async context manager that owns its tasks.

    Iterate over it once. Entered with ``async with``, everything stops at once when the context
    is left; without, fetching stops at the latest when the buffer is full, and ends when the
    object is no longer in use.

    Attributes:
        rejects: The records that could not be decoded (with ``on_bad_record="keep"``), so far.
            The list is the caller's: what is taken out of it is not missed.

    Raises:
        IncompleteError: After the last log, where something is not proven to be complete.
        EmailLogsError: After the last log that was received, what ended the pull early.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        fetch: Fetch,
        spawn: Spawn,
        wanted: LogsQuery,
        unasked: Collection[str] = (),
        concurrency: int,
        bounds: Bounds,
        pace: Callable[[int], float | None],
        feed: Feed | None = None,
        comes_in: bool = False,
    ) -> None:
        self._plan = plan
        self._fetching = _Fetching(
            plan,
            feed=feed,
            fetch=fetch,
            unwanted=broken_filter(wanted, unasked=unasked),
            concurrency=concurrency,
            bounds=bounds,
            limit=wanted.limit,
        )
        self._pace = pace
        self._comes_in = comes_in
        self.rejects = self._fetching.rejects
        self._spawn = spawn
        self._limit = wanted.limit
        self._logs: deque[EmailLog] = deque()
        self._task: asyncio.Task[None] | None = None
        self._iterated = self._complete = self._closed = self._ended = False
        self._limited = self._planning = False
        self._loop = OneLoop("pull")

    def __aiter__(self) -> Self:
        """Begin to iterate.

        Raises:
            InvalidState: It was iterated before.
        """
        if self._iterated:
            raise InvalidState("a pull can be iterated once; call the client again for another")
        if self._planning:
            raise InvalidState("a pull is iterated after it is planned, not meanwhile")
        if self._closed:
            raise InvalidState("this pull is closed")
        self._iterated = True
        return self

    async def __anext__(self) -> EmailLog:
        """Return the next log."""
        tally = self._fetching.tally
        if tally.records == self._limit and not self._ended:
            self._ended = self._limited = True
            self._complete = not tally.rejected
            await self.aclose()
        if tally.records % TURN == TURN - 1:
            await asyncio.sleep(0)
        while not self._logs and not self._ended:
            if not self._task:
                self._start()
            self._loop()
            if logs := await self._fetching.buffer.get():
                self._logs.extend(logs)
            elif not self._ended:
                self._end()
        if self._ended:
            raise StopAsyncIteration
        tally.records += 1
        return self._logs.popleft()

    def _start(self) -> None:
        """Let the fetching begin; it ends at the latest when this object is no longer in use."""
        if self._closed:
            raise InvalidState("this pull is closed")
        self._task = self._spawn(self._fetching.run())
        self._task.add_done_callback(self._fetching.finish)
        weakref.finalize(self, _cancel, self._task).atexit = False

    def _end(self) -> None:
        """Note the end, and raise what the pull ended with, if it was an error or has gaps."""
        self._ended = True
        if error := self._fetching.error:
            raise error
        if gaps := self.report.gaps:
            raise IncompleteError(_told(gaps), gaps=gaps)
        self._complete = not self._fetching.tally.rejected

    async def __aenter__(self) -> Self:
        """Own the tasks of the pull until the context is left."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop everything at once."""
        await self.aclose()

    async def aclose(self) -> None:
        """Stop everything at once; what was received and not handed over is for :meth:`drain`."""
        if self._task and not self._task.done():
            self._loop()
            self._closed = True
            self._task.cancel()
            try:
                await asyncio.wait([self._task])
            finally:
                if not self._limited:
                    self._plan.stop(CLOSED)
        self._closed = True

    def drain(self) -> list[EmailLog]:
        """Return the logs that were received but not handed over, and forget them.

        Raises:
            InvalidState: More may come: the pull is not closed.
        """
        if self._task and not self._task.done():
            raise InvalidState("close the pull before what it received is drained")
        logs = [*self._logs, *self._fetching.buffer.drain()]
        self._logs.clear()
        left = self._limit - self._fetching.tally.records if self._limit else len(logs)
        self._fetching.tally.records += len(logs[:left])
        return logs[:left]

    async def plan(self) -> PullPlan:
        """Estimate what this pull costs, before it is iterated: for one request at most.

        The estimate takes the density of the first page for that of the whole window, and the bulks
        of the first page for as large as the others. In version 1, a bulk with more than 1000 logs
        costs more than the one request that is counted for it. What was received for it is not
        asked for again.

        Raises:
            InvalidState: The pull has begun, or is closed.
            InvalidInput: The ids come in one by one; nobody knows how many.
            EmailLogsError: Whatever went wrong with the request.
        """
        if self._iterated or self._closed or self._task or self._planning:
            raise InvalidState("a pull is planned before it is iterated or closed")
        if self._comes_in:
            raise InvalidInput("ids that come in one by one can't be planned; give a list")
        self._planning = True
        try:
            await self._fetching.probe()
        finally:
            self._planning = False
        sent, left = self._fetching.tally.requests, math.ceil(self._plan.expected)
        if self._limit is not None:  # one page holds as many as may be wanted
            left = min(left, 0 if sent else 1)
        requests = sent + left
        return PullPlan(
            strategy=self._plan.strategy, requests=requests, seconds=self._pace(requests)
        )

    @property
    def missing_ids(self) -> tuple[str, ...]:
        """The ids that were asked for and have no log that matches, so far."""
        return self._plan.missing

    @property
    def report(self) -> PullReport:
        """What the pull did, up to now."""
        tally = self._fetching.tally
        return PullReport(
            plan=self._plan.strategy,
            records=tally.records,
            requests=tally.requests,
            throttled=tally.throttled,
            retries=tally.retries,
            seconds=self._fetching.seconds(self._task.get_loop().time() if self._task else 0.0),
            complete=self._complete,
            missing_ids=self._plan.missing,
            unconfirmed_ids=() if self._limited else self._plan.unconfirmed,
            rejected=tally.rejected,
            gaps=tuple(sorted(self._plan.gaps, key=_begin)),
            contradictions=dict(tally.contradictions),
        )


def _begin(gap: Gap) -> datetime:
    return gap.since or datetime.min.replace(tzinfo=UTC)


def _told(gaps: Sequence[Gap]) -> str:
    """Return one line about gaps."""
    first = gaps[0]
    filters = ", ".join(f"{name}={clip(','.join(few), 60)}" for name, few in first.filters.items())
    since = iso(first.since) if first.since else "the beginning"
    stretch = f"{since} to {iso(first.until) if first.until else 'the end'}"
    more = f" (and {len(gaps) - 1} more)" if len(gaps) > 1 else ""
    advice = "; narrow it with filters" if first.why == FULL_PAGE else ""
    what = f"{filters or 'all logs'}, {stretch}: {first.why}{more}"
    return f"not proven to be complete: {what}{advice}"


def _cancel(task: asyncio.Task[None]) -> None:
    """Cancel a task that nobody waits for, from whatever thread this runs in."""
    loop = task.get_loop()
    if not task.done() and not loop.is_closed():
        loop.call_soon_threadsafe(task.cancel)

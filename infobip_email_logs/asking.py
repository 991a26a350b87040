"""One page: through the limit, with retries, decoded in slices, checked against its query."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from .errors import InvalidInput, InvalidState, RateLimited, TransportError, Unauthorized, outline
from .line import Priority
from .matching import sift
from .moments import RETENTION
from .retry import Retry, RetryPolicy, retrying
from .retry_budget import RetryBudget
from .spending import Spending
from .wire import Dialect, Reply, Request, failure, notices, read

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from yarl import URL

    from .limiter import Limiter, Permit
    from .models import LogsPage
    from .query import LogsQuery
    from .report import Tally
    from .transport import Transport

    Acquire = Callable[[], Awaitable[Permit]]

logger = logging.getLogger("infobip_email_logs")


class Asker:
    """Asks for pages, each until it is answered or the patience is at its end.

    Args:
        base: The address of the service.
        transport: Sends a request once.
        limiter: Says when.
        retry: How patient a request is.
        on_retry: Called before each further attempt.
        dialect: The version of the API that is asked.
        keep_bad: Whether a record that can't be decoded is kept raw, or ends the call.
    """

    def __init__(
        self,
        base: URL,
        *,
        transport: Transport,
        limiter: Limiter,
        retry: RetryPolicy,
        on_retry: Callable[[Retry], None] | None,
        dialect: Dialect,
        keep_bad: bool,
    ) -> None:
        self._base = base
        self._transport = transport
        self._limiter = limiter
        self._retry = retry
        self._budget = RetryBudget()
        self._on_retry = on_retry
        self._dialect = dialect
        self._keep_bad = keep_bad
        self._decoding = asyncio.Lock()
        self._said: set[str] = set()
        self._known = False

    async def page(
        self,
        query: LogsQuery,
        tally: Tally,
        *,
        max_wait: float | None = None,
        priority: Priority = Priority.LOOKUP,
        keep_bad: bool = False,
    ) -> LogsPage:
        """Return the answer to one query, decoded and checked.

        Args:
            query: What is asked.
            tally: Counts what it costs.
            max_wait: The seconds that the limit may make it wait.
            priority: Whether it waits for the limit before or behind others.
            keep_bad: Whether a record that can't be decoded is kept raw in any case.
        """
        request = self._dialect.request(query, self._base)
        tally.pages += 1
        page = tally.pages
        acquire = partial(self._limiter.acquire, max_wait=max_wait, priority=priority)
        clock = asyncio.get_running_loop().time
        spending = Spending(self._budget, clock, patient=priority is Priority.BULK)

        async def attempt() -> LogsPage:
            with spending.attempt():
                reply = await self._send(request, tally, acquire)
                self._look_around(reply, query)
                return await self._decode(reply, query, page, keep_bad or self._keep_bad)

        try:
            sifted = await self._persist(attempt, tally, spending)
        finally:
            spending.settle()
        self._look_at_filters(sifted)
        return sifted

    async def _persist(
        self, attempt: Callable[[], Awaitable[LogsPage]], tally: Tally, spending: Spending
    ) -> LogsPage:
        """Make an attempt, and again while that may help."""

        def notify(retry: Retry) -> None:
            tally.retries += 1
            logger.info("attempt %d failed: %s", retry.attempt, outline(retry.error))
            logger.debug("attempt %d: %s", retry.attempt, retry.error)
            if self._on_retry:
                self._on_retry(retry)

        persistently = retrying(
            self._retry,
            clock=asyncio.get_running_loop().time,
            sleep=asyncio.sleep,
            pause=lambda: self._limiter.pause,
            known=lambda: self._known,
            over=lambda: spending.over,
            notify=notify,
        )
        try:
            try:
                return await persistently(attempt)
            except Unauthorized:
                if not self._transport.renews:
                    raise
            return await persistently(attempt)
        except RateLimited as error:
            raise _impatient(error) from error

    async def _send(self, request: Request, tally: Tally, acquire: Acquire) -> Reply:
        """Send a request once, with a permit of its own."""
        permit = await self._permit(tally, acquire)
        try:
            authorization = await self._transport.authorization()
        except BaseException:
            _unused(permit, tally)
            raise
        try:
            reply = await self._transport.send(request, authorization)
        except TransportError as error:
            tally.requests += error.sent
            permit.abandoned() if error.sent else _unused(permit, tally)
            raise
        except (InvalidInput, InvalidState):
            _unused(permit, tally)
            raise
        except BaseException:
            tally.requests += 1
            permit.abandoned()
            raise
        tally.requests += 1
        self._known = True
        if reply.status == HTTPStatus.OK:
            permit.answered()
            return reply
        refusal = failure(reply)
        if isinstance(refusal, RateLimited):
            tally.throttled += 1
            permit.throttled(refusal.retry_after)
        else:
            permit.answered()
        raise refusal

    async def _permit(self, tally: Tally, acquire: Acquire) -> Permit:
        """Wait until the limit lets a request go, if the call may cost one more."""
        tally.begin()
        try:
            return await acquire()
        except BaseException:
            tally.begun -= 1
            raise

    async def _decode(
        self,
        reply: Reply,
        query: LogsQuery,
        page: int,
        keep_bad: bool,  # noqa: FBT001
    ) -> LogsPage:
        """Decode a page in slices, the event loop's turn between them, and check it.

        One page at a time: otherwise a turn would be as long as a slice of each of them.
        """
        slices = read(reply, dialect=self._dialect, query=query, page=page, keep_bad=keep_bad)
        async with self._decoding:
            while True:
                try:
                    next(slices)
                except StopIteration as end:
                    decoded: LogsPage = end.value
                    break
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            return sift(decoded, query)

    def _look_around(self, reply: Reply, query: LogsQuery) -> None:
        """Warn, once each, of what the headers of a reply tell."""
        told = notices(reply)
        if told.deprecation:
            self._warn_once(
                f"{self._dialect.path} is announced to end: {told.deprecation}",
                key="deprecation",
            )
        if told.date and query.sent_since and query.sent_since < told.date - RETENTION:
            self._warn_once(
                "the window begins before the last 48 hours, and logs are not kept for longer: "
                "what is older may not be in the answer",
                key="since",
            )

    def _look_at_filters(self, page: LogsPage) -> None:
        """Warn of filters that the service does not keep."""
        for name, count in page.contradictions.items():
            self._warn_once(
                f"the service does not keep the filter {name}: {count} of {page.size} records "
                "break it, and are left out",
                key=name,
            )

    def _warn_once(self, message: str, *, key: str) -> None:
        if key not in self._said:
            self._said.add(key)
            logger.warning(message)


def _unused(permit: Permit, tally: Tally) -> None:
    """Take note that a request was not sent."""
    permit.unused()
    tally.begun -= 1


def _impatient(error: RateLimited) -> RateLimited:
    return RateLimited(
        f"{error} - the limit was exceeded for longer than the retries were patient. Something "
        "else uses the account's limit, or it is lower than the one set here. For what becomes of "
        "every email as it happens, delivery reports sent to a webhook fit better than logs",
        status=error.status,
        code=error.code,
        text=error.text,
        details=error.details,
        retry_after=error.retry_after,
    )

"""The client: composes the other rooms into calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

import attrs

from .asking import Asker
from .auth import Auth, OAuth2
from .batches import MAX_LENGTH
from .bucket import LIMIT_V1, LIMIT_V4, Limit
from .by_ids import ByIds, IdField
from .closing import to_the_end
from .errors import InvalidInput, InvalidState
from .feeding import Ids, feed_ids
from .limiter import Limiter, LocalLimiter
from .line import Priority
from .lists import ListFacts
from .lookups import KeepAnswers, Lookups
from .network import Network, Timeouts, service_url
from .one_loop import OneLoop
from .page_facts import PageFacts
from .pull import Feed, Pull
from .query import LogsQuery, ids
from .report import Bounds, Tally
from .retry import Retry, RetryPolicy
from .shared_limiter import SharedLimiter
from .strategies import Either, Strategy
from .sweep import Sweep
from .transport import Transport
from .wire import Dialect, dialect

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

    import aiohttp
    from yarl import URL

    from .models import EmailLog, LogsPage
    from .plans import Plan

_LIMITS = {1: LIMIT_V1, 4: LIMIT_V4}


_SUCH_AS = {
    "retry": "RetryPolicy(attempts=3)",
    "timeouts": "Timeouts(total=30)",
    "keep_answers": "KeepAnswers(final=3600)",
    "network": 'Network(proxy="http://…")',
}

T = TypeVar("T")


class EmailLogsClient:
    """Asks for the email logs of one account, through its limit.

    Use it as an async context manager, or call :meth:`close`; keep one for the life of a program,
    on one event loop. The limit is kept among all the calls of a client; **several processes**, one
    beside or after the other, share it through a ``limiter`` that they share: a
    :class:`HostLimiter` on one host, a ``RedisLimiter`` on several.

    Args:
        base_url: Your account's address, ``https://xyz.api.infobip.com``; the shared host when
            None. Plain ``http://`` is for loopback addresses only.
        auth: The credentials: :class:`ApiKey`, :class:`Basic`, :class:`IbssoToken`,
            :class:`Bearer` or :class:`OAuth2`.
        limit: How many requests the account may make, when it is not the published limit: 60 a
            minute in version 1, 120 in version 4. As text: ``60/60s``, a burst and its refill
            ``20+10/s``, or several with a comma, which must all agree.
        limiter: A limiter of your own, instead; it is never closed here.
        concurrency: The requests at a time, at most, of one pull.
        retry: How patient a request is.
        timeouts: How long an attempt may take.
        network: Proxy, certificate authorities, the size of an answer.
        session: An aiohttp session of your own; it is never closed here.
        on_bad_record: What becomes of a record that can't be decoded: ``"raise"`` ends the call
            with a :class:`DecodeError`; ``"keep"`` hands it over raw beside the good ones.
        accept: The form of the answers that is asked for. ``"xml"`` is the older reference's
            second form; an answer is read as what it says it is, whatever was asked for.
        keep_answers: For how long the answers of :meth:`get_log` are good; they are not kept
            without.
        api_version: The version of the API that is asked, 1 or 4.
        repeat_list_keys: Whether version 4 is asked for lists as ``messageId=a&messageId=b``
            instead of ``messageId=a,b``.
        max_ids_length: The characters of a list of ids, at most.
        on_retry: Called before each further attempt.

    Raises:
        InvalidInput: An argument can't be used.
    """

    def __init__(
        self,
        base_url: str | URL | None,
        auth: Auth | OAuth2,
        *,
        limit: Limit | str | Iterable[Limit] | None = None,
        limiter: Limiter | None = None,
        concurrency: int = 8,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        network: Network | None = None,
        session: aiohttp.ClientSession | None = None,
        on_bad_record: Literal["raise", "keep"] = "raise",
        accept: Literal["json", "xml"] = "json",
        api_version: Literal[1, 4] = 1,
        repeat_list_keys: bool = False,
        keep_answers: KeepAnswers | None = None,
        max_ids_length: int | None = None,
        on_retry: Callable[[Retry], None] | None = None,
    ) -> None:
        self._base = service_url(base_url)
        self._concurrency = _at_least_one("concurrency", concurrency)
        patience = _an("retry", retry or RetryPolicy(), RetryPolicy)
        self._dialect = dialect(
            _one_of("api_version", api_version, 1, 4),
            accept=_one_of("accept", accept, "json", "xml"),
            repeat_keys=repeat_list_keys,
        )
        self._limiter = _limiter(limit, limiter, patience, _LIMITS[api_version])
        self._limiter_is_own = limiter is None
        longest = _at_least_one(
            "max_ids_length", MAX_LENGTH if max_ids_length is None else max_ids_length
        )
        self._lists = _list_facts("message_id", self._dialect, longest)
        self._bulk_lists = _list_facts("bulk_id", self._dialect, longest)
        self._pages = PageFacts()
        self._transport = Transport(
            self._base,
            _credentials(auth),
            session=session,
            timeouts=_an("timeouts", timeouts or Timeouts(), Timeouts),
            network=_an("network", network or Network(), Network),
            connections=max(self._concurrency, 100),
        )
        self._asker = Asker(
            self._base,
            transport=self._transport,
            limiter=self._limiter,
            retry=patience,
            on_retry=on_retry,
            dialect=self._dialect,
            keep_bad=_one_of("on_bad_record", on_bad_record, "raise", "keep") == "keep",
        )
        self._lookups = Lookups(
            pull=self._looked_up,
            spawn=self._spawn,
            facts=self._lists,
            keep=_an("keep_answers", keep_answers or KeepAnswers(), KeepAnswers),
            keep_bad=on_bad_record == "keep",
            concurrency=self._concurrency,
        )
        self._loop = OneLoop("client")
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def __repr__(self) -> str:
        """Return where it asks, and through which limit; never with what credentials."""
        return f"EmailLogsClient({str(self._base)!r}, limiter={self._limiter!r})"

    async def __aenter__(self) -> Self:
        """Return the client."""
        self._bind()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the client."""
        await self.close()

    async def close(self) -> None:
        """Stop what still runs and close the connections. It can't be used afterwards.

        Raises:
            InvalidState: It is in use on another event loop, or in another process.
        """
        if over := self._loop.over:
            self._tasks.clear()
        else:
            self._loop()
        self._closed = True
        if isinstance(self._limiter, LocalLimiter) and self._limiter_is_own:
            self._limiter.dismiss(lambda: InvalidState("this client is closed"))
        for task in self._tasks:
            task.cancel()
        try:
            if self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            await to_the_end(self._transport.close())
        if isinstance(self._limiter, SharedLimiter) and not over:
            await self._limiter.flush()

    async def get_page(
        self, query: LogsQuery | None = None, *, max_wait: float | None = None
    ) -> LogsPage:
        """Return the answer to exactly one query, as it is: look at ``page.full``.

        One request, and further ones only where it fails. Without ``query.limit`` the service
        sends the latest 50 logs, at most.

        Args:
            query: The filters; all logs without.
            max_wait: The seconds that the limit may make it wait.

        Raises:
            InvalidInput: The query can't be asked in one request.
            WaitTooLong: The limit would make it wait longer.
            EmailLogsError: Whatever else went wrong, as :mod:`infobip_email_logs.errors` tells.
        """
        self._bind()
        return await self._asker.page(query or LogsQuery(), Tally(), max_wait=max_wait)

    async def get_log(self, message_id: str) -> EmailLog | None:
        """Return the log of one message; None where it has none.

        For web services: calls within a few milliseconds share requests, and calls for equal ids
        one answer; a caller that gives up touches nobody else. Of a message to several recipients
        it is the log that was sent last: :meth:`logs_by_message_id` gives all of them.

        Raises:
            InvalidInput: It can't be an id.
            IncompleteError: It is not certain whether there is a log.
            EmailLogsError: Whatever else went wrong with the request for this id.
        """
        self._bind()
        return await self._lookups.get(message_id)

    async def get_logs(self, message_ids: Iterable[str]) -> dict[str, EmailLog | None]:
        """Return the logs of several messages by their ids, each as :meth:`get_log` does.

        Raises:
            InvalidInput: One can't be an id.
            EmailLogsError: As :meth:`get_log`, for the first of them that failed.
        """
        self._bind()
        wanted = ids(message_ids, "message_id")
        return dict(zip(wanted, await self._lookups.get_all(wanted), strict=True))

    def logs(
        self,
        query: LogsQuery | None = None,
        *,
        max_requests: int | None = None,
        deadline: float | None = None,
    ) -> Pull:
        """Return all logs that match, as a stream, however many there are.

        Where more logs match than one answer holds, the window is gone through in as many requests
        as it takes: about one for a thousand logs. They come in no particular order. What is not
        proven to be complete ends the stream with :class:`IncompleteError`, after everything else:
        more than 1000 logs within one millisecond (version 1; one second, where the service tells
        whole seconds), logs that expired before their turn came, and a window that lies beyond the
        48 hours. Ids are asked for as by :meth:`logs_by_message_id` and :meth:`logs_by_bulk_id`.

        Args:
            query: The filters; ``limit`` bounds the number of logs in total.
            max_requests: The requests that it may cost, further attempts included; what is left
                then is a gap.
            deadline: The seconds that it may take, from the first request on; likewise.

        Raises:
            InvalidInput: The window begins or ends more than five minutes in the future, or the
                query is one for :meth:`get_page` only (``use_cursor``).
        """
        wanted = query or LogsQuery()
        bounds = Bounds(max_requests=max_requests, deadline=deadline)
        if wanted.message_id:
            rest = attrs.evolve(wanted, message_id=())
            return self._pull_ids("message_id", wanted.message_id, rest, bounds=bounds)
        if wanted.bulk_id:
            rest = attrs.evolve(wanted, bulk_id=())
            return self._pull_ids("bulk_id", wanted.bulk_id, rest, bounds=bounds)
        asked = self._dialect.askable(_pullable(wanted))
        return self._pull(self._sweep(asked), wanted, asked, bounds)

    def _sweep(self, query: LogsQuery) -> Sweep:
        return Sweep(query, self._pages, cursors=self._dialect.cursors)

    def logs_by_message_id(
        self,
        message_ids: Ids,
        *,
        query: LogsQuery | None = None,
        strategy: Strategy | None = None,
        max_requests: int | None = None,
        deadline: float | None = None,
    ) -> Pull:
        """Return the logs of messages, as a stream.

        Ids are asked for once each, packed into the fewest requests, several at a time; or, where
        that is expected to cost fewer requests, all that was sent in the query's window is gone
        through for them. ``pull.report.plan`` tells which; ``pull.missing_ids`` which ids have no
        log; ``pull.report.unconfirmed_ids`` those for which that is not certain.

        Args:
            message_ids: One id, or any iterable or async iterable of ids.
            query: Further filters that the logs must keep; ``limit`` bounds their total.
            strategy: ``"by_id"`` or ``"sweep"``, to leave nothing to the estimate. An async
                iterable is asked for by id as it comes, unless this is ``"sweep"``.
            max_requests: The requests that it may cost, further attempts included; what is left
                then is a gap.
            deadline: The seconds that it may take, from the first request on; likewise.

        Raises:
            InvalidInput: The query has message ids of its own, its window ends in the future, or
                there is none to sweep; or, from the stream, an id can't be sent.
        """
        bounds = Bounds(max_requests=max_requests, deadline=deadline)
        rest = query or LogsQuery()
        return self._pull_ids("message_id", message_ids, rest, bounds=bounds, strategy=strategy)

    def logs_by_bulk_id(
        self,
        bulk_ids: Ids,
        *,
        query: LogsQuery | None = None,
        strategy: Strategy | None = None,
        max_requests: int | None = None,
        deadline: float | None = None,
    ) -> Pull:
        """Return the logs of bulks, as a stream.

        Version 1 takes a request for each bulk, version 4 a list of them; or, where that is
        expected to cost fewer requests, all that was sent in the query's window is gone through
        for them. ``pull.report.plan`` tells which.

        Args:
            bulk_ids: One id, or any iterable or async iterable of ids.
            query: Further filters that the logs must keep; ``limit`` bounds their total. With
                the window in which the bulks were sent, hundreds of bulks are cheap.
            strategy: ``"by_id"`` or ``"sweep"``, to leave nothing to the estimate. An async
                iterable is asked for by id as it comes, unless this is ``"sweep"``.
            max_requests: The requests that it may cost, further attempts included; what is left
                then is a gap.
            deadline: The seconds that it may take, from the first request on; likewise.

        Raises:
            InvalidInput: The query has bulk ids of its own, its window ends in the future, or
                there is none to sweep; or, from the stream, an id can't be sent.
        """
        bounds = Bounds(max_requests=max_requests, deadline=deadline)
        rest = query or LogsQuery()
        return self._pull_ids("bulk_id", bulk_ids, rest, bounds=bounds, strategy=strategy)

    def _looked_up(self, message_ids: Iterable[str]) -> Pull:
        """Return the logs of messages that somebody waits for."""
        return self._pull_ids(
            "message_id",
            message_ids,
            LogsQuery(),
            bounds=Bounds(),
            strategy="by_id",
            priority=Priority.LOOKUP,
        )

    def _pull_ids(
        self,
        field: IdField,
        wanted: Ids,
        query: LogsQuery,
        *,
        bounds: Bounds,
        strategy: Strategy | None = None,
        priority: Priority = Priority.BULK,
    ) -> Pull:
        _check_ids(wanted)
        if getattr(query, field):
            raise InvalidInput(f"give the ids as the argument, not as {field} of the query")
        asked = _alone(self._dialect.askable(_pullable(query)))
        comes_in = isinstance(wanted, AsyncIterable)
        plan = self._either(field, asked, _strategy(strategy, query, comes_in=comes_in))
        feed = partial(feed_ids, wanted, plan, [], ahead=self._concurrency)
        return self._pull(plan, query, asked, bounds, feed, comes_in=comes_in, priority=priority)

    def _either(self, field: IdField, asked: LogsQuery, strategy: Strategy | None) -> Either:
        """Return the plan for ids."""
        facts = self._lists if field == "message_id" else self._bulk_lists
        by_ids = ByIds(field, asked, facts, pages=self._pages, cursors=self._dialect.cursors)
        return Either(
            field,
            by_ids,
            self._sweep(asked),
            windowed=asked.sent_since is not None,
            strategy=strategy,
        )

    def _pull(
        self,
        plan: Plan,
        wanted: LogsQuery,
        asked: LogsQuery,
        bounds: Bounds,
        feed: Feed | None = None,
        *,
        comes_in: bool = False,
        priority: Priority = Priority.BULK,
    ) -> Pull:
        self._check_open()
        return Pull(
            plan,
            fetch=partial(self._page, priority=priority),
            spawn=self._spawn,
            wanted=wanted,
            unasked=wanted.filters.keys() - asked.filters.keys(),
            concurrency=self._concurrency,
            bounds=bounds,
            pace=self._pace,
            feed=feed,
            comes_in=comes_in,
        )

    async def _page(self, query: LogsQuery, tally: Tally, *, priority: Priority) -> LogsPage:
        """Ask for one page of a pull, on the loop of this client."""
        self._bind()
        shared = priority is Priority.LOOKUP  # by callers who have nothing to do with each other
        return await self._asker.page(query, tally, priority=priority, keep_bad=shared)

    def _pace(self, requests: int) -> float | None:
        """Return the seconds that so many requests take; None where the limiter does not tell."""
        if isinstance(self._limiter, LocalLimiter | SharedLimiter):
            return self._limiter.pace(requests)
        return None

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Start a task that :meth:`close` stops."""
        try:
            self._bind()
        except InvalidState:
            work.close()
            raise
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _bind(self) -> None:
        """Be open, and on the one event loop that this client is used on."""
        self._check_open()
        self._loop()

    def _check_open(self) -> None:
        if self._closed:
            raise InvalidState("this client is closed")


def _check_ids(wanted: Any) -> None:
    if not isinstance(wanted, Iterable | AsyncIterable):
        raise InvalidInput(f"ids are any iterable of texts, or one text, not {wanted!r}")


MOST_SKEW = timedelta(minutes=5)
"""How far the clocks of this machine and of the service may differ."""


def _pullable(query: LogsQuery) -> LogsQuery:
    """Return the query, if all of its logs can be had: from pages that are asked for here."""
    if query.use_cursor:
        raise InvalidInput("a stream follows cursors by itself; a query has one for get_page only")
    latest = datetime.now(UTC) + MOST_SKEW
    if query.sent_since and query.sent_since > latest:
        raise InvalidInput(f"sent_since lies in the future: {query.sent_since.isoformat()}")
    if query.sent_until and query.sent_until > latest:
        raise InvalidInput(
            f"sent_until lies in the future ({query.sent_until.isoformat()}): leave it out, and "
            "the window ends now"
        )
    return query


def _strategy(strategy: Strategy | None, query: LogsQuery, *, comes_in: bool) -> Strategy | None:
    """Return how ids are to be had; ids that come in one by one are asked for as they come."""
    _one_of("strategy", strategy, None, "by_id", "sweep")
    if strategy == "sweep" and query.sent_since is None:
        raise InvalidInput(
            'strategy="sweep" needs a window: give sent_since in the query (--since)'
        )
    return strategy or ("by_id" if comes_in else None)


def _alone(query: LogsQuery) -> LogsQuery:
    """Return the query without a list of message ids, which a service may not keep."""
    return attrs.evolve(query, message_id=()) if len(query.message_id) > 1 else query


def _list_facts(field: IdField, spoken: Dialect, length: int) -> ListFacts:
    """Return what is known of lists of ids before the first answer."""
    if field == "bulk_id" and not spoken.bulk_lists:
        return ListFacts(max_ids=1)
    if spoken.repeats_keys:
        return ListFacts.repeating(spoken.names[field], length)
    return ListFacts.up_to(length)


def _credentials(auth: Any) -> Auth | OAuth2:
    if not isinstance(auth, Auth | OAuth2):
        raise InvalidInput('auth must be credentials, such as ApiKey("…")')
    return auth


def _an(name: str, value: T, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise InvalidInput(f"{name} must be a {kind.__name__}, such as {_SUCH_AS[name]}")
    return value


def _at_least_one(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidInput(f"{name} must be a whole number from 1 on, not {value!r}")
    return value


def _one_of(name: str, value: T, *values: T) -> T:
    if value not in values:
        raise InvalidInput(f"{name} must be one of {', '.join(map(str, values))}, not {value!r}")
    return value


def _limiter(
    limit: Limit | str | Iterable[Limit] | None,
    limiter: Limiter | None,
    patience: RetryPolicy,
    published: Limit,
) -> Limiter:
    if limiter is None:
        return LocalLimiter(published if limit is None else limit, max_pause=patience.total)
    if limit is not None:
        raise InvalidInput("give a limit or a limiter, not both")
    return limiter

"""The limit, shared by any number of processes and machines through Redis or Valkey.

The ledger is one key, and one script (``redis_limiter.lua``) is all that touches it; it is kept by
Redis' own clock. Needs the extra ``redis``.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import math
import re
from contextlib import contextmanager, suppress
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal, Self

import attrs
from redis import exceptions

from .bucket import LIMIT_V1, TimeLimit, TokenLimit, limits_of
from .errors import InvalidInput, LimiterUnavailable
from .messages import SECOND, Answer, Ended, Message
from .patience import above_zero
from .shared_limiter import SharedLimiter

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from redis.asyncio import Redis

    from .bucket import Limit

OLDEST = (6, 2)
"""The first version of Redis that this was tried with. Valkey says that it is Redis 7.2."""

PATIENCE = 2.0
"""Seconds for which Redis may be slow or not there: a restart need not be noticed."""

PAUSE = 0.02
"""Seconds between two attempts."""

SCRIPT = (resources.files("infobip_email_logs") / "redis_limiter.lua").read_text(encoding="utf-8")
NOTHING = "return 0"
"""A script that shows that scripts are run."""

_VERSION = re.compile(r"(\d+)\.(\d+)")


def _sha(script: str) -> str:
    """Return the name of a script."""
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


SHA = _sha(SCRIPT)


class RedisLimiter(SharedLimiter):
    """Keeps an account's limit for all that use the same key of the same Redis.

    What is promised, what a 429 does and what a priority is, is in :class:`SharedLimiter`.

    A Redis that lost the ledger, or was started less than a period ago and has none, begins as if
    the limit had just been used up. What a Redis does not keep when it is killed
    (``appendfsync``), or a replica does not have yet that takes over, is noticed by the processes
    that saw it.

    Args:
        redis: An asyncio client of redis-py; it is never closed here.
        limits: One limit, several that must all agree, or their text: ``60/60s, 20+10/s``; the
            same ones everywhere. 60 a minute by default.
        key: Names the account and the version of the API: one key for each of both.
        on_outage: What becomes of callers while Redis can't be reached: ``"raise"`` refuses them
            with :class:`LimiterUnavailable`; ``"local"`` keeps this process to its ``share``,
            which it begins as if it had just been used up. Processes that still reach Redis keep
            the whole limit meanwhile. It is shared again when Redis is back.
        share: Which part of the limit is this process' own then, above 0, at most 1.
        patience: The seconds for which Redis may be slow or not there.
        max_pause: The longest silence, in seconds, that a 429 may ask for.

    Raises:
        InvalidInput: The limits can't be kept, or the share leaves less than one request. Where
            its context is entered, or else by the first :meth:`acquire`: this Redis is too old, or
            runs no scripts.
    """

    def __init__(
        self,
        redis: Redis,
        limits: Limit | str | Iterable[Limit] = LIMIT_V1,
        *,
        key: str,
        on_outage: Literal["raise", "local"] = "raise",
        share: float | None = None,
        patience: float = PATIENCE,
        max_pause: float = 300.0,
    ) -> None:
        if on_outage not in ("raise", "local"):
            raise InvalidInput(f'on_outage must be "raise" or "local", not {on_outage!r}')
        if (on_outage == "local") != (share is not None):
            raise InvalidInput(
                'a share of the limit is given with on_outage="local", and only then'
            )
        if not inspect.iscoroutinefunction(getattr(redis, "execute_command", None)):
            raise InvalidInput("redis must be an asyncio client: redis.asyncio.Redis")
        if not key:
            raise InvalidInput("a key must name the account and the version of the API")
        kept = limits_of(limits)
        alone = () if share is None else [_part(one, share) for one in kept]
        book = _Key(redis, key, above_zero("patience", patience))
        super().__init__(book, kept, max_pause=max_pause, alone=alone)
        self.key = key
        self._try_out = book.try_out

    async def __aenter__(self) -> Self:
        """Return the limiter, once Redis has shown that it can keep it.

        One that can't be reached may come back, and is believed.

        Raises:
            InvalidInput: This Redis is too old, or runs no scripts.
        """
        await self._try_out()
        return self


def _part(limit: Limit, share: float) -> Limit:
    """Return what is left of a limit for one process by itself."""
    if not 0 < share <= 1:
        raise InvalidInput(f"the share must be above 0, and 1 at most, not {share!r}")
    requests = math.floor(limit.burst * share)
    if not requests:
        raise InvalidInput(f"a share of {share:g} leaves less than one request of {limit}")
    if isinstance(limit, TokenLimit):
        return TokenLimit(burst=requests, refill=limit.refill * share)
    return TimeLimit(requests, per=limit.per)


class _Key:
    """A ledger in Redis."""

    def __init__(self, redis: Redis, key: str, patience: float) -> None:
        self._redis = redis
        self._key = key
        self._patience = patience
        self._looked_at = False

    async def tell(self, message: Message) -> Answer:
        """Give the ledger a message, and return its answer."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            waited = loop.time() - began
            try:
                with _refusals():
                    async with asyncio.timeout(self._patience - waited):
                        await self._look_at()
                        return await self._run(_later(message, waited))
            except _OUTAGE as error:
                if loop.time() - began + PAUSE >= self._patience:
                    raise _unreachable(error) from error
            await asyncio.sleep(PAUSE)

    async def try_out(self) -> None:
        """Refuse a Redis that can't keep a ledger; one that can't be reached is believed."""
        with suppress(*_OUTAGE), _refusals():
            async with asyncio.timeout(self._patience):
                await self._look_at()
                await self._redis.eval(NOTHING, 0)
                await self._redis.evalsha(_sha(NOTHING), 0)

    async def close(self) -> None:
        """Do nothing: the client is somebody else's."""

    async def _look_at(self) -> None:
        """Refuse a Redis that is too old; one that does not tell its version is believed."""
        if self._looked_at:
            return
        try:
            told: dict[str, Any] = await self._redis.info("server")  # pyright: ignore[reportUnknownMemberType]
        except exceptions.NoPermissionError:
            told = {}
        found = _VERSION.match(str(told.get("redis_version", "")))
        if found and (int(found[1]), int(found[2])) < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise InvalidInput(f"Redis {found[0]} is too old to share a limit; {oldest} will do")
        self._looked_at = True

    async def _run(self, message: Message) -> Answer:
        """Run the script; where Redis does not know it (any more), give it to it."""
        text = to_json(message)
        try:
            told = await self._redis.evalsha(SHA, 1, self._key, text)
        except exceptions.NoScriptError:
            told = await self._redis.eval(SCRIPT, 1, self._key, text)
        return from_reply(told)


_OUTAGE = (exceptions.RedisError, OSError)
"""What is raised while Redis can't be reached, or fails."""


@contextmanager
def _refusals() -> Generator[None]:
    """Tell apart what Redis will never do from what it can't do now."""
    try:
        yield
    except (exceptions.AuthenticationError, exceptions.NoPermissionError) as error:
        raise InvalidInput(f"Redis does not let a script be run: {error}") from error
    except exceptions.ResponseError as error:
        if "unknown command" in str(error).lower():
            raise InvalidInput(f"this Redis runs no scripts: {error}") from error
        raise


def _unreachable(error: Exception) -> LimiterUnavailable:
    why = str(error) or "no answer in time"
    return LimiterUnavailable(f"Redis, which keeps the shared limit, can't be used: {why}")


def _later(message: Message, seconds: float) -> Message:
    """Return a message as it is to be said so many seconds later."""
    later = int(seconds * SECOND)
    ended = tuple(
        attrs.evolve(one, ago=one.ago + later, left=one.left + later) for one in message.ended
    )
    since = message.since + later if message.seen else 0
    return attrs.evolve(message, ended=ended, since=since)


def to_json(message: Message) -> str:
    """Return a message as the script takes it."""
    told = {field.name: getattr(message, field.name) for field in attrs.fields(Message)}
    told["terms"] = [attrs.asdict(one) for one in message.terms]
    told["ended"] = [_ended(one) for one in message.ended]
    return json.dumps(told, separators=(",", ":"))


def _ended(one: Ended) -> dict[str, Any]:
    told = attrs.asdict(one)
    return {name: value for name, value in told.items() if value is not None}


def from_reply(told: Sequence[int]) -> Answer:
    """Return the answer that the script gives as a list."""
    now, silence, burst, interval, count, *rest = told
    grants = tuple(zip(rest[: 2 * count : 2], rest[1 : 2 * count : 2], strict=True))
    return Answer(now, grants, tuple(rest[2 * count :]), silence, burst, interval)

"""The client of a command, and the limiter that it shares with other commands."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

from ..accounts import account_key
from ..bucket import LIMIT_V1, LIMIT_V4
from ..client import EmailLogsClient
from ..errors import InvalidInput
from ..host_limiter import HostLimiter
from ..limiter import LocalLimiter
from ..shared_limiter import SharedLimiter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis.asyncio import Redis

    from ..auth import Auth, OAuth2
    from ..bucket import Limit
    from ..limiter import Limiter

REDIS_URL = "INFOBIP_REDIS_URL"


class Connection(EmailLogsClient):
    """A client whose limiter is nobody else's, and is closed with it."""

    def __init__(
        self,
        base_url: str | None,
        auth: Auth | OAuth2,
        given: Mapping[str, Any],
        *,
        api_version: Literal[1, 4],
        **options: Any,
    ) -> None:
        limit = _limit(given["rate"], api_version)
        key = account_key(base_url, auth, api_version=api_version)
        self._redis = _redis(given)
        self._closes = limiter(limit, key, given["limiter"], self._redis)
        super().__init__(base_url, auth, limiter=self._closes, api_version=api_version, **options)

    async def close(self) -> None:
        """Close the client, and let other commands have the rest of the limit."""
        await super().close()
        if isinstance(self._closes, SharedLimiter):
            await self._closes.aclose()
        if self._redis:
            await self._redis.aclose()


def limiter(limit: Limit | str, key: str, kind: str | None, redis: Redis | None) -> Limiter:
    """Return the limiter of a kind; with Redis, where there is one, else with this host's file."""
    if kind == "process":
        return LocalLimiter(limit)
    if redis:
        from ..redis_limiter import RedisLimiter  # noqa: PLC0415 - an extra

        return RedisLimiter(redis, limit, key=key)
    return HostLimiter(limit, key=key)


def _limit(rate: str | None, api_version: int) -> Limit | str:
    if rate is not None:
        return rate
    return LIMIT_V4 if api_version == 4 else LIMIT_V1  # noqa: PLR2004 - it is called so


def _redis(given: Mapping[str, Any]) -> Redis | None:
    """Return a client of the Redis that was named; an argument wins over the environment.

    Raises:
        InvalidInput: It can't be used; the address is not repeated, it may hold a password.
    """
    url = given["redis"] or (None if given["limiter"] else os.environ.get(REDIS_URL, "").strip())
    if not url:
        return None
    if given["limiter"]:
        raise InvalidInput("--limiter and --redis say two different things; keep one of them")
    try:
        from redis.asyncio import Redis  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise InvalidInput(
            "--redis needs a further package: pip install 'infobip_email_logs[redis]'"
        ) from error
    try:
        client: Redis = Redis.from_url(url)  # pyright: ignore[reportUnknownMemberType]
    except ValueError:  # Not told with -vv either: it repeats what may be a part of the password.
        raise InvalidInput("--redis must be an address such as redis://localhost:6379/0") from None
    return client

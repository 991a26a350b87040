"""The OAuth 2.0 token of a client: fetched once for all who wait, renewed before its end."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from .errors import InvalidState, RateLimited, RequestRejected, ServerError, Unauthorized
from .wire import failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .auth import OAuth2, Token
    from .wire import Reply


class TokenKeeper:
    """Keeps a token for all callers.

    Args:
        auth: The client credentials.
        post: Sends a form to a path of the service, and returns the reply.
    """

    def __init__(
        self, auth: OAuth2, post: Callable[[str, dict[str, str]], Awaitable[Reply]]
    ) -> None:
        self._auth = auth
        self._post = post
        self._token: Token | None = None
        self._fetching: asyncio.Task[Token] | None = None

    async def header(self) -> str:
        """Return what goes into ``Authorization``, from a token that is good.

        Raises:
            Unauthorized: The client credentials are not accepted.
            EmailLogsError: Whatever else went wrong with the request for a token.
        """
        token = self._token
        if token is None or token.until <= asyncio.get_running_loop().time():
            token = await self._shared(self._fetching or self._start())
        return token.header

    async def _shared(self, fetching: asyncio.Task[Token]) -> Token:
        """Wait for what others wait for as well."""
        try:
            return await asyncio.shield(fetching)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if fetching.cancelled() and not (caller and caller.cancelling()):
                raise InvalidState("this client is closed") from None
            raise

    def forget(self, header: str) -> None:
        """Forget the token that was not accepted, unless there is another one by now."""
        if self._token and self._token.header == header:
            self._token = None

    async def close(self) -> None:
        """Stop what is under way."""
        if self._fetching:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    def _start(self) -> asyncio.Task[Token]:
        self._fetching = asyncio.create_task(self._fetch())
        self._fetching.add_done_callback(self._done)
        return self._fetching

    def _done(self, task: asyncio.Task[Token]) -> None:
        self._fetching = None
        if not task.cancelled() and not task.exception():
            self._token = task.result()

    async def _fetch(self) -> Token:
        asked = asyncio.get_running_loop().time()
        reply = await self._post(self._auth.PATH, self._auth.form())
        if reply.status == HTTPStatus.OK:
            return self._auth.token(reply.body, asked)
        error = failure(reply)
        if isinstance(error, RequestRejected | Unauthorized):
            raise Unauthorized(
                f"no access token: HTTP {reply.status} - check the client id and secret",
                status=error.status,
                code=error.code,
            )
        if isinstance(error, RateLimited):  # not the limit that is kept here: nobody waits for it
            raise ServerError(
                f"no access token: {error}",
                status=error.status,
                code=error.code,
                text=error.text,
                details=error.details,
                retry_after=error.retry_after,
            )
        raise error

"""A session that is no session: it hands requests to the stand-in of the service, in this process.

It has what the client uses of an ``aiohttp.ClientSession``, and no socket.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

from worlds import NOW, World
from yarl import URL

from infobip_email_logs.sandbox import Credentials
from infobip_email_logs.sandbox.records import milliseconds
from infobip_email_logs.sandbox.service import Request, Service, http_date
from infobip_email_logs.sandbox.store import Store
from infobip_email_logs.sandbox.traffic import NO_TRAFFIC, Seeded

KEY = Credentials().api_key
NOTHING = Seeded(NO_TRAFFIC, seed=0, start=milliseconds(NOW))


class EndlessError(Exception):
    """There were more requests than can be right."""


class InProcess:
    """Answers requests as the service of a world does.

    Args:
        world: The world.
        most: How many requests there may be.
    """

    closed = False

    def __init__(self, world: World, most: int) -> None:
        store = Store(NOTHING)
        store.add(world.records)
        self._random = Random(f"service {world.seed}")
        self._service = Service(store, Credentials(), self._random)
        self._settings = world.settings
        self._most = most
        self._started = asyncio.get_running_loop().time()
        self.targets: list[str] = []

    def now(self) -> datetime:
        """Return the service's clock."""
        return NOW + timedelta(seconds=self._elapsed())

    def _elapsed(self) -> float:
        return asyncio.get_running_loop().time() - self._started

    @asynccontextmanager
    async def request(
        self, method: str, url: URL, *, headers: Mapping[str, str], **_: Any
    ) -> AsyncGenerator[SimpleNamespace]:
        """Answer a request, after its way to the service and back."""
        one_way = self._random.uniform(*self._settings.latency) / 2
        await self._pause(one_way)
        status, body, told = self._answer(method, url, headers)
        await self._pause(one_way)
        content = SimpleNamespace(iter_chunked=lambda _: _pieces(body))
        yield SimpleNamespace(
            status=status, headers={"Date": http_date(self.now()), **told}, content=content
        )

    def _answer(
        self, method: str, url: URL, headers: Mapping[str, str]
    ) -> tuple[int, bytes, dict[str, str]]:
        target = url.raw_path_qs
        self.targets.append(target)
        if len(self.targets) > self._most:
            raise EndlessError(f"more than {self._most} requests")
        request = Request(
            method=method,
            target=target,
            url_length=len(str(url)),
            accept=headers["Accept"],
            authorization=headers["Authorization"],
            at=self._elapsed(),
            now=self.now(),
        )
        answer = self._service.answer(request, self._settings).answer
        return answer.status, answer.body, {"Content-Type": answer.content_type, **answer.headers}

    @staticmethod
    async def _pause(seconds: float) -> None:
        if seconds > 0:
            await asyncio.sleep(seconds)


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    yield body

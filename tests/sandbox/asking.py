"""A sandbox, and a plain HTTP client that asks it."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
from aiohttp import ClientSession
from yarl import URL

from infobip_email_logs.sandbox import Record, Sandbox

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
V1, V4 = "/email/1/logs", "/email/4/logs"


@attrs.frozen
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def document(self) -> Any:
        """The body, as JSON."""
        return json.loads(self.body)

    @property
    def ids(self) -> list[str]:
        """The message ids, in the order of the page."""
        return [record["messageId"] for record in self.document["results"]]


@attrs.frozen
class Asker:
    """Asks a sandbox in raw paths and queries."""

    session: ClientSession
    sandbox: Sandbox

    async def __call__(self, target: str, **headers: str) -> Reply:
        """Ask, with good credentials unless told otherwise."""
        sent = {"Authorization": f"App {self.sandbox.credentials.api_key}", **headers}
        url = URL(self.sandbox.url + target, encoded=True)
        async with self.session.get(url, headers=sent, allow_redirects=False) as response:
            return Reply(response.status, dict(response.headers), await response.text())


@asynccontextmanager
async def asking(**options: Any) -> AsyncGenerator[tuple[Sandbox, Asker]]:
    """Start a sandbox at noon, and a client."""
    async with Sandbox(**{"now": NOW, **options}) as sandbox, ClientSession() as session:
        yield sandbox, Asker(session, sandbox)


def ago(seconds: float) -> datetime:
    """Tell the instant so long before noon."""
    return NOW - timedelta(seconds=seconds)


def sent(message_id: str | None, seconds: float, **fields: Any) -> Record:
    """Make a record that was sent so many seconds before noon."""
    return Record(**{"message_id": message_id, "sent_at": ago(seconds), **fields})


def stamp(instant: datetime) -> str:
    """Write an instant as a query has it."""
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")

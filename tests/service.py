"""A client and the stand-in of the service that it asks, together."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from credentials import accepted

from infobip_email_logs import ApiKey, EmailLogsClient, IncompleteError, Pull
from infobip_email_logs.models import EmailLog
from infobip_email_logs.sandbox import Sandbox, Settings, Traffic

SMALL = Traffic(bulks=6, bulk_size=(5, 60), loose=40, hours=24)


def sandbox_of(traffic: Traffic, settings: Settings) -> Sandbox:
    """Return a sandbox that takes the credentials of the tests, which are looked for afterwards."""
    return Sandbox(traffic=traffic, settings=settings, seed=1, credentials=accepted())


@asynccontextmanager
async def service(
    settings: Settings | None = None,
    traffic: Traffic = SMALL,
    **options: Any,
) -> AsyncGenerator[tuple[Sandbox, EmailLogsClient]]:
    """Start a sandbox and a client that may ask it; options are the client's."""
    async with (
        sandbox_of(traffic, settings or Settings()) as sandbox,
        EmailLogsClient(sandbox.url, ApiKey(sandbox.credentials.api_key), **options) as client,
    ):
        yield sandbox, client


async def all_of(pull: Pull) -> list[EmailLog]:
    """Return the logs of a pull."""
    return [log async for log in pull]


def ids_of(logs: list[EmailLog]) -> list[str]:
    """Return the message ids of logs, in order."""
    return sorted(log.message_id or "" for log in logs)


async def delivered(pull: Pull) -> tuple[list[EmailLog], IncompleteError | None]:
    """Return what a pull delivers, and how it ends."""
    logs: list[EmailLog] = []
    try:
        async for log in pull:
            logs += [log]
    except IncompleteError as error:
        return logs, error
    return logs, None

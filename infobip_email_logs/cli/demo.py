"""``demo``: the main job against the sandbox, with nothing to configure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from ..bucket import TimeLimit
from . import exits
from .command import Command
from .options import Ids
from .progress import shown
from .telling import say_error, say_retry, warnings_told

if TYPE_CHECKING:
    from rich.table import Table

    from ..client import EmailLogsClient
    from ..pull import Pull
    from ..report import PullReport
    from ..sandbox import Sandbox

BULKS = 40
MESSAGES = 2000
LIMIT = TimeLimit(60, per=3.0)
"""The published limit, twenty times as fast."""

LATENCY = (0.02, 0.12)
"""Seconds of a round trip."""


class _Part:
    """One of the pulls, and what came of it."""

    def __init__(self, name: str, pull: Pull) -> None:
        self.name = name
        self.pull = pull
        self.statuses: Counter[str] = Counter()

    @property
    def report(self) -> PullReport:
        """What it cost."""
        return self.pull.report


@click.command(cls=Command, epilog=exits.epilog("infobip-email-logs demo"))
def demo() -> int:
    """Pull the logs of 40 bulks and 2000 messages from a sandbox, through a limit.

    Needs no account: it plays the service on a local port, with a limit of 60 requests in 3
    seconds, and pulls from there. Takes a few seconds.
    """
    from .running import run  # noqa: PLC0415 - --help needs none of this

    with warnings_told(0):
        return run(_demo())


async def _demo() -> int:
    from ..auth import ApiKey  # noqa: PLC0415 - --help needs none of this
    from ..client import EmailLogsClient  # noqa: PLC0415
    from ..sandbox import Sandbox, Settings, TimeWindow, Traffic  # noqa: PLC0415

    settings = Settings(v1_limits=(TimeWindow(LIMIT.requests, LIMIT.per),), latency=LATENCY)
    traffic = Traffic(bulks=BULKS, loose=MESSAGES)
    async with (
        Sandbox(traffic=traffic, settings=settings) as sandbox,
        EmailLogsClient(
            sandbox.url, ApiKey(sandbox.credentials.api_key), limit=LIMIT, on_retry=say_retry
        ) as client,
    ):
        click.echo(f"A sandbox plays the service at {sandbox.url}; its limit is {LIMIT}.")
        parts = await _both(client, sandbox)
        expected = sum(record.bulk_id is not None for record in sandbox.records) + MESSAGES
        return _show(parts, expected, sandbox.throttled)


async def _both(client: EmailLogsClient, sandbox: Sandbox) -> list[_Part]:
    """Pull by bulk id, then by message id."""
    bulks = tuple(sandbox.bulk_ids)
    loose = tuple(one.message_id for one in sandbox.records if not one.bulk_id and one.message_id)
    return [
        await _part(f"{BULKS} bulks", client.logs_by_bulk_id(bulks), Ids(bulks, None)),
        await _part(f"{MESSAGES} messages", client.logs_by_message_id(loose), Ids(None, loose)),
    ]


async def _part(name: str, pull: Pull, ids: Ids) -> _Part:
    """Carry one pull out and count the statuses."""
    part = _Part(name, pull)
    async with pull, shown(pull, ids) as count:
        async for log in pull:
            group = log.status.group_name if log.status else None
            part.statuses[group or "(none)"] += 1
            count(log)
    return part


def _show(parts: list[_Part], expected: int, throttled: int) -> int:
    """Print what came of it, and return the exit code."""
    from rich.console import Console  # noqa: PLC0415 - only people need it

    reports = [part.report for part in parts]
    got = sum(report.records for report in reports)
    seconds = sum(report.seconds for report in reports)
    console = Console(highlight=False)
    for table in (_costs(parts), _statuses(parts)):
        console.print(table)
    click.echo(
        f"{got} of {expected} logs in {seconds:.1f} s, with "
        f"{sum(report.requests for report in reports)} requests; 429s: {throttled}."
    )
    if got != expected or not all(report.complete for report in reports):
        say_error("this is not complete")
        return exits.INCOMPLETE
    return exits.COMPLETE


def _costs(parts: list[_Part]) -> Table:
    """Return a table of what each pull cost."""
    table = _table("pulled", "logs", "requests", "429s", "seconds")
    for part in parts:
        report = part.report
        numbers = (report.records, report.requests, report.throttled)
        table.add_row(part.name, *map(str, numbers), f"{report.seconds:.1f}")
    return table


def _statuses(parts: list[_Part]) -> Table:
    """Return a table of what became of the emails."""
    table = _table("status", *(part.name for part in parts))
    for status, _number in sum((part.statuses for part in parts), Counter[str]()).most_common():
        table.add_row(status, *(str(part.statuses[status]) for part in parts))
    return table


def _table(first: str, *others: str) -> Table:
    from rich.table import Table  # noqa: PLC0415 - only people need it

    table = Table()
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table

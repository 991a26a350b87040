"""``pull``: every log of many ids, or of a window, as it arrives."""

from __future__ import annotations

import asyncio
import contextlib
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import click

from ..errors import IncompleteError, InvalidInput
from . import exits, options
from .command import Command, told
from .progress import on_terminal, shown
from .telling import expectation, say, say_absent, summary, warnings_told

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..client import EmailLogsClient
    from ..pull import Pull
    from ..query import LogsQuery
    from ..report import PullReport
    from ..strategies import Strategy
    from .outputs import Outputs

LAST_WORDS = 0.3
"""Seconds in which a reader has to take what an interrupted pull still has."""


@click.command(
    cls=Command,
    epilog=exits.epilog(
        "infobip-email-logs pull --message-ids-file ids.txt -o logs.jsonl --report report.json",
        "cut -d, -f1 sent.csv | infobip-email-logs pull --bulk-ids-file - > logs.jsonl",
        "infobip-email-logs pull --since 2h --until 1h --to jane@example.com",
        "infobip-email-logs pull --since 1d --dry-run",
    ),
)
@options.filter_options
@options.id_file_options
@click.option("--limit", metavar="N", type=int, help="At most so many logs in total, 1 to 1000.")
@options.output_options
@click.option("--report", metavar="FILE", help="Where a report on the pull goes, as JSON.")
@click.option(
    "--concurrency",
    metavar="N",
    type=int,
    default=8,
    show_default=True,
    help="The requests at a time, at most.",
)
@click.option(
    "--strategy",
    type=click.Choice(["by_id", "sweep"]),
    help="How ids are had: by asking for them, or by going through all that was sent between "
    "--since and --until. The cheaper one by default.",
)
@click.option(
    "--max-requests",
    metavar="N",
    type=int,
    help="Send so many requests at most; what is left then is told as a gap (exit code 3).",
)
@click.option(
    "--deadline",
    metavar="SECONDS",
    type=float,
    help="Take so long at most; what is left then is told as a gap (exit code 3).",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Tell how many requests it would take, and how long, for one request at most.",
)
@options.connection_options
def pull(**given: Any) -> int:
    """Pull all logs of bulks or messages, or all that match, in as few requests as it takes.

    Bulk ids and message ids together mean logs that have both. Without ids, all logs that match
    the filters come, however many there are: about a thousand a request. Progress goes to stderr,
    where that is a terminal; ids without a log that matches are named there, all of them are in
    the report.
    """
    from .outputs import Outputs  # noqa: PLC0415 - --help needs none of this
    from .running import run  # noqa: PLC0415

    query = options.query(given)
    with warnings_told(given["verbose"]):
        client = options.client(given)
        ids = options.ids(given)
        costs = {name: given[name] for name in ("max_requests", "deadline")}
        begin = partial(_begin, client, ids, query, strategy=given["strategy"], **costs)
        if given["dry_run"]:
            return run(_plan(client, begin))
        with Outputs(given) as outputs:
            return run(_pull(client, begin, ids, outputs, verbose=given["verbose"] > 0))


async def _plan(client: EmailLogsClient, begin: Callable[[], Pull]) -> int:
    """Tell what a pull would cost: for people on stderr, for programs on stdout."""
    async with client, begin() as stream:
        plan = await stream.plan()
    say(expectation(plan))
    click.echo(json.dumps(plan.to_dict()))
    return exits.COMPLETE


async def _pull(
    client: EmailLogsClient,
    begin: Callable[[], Pull],
    ids: options.Ids,
    outputs: Outputs,
    *,
    verbose: bool,
) -> int:
    async with client, begin() as stream:
        error = await _caught(_stream(stream, ids, outputs))
        await stream.aclose()
        error = await _caught(_last_words(stream, outputs, error)) or error
    report = stream.report
    if isinstance(error, asyncio.CancelledError):
        say("interrupted; what was received is written")
    if verbose or isinstance(error, asyncio.CancelledError) or on_terminal():
        say(summary(report))
    if error is None or isinstance(error, IncompleteError):
        _tell_doubts(report)
    if error:
        raise error
    return exits.COMPLETE


def _begin(
    client: EmailLogsClient,
    ids: options.Ids,
    query: LogsQuery,
    *,
    strategy: Strategy | None,
    **costs: Any,
) -> Pull:
    """Return the pull for ids of either kind, of both, or for all that matches the query."""
    if ids.messages is not None:
        both = attrs.evolve(query, bulk_id=ids.bulks or ())
        return client.logs_by_message_id(ids.messages, query=both, strategy=strategy, **costs)
    if ids.bulks is not None:
        return client.logs_by_bulk_id(ids.bulks, query=query, strategy=strategy, **costs)
    if strategy == "by_id":
        raise InvalidInput("--strategy by_id needs ids")
    return client.logs(query, **costs)


async def _stream(stream: Pull, ids: options.Ids, outputs: Outputs) -> None:
    """Write logs as they arrive."""
    async with shown(stream, ids) as count:
        async for log in stream:
            await outputs.write_log(log)
            await outputs.write_rejects(stream.rejects)
            count(log)


async def _caught(work: Awaitable[None]) -> BaseException | None:
    """Return what ended ``work`` early: it is raised when all is written."""
    try:
        await work
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it is raised later
        return error
    return None


async def _last_words(stream: Pull, outputs: Outputs, error: BaseException | None) -> None:
    """Write what was received but not written yet, and the report; soon, where interrupted.

    Raises:
        IncompleteError: All was written, but records are among them that can't be decoded.
    """
    outputs.complete = error is None or isinstance(error, IncompleteError)
    patience = LAST_WORDS if isinstance(error, asyncio.CancelledError) else None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience):
            if not isinstance(error, OSError):
                await outputs.write_logs(stream.drain())
            await outputs.write_rejects(stream.rejects)
    report = stream.report
    if error is None and report.rejected:
        error = IncompleteError(f"{report.rejected} records can't be decoded; see the rejects")
    await outputs.write_report(report.to_dict() | ({"error": told(error)} if error else {}))
    if isinstance(error, IncompleteError):
        raise error


def _tell_doubts(report: PullReport) -> None:
    """Tell what a pull that came to its end did not find."""
    say_absent(report)
    for name, number in report.contradictions.items():
        say(f"warning: the service sent {number} records that break the filter {name}; left out")

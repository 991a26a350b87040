"""``get``: exactly one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from . import exits, options
from .command import Command
from .telling import say, say_error, warnings_told

if TYPE_CHECKING:
    from ..client import EmailLogsClient
    from ..models import LogsPage
    from ..query import LogsQuery
    from .outputs import Outputs


@click.command(
    cls=Command,
    epilog=exits.epilog(
        "infobip-email-logs get --since 2h --status REJECTED --limit 100",
        "infobip-email-logs get --message-id abc | jq .status.name",
    ),
)
@options.filter_options
@click.option("--limit", metavar="N", type=int, help="1 to 1000; the service's default is 50.")
@options.output_options
@options.connection_options
def get(**given: Any) -> int:
    """Make one request and print its answer: the latest logs that match."""
    from .outputs import Outputs  # noqa: PLC0415 - --help needs none of this
    from .running import run  # noqa: PLC0415

    query = options.query(given, bulk_id=given["bulk_id"], message_id=given["message_id"])
    with warnings_told(given["verbose"]):
        client = options.client(given)
        with Outputs(given) as outputs:
            return run(_get(client, query, outputs))


async def _get(client: EmailLogsClient, query: LogsQuery, outputs: Outputs) -> int:
    async with client:
        page = await client.get_page(query)
    rejects = list(page.rejects)
    await outputs.write_rejects(rejects)
    for log in page.logs:
        await outputs.write_log(log)
    outputs.complete = True
    return _verdict(page)


def _verdict(page: LogsPage) -> int:
    """Tell what may be missing, and return the exit code."""
    for name, number in page.contradictions.items():
        say(f"warning: {number} records of the answer break the filter {name}; left out")
    if not page.size:
        say("no log matches")
    if page.full:
        say(f"the answer is full ({page.size} of {page.limit}): there may be more; see pull")
    if page.rejects:
        say_error(f"{len(page.rejects)} records can't be decoded; see the file of rejects")
        return exits.INCOMPLETE
    return exits.COMPLETE

"""``sandbox``: the local stand-in for the service, until Ctrl-C."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from ..bucket import TimeLimit
from ..errors import InvalidInput
from . import exits
from .command import Command
from .telling import warnings_told

if TYPE_CHECKING:
    from ..sandbox import Fault


@click.command(
    cls=Command,
    epilog=exits.epilog(
        "infobip-email-logs sandbox --port 8080 --rate 60/3s",
        "infobip-email-logs sandbox --bulks 500 --messages 100000",
        "infobip-email-logs sandbox --fault 503 --fault html-with-200 --fault-rate 0.2",
    ),
)
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Where to listen; 0 takes a free port.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on: this machine's own, which nobody else reaches. Another one is "
    "warned of: whoever reaches it reads the made-up records.",
)
@click.option(
    "--rate",
    metavar="N/TIME",
    default="60/60s",
    show_default=True,
    help="The requests that it lets in.",
)
@click.option(
    "--bulks",
    metavar="N",
    type=click.IntRange(0, 1_000_000),
    default=40,
    show_default=True,
    help="How many bulks it has sent, of 10 to 200 messages.",
)
@click.option(
    "--messages",
    metavar="N",
    type=click.IntRange(0, 10_000_000),
    default=2000,
    show_default=True,
    help="How many messages it has sent beside them.",
)
@click.option(
    "--seed",
    metavar="N",
    type=int,
    default=0,
    show_default=True,
    help="Equal seeds make equal ids, and equal faults.",
)
@click.option(
    "--fault",
    metavar="NAME",
    multiple=True,
    help="What goes wrong now and then, such as 503 or gzip-bomb; repeatable. Another name tells "
    "all of them.",
)
@click.option(
    "--fault-rate",
    metavar="PART",
    type=click.FloatRange(0, 1),
    help="The part of the requests that meet a fault: 0.2 with --fault, else 0. Without --fault, "
    "any that may pass.",
)
def sandbox(**given: Any) -> int:
    """Play the service on a local port, with made-up logs, until Ctrl-C."""
    from .running import run  # noqa: PLC0415 - --help needs none of this

    with warnings_told(0):
        code = run(_serve(given, TimeLimit.parse(given["rate"])))
    return exits.COMPLETE if code == exits.INTERRUPTED else code


async def _serve(given: dict[str, Any], limit: TimeLimit) -> int:
    """Listen, say how to ask, and wait for the end."""
    from ..sandbox import Sandbox, Settings, TimeWindow, Traffic  # noqa: PLC0415

    window = TimeWindow(limit.requests, limit.per)
    rate = given["fault_rate"]
    service = Sandbox(
        traffic=Traffic(bulks=given["bulks"], loose=given["messages"]),
        settings=Settings(
            v1_limits=(window,),
            v4_limits=(window,),
            faults=_faults(given["fault"]),
            fault_rate=(0.2 if given["fault"] else 0.0) if rate is None else rate,
        ),
        seed=given["seed"],
        host=given["host"],
        port=given["port"],
    )
    try:
        await service.__aenter__()
    except OSError as error:
        place = f"{given['host']}:{given['port']}"
        raise InvalidInput(f"{place} can't be listened on: {error.strerror or error}") from error
    try:
        click.echo(_how_to_ask(service.url, service.credentials, service.bulk_ids, limit))
        await asyncio.Event().wait()
    finally:
        await service.__aexit__(None, None, None)
    return exits.COMPLETE  # pragma: no cover - nothing but a signal ends the wait


def _faults(names: tuple[str, ...]) -> tuple[Fault, ...]:
    """Return the faults of these names; all that may pass without."""
    from ..sandbox import FAULTS, PASSING  # noqa: PLC0415

    for name in names:
        if name not in FAULTS:
            raise InvalidInput(f"--fault is one of {', '.join(FAULTS)}, not {name!r}")
    return tuple(FAULTS[name] for name in names or PASSING)


def _how_to_ask(url: str, credentials: Any, bulk_ids: list[str], limit: TimeLimit) -> str:
    """Return what somebody needs to know to use the sandbox."""
    which = f"--bulk-id {bulk_ids[0]}" if bulk_ids else "--since 2h"
    return f"""\
The sandbox answers at {url} until Ctrl-C ({limit} is its limit).
Any of these made-up credentials will do:

  export INFOBIP_BASE_URL={url}
  export INFOBIP_API_KEY={credentials.api_key}

  INFOBIP_USERNAME={credentials.username} INFOBIP_PASSWORD={credentials.password}
  INFOBIP_IBSSO_TOKEN={credentials.ibsso_token}
  INFOBIP_BEARER_TOKEN={credentials.bearer_token}
  INFOBIP_CLIENT_ID={credentials.client_id} INFOBIP_CLIENT_SECRET={credentials.client_secret}

Then, for example:

  infobip-email-logs pull {which} --rate {limit}
  curl -H 'Authorization: App {credentials.api_key}' '{url}/email/1/logs?limit=1'
"""

"""The options that commands share, and what becomes of them."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from .. import settings
from ..errors import InvalidInput
from ..query import LogsQuery
from .idfile import ids_in
from .telling import say, say_retry
from .times import parse_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..auth import Auth, OAuth2
    from ..client import EmailLogsClient

Command = TypeVar("Command", bound="Callable[..., Any]")


def _together(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Return one decorator for several options, shown in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


GROUPS = ("ACCEPTED", "PENDING", "UNDELIVERABLE", "DELIVERED", "EXPIRED", "REJECTED")
"""The status groups that can be filtered by (API reference, ``generalStatus``)."""


def _secret(name: str, variable: str, what: str) -> Callable[[Any], Any]:
    return click.option(name, metavar="TEXT", help=f"{what}. Better: set {variable}.")


connection_options = _together(
    click.option(
        "--base-url",
        metavar="URL",
        help="The account's address, https://xyz.api.infobip.com, or set INFOBIP_BASE_URL; "
        "the shared host by default.",
    ),
    _secret("--api-key", "INFOBIP_API_KEY", "An API key. Other users can see arguments"),
    _secret("--username", "INFOBIP_USERNAME", "A user name"),
    _secret("--password", "INFOBIP_PASSWORD", "The user's password"),
    _secret("--basic", "INFOBIP_BASIC", "Both of them, as base64 of user:password"),
    _secret("--ibsso-token", "INFOBIP_IBSSO_TOKEN", "A session token"),
    _secret("--bearer-token", "INFOBIP_BEARER_TOKEN", "An OAuth 2.0 access token"),
    _secret("--client-id", "INFOBIP_CLIENT_ID", "An OAuth 2.0 client"),
    _secret("--client-secret", "INFOBIP_CLIENT_SECRET", "The client's secret"),
    click.option(
        "--api-version",
        type=click.Choice(["1", "4"]),
        default="1",
        show_default=True,
        envvar="INFOBIP_API_VERSION",
        help="The version of the API that is asked, or set INFOBIP_API_VERSION.",
    ),
    click.option(
        "--rate",
        metavar="N/TIME",
        help="The requests that the account may make; 60/60s by default, in version 4 120/60s. "
        "20+10/s is a burst and its refill.",
    ),
    click.option(
        "--limiter",
        type=click.Choice(["host", "process"]),
        help="Who shares the limit: all commands of this user on this host, the default, or none "
        "but this one.",
    ),
    click.option(
        "--redis",
        metavar="URL",
        help="Share the limit with all that use this Redis, or set INFOBIP_REDIS_URL.",
    ),
    click.option(
        "--attempts",
        metavar="N",
        type=int,
        default=8,
        show_default=True,
        help="How often a request is sent, at most, before it has failed.",
    ),
    click.option(
        "--accept",
        type=click.Choice(["json", "xml"]),
        default="json",
        show_default=True,
        help="The form of the answers that is asked for; version 4 has json only.",
    ),
    click.option("--proxy", metavar="URL", help="The address of an HTTP proxy."),
    click.option(
        "--ca-file",
        metavar="FILE",
        help="Certificate authorities to trust beside the system's (PEM).",
    ),
    click.option("-v", "--verbose", count=True, help="Tell more; -vv tells all, with tracebacks."),
)

filter_options = _together(
    click.option("--bulk-id", metavar="ID", multiple=True, help="A bulk; repeatable."),
    click.option("--message-id", metavar="ID", multiple=True, help="A message; repeatable."),
    click.option(
        "--since",
        metavar="TIME",
        help="Sent at this time or later: 2026-01-02T03:04:05Z, or how long ago: 90s, 30m, 2h, "
        "1d. A time without a zone is UTC. Logs are kept for 48 hours.",
    ),
    click.option(
        "--until",
        metavar="TIME",
        help="Sent at this time or earlier, written alike. A time without a zone is UTC.",
    ),
    click.option("--sender", "--from", "sender", metavar="TEXT", help="Sent by."),
    click.option("--destination", "--to", "destination", metavar="TEXT", help="Sent to."),
    click.option(
        "--status",
        metavar="GROUP",
        help=f"A status group: {', '.join(GROUPS)}.",
    ),
    click.option("--campaign", metavar="ID", multiple=True, help="A campaign."),
    click.option("--application-id", metavar="ID", help="The application that it was sent for."),
    click.option("--entity-id", metavar="ID", help="The entity that it was sent for."),
)

output_options = _together(
    click.option(
        "-o",
        "--output",
        metavar="FILE",
        default="-",
        help="Where the logs go, as JSON lines; stdout by default. The file appears at the end; "
        "an interrupted command leaves what it received there.",
    ),
    click.option(
        "--rejects",
        metavar="FILE",
        help="Where records go that can't be decoded; without it the first one is an error.",
    ),
)

id_file_options = _together(
    click.option(
        "--bulk-ids-file",
        metavar="FILE",
        help="Bulk ids, one a line (no comments), UTF-8; - is stdin. An empty file is an error.",
    ),
    click.option("--message-ids-file", metavar="FILE", help="Message ids, likewise."),
)


def _status(text: str | None) -> str | None:
    """Return a status group as the service writes it; doubt one that is not documented."""
    if text is None:
        return None
    group = text.strip().upper()
    if group not in GROUPS:
        say(f"warning: --status {text}: no documented group ({', '.join(GROUPS)})")
    return group


def query(
    given: Mapping[str, Any], *, bulk_id: tuple[str, ...] = (), message_id: tuple[str, ...] = ()
) -> LogsQuery:
    """Return the filters that the options make, and ids."""
    now = datetime.now(UTC)
    return LogsQuery(
        message_id=message_id,
        bulk_id=bulk_id,
        sender=given["sender"],
        destination=given["destination"],
        general_status=_status(given["status"]),
        sent_since=_time(given, "since", now),
        sent_until=_time(given, "until", now),
        limit=given["limit"],
        campaign_reference_id=given["campaign"],
        application_id=given["application_id"],
        entity_id=given["entity_id"],
    )


def _time(given: Mapping[str, Any], option: str, now: datetime) -> datetime | None:
    text = given[option]
    return None if text is None else parse_time(text, now=now, name=f"--{option}")


@attrs.frozen
class Ids:
    """The ids that are asked for, of both kinds; None is not the same as none."""

    bulks: tuple[str, ...] | None
    messages: tuple[str, ...] | None


def ids(given: Mapping[str, Any]) -> Ids:
    """Return the ids that were given as options and in files.

    Raises:
        InvalidInput: A file can't be read, or holds no ids; both are to come from stdin.
    """
    if given["bulk_ids_file"] == given["message_ids_file"] == "-":
        raise InvalidInput("only one of --bulk-ids-file and --message-ids-file can be stdin")
    return Ids(
        _ids_of(given["bulk_id"], given["bulk_ids_file"], "--bulk-ids-file"),
        _ids_of(given["message_id"], given["message_ids_file"], "--message-ids-file"),
    )


def _ids_of(single: tuple[str, ...], path: str | None, option: str) -> tuple[str, ...] | None:
    if path is None:
        return single or None
    name = "stdin" if path == "-" else path
    return (*single, *ids_in(_content(path, option), f"{option}: {name}"))


def _content(path: str, option: str) -> bytes:
    if path == "-" and sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] - <&-
        raise InvalidInput(f"{option}: stdin is closed")
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise InvalidInput(f"{option}: {path!r} can't be read: {reason}") from error


def client(given: Mapping[str, Any]) -> EmailLogsClient:
    """Return the client that the options and the environment make.

    Raises:
        InvalidInput: An option can't be used, or there are no credentials.
    """
    from ..network import Network  # noqa: PLC0415 - --help needs none of this
    from ..retry import RetryPolicy  # noqa: PLC0415
    from .connecting import Connection  # noqa: PLC0415 - it imports aiohttp

    base_url, auth = service(given, os.environ)
    return Connection(
        base_url,
        auth,
        given,
        concurrency=given.get("concurrency", 1),
        retry=RetryPolicy(attempts=given["attempts"]),
        network=Network(proxy=given["proxy"], ca_file=given["ca_file"]),
        api_version=4 if given["api_version"] == "4" else 1,
        accept=given["accept"],
        on_bad_record="raise" if given["rejects"] is None else "keep",
        on_retry=say_retry,
    )


def service(
    given: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[str | None, Auth | OAuth2]:
    """Return the address and the credentials: from arguments, else from the environment.

    Arguments win: the kinds of credentials that they name are the ones looked for, though the
    other half of a user's may come from the environment.
    """
    found = settings.variables(environ)
    named = {
        name: settings.Given(f"--{name.replace('_', '-')}", value)
        for name in settings.VARIABLES
        if (value := given[name]) is not None
    }
    wanted = {part for kind in settings.KINDS if not named.keys().isdisjoint(kind) for part in kind}
    if wanted:
        found = {name: one for name, one in found.items() if name in wanted or name == "base_url"}
    found |= named
    base_url = found.get("base_url")
    return base_url.value if base_url else None, settings.credentials(found)

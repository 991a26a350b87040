"""Version 4 of the API: ``GET /email/4/logs``, and its answers in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ..errors import DecodeError, shown
from ..json_values import is_object
from . import urls
from .documents import Found, records
from .exchange import Request
from .parameters import parameters

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from yarl import URL

    from ..query import LogsQuery
    from .documents import Document
    from .parameters import Parameter

PATH = "/email/4/logs"

NAMES = {
    "message_id": "messageId",
    "sender": "sender",
    "destination": "destination",
    "bulk_id": "bulkId",
    "campaign_reference_id": "campaignReferenceId",
    "sent_since": "sentSince",
    "sent_until": "sentUntil",
    "general_status": "generalStatus",
    "limit": "limit",
    "application_id": "applicationId",
    "entity_id": "entityId",
    "use_cursor": "useCursor",
    "cursor": "cursor",
}
"""Its names of the filters, in the order of version 1's."""

_HEADERS = {"Accept": "application/json"}
"""The one form that its logs are documented in."""


def request(query: LogsQuery, base: URL) -> Request:
    """Return the one request for ``query``, ids joined by commas (API reference, ``messageId``)."""
    return Request(urls.url(base, PATH, parameters(query, NAMES)), _HEADERS)


def request_repeating(query: LogsQuery, base: URL) -> Request:
    """Return the one request for ``query``, each id with the parameter's name before it.

    The API description has it so where it tells the parameter's style; its words and its examples
    have commas.
    """
    return Request(urls.url(base, PATH, _repeated(parameters(query, NAMES))), _HEADERS)


def _repeated(listed: Iterable[Parameter]) -> Iterator[Parameter]:
    return ((name, (value,)) for name, values in listed for value in values)


def askable(query: LogsQuery) -> LogsQuery:
    """Return the part of ``query`` that goes with ids: the rest is for the client to sift.

    Records tell their bulk. So several bulks are not asked for beside other ids: two lists in one
    request may be longer than the service takes, and the client can't tell whether both are kept.
    """
    return attrs.evolve(query, bulk_id=()) if len(query.bulk_id) > 1 else query


def results(body: bytes, page: int, document: Document) -> Generator[None, None, Found]:
    """Return the records of a page, as they were sent, and where the next page begins.

    Args:
        body: The body of the answer.
        page: Which answer of the call it is, for error messages.
        document: Makes a document of the body.

    Raises:
        DecodeError: The answer is no page, or its cursor is none.
    """
    parsed = yield from document(body, page)
    found, told = records(parsed, page), parsed.get("cursor")
    return Found(found, _next_cursor(told, page), tells_next=told is not None)


def _next_cursor(told: Any, page: int) -> str | None:
    """Return where the next page begins; absent, null and empty mean that there is none."""
    if told is None:
        return None
    if not is_object(told):
        raise _no_cursor("$.cursor", told, page)
    following = told.get("nextCursor")
    if following is None or (isinstance(following, str) and _can_be_sent(following)):
        return following or None
    raise _no_cursor("$.cursor.nextCursor", following, page)


def _can_be_sent(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_cursor(path: str, value: Any, page: int) -> DecodeError:
    there = shown(value)
    return DecodeError(
        f"page {page}: {path} is no cursor, but {there}", page=page, path=path, value=there
    )

"""Version 1 of the API: ``GET /email/1/logs``, and its answers in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs

from ..errors import InvalidInput
from . import urls
from .documents import records
from .exchange import Request
from .parameters import parameters

if TYPE_CHECKING:
    from collections.abc import Generator

    from yarl import URL

    from ..query import LogsQuery
    from .documents import Document

Accept = Literal["json", "xml"]

PATH = "/email/1/logs"
NAMES = {
    "message_id": "messageId",
    "sender": "from",
    "destination": "to",
    "bulk_id": "bulkId",
    "campaign_reference_id": "campaignReferenceId",
    "sent_since": "sentSince",
    "sent_until": "sentUntil",
    "general_status": "generalStatus",
    "limit": "limit",
    "application_id": "applicationId",
    "entity_id": "entityId",
}
"""Its names of the filters, in the order of the references' examples."""

_ONE = ("bulk_id", "campaign_reference_id")
"""The filters that take one value in this version."""

_ECHOED = ("bulk_id",)
"""Those of them that the records of this version tell, so that the client can sift by them."""


def request(query: LogsQuery, base: URL, *, accept: Accept = "json") -> Request:
    """Return the one request for ``query``.

    Args:
        query: What is asked.
        base: The address of the service.
        accept: The form that is asked for; whether it is kept, the answer says.

    Raises:
        InvalidInput: The query can't be asked in one request of this version.
    """
    for name in _ONE:
        if len(getattr(query, name)) > 1:
            raise InvalidInput(
                f"version 1 of the API takes one {name} in a request, "
                f"not {len(getattr(query, name))}; ask for each on its own"
            )
    if query.use_cursor:
        raise InvalidInput("version 1 of the API has no cursor; version 4 has")
    asked = urls.url(base, PATH, parameters(query, NAMES))
    return Request(asked, {"Accept": f"application/{accept}"})


def askable(query: LogsQuery) -> LogsQuery:
    """Return the part of ``query`` that one request can ask: the rest is for the client to sift."""
    dropped: dict[str, Any] = {name: () for name in _ECHOED if len(getattr(query, name)) > 1}
    return attrs.evolve(query, **dropped)


def results(body: bytes, page: int, document: Document) -> Generator[None, None, list[Any]]:
    """Return the records of a page, as they were sent.

    Args:
        body: The body of the answer.
        page: Which answer of the call it is, for error messages.
        document: Makes a document of the body.

    Raises:
        DecodeError: The answer is no page.
    """
    return records((yield from document(body, page)), page)

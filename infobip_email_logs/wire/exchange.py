"""A request and its reply, as values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import attrs
from yarl import URL

from ..errors import clip


@attrs.frozen
class Request:
    """What is asked: a URL and headers, without any credential."""

    url: URL
    headers: Mapping[str, str]


@attrs.frozen
class Reply:
    """What came back, read to its end. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = attrs.field(repr=False)


@attrs.frozen
class Notices:
    """What the headers of a reply say beside its body.

    Attributes:
        date: The service's clock, if it told it.
        deprecation: What it says of its own end (``Deprecation`` and ``Sunset``), or nothing.
    """

    date: datetime | None
    deprecation: str | None


def notices(reply: Reply) -> Notices:
    """Read the service's clock and the announcement of its end from a reply."""
    said = [
        f"{name.title()}: {clip(value)}"
        for name in ("deprecation", "sunset")
        if (value := reply.headers.get(name))
    ]
    return Notices(http_date(reply.headers.get("date")), ", ".join(said) or None)


def http_date(text: str | None) -> datetime | None:
    """Return an HTTP date as an aware UTC datetime; None for what is none."""
    if not text:
        return None
    try:
        instant = parsedate_to_datetime(text)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None

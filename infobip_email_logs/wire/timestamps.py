"""Instants on the wire: ``yyyy-MM-dd'T'HH:mm:ss.SSSZ``, with whatever offset the account has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ..moments import MILLISECOND

_MINUTE = timedelta(minutes=1)


def read(text: str) -> datetime:
    """Return the instant that ``text`` names, in UTC.

    Takes ``+0000``, ``+01:00`` and ``Z``, with any fraction or none; what is finer than a
    microsecond is cut.

    Raises:
        ValueError: It is no timestamp, or has no offset.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is UTC:
        return instant
    if instant.tzinfo is None:
        raise ValueError("a timestamp without an offset from UTC")
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a timestamp beyond the calendar") from error


def write(instant: datetime) -> str:
    """Return ``instant``, which holds whole milliseconds, as the service takes it.

    The offset is kept where it is one of whole minutes (``+01:00``), UTC is written ``Z``.
    """
    offset = instant.utcoffset()
    if offset is None or offset % _MINUTE:
        instant = instant.astimezone(UTC)
    text = instant.isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def floor(instant: datetime) -> datetime:
    """Return ``instant`` rounded down to a whole millisecond."""
    return instant - timedelta(microseconds=instant.microsecond % 1000)


def ceil(instant: datetime) -> datetime:
    """Return ``instant`` rounded up to a whole millisecond (at the calendar's end: down)."""
    down = floor(instant)
    try:
        return down if down == instant else down + MILLISECOND
    except OverflowError:
        return down

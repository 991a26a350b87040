"""Points in time as people write them. Pure: ``now`` is an argument."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from ..errors import InvalidInput, clip

_AGO = re.compile(r"(\d{1,9})\s*([smhd])(?:\s+ago)?", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_time(text: str, *, now: datetime, name: str) -> datetime:
    """Return the instant that ``text`` names, in UTC.

    Args:
        text: ISO 8601 (``2026-01-02``, ``2026-01-02T03:04:05.678+01:00``), taken as UTC where it
            names no zone; or how long ago: ``90s``, ``30m``, ``2h``, ``1d``.
        now: What "ago" counts from.
        name: What the text is for, in an error.

    Raises:
        InvalidInput: It names none.
    """
    written = text.strip()
    try:
        if ago := _AGO.fullmatch(written):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        instant = datetime.fromisoformat(written)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{name} must be a time such as 2026-01-02T03:04:05Z, or how long ago it was "
            f"such as 2h, not {clip(repr(text), 60)}"
        ) from None

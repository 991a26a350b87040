"""What a perfect service would return: filters in Python's words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from .records import milliseconds
from .store import Wanted

Values = str | Iterable[str] | None
_MILLISECOND = timedelta(milliseconds=1)


def wanted_fields(**filters: Values) -> dict[str, frozenset[str]]:
    """Return the filters that are given, each as the set of values that it lets through."""
    return {name: _set(values) for name, values in filters.items() if values is not None}


def window(
    since: datetime | None, until: datetime | None, *, since_inclusive: bool, until_inclusive: bool
) -> Wanted:
    """Return a window of ``sent_at``, whose bounds need not be whole milliseconds."""
    wanted = Wanted()
    low = wanted.low if since is None else _ceil(since) if since_inclusive else _after(since)
    high = (
        wanted.high if until is None else _after(until) - 1 if until_inclusive else _before(until)
    )
    return Wanted(low=low, high=high)


def _set(values: str | Iterable[str]) -> frozenset[str]:
    return frozenset((values,) if isinstance(values, str) else values)


def _ceil(instant: datetime) -> int:
    return milliseconds(instant + _MILLISECOND - timedelta(microseconds=1))


def _after(instant: datetime) -> int:
    return milliseconds(instant) + 1


def _before(instant: datetime) -> int:
    return _ceil(instant) - 1

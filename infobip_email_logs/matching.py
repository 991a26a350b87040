"""Does a record answer its query? The service is checked, not believed. Pure."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import attrs

from .moments import MILLISECOND
from .wire import timestamps

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from datetime import datetime

    from .models import EmailLog, LogsPage
    from .query import LogsQuery

Test = tuple[str, "Callable[[EmailLog], bool]"]


def broken_filter(
    query: LogsQuery, *, unasked: Collection[str] = (), wider: timedelta = MILLISECOND
) -> Callable[[EmailLog], str | None]:
    """Return a function that names the first filter of ``query`` that a record breaks, or None.

    Args:
        query: What is wanted.
        unasked: The filters that the service was not asked to keep.
        wider: By how much the window that was asked for begins earlier than that of ``query``.

    A field that a record does not have breaks nothing, unless the service was not asked to filter
    by it. How the service compares addresses is not
    documented, so that a sender or a recipient breaks its filter only if neither of the two texts
    holds the other, whatever their case.
    """
    tests = tuple(_tests(query, wider))

    def broken(log: EmailLog) -> str | None:
        broken = next((name for name, holds in tests if not holds(log)), None)
        return broken or next((name for name in unasked if _value(log, name) is None), None)

    return broken


def sift(page: LogsPage, query: LogsQuery) -> LogsPage:
    """Return the page with the records that keep ``query``, and a count of those that break it.

    Where some records break a filter, those without its field are not taken for keeping it.
    """
    broken = broken_filter(query, wider=timedelta(0))
    names = [broken(log) for log in page.logs]
    ignored = frozenset(name for name in names if name)
    if not ignored:
        return page
    for place, log in enumerate(page.logs):
        names[place] = names[place] or next((n for n in ignored if _value(log, n) is None), None)
    kept = tuple(log for log, name in zip(page.logs, names, strict=True) if not name)
    return attrs.evolve(
        page,
        logs=kept,
        contradictions=dict(Counter(name for name in names if name)),
        left_out=tuple(log for log, name in zip(page.logs, names, strict=True) if name),
    )


def _value(log: EmailLog, name: str) -> object:
    """Return what a filter looks at."""
    if name == "general_status":
        return log.status and log.status.group_name
    return log.sent_at if name in ("sent_since", "sent_until") else getattr(log, name)


def _tests(query: LogsQuery, wider: timedelta) -> Iterator[Test]:
    for name in ("message_id", "bulk_id", "campaign_reference_id"):
        if values := frozenset(getattr(query, name)):
            yield name, _is_one_of(name, values)
    for name in ("application_id", "entity_id"):
        if value := getattr(query, name):
            yield name, _is_one_of(name, frozenset((value,)))
    for name in ("sender", "destination"):
        if value := getattr(query, name):
            yield name, _resembles(name, value.casefold())
    if query.general_status:
        yield "general_status", _has_status(query.general_status.casefold())
    if query.sent_since:
        yield "sent_since", _not_before(timestamps.floor(query.sent_since), wider)
    if query.sent_until:
        yield "sent_until", _not_after(timestamps.ceil(query.sent_until))


def _is_one_of(name: str, values: frozenset[str]) -> Callable[[EmailLog], bool]:
    def holds(log: EmailLog) -> bool:
        value = getattr(log, name)
        return value is None or value in values

    return holds


def _resembles(name: str, wanted: str) -> Callable[[EmailLog], bool]:
    def holds(log: EmailLog) -> bool:
        value = getattr(log, name)
        return value is None or wanted in (shown := value.casefold()) or shown in wanted

    return holds


def _has_status(wanted: str) -> Callable[[EmailLog], bool]:
    def holds(log: EmailLog) -> bool:
        name = log.status.group_name if log.status else None
        return name is None or name.casefold() == wanted

    return holds


def _not_before(since: datetime, wider: timedelta) -> Callable[[EmailLog], bool]:
    """A time without milliseconds may be cut to the second that a window begins in.

    Not where the second is asked for only because the request is wider than the window.
    """
    second = since.replace(microsecond=0)
    earliest = second if since - second > wider else since

    def holds(log: EmailLog) -> bool:
        at = log.sent_at
        return at is None or at >= since or (at >= earliest and not at.microsecond)

    return holds


def _not_after(until: datetime) -> Callable[[EmailLog], bool]:
    return lambda log: log.sent_at is None or log.sent_at <= until

"""The trace of a request."""

from __future__ import annotations

import attrs

from .faults import Fault


@attrs.frozen(kw_only=True)
class Arrival:
    """A request, as it met the service.

    Attributes:
        at: When it arrived, in the loop's time.
        method: The HTTP method.
        path: The path.
        query: The query string, as received.
        version: The version of the API, or None for another path.
        connection: The number of the connection that it came on, from 1.
        accept: The ``Accept`` header.
        authorized: Whether its credentials were good.
        throttled: Whether a limit turned it away.
        status: The status answered; None when the connection was reset instead.
        records: How many records the answer holds.
        error: Why the service refused it; empty when it did not.
        unknown_parameters: Names in the query that mean nothing to the version.
        fault: The fault that it met, if any.
    """

    at: float
    method: str
    path: str
    query: str
    version: int | None
    connection: int
    accept: str
    authorized: bool
    throttled: bool
    status: int | None
    records: int
    error: str
    unknown_parameters: tuple[str, ...]
    fault: Fault | None

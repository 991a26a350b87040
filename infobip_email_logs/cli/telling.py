"""What people are told: one line each, on stderr, never in the way of the records."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ..report import PullPlan, PullReport
    from ..retry import Retry

NAME = "infobip-email-logs"

FEW = 5
"""The ids that are named; all of them are in the report."""


def say(text: str) -> None:
    """Write one line to stderr, if anybody reads it; control characters are made visible."""
    line = "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in text)
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{NAME}: {line}\n")
        sys.stderr.flush()


def say_error(error: BaseException | str) -> None:
    """Tell what went wrong."""
    say(f"error: {error}" if str(error) else f"error: {type(error).__name__}")


def say_retry(retry: Retry) -> None:
    """Tell that a request failed and is tried again."""
    say(f"attempt {retry.attempt} failed: {retry.error}; again in {retry.wait:.1f} s")


def say_absent(report: PullReport) -> None:
    """Name the ids without a log that matches, a few of them."""
    for ids, what in (
        (report.missing_ids, "without a log that matches"),
        (report.unconfirmed_ids, "without a log so far, though not proven to have none"),
    ):
        if ids:
            say(f"{len(ids)} {'id' if len(ids) == 1 else 'ids'} {what}: {_few(ids)}")


def _few(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - FEW} more" if len(ids) > FEW else ""
    return ", ".join(ids[:FEW]) + more


def summary(report: PullReport) -> str:
    """Return what a pull did, in a line."""
    return (
        f"{report.records} logs, {report.requests} requests, {report.throttled} times throttled, "
        f"{report.retries} retries, {report.seconds:.1f} s"
    )


def expectation(plan: PullPlan) -> str:
    """Return what a pull would cost, in a line."""
    how = "asking for the ids" if plan.strategy == "by_id" else "going through the window"
    requests = "1 request" if plan.requests == 1 else f"{plan.requests} requests"
    return f"about {requests}{_time(plan.seconds)}, {how}"


def _time(seconds: float | None) -> str:
    """Return how long something takes at least, if that is long."""
    return f", {seconds / 60:.0f} minutes at least" if seconds else ""


@contextlib.contextmanager
def warnings_told(verbose: int) -> Generator[None]:
    """Tell the warnings that the package logs; from ``-vv`` on everything that it logs."""
    logger = logging.getLogger("infobip_email_logs")
    ear = _Ear(logging.DEBUG if verbose > 1 else logging.WARNING)
    before = logger.level
    logger.addHandler(ear)
    if verbose > 1:
        logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.removeHandler(ear)
        logger.setLevel(before)


class _Ear(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Tell a record in the words of this command."""
        say(f"{record.levelname.lower()}: {record.getMessage()}")

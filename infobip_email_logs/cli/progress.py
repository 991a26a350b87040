"""A bar that shows how a pull comes on, for people at a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from rich.progress import Progress

    from ..models import EmailLog
    from ..pull import Pull
    from .options import Ids

EVERY = 0.2
"""Seconds between two looks at the numbers."""


def on_terminal() -> bool:
    """Say whether somebody watches stderr."""
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):
        return False


@contextlib.asynccontextmanager
async def shown(stream: Pull, ids: Ids) -> AsyncGenerator[Callable[[EmailLog], None]]:
    """Show a bar while the context lasts, where somebody watches; yield what counts a log."""
    if not on_terminal():
        yield _uncounted
        return
    with _bar() as bar:
        count = _Count(bar, stream, ids)
        ticking = asyncio.create_task(count.keep_showing())
        try:
            yield count
        finally:
            ticking.cancel()


def _uncounted(_log: EmailLog) -> None:
    """Nobody watches."""


def _bar() -> Progress:
    """Return the bar. It goes when the pull is over; lines on stderr meanwhile stand above it."""
    from rich.console import Console  # noqa: PLC0415 - only people need it
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    return Progress(
        SpinnerColumn(),
        BarColumn(bar_width=24),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        redirect_stdout=False,
        transient=True,
    )


class _Count:
    """Counts logs and the ids that they answer, and shows it now and then."""

    def __init__(self, bar: Progress, stream: Pull, ids: Ids) -> None:
        self._bar = bar
        self._stream = stream
        self._field = "message_id" if ids.messages is not None else "bulk_id"
        wanted = ids.messages if ids.messages is not None else ids.bulks
        self._wanted = None if wanted is None else len(set(wanted))
        self._answered: set[str] = set()
        self._row = bar.add_task("asking", total=self._wanted)

    def __call__(self, log: EmailLog) -> None:
        if self._wanted is not None:
            self._answered.add(getattr(log, self._field))

    async def keep_showing(self) -> None:
        """Show how it stands, now and then: there may be requests for long and no log."""
        while True:
            self._show()
            await asyncio.sleep(EVERY)

    def _show(self) -> None:
        report = self._stream.report
        ids = len(self._answered) + len(report.missing_ids)
        self._bar.update(
            self._row,
            completed=ids,
            description=f"{f'{ids}/{self._wanted} ids, ' if self._wanted is not None else ''}"
            f"{report.records} logs, {report.requests} requests, {report.throttled} throttled",
        )

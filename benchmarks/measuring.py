"""One call, measured where it arrives: how many requests it made, and whether all of it came."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import attrs
from service_process import Service

from infobip_email_logs import ApiKey, EmailLogsClient, EmailLogsError, Pull, TimeLimit
from infobip_email_logs.sandbox import Settings

AMPLE = TimeLimit(100_000, per=60)
"""A limit that no benchmark of requests waits for."""

Call = Callable[[EmailLogsClient], Pull]


def unlimited(**settings: Any) -> Settings:
    """Return settings of a service without a limit."""
    return Settings(v1_limits=(), v4_limits=(), **settings)


@attrs.frozen
class Cost:
    """What a call came to.

    Attributes:
        requests: The requests that arrived.
        wrong: What is wrong with the logs that it delivered; empty when nothing is.
    """

    requests: int
    wrong: str = ""


@attrs.frozen
class Result:
    """One line of the table.

    Attributes:
        name: What was measured.
        measured: The figure.
        limit: What it may be at most; None when it is reported only.
        wrong: What is wrong apart from the figure; empty when nothing is.
        note: What else there is to know.
    """

    name: str
    measured: float
    limit: float | None = None
    wrong: str = ""
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether it is as it should be."""
        return not self.wrong and (self.limit is None or self.measured <= self.limit)


@attrs.frozen
class Row:
    """A case that can be chosen by its name.

    Attributes:
        name: The name.
        run: Measures it, in one line or several.
    """

    name: str
    run: Callable[[], Sequence[Result]]


def beside_peers(name: str, run: Callable[[], list[Result]]) -> Row:
    """Return a row that says so where a peer is not installed."""

    def guarded() -> list[Result]:
        try:
            return run()
        except ModuleNotFoundError as missing:
            return [Result(name, float("nan"), wrong=f"not installed: {missing.name}")]

    return Row(name, guarded)


def least(rounds: int, *works: Callable[[], object]) -> list[float]:
    """Return the processor's seconds of each of some works, the least of so many rounds of all."""
    seconds = [math.inf] * len(works)
    for _ in range(rounds):
        for number, work in enumerate(works):
            begin = time.process_time()
            work()
            seconds[number] = min(seconds[number], time.process_time() - begin)
    return seconds


def client(there: Service, **options: Any) -> EmailLogsClient:
    """Return a client that waits for no limit."""
    return EmailLogsClient(there.url, ApiKey(there.api_key), limit=AMPLE, **options)


def cost(there: Service, call: Call, truth: Sequence[str], **options: Any) -> Cost:
    """Make a call with a new client, and compare what it delivers with the truth.

    Args:
        there: The service.
        call: Begins a pull.
        truth: The message ids that it has to deliver, each as often as it occurs here.
        **options: Options of the client.
    """
    before, _ = there.counts()
    delivered, error = asyncio.run(_delivered(there, call, options))
    after, _ = there.counts()
    return Cost(after - before, error or difference(delivered, truth))


async def _delivered(
    there: Service, call: Call, options: dict[str, Any]
) -> tuple[list[str | None], str]:
    """Return the message ids that a pull delivers, and the error that ends it."""
    delivered: list[str | None] = []
    try:
        async with client(there, **options) as asked, call(asked) as pull:
            async for log in pull:
                delivered.append(log.message_id)  # noqa: PERF401 - what came stays after an error
    except EmailLogsError as error:
        return delivered, f"{type(error).__name__}: {error}"
    return delivered, "" if pull.report.complete else "the report says that it is not complete"


def difference(delivered: Sequence[str | None], truth: Sequence[str]) -> str:
    """Tell how the delivered ids differ from those that are true; empty when they do not."""
    came, due = Counter(delivered), Counter[str | None](truth)
    missing, surplus = (due - came).total(), (came - due).total()
    return f"{missing} missing, {surplus} too many" if missing or surplus else ""

"""A sandbox in a process of its own, so that it costs the measured one nothing."""

import asyncio
import hashlib
import multiprocessing
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import reduce
from multiprocessing.connection import Connection
from random import Random
from typing import Any

import attrs

from infobip_email_logs.sandbox import Sandbox

SLICE = timedelta(hours=1)
SLICES = 50
"""The truth is looked at slice by slice, so that it needs no memory for all of it at once."""


@attrs.frozen
class Digest:
    """A fingerprint of message ids, each counted as often as it occurs, in any order.

    Attributes:
        count: How many there are.
        total: The sum of what each of them hashes to.
    """

    count: int = 0
    total: int = 0

    def with_id(self, message_id: str | None) -> "Digest":
        """Return the fingerprint with one id more."""
        told = hashlib.blake2b((message_id or "").encode(), digest_size=8).digest()
        return Digest(self.count + 1, (self.total + int.from_bytes(told, "big")) % (1 << 64))


@attrs.frozen
class Service:
    """Where a sandbox listens, and what it tells of itself.

    Attributes:
        url: Its base URL.
        api_key: A key that it accepts.
        start: Its clock when it was made; the traffic lies before.
        pipe: Where it is asked.
    """

    url: str
    api_key: str
    start: datetime
    pipe: Any

    def counts(self) -> tuple[int, int]:
        """Return the requests that arrived, and how many of them met the limit."""
        arrivals, throttled = self._ask("counts")
        return arrivals, throttled

    def asked(self) -> list[str]:
        """Return the paths and queries of the requests that arrived, in their order."""
        return list(self._ask("asked"))

    def bulk_ids(self) -> list[str]:
        """Return the ids of all bulks."""
        return list(self._ask("bulk_ids"))

    def message_ids(self, count: int, *, seed: int = 1) -> list[str]:
        """Return so many of the message ids, drawn from all of them."""
        return list(self._ask("message_ids", count, seed))

    def truth(self, **filters: Any) -> list[str]:
        """Return the message ids that match, as ``Sandbox.matching`` has it, in their order."""
        return list(self._ask("truth", filters))

    def digest(self) -> Digest:
        """Return the fingerprint of all that can be seen."""
        digest: Digest = self._ask("digest")
        return digest

    def set(self, **settings: Any) -> None:
        """Change settings."""
        self._ask("set", settings)

    def _ask(self, *question: Any) -> Any:
        self.pipe.send(question)
        answer = self.pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


@contextmanager
def service(**options: Any) -> Iterator[Service]:
    """Run a sandbox with these options until the context is left."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_main, args=(theirs, options), daemon=True)
    process.start()
    theirs.close()
    try:
        url, api_key, start = ours.recv()
        yield Service(url, api_key, start, ours)
    finally:
        ours.close()
        process.join(10)


def _main(pipe: Connection, options: dict[str, Any]) -> None:
    asyncio.run(_run(pipe, options))


async def _run(pipe: Connection, options: dict[str, Any]) -> None:
    start = datetime.now(UTC)
    async with Sandbox(now=start, **options) as sandbox:
        pipe.send((sandbox.url, sandbox.credentials.api_key, start))
        inside = _Inside(sandbox)
        while question := await asyncio.to_thread(_received, pipe):
            pipe.send(inside.answer(*question))


def _received(pipe: Connection) -> Any:
    """Return the next question; None when nobody asks any more."""
    try:
        return pipe.recv()
    except EOFError:
        return None


class _Inside:
    """Answers, in the sandbox's process, what a :class:`Service` asks."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def answer(self, name: str, *arguments: Any) -> Any:
        """Return the answer to a question, or the error that came of it."""
        try:
            return getattr(self, name)(*arguments)
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked
            return error

    def counts(self) -> tuple[int, int]:
        return len(self._sandbox.arrivals), self._sandbox.throttled

    def asked(self) -> list[str]:
        return [f"{arrival.path}?{arrival.query}" for arrival in self._sandbox.arrivals]

    def bulk_ids(self) -> list[str]:
        return self._sandbox.bulk_ids

    def message_ids(self, count: int, seed: int) -> list[str | None]:
        records = self._sandbox.records
        chosen = Random(seed).sample(range(len(records)), count)
        return [records[at].message_id for at in chosen]

    def truth(self, filters: dict[str, Any]) -> list[str]:
        return sorted(record.message_id or "" for record in self._sandbox.matching(**filters))

    def digest(self) -> Digest:
        return reduce(Digest.with_id, self._all_ids(), Digest())

    def set(self, settings: dict[str, Any]) -> None:
        for name, value in settings.items():
            if not hasattr(self._sandbox.settings, name):
                raise AttributeError(f"there is no setting {name!r}")
            setattr(self._sandbox.settings, name, value)

    def _all_ids(self) -> Iterable[str | None]:
        """Yield the ids of all that can be seen, slice by slice."""
        end = self._sandbox.now() + SLICE
        for number in range(SLICES):
            until = end - number * SLICE
            found = self._sandbox.matching(
                sent_since=until - SLICE,
                sent_until=until,
                since_inclusive=True,
                until_inclusive=False,
            )
            yield from (record.message_id for record in found)

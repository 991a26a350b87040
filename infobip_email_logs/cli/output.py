"""Where records go: a file that appears whole, or a stream that may be slow, or go away.

A file is written beside its place and put there at the end: nobody reads half of one, and what
was there stays where a command fails before it received anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import stat
import sys
from pathlib import Path
from typing import Any, Protocol

from ..errors import InvalidInput

PIECE = getattr(select, "PIPE_BUF", 512)
"""The bytes that a pipe takes at once, when it says that it takes any."""


def line(record: dict[str, Any]) -> bytes:
    """Return a record as one line of JSON; a lone surrogate, which UTF-8 lacks, as an escape."""
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace") + b"\n"


class Output(Protocol):
    """Somewhere to write to."""

    async def write(self, content: bytes) -> None:
        """Write all of ``content``; cancelled meanwhile, the next call begins with the rest."""

    def close(self, *, keep: bool) -> None:
        """Write no more; a file is put in its place if ``keep``, or if anything was written."""


def opened(path: str, option: str) -> Output:
    """Return the output called ``path``: stdout for ``-``.

    Raises:
        InvalidInput: It can't be written.
    """
    try:
        if path == "-":
            return StreamOutput(_stdout())
        place = Path(path).resolve()
        if place.exists() and not place.is_file():
            return StreamOutput(os.open(place, os.O_WRONLY | os.O_APPEND), ours=True)
        return FileOutput(place)
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise InvalidInput(f"{option}: {path!r} can't be written: {reason}") from error


def _stdout() -> int:
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison] - started with >&-
        raise ValueError("it is closed")
    return sys.stdout.fileno()


class FileOutput:
    """A file that appears in its place at the end."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._part = place.with_name(f"{place.name}.{os.getpid()}.part")
        self._file = self._part.open("xb", buffering=0)
        self._size = 0
        if place.exists():
            if not os.access(place, os.W_OK):
                self.close(keep=False)
                raise PermissionError(13, os.strerror(13))
            self._part.chmod(stat.S_IMODE(place.stat().st_mode))

    async def write(self, content: bytes) -> None:
        """Write all of ``content``: a disk does not make one wait for long."""
        rest = memoryview(content)
        while rest:
            written = self._file.write(rest)
            self._size += written
            rest = rest[written:]

    def close(self, *, keep: bool) -> None:
        """Put the file in its place, or leave no trace of it."""
        self._file.close()
        if keep or self._size:
            self._part.replace(self._place)
        else:
            self._part.unlink()


class StreamOutput:
    """A pipe, a terminal, a device: the event loop goes on while it takes nothing."""

    def __init__(self, descriptor: int, *, ours: bool = False) -> None:
        self._descriptor = descriptor
        self._ours = ours
        self._patient = sys.platform == "win32" or stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._rest = bytearray()

    async def write(self, content: bytes) -> None:
        """Write all of ``content``, as the reader takes it."""
        self._rest += content
        while self._rest:
            piece = len(self._rest) if self._patient else PIECE
            if not self._patient and not self._takes_any():
                await self._until_taken()
            with contextlib.suppress(BlockingIOError):
                del self._rest[: os.write(self._descriptor, self._rest[:piece])]

    def _takes_any(self) -> bool:
        return bool(select.select([], [self._descriptor], [], 0)[1])

    async def _until_taken(self) -> None:
        loop = asyncio.get_running_loop()
        taken = loop.create_future()
        loop.add_writer(self._descriptor, _arrive, taken)
        try:
            await taken
        finally:
            loop.remove_writer(self._descriptor)

    def close(self, *, keep: bool) -> None:
        """Leave the stream; what was written is gone."""
        del keep
        if self._ours:
            os.close(self._descriptor)


def _arrive(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

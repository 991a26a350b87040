"""The limit, shared by all processes of one user on one host; no service is needed.

The ledger is a row of a small SQLite file in the user's cache folder. SQLite locks it, also
against processes that are killed, and a thread waits for it, so the event loop never does. Its
clock is the monotonic one, which all processes of a host share and nobody can set; after a
restart of the host it begins anew, and the ledger goes on from where it was.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import platform
import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from .bucket import LIMIT_V1
from .errors import LimiterUnavailable
from .ledger import Held, Ledger, Member
from .lesson import Lesson
from .messages import Answer, Message, Terms
from .patience import above_zero
from .quiet import Quiet
from .shared_limiter import SharedLimiter
from .turns import Turns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .bucket import Limit

logger = logging.getLogger("infobip_email_logs")

PATIENCE = 10.0
"""Seconds for which others may lock the file; each of them needs about a thousandth of one."""

FORMAT = 1
"""The version of what stands in the file; another one is another file."""


class HostLimiter(SharedLimiter):
    """Keeps an account's limit for all processes of one user on this host.

    What is promised, what a 429 does and what a priority is, is in :class:`SharedLimiter`.
    Processes that share it name the same account, keep the same limits and use the same folder.
    Close it, or use it as an async context manager, so that the others need not wait until it
    counts as gone.

    Args:
        limits: One limit, several that must all agree, or their text: ``60/60s, 20+10/s``; 60 a
            minute by default.
        key: Names the account and the version of the API, as
            :func:`~infobip_email_logs.account_key` does; only a hash of it is written.
        folder: Where the file is; ``infobip_email_logs`` in the user's cache folder when None.
        patience: The seconds for which others may lock the file; then it can't be used.
        max_pause: The longest silence, in seconds, that a 429 may ask for.

    Raises:
        InvalidInput: The limits can't be kept.
    """

    def __init__(
        self,
        limits: Limit | str | Iterable[Limit] = LIMIT_V1,
        *,
        key: str,
        folder: str | os.PathLike[str] | None = None,
        patience: float = PATIENCE,
        max_pause: float = 300.0,
    ) -> None:
        path = Path(folder or cache_folder(os.environ)) / file_name(key)
        book = _File(path, above_zero("patience", patience))
        super().__init__(book, limits, max_pause=max_pause)
        self.path = path


def cache_folder(environ: Any) -> Path:
    """Return this package's folder in the cache folder of the user, as the platform has it."""
    if sys.platform == "win32":
        base = environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        named = environ.get("XDG_CACHE_HOME", "")
        base = named if named.startswith("/") else Path.home() / ".cache"  # as its standard says
    return Path(base) / "infobip_email_logs"


def file_name(key: str) -> str:
    """Return the name of the file for an account on this host.

    A home folder may be shared by several hosts, whose monotonic clocks differ: each has its own.
    """
    told = hashlib.sha256(json.dumps([FORMAT, key, platform.node()]).encode()).hexdigest()
    return f"limit-{told[:32]}.sqlite3"


_BROKEN = (sqlite3.DatabaseError, ValueError, LookupError, TypeError)
"""What comes of a file that holds no ledger. An operational error says that it can't be used."""


class _File:
    """A ledger in a file."""

    def __init__(self, path: Path, patience: float) -> None:
        self._path = path
        self._patience = patience
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="infobip_email_logs limit")
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    async def tell(self, message: Message) -> Answer:
        """Give the ledger a message, and return its answer."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._tell, message)

    async def close(self) -> None:
        """Close the file."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    def _tell(self, message: Message) -> Answer:
        try:
            try:
                return self._written(message)
            except _BROKEN as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                logger.warning("%s was broken (%s): it is begun anew", self._path, error)
                self._discard()
                return self._written(message, broken=True)
        except (sqlite3.Error, OSError) as error:
            self._disconnect()
            raise LimiterUnavailable(
                f"the file of the shared limit, {self._path}, can't be used: {error}"
            ) from error

    def _written(self, message: Message, *, broken: bool = False) -> Answer:
        """Take the message into the ledger, in one transaction."""
        connection = self._connected()
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            row = connection.execute("SELECT ledger FROM ledger").fetchone()
            clock = time.monotonic_ns() // 1000
            ledger = from_json(row[0]) if row else Ledger(since=clock, last=clock)
            if broken:
                ledger.empty(clock, message)
            answer = ledger.tell(clock, message, at_least=clock)
            connection.execute("INSERT OR REPLACE INTO ledger VALUES (1, ?)", (to_json(ledger),))
        return answer

    def _connected(self) -> sqlite3.Connection:
        """Return a connection to the file that is there now: somebody may have removed it."""
        if self._connection and not self._is_there():
            self._disconnect()
        if not self._connection:
            self._create()
            self._connection = sqlite3.connect(
                self._path, timeout=self._patience, isolation_level=None
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS ledger (one INTEGER PRIMARY KEY, ledger TEXT NOT NULL)"
            )
        return self._connection

    def _is_there(self) -> bool:
        try:
            return os.stat(self._path).st_ino == self._inode  # noqa: PTH116 - once a message
        except FileNotFoundError:
            return False

    def _create(self) -> None:
        """Create the file where it is not there, readable by nobody else."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            self._inode = os.fstat(file).st_ino
        finally:
            os.close(file)

    def _discard(self) -> None:
        """Remove a file that can't be read, whatever broke it."""
        self._disconnect()
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            connection.close()


def to_json(ledger: Ledger) -> str:
    """Return a ledger as text."""
    told: dict[str, Any] = {name: getattr(ledger, name) for name in _FIELDS}
    told["held"] = [attrs.astuple(one, recurse=False) for one in ledger.held]
    told["members"] = {name: attrs.astuple(one) for name, one in ledger.members.items()}
    for name in ("turns", "quiet", "lesson"):
        told[name] = told[name] and attrs.asdict(told[name])
    return json.dumps(told, separators=(",", ":"))


_FIELDS = [field.name for field in attrs.fields(Ledger)]


def from_json(text: str) -> Ledger:
    """Return the ledger of a text.

    Raises:
        ValueError, TypeError, LookupError: It is none.
    """
    told: dict[str, Any] = dict(json.loads(text))
    told["held"] = [Held(*one) for one in told["held"]]
    told["members"] = {name: _member(*one) for name, one in told["members"].items()}
    told["turns"], told["quiet"] = Turns(**told["turns"]), Quiet(**told["quiet"])
    told["lesson"] = told["lesson"] and Lesson(**told["lesson"])
    return Ledger(**told)


def _member(spoke: int, until: int, back: int, terms: list[list[Any]], said: int) -> Member:
    return Member(spoke, until, back, tuple(Terms(*one) for one in terms), said)

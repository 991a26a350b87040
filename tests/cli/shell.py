"""Runs the command line, here or as a process of its own, against a sandbox in a thread."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

import attrs
import pytest
from credentials import KEY, accepted
from watch import WATCH

from infobip_email_logs.cli.commands import run
from infobip_email_logs.sandbox import Sandbox, Settings, TimeWindow, Traffic

PROGRAM = (sys.executable, "-m", "infobip_email_logs")
NOWHERE = "http://127.0.0.1:1"
GENEROUS = ("--rate", "1000/s")


@attrs.frozen
class Told:
    """What a command left."""

    code: int
    out: bytes
    err: str

    @property
    def logs(self) -> list[dict[str, Any]]:
        """The JSON lines on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


@contextmanager
def served(traffic: Traffic | None = None, settings: Settings | None = None) -> Iterator[Sandbox]:
    """Run a sandbox in a thread, so that commands can run in this one."""
    settings = settings or Settings(v1_limits=(TimeWindow(1000, 1.0),))
    sandbox = Sandbox(traffic=traffic, settings=settings, credentials=accepted())
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(sandbox.__aenter__(), loop).result()
        try:
            yield sandbox
        finally:
            asyncio.run_coroutine_threadsafe(sandbox.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def environment(url: str, **more: str) -> dict[str, str]:
    """Return the variables of this process with the sandbox's, and no other of the service's."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("I")}
    return others | {"INFOBIP_BASE_URL": url, "INFOBIP_API_KEY": KEY} | more


def here(
    capfd: pytest.CaptureFixture[str],
    url: str,
    *arguments: str,
    env: Mapping[str, str] | None = None,
) -> Told:
    """Run a command in this process; what it leaves holds no key and no traceback."""
    with mock.patch.dict(os.environ, environment(url) if env is None else env, clear=True):
        code = run(arguments)
    out, err = capfd.readouterr()
    return checked(Told(code, out.encode("utf-8", "surrogateescape"), err))


def process(url: str, *arguments: str, stdin: bytes = b"") -> Told:
    """Run a command as a process of its own."""
    done = subprocess.run(
        [*PROGRAM, *arguments], input=stdin, env=environment(url), capture_output=True, check=False
    )
    return checked(Told(done.returncode, done.stdout, done.stderr.decode()))


@contextmanager
def started(url: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command as a process of its own; it is gone in the end."""
    with subprocess.Popen(
        [*PROGRAM, *arguments],
        env=environment(url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def ended(running: subprocess.Popen[bytes]) -> Told:
    """Return what a started command leaves."""
    out, err = running.communicate(timeout=40)
    return checked(Told(running.returncode, out or b"", err.decode()))


def checked(told: Told) -> Told:
    """Return it, if it tells no secret and is no traceback."""
    WATCH.look("what a command tells", told.err.encode() + told.out)
    assert "Traceback" not in told.err
    return told

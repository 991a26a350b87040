"""What every test here lives in: virtual time, and nobody left behind."""

import asyncio
import faulthandler
import gc
import inspect
import io
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType, SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import pytest_asyncio
from aiohttp import ClientResponse
from aioresponses import aioresponses
from hypothesis import settings
from redis_server import serving, settle
from virtual_time import VirtualTimeLoop
from watch import WATCH

pytest_plugins = ["leaks"]

REAL_SECONDS = 60.0
"""How long one test may take on the clock on the wall."""

LEFT_BEHIND = ("was destroyed", "never retrieved", "Unclosed", "Exception in callback")
"""What asyncio and aiohttp only log when something was dropped on the floor."""


settings.register_profile("patient", deadline=None)
settings.load_profile("patient")  # a busy machine is no failure; what hangs is seen to below


class HangError(BaseException):
    """A test took too long; not an Exception, lest the code under test swallow it."""


class MendedResponse(ClientResponse):
    """A response with what aioresponses does not give and aiohttp 3.14 asks for."""

    def __init__(self, *args: Any, **options: Any) -> None:
        if "stream_writer" in inspect.signature(ClientResponse.__init__).parameters:
            options.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(*args, **options)


class MendedService(aioresponses):
    """An aioresponses that answers with responses of today's aiohttp."""

    def add(self, *args: Any, **options: Any) -> None:
        """Say what the service answers."""
        super().add(*args, **{"response_class": MendedResponse, **options})


def pytest_collection_finish() -> None:
    """Leave what was imported out of the collections between tests, which makes them quick."""
    gc.collect()
    gc.freeze()


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Give every asynchronous test virtual time, unless it is marked otherwise."""
    if item.get_closest_marker("real_time"):
        return {"real": asyncio.SelectorEventLoop}
    return {"virtual": VirtualTimeLoop}


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    """Fail a test that hangs, with the stacks of all its threads and tasks."""
    before = signal.signal(signal.SIGALRM, _too_late)
    signal.setitimer(signal.ITIMER_REAL, REAL_SECONDS, 5.0)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def _too_late(_number: int, _frame: FrameType | None) -> None:
    faulthandler.dump_traceback(sys.__stderr__ or 2)
    raise HangError(f"more than {REAL_SECONDS} s; the tasks:\n{_stacks()}")


def _stacks() -> str:
    text = io.StringIO()
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:  # No loop is running.
        return "none"
    for task in tasks:
        task.print_stack(file=text)
    return text.getvalue()


@pytest.fixture(autouse=True)
def _silence(_in_time: None) -> Iterator[None]:
    """Fail a test after which asyncio or aiohttp complain, once its loop is closed."""
    with _complaints() as complaints:
        yield
        WATCH.settle()  # Errors hold frames, and frames hold what may have been left behind.
        gc.collect()
    if complaints:
        pytest.fail("\n".join(complaints), pytrace=False)


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """Collect what asyncio and aiohttp say was left behind."""
    ear = _Ear()
    loggers = [logging.getLogger(name) for name in ("asyncio", "aiohttp")]
    for logger in loggers:
        logger.addHandler(ear)
    yield ear.heard
    for logger in loggers:
        logger.removeHandler(ear)


class _Ear(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if any(words in record.getMessage() for words in LEFT_BEHIND):
            self.heard.append(self.format(record))


@pytest.fixture(autouse=True)
def _tidy(_silence: None, request: pytest.FixtureRequest) -> None:
    """Look for tasks left behind, where there can be any."""
    if pytest_asyncio.is_async_test(request.node):
        request.getfixturevalue("_no_tasks")


@pytest.fixture
async def _no_tasks() -> AsyncIterator[None]:
    """Fail a test that leaves tasks behind; looks after all other fixtures are gone."""
    yield
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        pytest.fail("\n".join(["Tasks were left behind:", *map(repr, left)]), pytrace=False)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a Redis server: that of REDIS_URL, or of one for these tests."""
    if named := os.environ.get("REDIS_URL"):
        yield named
        return
    with serving(tmp_path_factory.mktemp("redis")) as server:
        settle(server.url)
        yield server.url


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the user's cache folder out of it."""
    with mock.patch.dict(os.environ, XDG_CACHE_HOME=str(tmp_path_factory.mktemp("cache"))):
        yield


@pytest.fixture
def service() -> Iterator[aioresponses]:
    """Stand in for the service: `service.get(url, payload=…)` says what it answers."""
    with MendedService() as answers:
        yield answers

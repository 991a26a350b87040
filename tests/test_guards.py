"""The suite notices what a test leaves behind, and a test that never ends."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

CARELESS = """
import asyncio, gc, logging, threading
import aiohttp, pytest

async def fail():
    raise ValueError("nobody asked")

async def test_task_left():
    asyncio.create_task(asyncio.sleep(3600)).set_name("left")
    await asyncio.sleep(0)

async def test_never_retrieved():
    asyncio.create_task(fail())
    await asyncio.sleep(1)

async def test_session_left_open():
    aiohttp.ClientSession()

async def test_callback_that_fails():
    asyncio.get_running_loop().call_later(1, lambda: 1 / 0)
    await asyncio.sleep(2)

async def test_hang_waiting():
    await asyncio.Event().wait()

async def test_hang_busy():
    while True:
        await asyncio.sleep(3600)

def test_hang_synchronous():
    threading.Event().wait()

async def test_good():
    await asyncio.gather(asyncio.sleep(60), return_exceptions=True)

def test_good_synchronous():
    pass
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Run the careless tests with the guards of this suite, and return what pytest says."""
    folder = tmp_path_factory.mktemp("careless")
    helpers = ("virtual_time", "redis_server", "leaks", "watch", "credentials")
    for path in (*(HERE / f"{name}.py" for name in helpers), HERE.parent / "pyproject.toml"):
        shutil.copy(path, folder)
    guards = (HERE / "conftest.py").read_text(encoding="utf-8")
    (folder / "conftest.py").write_text(guards.replace("REAL_SECONDS = 60.0", "REAL_SECONDS = 2.5"))
    (folder / "test_careless.py").write_text(CARELESS)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "test_careless.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("task_left", "Tasks were left behind"),
        ("never_retrieved", "never retrieved"),
        ("session_left_open", "Unclosed client session"),
        ("callback_that_fails", "Exception in callback"),
        ("hang_waiting", "HangError"),
        ("hang_busy", "HangError"),
        ("hang_synchronous", "HangError"),
    ],
)
def test_the_careless_are_caught(report: str, name: str, why: str) -> None:
    """What a careless test does makes it fail, and the report says why."""
    assert re.search(rf"^(FAILED|ERROR) test_careless.py::test_{name}\b", report, re.MULTILINE)
    assert why in report


def test_the_careful_pass(report: str) -> None:
    """Tests that leave nothing behind pass, between all of the others."""
    assert "PASSED test_careless.py::test_good\n" in report
    assert "PASSED test_careless.py::test_good_synchronous" in report
    assert not re.search(r"^(FAILED|ERROR) test_careless.py::test_good", report, re.MULTILINE)

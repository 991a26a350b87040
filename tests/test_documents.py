"""What the documents say, is so: the README's programs run, and the names are the code's."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest
from aiohttp import web
from running import running_sandbox

from infobip_email_logs import EmailLog, LogError, LogsQuery, Price, Status, errors
from infobip_email_logs.sandbox import Sandbox, Traffic

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
FIELDS = (ROOT / "docs" / "fields.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Return a service to run the programs against."""
    with running_sandbox(traffic=Traffic(bulks=3, bulk_size=(5, 9), loose=20), seed=1) as sandbox:
        yield sandbox


@pytest.fixture
def environment(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what a user would set."""
    monkeypatch.setenv("INFOBIP_BASE_URL", sandbox.url)
    monkeypatch.setenv("INFOBIP_API_KEY", sandbox.credentials.api_key)


def size(sandbox: Sandbox, bulk_id: str) -> int:
    """Return the number of logs of a bulk."""
    return sum(record.bulk_id == bulk_id for record in sandbox.records)


def program(word: str) -> str:
    """Return the README's program with a word in it."""
    found: list[str] = [code for code in PROGRAMS if word in code]
    assert len(found) == 1
    return found[0]


def run(code: str, folder: Path) -> list[str]:
    """Run a program as a file of its own, warnings as errors; return the lines it prints."""
    file = folder / "program.py"
    file.write_text(code)
    done = subprocess.run(
        [sys.executable, "-W", "error", file],
        capture_output=True,
        text=True,
        timeout=50,
        env=os.environ,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_first_program(sandbox: Sandbox, tmp_path: Path) -> None:
    """The logs of two bulks are printed."""
    code = program("your-key").replace("https://xyz.api.infobip.com", sandbox.url)
    code = code.replace("your-key", sandbox.credentials.api_key)
    one, two = sandbox.bulk_ids[:2]
    lines = run(code.replace('"bulk-1"', f'"{one}"').replace('"bulk-2"', f'"{two}"'), tmp_path)
    assert len(lines) == size(sandbox, one) + size(sandbox, two) + 1
    assert lines[-1] == "no logs for ()"


@pytest.mark.usefixtures("environment")
def test_the_program_with_a_report(tmp_path: Path) -> None:
    """The id without a log was the last of its list, and is made sure of by a second request."""
    lines = run(program("pull.report.requests"), tmp_path)
    assert lines[-2:] == ["no log for ('no-such-id',)", "2 requests, 0 of them throttled"]


@pytest.mark.usefixtures("environment")
def test_the_program_of_a_worker_process(sandbox: Sandbox, tmp_path: Path) -> None:
    """Jobs go in, results come out, of whichever worker is the first."""
    code = program("multiprocessing").replace("bulk-1", sandbox.bulk_ids[0])
    assert set(run(code, tmp_path)) == {
        f"bulk {sandbox.bulk_ids[0]} has {size(sandbox, sandbox.bulk_ids[0])} logs",
        "bulk bulk-2 has 0 logs",
    }


@pytest.mark.usefixtures("environment")
def test_the_program_with_redis(sandbox: Sandbox, tmp_path: Path, redis_url: str) -> None:
    """The limit is shared by Redis; it is a quick one here, for a server that is new."""
    code = program("RedisLimiter").replace("redis://localhost:6379/0", redis_url)
    code = code.replace("message-1", sandbox.message_ids[0]).replace("60/60s", "60/1s")
    (line,) = run(code, tmp_path)
    assert f"message_id='{sandbox.message_ids[0]}'" in line


@pytest.mark.usefixtures("environment")
def test_the_program_of_a_pipeline(sandbox: Sandbox, tmp_path: Path) -> None:
    """Ids go in one by one, logs come out."""
    code = program("sent_ids").replace('f"message-{number}"', f"{sandbox.message_ids[:7]}[number]")
    lines = run(code.replace("range(100)", "range(7)"), tmp_path)
    assert re.fullmatch(r"[1-7] delivered, 0 without a log", lines[-1])


@pytest.mark.real_time
@pytest.mark.usefixtures("environment")
async def test_the_program_of_a_web_service(sandbox: Sandbox) -> None:
    """The client lives as long as the application."""
    names: dict[str, Any] = {"__name__": "service"}
    exec(compile(program("make_app"), "README.md", "exec"), names)
    runner = web.AppRunner(names["make_app"]())
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        url = f"http://{host}:{port}/status/{sandbox.message_ids[0]}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            log = await answer.json()
            assert log["message_id"] == sandbox.message_ids[0]
    finally:
        await runner.cleanup()


def test_every_program_of_the_readme_is_run_here() -> None:
    """A program that is added is run."""
    assert len(PROGRAMS) == 6


def test_every_field_is_in_the_table_of_names() -> None:
    """The names of the code and those of the table are the same."""
    parts = {"price": Price, "status": Status, "error": LogError}
    names = {field.name for field in attrs.fields(EmailLog)}
    for part, kind in parts.items():
        names |= {f"{part}.{field.name}" for field in attrs.fields(kind)} - {f"{part}.extra"}
    rows = re.findall(
        r"^\| .*? \| .*? \| `([a-z_.]+)`", FIELDS.partition("## Filters")[0], re.MULTILINE
    )
    assert set(rows) == names
    filters = re.findall(
        r"^\| .*? \| .*? \| `([a-z_.]+)`", FIELDS.partition("## Filters")[2], re.MULTILINE
    )
    assert set(filters) == {field.name for field in attrs.fields(LogsQuery)}


def test_every_error_is_in_the_readme() -> None:
    """Each branch tells what to do, but for those that stand for several."""
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
    told = set(re.findall(r"`([A-Z]\w+)`", README.partition("## When something")[2]))
    assert kinds - {"Sequence", "Gap", "ServiceError"} <= told | {"EmailLogsError"}

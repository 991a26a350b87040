"""The command line as a process: signals, pipes, help, the demo and the sandbox."""

import array
import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from shell import NOWHERE, PROGRAM, ended, environment, here, process, served, started

from infobip_email_logs import __version__
from infobip_email_logs.sandbox import Fault, Settings, TimeWindow, Traffic

NEVER = Fault(delay=60.0)

SOON = 4.0
"""Seconds; it takes a tenth of one, and is to take one at most: a busy machine has its own time."""


def until(holds: Callable[[], bool]) -> None:
    """Wait for another process."""
    deadline = time.monotonic() + 40
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """A signal ends a pull at once, with what was received written, and the report."""
    out, report = tmp_path / "logs.jsonl", tmp_path / "report.json"
    with served(Traffic(bulks=2, bulk_size=(9, 9), loose=0)) as sandbox:
        sandbox.script(None, NEVER)
        bulks = [text for one in sandbox.bulk_ids for text in ("--bulk-id", one)]
        paths = ("-o", str(out), "--report", str(report), "--concurrency", "1")
        with started(sandbox.url, "pull", *bulks, *paths) as running:
            until(lambda: len(sandbox.arrivals) == 2)
            begin = time.monotonic()
            running.send_signal(number)
            told = ended(running)
            assert time.monotonic() - begin < SOON
    assert told.code == code
    assert "9 logs, 2 requests" in told.err
    assert len(out.read_text().splitlines()) == 9
    written = json.loads(report.read_text())
    assert (written["records"], written["complete"]) == (9, False)
    assert written["error"] == "interrupted"


def test_interrupted_before_a_slow_reader() -> None:
    """A reader that takes nothing doesn't keep an interrupted pull from ending."""
    with served(Traffic(bulks=1, bulk_size=(900, 900), loose=0)) as sandbox:
        arguments = ("pull", "--bulk-id", sandbox.bulk_ids[0])
        with started(sandbox.url, *arguments) as running:
            assert running.stdout
            descriptor = running.stdout.fileno()
            until(lambda: waiting(descriptor) > 50_000)
            begin = time.monotonic()
            running.send_signal(signal.SIGINT)
            running.wait(30)
            assert time.monotonic() - begin < SOON
            assert ended(running).code == 130


def waiting(descriptor: int) -> int:
    """Return how many bytes a pipe holds."""
    size = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, size)
    return size[0]


def test_slow_reader() -> None:
    """A slow reader gets everything."""
    with served(Traffic(bulks=1, bulk_size=(900, 900), loose=0)) as sandbox:
        arguments = ("pull", "--bulk-id", sandbox.bulk_ids[0])
        with started(sandbox.url, *arguments) as running:
            assert running.stdout
            descriptor = running.stdout.fileno()
            until(lambda: waiting(descriptor) > 50_000)
            told = ended(running)
    assert (told.code, len(told.logs)) == (0, 900)


def test_broken_pipe() -> None:
    """A reader that goes away ends the pull with one line and the shell's code for that."""
    with served(Traffic(bulks=1, bulk_size=(900, 900), loose=0)) as sandbox:
        arguments = ("pull", "--bulk-id", sandbox.bulk_ids[0])
        with started(sandbox.url, *arguments) as running:
            assert running.stdout
            running.stdout.readline()
            running.stdout.close()
            running.stdout = None
            told = ended(running)
    assert told.code == 141
    assert told.err == "infobip-email-logs: error: nobody reads the output any more\n"


def test_progress_on_a_terminal(tmp_path: Path) -> None:
    """A terminal on stderr gets a bar and a summary, and the records stay apart from them."""
    out = tmp_path / "logs.jsonl"
    near, far = pty.openpty()
    with served(Traffic(bulks=2, bulk_size=(5, 5), loose=0)) as sandbox:
        bulks = [text for one in sandbox.bulk_ids for text in ("--bulk-id", one)]
        sandbox.script(None, Fault(delay=0.5))
        subprocess.run(
            [*PROGRAM, "pull", *bulks, "-o", str(out)],
            env=environment(sandbox.url, TERM="xterm", COLUMNS="120"),
            stderr=far,
            check=True,
        )
    shown = os.read(near, 1 << 16).decode()
    os.close(near)
    os.close(far)
    assert "1/2 ids, 5 logs, " in shown
    assert "infobip-email-logs: 10 logs, 2 requests" in shown
    assert len(out.read_text().splitlines()) == 10


def test_ids_on_stdin() -> None:
    """`-` is stdin; an empty one is bad input."""
    with served(Traffic(bulks=1, loose=0)) as sandbox:
        ids = f"\ufeff{sandbox.bulk_ids[0]}\r\n".encode()
        arguments = ("pull", "--bulk-ids-file", "-")
        told = process(sandbox.url, *arguments, stdin=ids)
        assert len(told.logs) == len(sandbox.records)
        before = len(sandbox.arrivals)
        told = process(sandbox.url, *arguments)
        assert len(sandbox.arrivals) == before
    assert told.code == 2
    assert "--bulk-ids-file: stdin holds no ids: nothing is pulled" in told.err


def test_closed_streams(tmp_path: Path) -> None:
    """Closed streams are no reason for a traceback."""
    command = f'"{sys.executable}" -m infobip_email_logs get >&- 2> "$1"'
    err = tmp_path / "err"
    done = subprocess.run(
        ["/bin/sh", "-c", command, "sh", str(err)], env=environment(NOWHERE), check=False
    )
    assert done.returncode == 2
    told = "infobip-email-logs: error: --output: '-' can't be written: it is closed\n"
    assert err.read_text() == told


def test_help_without_a_reader() -> None:
    """Help that has nowhere to go is no traceback."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*PROGRAM, "--help"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["get", "pull", "sandbox", "demo"])
def test_help(capfd: pytest.CaptureFixture[str], command: str) -> None:
    """The help of each command holds an example, on a line of its own, and the exit codes."""
    told = here(capfd, NOWHERE, command, "--help")
    assert told.code == 0
    assert re.search(rf"^ +(.* \| )?infobip-email-logs {command}", told.out.decode(), re.MULTILINE)
    assert "Exit codes: 0 complete" in told.out.decode()


def test_program(capfd: pytest.CaptureFixture[str]) -> None:
    """Without a command there is help, and the version can be asked for."""
    version = here(capfd, NOWHERE, "--version").out.decode()
    assert version == f"infobip-email-logs, version {__version__}\n"
    told = here(capfd, NOWHERE)
    assert told.code == 2
    assert "Commands:" in told.err
    assert here(capfd, NOWHERE, "fetch").code == 2


def test_help_is_light() -> None:
    """Help imports neither rich nor the sandbox."""
    code = (
        "import sys; from infobip_email_logs.cli.commands import run; run(['pull', '--help']); "
        "print([name for name in sys.modules if name in ('rich', 'infobip_email_logs.sandbox')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.endswith(b"[]\n")


def test_without_the_extra() -> None:
    """Without the extra, one line says what to install."""
    code = (
        "import sys; sys.modules['click'] = None; from infobip_email_logs.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith(b"pip install 'infobip_email_logs[cli]'\n")
    assert done.stderr.count(b"\n") == 1


def test_retries_of_a_429(capfd: pytest.CaptureFixture[str]) -> None:
    """A 429 is told, waited for, and counted."""
    settings = Settings(v1_limits=(TimeWindow(1, 0.2),), retry_after=None)
    with served(Traffic(bulks=2, bulk_size=(2, 2), loose=0), settings) as sandbox:
        bulks = [text for one in sandbox.bulk_ids for text in ("--bulk-id", one)]
        told = here(capfd, sandbox.url, "pull", *bulks, "--concurrency", "2", "-v")
    assert (told.code, len(told.logs)) == (0, 4)
    assert "attempt 1 failed: HTTP 429" in told.err


def test_demo() -> None:
    """The demo needs nothing, gets everything without a 429, and prints a summary."""
    told = process(NOWHERE, "demo")
    out = told.out.decode()
    assert told.code == 0
    assert re.search(r"│ 40 bulks +│ +\d+ │ +\d+ │ +0 │", out)
    assert re.search(r"│ 2000 messages +│ +2000 │ +\d+ │ +0 │", out)
    assert "DELIVERED" in out
    assert re.search(r"(\d+) of \1 logs in \d+\.\d s, with \d+ requests; 429s: 0\.\n$", out)


def test_sandbox() -> None:
    """The sandbox says how it is asked, and ends with Ctrl-C."""
    with started(NOWHERE, "sandbox", "--port", "0", "--bulks", "1") as running:
        assert running.stdout
        lines = [running.stdout.readline().decode() for _ in range(4)]
        url = re.fullmatch(r"  export INFOBIP_BASE_URL=(\S+)\n", lines[-1])
        assert url
        key = running.stdout.readline().decode().strip().partition("=")[2]
        told = process(url[1], "get", "--api-key", key, "--limit", "2")
        assert (told.code, len(told.logs)) == (0, 2)
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0


@pytest.mark.parametrize(
    ("host", "warned"),
    [
        ((), ""),
        (("--host", "localhost"), ""),
        (("--host", "0.0.0.0"), "the sandbox listens on 0.0.0.0, where others can reach it"),
    ],
)
def test_sandbox_beyond_this_machine(host: tuple[str, ...], warned: str) -> None:
    """Only this machine reaches the sandbox, unless another address is named: that is warned of."""
    with started(NOWHERE, "sandbox", "--port", "0", *host) as running:
        assert running.stdout
        assert running.stderr
        line = running.stdout.readline()
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
        told = running.stderr.read().decode()
    assert line.startswith(b"The sandbox answers at http://")
    assert told == (f"infobip-email-logs: warning: {warned}\n" if warned else "")


def test_sandbox_with_faults(capfd: pytest.CaptureFixture[str]) -> None:
    """It plays what it is told to, and a command tells it and fails."""
    arguments = ("--port", "0", "--fault", "503", "--fault-rate", "1")
    with started(NOWHERE, "sandbox", *arguments) as running:
        assert running.stdout
        url = [running.stdout.readline().decode() for _ in range(4)][-1].strip().partition("=")[2]
        key = running.stdout.readline().decode().strip().partition("=")[2]
        told = process(url, "get", "--api-key", key, "--attempts", "2")
        assert told.code == 1
        again, error = told.err.splitlines()
        assert again.startswith("infobip-email-logs: attempt 1 failed: HTTP 503")
        assert error.startswith("infobip-email-logs: error: HTTP 503")
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
    told = here(capfd, NOWHERE, "sandbox", "--fault", "tiredness")
    assert told.code == 2
    assert "--fault is one of 500, 502-html, 503, " in told.err


def test_sandbox_port_in_use(capfd: pytest.CaptureFixture[str]) -> None:
    """A port that is taken is bad input."""
    with served() as sandbox:
        port = sandbox.url.rpartition(":")[2]
        told = here(capfd, NOWHERE, "sandbox", "--port", port)
    assert told.code == 2
    assert f"127.0.0.1:{port} can't be listened on" in told.err

"""What it costs to import the package, and to show the command's help."""

import statistics
import subprocess
import sys
from collections.abc import Iterator

from measuring import Result, Row

RUNS = 15
LIMIT, HELP_LIMIT = 1.3, 2.0

NETWORK = "import aiohttp"
PACKAGE = "import infobip_email_logs"
CLIENT = "from infobip_email_logs import EmailLogsClient"
HELP = """
import contextlib, io, sys
from infobip_email_logs.cli import main
sys.argv = ["infobip-email-logs", "--help"]
with contextlib.redirect_stdout(io.StringIO()) as told:
    try:
        main()
    except SystemExit:
        pass
assert "Usage" in told.getvalue()
"""


def rows() -> Iterator[Row]:
    """Yield the one case."""
    yield Row("import", _measured)


def _measured() -> list[Result]:
    """Return ratios of medians; the programs run in turns, each in a process of its own."""
    programs = (NETWORK, PACKAGE, CLIENT, HELP)
    for program in programs:
        _seconds(program)  # which leaves compiled files behind
    runs = [[_seconds(program) for program in programs] for _ in range(RUNS)]
    network, package, client, shown = (statistics.median(run) for run in zip(*runs, strict=True))
    note = f"aiohttp {network * 1e3:.0f} ms"
    return [
        Result("import: the package / aiohttp", package / network, LIMIT, note=note),
        Result("import: EmailLogsClient, too / aiohttp", client / network, note="told only"),
        Result("import: the command's --help / aiohttp", shown / network, HELP_LIMIT),
    ]


def _seconds(program: str) -> float:
    """Return the processor's seconds of a program, without those of Python's own start."""
    timed = (
        f"import time\nbegin = time.process_time()\n{program}\nprint(time.process_time() - begin)"
    )
    done = subprocess.run([sys.executable, "-c", timed], capture_output=True, check=True, text=True)
    return float(done.stdout)

"""The command line: arguments in, records out, exit codes. It needs the extra ``cli``."""

from __future__ import annotations

import sys
from importlib.util import find_spec


def main() -> None:
    """Run ``infobip-email-logs`` with the arguments of this process, and exit."""
    if not (find_spec("click") and find_spec("rich")):
        sys.stderr.write(
            "infobip-email-logs: error: the command line needs its extra: "
            "pip install 'infobip_email_logs[cli]'\n"
        )
        raise SystemExit(2)
    try:
        from .commands import run  # noqa: PLC0415 - it imports click, which may not be there

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # before a command takes care of it
        code = 130
    raise SystemExit(code)

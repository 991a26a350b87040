"""A worker that pulls logs into a file, as a process of its own; SIGTERM ends it in order.

    python worker_process.py URL KEY FOLDER LIMIT FILE BULK_ID...

Its loop cancels its tasks on SIGTERM, as the loops of workers do. It tells how it ended.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import TextIO

from infobip_email_logs import ApiKey, EmailLog, EmailLogsClient, HostLimiter


async def job(args: list[str], file: TextIO) -> None:
    """Write a line for each log of some bulks; of those, too, that came before it was cancelled."""
    url, key, folder, limit, _, *bulks = args
    async with (
        HostLimiter(limit, key="account", folder=folder) as limiter,
        EmailLogsClient(url, ApiKey(key), limiter=limiter) as client,
    ):
        try:
            async with client.logs_by_bulk_id(bulks) as pull:
                async for log in pull:
                    write(log, file)
        finally:
            for log in pull.drain():
                write(log, file)


def write(log: EmailLog, file: TextIO) -> None:
    """Write a line."""
    file.write(json.dumps(log.to_dict()) + "\n")


async def main(args: list[str]) -> str:
    """Do the job until it is over or cancelled."""
    with Path(args[4]).open("w", encoding="utf-8") as file:
        task = asyncio.create_task(job(args, file))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()
    return "cancelled" if task.cancelled() else "complete"


if __name__ == "__main__":
    ended = asyncio.run(main(sys.argv[1:]))
    sys.stdout.write(ended)
    sys.exit(128 + signal.SIGTERM if ended == "cancelled" else 0)

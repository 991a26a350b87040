"""What a sweep keeps: the peak memory of a client whose consumer keeps nothing."""

import asyncio
import multiprocessing
import resource
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import attrs
from measuring import Result, Row, client, unlimited
from service_process import Digest, Service, service

from infobip_email_logs import EmailLogsError
from infobip_email_logs.sandbox import Traffic

FEW, MANY = 10_000, 1_000_000
GROWTH = 15.0
MEGABYTE = 1 << 20


def rows() -> Iterator[Row]:
    """Yield the one case."""
    yield Row("memory", _measured)


def _measured() -> list[Result]:
    """Return by how much the peak grows, from a sweep of few records to one of many."""
    (small, wrong), (large, wrong_too) = _peak(FEW), _peak(MANY)
    note = f"{small / MEGABYTE:.1f} MB, then {large / MEGABYTE:.1f} MB"
    return [Result("memory (MB)", (large - small) / MEGABYTE, GROWTH, wrong or wrong_too, note)]


def _peak(records: int) -> tuple[int, str]:
    """Return the peak of a new process that sweeps so many records, and what is wrong."""
    traffic = Traffic(bulks=0, loose=records)
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    with service(settings=unlimited(), traffic=traffic, seed=1) as there:
        args = (theirs, attrs.evolve(there, pipe=None))
        process = spawn.Process(target=_main, args=args, daemon=True)
        process.start()
        theirs.close()
        peak, digest, error = ours.recv()
        process.join(10)
        same = digest == there.digest()
    return peak, error or ("" if same else f"{digest.count} came, not the {records} expected")


def _main(pipe: Connection, there: Service) -> None:
    digest, error = asyncio.run(_swept(there))
    pipe.send((_peak_of_this_process(), digest, error))


async def _swept(there: Service) -> tuple[Digest, str]:
    """Return the fingerprint of all that a sweep delivers, and the error that ends it."""
    digest = Digest()
    try:
        async with client(there) as asked, asked.logs() as pull:
            async for log in pull:
                digest = digest.with_id(log.message_id)
    except EmailLogsError as error:
        return digest, f"{type(error).__name__}: {error}"
    return digest, ""


def _peak_of_this_process() -> int:
    """Return the peak in bytes; ``ru_maxrss`` may still hold that of the process before exec."""
    status = Path("/proc/self/status")
    if status.exists():
        words = status.read_text(encoding="ascii").split()
        return int(words[words.index("VmHWM:") + 1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

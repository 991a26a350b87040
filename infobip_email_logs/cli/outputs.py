"""All that a command writes: logs, records that can't be decoded, the report."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ..errors import InvalidInput
from .output import Output, line, opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from ..models import EmailLog, RejectedRecord


class Outputs:
    """The outputs of a command, opened before its first request.

    Attributes:
        complete: Set when the command has come to its end: its files then take their places even
            where they are empty.

    Raises:
        InvalidInput: One can't be written, or two are the same.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        paths = {
            f"--{name}": path
            for name in ("output", "rejects", "report")
            if (path := given.get(name)) is not None
        }
        sources = ("--message-ids-file", "--bulk-ids-file")
        read = {one: path for one in sources if (path := given.get(_name(one))) not in (None, "-")}
        _check_apart(read, paths)
        self.complete = False
        self._open: dict[str, Output] = {}
        try:
            for option, path in paths.items():
                self._open[option] = opened(path, option)
        except InvalidInput:
            self._close()
            raise

    def __enter__(self) -> Self:
        """Return the outputs."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put the files in their places; what ended the command early is told first."""
        with contextlib.suppress(OSError) if error else contextlib.nullcontext():
            self._close()

    def _close(self) -> None:
        with contextlib.ExitStack() as stack:
            for output in self._open.values():
                stack.callback(output.close, keep=self.complete)

    async def write_log(self, log: EmailLog) -> None:
        """Write a log."""
        await self._open["--output"].write(line(log.to_dict()))

    async def write_logs(self, logs: Iterable[EmailLog]) -> None:
        """Write what is left of the log that writing was stopped at, and further ones."""
        await self._open["--output"].write(b"")
        for log in logs:
            await self.write_log(log)

    async def write_rejects(self, rejects: list[RejectedRecord]) -> None:
        """Write the records that can't be decoded, and take them out of their list."""
        while rejects and "--rejects" in self._open:
            await self._open["--rejects"].write(line(rejects.pop(0).to_dict()))

    async def write_report(self, report: dict[str, Any]) -> None:
        """Write the report, where one is wanted."""
        if "--report" in self._open:
            text = json.dumps(report, ensure_ascii=False, indent=2)
            await self._open["--report"].write(text.encode("utf-8", "backslashreplace") + b"\n")


def _name(option: str) -> str:
    return option.strip("-").replace("-", "_")


def _check_apart(read: Mapping[str, str], paths: Mapping[str, str]) -> None:
    seen = {str(Path(path).resolve()): option for option, path in read.items()}
    for option, path in paths.items():
        place = path if path == "-" else str(Path(path).resolve())
        if place in seen and place != "/dev/null":
            where = "stdout" if path == "-" else repr(path)
            raise InvalidInput(f"{seen[place]} and {option} are the same: {where}")
        seen[place] = option

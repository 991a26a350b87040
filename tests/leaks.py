"""Fails every test whose output tells a credential: a plugin, and a part of this suite.

Looked at are the log records of every level, what was printed, also by other processes, warnings,
and every error of the package that was made.
"""

import logging
import subprocess
import traceback
import warnings
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from watch import WATCH

from infobip_email_logs import EmailLogsError

LOUDER = logging.DEBUG - 1
"""The level that the loggers below get from here: who asks for another one gives another one."""

LOGGERS = ("infobip_email_logs", "aiohttp", "asyncio", "redis")


class _Ear(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        WATCH.look(f"a log record of {record.name}", self.format(record))
        if record.args:
            WATCH.look(f"the arguments of a log record of {record.name}", repr(record.args))


def _was_asked_for(record: logging.LogRecord) -> bool:
    """Say whether a record would have been logged, had nobody made its logger louder here."""
    logger: logging.Logger | None = logging.getLogger(record.name)
    while logger and logger.level in (logging.NOTSET, LOUDER):
        logger = logger.parent
    return logger is None or record.levelno >= logger.level


@pytest.fixture(scope="session", autouse=True)
def _ears() -> Iterator[None]:
    """Listen to loggers, to errors, and to other processes."""
    made, communicate = EmailLogsError.__init__, subprocess.Popen.communicate
    read = pytest.CaptureFixture.readouterr

    def noted(self: EmailLogsError, *arguments: Any) -> None:
        made(self, *arguments)
        WATCH.made(self)

    def heard(self: Any, *arguments: Any, **options: Any) -> Any:
        told = communicate(self, *arguments, **options)
        for said in filter(None, told):
            WATCH.look("the output of another process", said)
        return told

    def seen(self: Any) -> Any:
        told = read(self)
        for said in told:
            WATCH.look("the output", said)
        return told

    ear = _Ear()
    logging.getLogger().addHandler(ear)
    for name in LOGGERS:
        logging.getLogger(name).setLevel(LOUDER)
    with (
        mock.patch.object(EmailLogsError, "__init__", noted),
        mock.patch.object(subprocess.Popen, "communicate", heard),
        mock.patch.object(pytest.CaptureFixture, "readouterr", seen),
    ):
        yield
    logging.getLogger().removeHandler(ear)


@pytest.fixture(autouse=True)
def no_leaks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Look at the errors of a test; what it captures is as if nobody listened."""
    caplog.handler.addFilter(_was_asked_for)
    yield
    caplog.handler.removeFilter(_was_asked_for)
    WATCH.settle()


def pytest_warning_recorded(warning_message: warnings.WarningMessage) -> None:
    """Look at a warning; it comes when the test's own report is written."""
    WATCH.look("a warning", str(warning_message.message))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in which something was told that no test is to blame for."""
    if WATCH.found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say so."""
    for one in dict.fromkeys(WATCH.found):
        terminalreporter.line(f"A credential was told, by no test alone: {one}", red=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Fail a test, at its very end, if anything of it told a credential."""
    report: pytest.TestReport = yield
    if call.excinfo:
        WATCH.look("an exception", "".join(traceback.format_exception(call.excinfo.value)))
    if call.when == "teardown":
        for name, said in report.sections:
            WATCH.look(name, said)
        told, WATCH.found = WATCH.found, []
        if told:
            report.outcome = "failed"
            before = f"{report.longrepr}\n" if report.longrepr else ""
            report.longrepr = before + "\n".join(["A credential was told:", *dict.fromkeys(told)])
    return report

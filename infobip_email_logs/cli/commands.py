"""The program: its commands, and what becomes of wrong arguments."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

import click

from .. import __version__
from . import exits
from .command import told, usage
from .demo import demo
from .get import get
from .pull import pull
from .sandbox import sandbox
from .telling import NAME, say_error

if TYPE_CHECKING:
    from collections.abc import Sequence


STDOUT = 1
"""The descriptor that every process writes its output to."""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=exits.epilog(
        "infobip-email-logs demo",
        "infobip-email-logs pull --since 2h -o logs.jsonl",
        "infobip-email-logs pull --bulk-ids-file bulks.txt -o logs.jsonl --report report.json",
    ),
)
@click.version_option(__version__, prog_name=NAME)
def program() -> None:
    """Pull the email logs of an Infobip account, through its rate limit.

    Set INFOBIP_BASE_URL and INFOBIP_API_KEY first. All commands of yours on this host share the
    account's limit. Nothing at hand? The demo needs no account.
    """


for _command in (get, pull, demo, sandbox):
    program.add_command(_command)


def run(arguments: Sequence[str]) -> int:
    """Run the program and return its exit code."""
    return _flushed(_run(arguments))


def _run(arguments: Sequence[str]) -> int:
    try:
        code: object = program.main(list(arguments), prog_name=NAME, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stderr.write(f"{error.format_message()}\n")
        return exits.BAD_INPUT
    except click.ClickException as error:
        say_error(usage(error))
        return exits.BAD_INPUT
    except (click.Abort, KeyboardInterrupt):
        return exits.INTERRUPTED
    except OSError as error:  # the help has nowhere to go
        say_error(told(error))
        return exits.code(error)
    return code if isinstance(code, int) else exits.COMPLETE


def _flushed(code: int) -> int:
    """Write what stdout still holds; where it can't be, don't let Python complain at its end."""
    stdout: TextIO | None = sys.stdout  # None where the program was started with it closed
    try:
        if stdout:
            stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
        return code or exits.code(error)
    return code

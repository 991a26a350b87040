"""A command whose errors are one line on stderr and an exit code."""

from __future__ import annotations

import asyncio
import errno
import traceback
from typing import Any

import click

from ..errors import EmailLogsError, LimiterUnavailable
from . import exits
from .telling import NAME, say_error


class Command(click.Command):
    """A command of this program; its function returns an exit code."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse what is no option, without repeating it: a secret may have had a space in it."""
        ctx.allow_extra_args = True
        if super().parse_args(ctx, args) and not ctx.resilient_parsing:
            ctx.fail("an argument that belongs to no option; quote values that have a space in")
        return []

    def invoke(self, ctx: click.Context) -> Any:
        """Return the exit code; tell what went wrong, if anything did."""
        try:
            return super().invoke(ctx)
        except (EmailLogsError, OSError) as error:
            if ctx.params.get("verbose", 0) > 1:
                traceback.print_exc()
            say_error(told(error))
            return exits.code(error)


def told(error: BaseException) -> str:
    """Return an error in one line; the system's ones in its own words, with their file."""
    if isinstance(error, asyncio.CancelledError):
        return "interrupted"
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        return "nobody reads the output any more"
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"writing failed: {place}{error.strerror}"
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, LimiterUnavailable):
        return f"{text} (--limiter process keeps the limit for this command alone)"
    return text


def usage(error: click.ClickException) -> str:
    """Return what is wrong with the arguments, and where to look."""
    context = getattr(error, "ctx", None)
    where = context.command_path if context else NAME
    return f"{' '.join(error.format_message().split())} (see {where} --help)"

"""The exit codes: one per decision that the caller of the command takes next."""

from __future__ import annotations

from ..errors import Forbidden, IncompleteError, InvalidInput, Unauthorized

COMPLETE = 0
FAILED = 1
BAD_INPUT = 2
INCOMPLETE = 3
REFUSED = 4
INTERRUPTED = 130
BROKEN_PIPE = 141

_CODES = (
    "Exit codes: 0 complete, 1 failed, 2 bad input, 3 incomplete (gaps, unconfirmed ids or "
    "rejected records), 4 refused (the credentials), 130 interrupted, 141 nobody reads the output "
    "any more, 143 terminated."
)


def epilog(*examples: str) -> str:
    """Return what the help of a command ends with: examples, and the exit codes."""
    shown = "\n".join(f"  {example}" for example in examples)
    return f"\b\nExamples:\n{shown}\n\n{_CODES}"


def code(error: Exception) -> int:
    """Return the exit code for what ended a command."""
    match error:
        case InvalidInput():
            return BAD_INPUT
        case IncompleteError():
            return INCOMPLETE
        case Unauthorized() | Forbidden():
            return REFUSED
        case BrokenPipeError():
            return BROKEN_PIPE
        case _:
            return FAILED

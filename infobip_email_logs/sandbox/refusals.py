"""Why the service does not answer with logs: raised anywhere, told in one place."""

from __future__ import annotations


class Refused(Exception):
    """The request is answered with an error.

    Args:
        status: The HTTP status.
        text: What is wrong, for whoever reads the answer.
        parameter: The query parameter at fault.
        wait: Seconds until a request would be let in, with a 429.
    """

    def __init__(
        self, status: int, text: str = "", *, parameter: str | None = None, wait: float = 0.0
    ) -> None:
        super().__init__(f"{status} {text}")
        self.status = status
        self.text = text
        self.parameter = parameter
        self.wait = wait


def malformed(parameter: str, text: str) -> Refused:
    """Return the refusal of a malformed query parameter."""
    return Refused(400, f"{parameter} {text}", parameter=parameter)

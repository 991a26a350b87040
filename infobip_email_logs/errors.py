"""Every error of the package: one base, one branch per decision the caller takes next.

============================================  ==========================================
:class:`TransportError`, :class:`ServerError`  try again later
:class:`RateLimited`                           wait for ``retry_after`` seconds
:class:`LimiterUnavailable`                    see to what keeps the shared limit, or try later
:class:`WaitTooLong`                           decide whether to be more patient
:class:`InvalidInput`, :class:`InvalidState`   mend the program: nothing was sent
:class:`RequestRejected`                       mend the call: the service refused it
:class:`Unauthorized`, :class:`Forbidden`      mend the credentials
:class:`DecodeError`                           look at the data
:class:`IncompleteError`                       know what is missing
============================================  ==========================================

All of them pickle, so that they travel through worker queues; none of them holds a header.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .models import Gap

CLIP = 200
"""The characters of foreign text that an error repeats, at most."""


def clip(text: str, length: int = CLIP) -> str:
    """Return ``text`` on one line, cut to ``length`` characters."""
    line = " ".join(text[: 8 * length].split())
    return line if len(line) <= length else line[: length - 1] + "…"


def shown(value: object) -> str:
    """Return any value on one line, cut likewise; one that is nested too deep as dots."""
    try:
        return clip(repr(value))
    except (RecursionError, ValueError):
        return "…"


def outline(error: EmailLogsError) -> str:
    """Return what kind of error it is, without the words of others: they may hold an address."""
    status = f" (HTTP {error.status})" if isinstance(error, ServiceError) else ""
    return f"{type(error).__name__}{status}"


class EmailLogsError(Exception):
    """The base of every error that this package raises on purpose."""


class InvalidInput(EmailLogsError, ValueError):
    """A value that no request can be made of; the message says what to do. Nothing was sent."""


class InvalidState(EmailLogsError, RuntimeError):
    """An object used when it can't be: closed, iterated twice, on another event loop."""


class TransportError(EmailLogsError):
    """No whole answer arrived: refused, reset, timed out, not resolved. ``__cause__`` says why.

    Attributes:
        sent: Whether the request may have reached the service: False where no connection was made.
    """

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class WaitTooLong(EmailLogsError):
    """The limit would make the caller wait longer than it was prepared to.

    Attributes:
        wait: The seconds that it would take, as far as they are known.
        max_wait: The seconds that the caller allowed.
    """

    def __init__(self, message: str, *, wait: float = 0.0, max_wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait
        self.max_wait = max_wait


class LimiterUnavailable(EmailLogsError):
    """What keeps a shared limit can't be reached or used; nothing was sent. ``__cause__`` says why.

    No request goes out meanwhile that nobody counts.
    """


class ServiceError(EmailLogsError):
    """The service answered with an error.

    Attributes:
        status: The HTTP status.
        code: The service's name for it (``TOO_MANY_REQUESTS``, ``E401``), if it gave one.
        text: The service's own words, clipped to :data:`CLIP` characters.
        details: What it finds wrong, value by value, clipped likewise.
        retry_after: Seconds that it asks to wait, if it said so.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: str | None = None,
        text: str = "",
        details: Sequence[str] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.text = text
        self.details = tuple(details)
        self.retry_after = retry_after


class ServerError(ServiceError):
    """The service failed (5xx, 408): the same request may work later."""


class RateLimited(ServiceError):
    """The account's limit was exceeded (429), for longer than the retries were patient."""


class RequestRejected(ServiceError):
    """The service refuses the request as it is (4xx, or a redirect, which is never followed)."""


class Unauthorized(ServiceError):
    """The credentials are not accepted (401). Keys expire and are revoked: look at yours."""


class Forbidden(ServiceError):
    """The credentials are good, but not for email logs (403): a scope is missing."""


class DecodeError(EmailLogsError):
    """An answer that can't be read.

    Attributes:
        page: Which answer of the call it was, counted from 1.
        index: Which record of that answer, counted from 0; None when it is the answer itself.
        path: Where in the answer, as ``$.results[3].price.pricePerMessage``.
        value: What stands there, clipped.
    """

    def __init__(
        self,
        message: str,
        *,
        page: int = 1,
        index: int | None = None,
        path: str = "$",
        value: str = "",
    ) -> None:
        super().__init__(message)
        self.page = page
        self.index = index
        self.path = path
        self.value = value


class IncompleteError(EmailLogsError):
    """Everything that could be had was delivered, and this is what could not.

    Attributes:
        gaps: The parts that are not proven to be complete.
    """

    def __init__(self, message: str, *, gaps: Sequence[Gap] = ()) -> None:
        super().__init__(message)
        self.gaps = tuple(gaps)

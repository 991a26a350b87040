"""What can go wrong on the way, told in advance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import attrs

Disconnect = Literal["before_headers", "in_body"]


def _no_headers() -> dict[str, str]:
    return {}


@attrs.frozen
class Fault:
    """One answer that goes wrong. What is not given here is as the service would have it.

    Attributes:
        status: Answer this status, whatever the request. Without a ``body``, an error is told in
            the words of the request's version.
        body: Answer this body, whatever the request.
        headers: Headers to add, or to put in the place of others (``Retry-After``, ``Location``).
        delay: Seconds to wait before the answer.
        disconnect: ``before_headers`` resets the connection instead of an answer; ``in_body``
            closes it in the middle of the body.
        content_type: The ``Content-Type`` of the answer.
        stalls: Send the headers and half of the body, then nothing more.
        endless: Send the body again and again, without an end.
    """

    status: int | None = None
    body: str | bytes | None = None
    headers: Mapping[str, str] = attrs.field(factory=_no_headers, kw_only=True)
    delay: float = attrs.field(default=0.0, kw_only=True)
    disconnect: Disconnect | None = attrs.field(
        default=None, kw_only=True, validator=attrs.validators.in_((None, *get_args(Disconnect)))
    )
    content_type: str | None = attrs.field(default=None, kw_only=True)
    stalls: bool = attrs.field(default=False, kw_only=True)
    endless: bool = attrs.field(default=False, kw_only=True)

"""What can go wrong on the way, told in advance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import attrs

Disconnect = Literal["before_headers", "in_body", "reset_in_body"]
Gzip = Literal["whole", "cut", "garbled"]
Spoilt = Literal["record", "value"]


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
            closes it in the middle of the body, ``reset_in_body`` resets it there.
        content_type: The ``Content-Type`` of the answer.
        stalls: Send the headers and half of the body, then nothing more.
        drips: Send the body a byte at a time, so many seconds apart.
        endless: Send the body again and again, without an end.
        padding: The bytes of white space in front of the body: 1 << 30 is a body that nobody keeps.
        gzip: Send the body compressed, whoever asks: ``whole``, ``cut`` off in the middle though
            the length is kept to, or ``garbled``. A padding of a gigabyte is a bomb of a megabyte.
        spoilt: Put a text in the place of the page's first ``record``, or of a ``value`` in it.
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
    drips: float = attrs.field(default=0.0, kw_only=True)
    endless: bool = attrs.field(default=False, kw_only=True)
    padding: int = attrs.field(default=0, kw_only=True)
    gzip: Gzip | None = attrs.field(
        default=None, kw_only=True, validator=attrs.validators.in_((None, *get_args(Gzip)))
    )
    spoilt: Spoilt | None = attrs.field(
        default=None, kw_only=True, validator=attrs.validators.in_((None, *get_args(Spoilt)))
    )


_HTML = "<!DOCTYPE html><html><body><h1>Something went wrong</h1></body></html>"
_ERROR = (
    '{"requestError": {"serviceException": {"messageId": "GENERAL_ERROR", "text": "Went wrong."}}}'
)

PASSING: Mapping[str, Fault] = {
    "500": Fault(500),
    "502-html": Fault(502, _HTML, content_type="text/html"),
    "503": Fault(503),
    "503-retry-after": Fault(503, headers={"Retry-After": "7"}),
    "429": Fault(429, headers={"Retry-After": "7"}),
    "reset-before-headers": Fault(disconnect="before_headers"),
    "reset-in-body": Fault(disconnect="reset_in_body"),
    "truncated-body": Fault(disconnect="in_body"),
    "no-answer": Fault(delay=1e6),
    "no-body": Fault(stalls=True),
    "dripping-body": Fault(drips=10.0),
    "invalid-json": Fault(200, '{"results": [{"messageId": "a", "sentAt"'),
    "error-with-200": Fault(200, _ERROR),
    "html-with-200": Fault(200, _HTML, content_type="text/html"),
    "empty-200": Fault(200, ""),
    "results-null": Fault(200, '{"results": null}'),
    "results-missing": Fault(200, "{}"),
    "results-object": Fault(200, '{"results": {"0": {}}}'),
    "broken-gzip": Fault(gzip="garbled"),
    "cut-gzip": Fault(gzip="cut"),
    "huge-body": Fault(padding=64 << 20),
    "gzip-bomb": Fault(padding=1 << 30, gzip="whole"),
}
"""What may be over when the same is asked again."""

LASTING: Mapping[str, Fault] = {
    "401": Fault(401),
    "403": Fault(403),
    "404": Fault(404),
    "414": Fault(414),
    "418": Fault(418),
    "redirect": Fault(302, headers={"Location": "https://elsewhere.example/email/1/logs"}),
    "results-string": Fault(spoilt="record"),
    "results-mistyped": Fault(spoilt="value"),
}
"""What is answered to the same request again, as far as anybody knows."""

FAULTS: Mapping[str, Fault] = {**PASSING, **LASTING}
"""All of them, by the names that the command line and the documentation have for them."""

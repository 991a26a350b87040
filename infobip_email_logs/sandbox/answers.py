"""The bodies of answers: a page of records, or an error, in the words of a version."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from .wording import XML_HEAD, Form, element

if TYPE_CHECKING:
    from .refusals import Refused

_JSON = "application/json"
_XML = "application/xml"


@attrs.frozen(kw_only=True)
class Answer:
    """What is sent back.

    Attributes:
        status: The HTTP status.
        body: The body, not compressed.
        content_type: What the body is.
        headers: Further headers.
        records: How many records the body holds.
    """

    status: int
    body: bytes
    content_type: str = _JSON
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    records: int = 0


@attrs.frozen
class _Wrong:
    """How the service words an error: in version 1, and in version 4."""

    name: str
    text: str
    description: str
    action: str


_WRONG = {
    200: _Wrong("OK", "OK", "Nothing is wrong.", "Go on."),
    300: _Wrong("MOVED", "Moved", "The resource is elsewhere.", "Follow Location."),
    400: _Wrong("BAD_REQUEST", "Bad request", "The request is malformed.", "Correct the request."),
    401: _Wrong(
        "UNAUTHORIZED",
        "Unauthorized",
        "The request has no valid credentials.",
        "Check the credentials.",
    ),
    403: _Wrong(
        "FORBIDDEN",
        "Forbidden",
        "The credentials do not permit this.",
        "Use credentials with the scope email:logs:read.",
    ),
    404: _Wrong("NOT_FOUND", "Not found", "There is nothing here.", "Check the path."),
    405: _Wrong("METHOD_NOT_ALLOWED", "Method not allowed", "Only GET is known.", "Use GET."),
    414: _Wrong("URI_TOO_LONG", "URI too long", "The URL is too long.", "Shorten the URL."),
    429: _Wrong(
        "TOO_MANY_REQUESTS",
        "Too many requests",
        "There were too many requests.",
        "Keep to the request rate of the endpoint.",
    ),
    500: _Wrong(
        "GENERAL_ERROR",
        "Something went wrong. Please contact support.",
        "Something went wrong.",
        "Contact the support.",
    ),
}


def page_answer(
    version: int, form: Form, written: Iterable[str], cursor: Mapping[str, Any] | None
) -> Answer:
    """Return a page of records that are written already."""
    records = list(written)
    if version == 1 and form == "xml":
        results = f"<results>{''.join(records)}</results>"
        body = f"{XML_HEAD}\n<LogsResponse>{results}</LogsResponse>"
        return Answer(status=200, body=body.encode(), content_type=_XML, records=len(records))
    end = "" if cursor is None else f', "cursor": {json.dumps(cursor)}'
    body = f'{{"results": [{", ".join(records)}]{end}}}'
    return Answer(status=200, body=body.encode(), records=len(records))


def error_answer(version: int, form: Form, refused: Refused) -> Answer:
    """Return an error in the words of a version."""
    wrong = _WRONG.get(refused.status) or _WRONG[refused.status // 100 * 100]
    document = _v1_error(wrong, refused) if version == 1 else _v4_error(wrong, refused)
    if form == "json":
        return Answer(status=refused.status, body=json.dumps(document).encode())
    root = "ApiException" if version == 1 else "ApiError"
    body = f"{XML_HEAD}\n{element(root, document)}"
    return Answer(status=refused.status, body=body.encode(), content_type=_XML)


def _v1_error(wrong: _Wrong, refused: Refused) -> dict[str, Any]:
    told: dict[str, Any] = {"messageId": wrong.name, "text": refused.text or wrong.text}
    if refused.parameter is not None:
        told["validationErrors"] = {refused.parameter: [refused.text]}
    return {"requestError": {"serviceException": told}}


def _v4_error(wrong: _Wrong, refused: Refused) -> dict[str, Any]:
    violation = {"property": refused.parameter, "violation": refused.text}
    return {
        "errorCode": f"E{refused.status}",
        "description": refused.text or wrong.description,
        "action": wrong.action,
        "violations": [] if refused.parameter is None else [violation],
        "resources": [],
    }

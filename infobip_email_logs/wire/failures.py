"""An answer that is no page becomes the error that says what to do next."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import attrs
from yarl import URL

from ..errors import (
    Forbidden,
    RateLimited,
    RequestRejected,
    ServerError,
    ServiceError,
    Unauthorized,
    clip,
    shown,
)
from ..json_values import is_array, is_object
from . import retry_after, v1_xml
from .exchange import Reply, http_date

if TYPE_CHECKING:
    from collections.abc import Iterator

SCOPES = "email:logs:read or email:manage"
"""The scopes of both versions (API description, ``x-scopes``)."""


@attrs.frozen
class _Story:
    """What an error body tells, in either form."""

    code: str | None = None
    text: str = ""
    details: tuple[str, ...] = ()


def failure(reply: Reply) -> ServiceError:
    """Return the error that a reply with a status other than 200 stands for."""
    kind, advice = _branch(reply)
    story = _story(reply.body)
    said = ": ".join(part for part in (story.code, story.text) if part)
    parts = [f"HTTP {reply.status}", said, *story.details, advice]
    return kind(
        " - ".join(part for part in parts if part),
        status=reply.status,
        code=story.code,
        text=story.text,
        details=story.details,
        retry_after=retry_after.seconds(
            reply.headers.get("retry-after"), http_date(reply.headers.get("date"))
        ),
    )


MAX_DETAILS = 10
"""The violations that an error repeats, at most."""

_ADVICE = {
    401: "check the credentials; keys expire and can be revoked",
    403: f"the credentials need the scope {SCOPES}",
    414: "the URL is longer than the service takes",
}

_BRANCHES: dict[int, type[ServiceError]] = {
    401: Unauthorized,
    403: Forbidden,
    408: ServerError,
    425: ServerError,
    429: RateLimited,
}


def _branch(reply: Reply) -> tuple[type[ServiceError], str]:
    """Return the class for a status, and what to do about it where more is known."""
    branch = ServerError if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR else RequestRejected
    if HTTPStatus.MULTIPLE_CHOICES <= reply.status < HTTPStatus.BAD_REQUEST:
        return RequestRejected, _redirect(reply)
    return _BRANCHES.get(reply.status, branch), _ADVICE.get(reply.status, "")


def _redirect(reply: Reply) -> str:
    try:
        origin = str(URL(reply.headers.get("location", "")).origin())
    except ValueError:
        origin = "another place"
    return f"it points to {origin}, and redirects are not followed: check the base URL"


def _story(body: bytes) -> _Story:
    """Return what the body tells, in version 1's form, in version 4's, or as plain text."""
    try:
        document = v1_xml.document(body) if body.lstrip()[:1] == b"<" else json.loads(body)
    except (ValueError, RecursionError):
        return _Story(text=clip(body[:2000].decode("utf-8", "replace")))
    told = document if is_object(document) else {}
    return _version_1(told) or _version_4(told) or _Story(text=_text(document))


def _version_1(document: dict[str, Any]) -> _Story | None:
    outer = document.get("requestError")
    inner = outer.get("serviceException") if is_object(outer) else None
    if not is_object(inner):
        return None
    return _Story(
        _text(inner.get("messageId")) or None,
        _text(inner.get("text")),
        tuple(_details(inner.get("validationErrors"))),
    )


def _version_4(document: dict[str, Any]) -> _Story | None:
    if "errorCode" not in document:
        return None
    words = (_text(document.get("description")), _text(document.get("action")))
    return _Story(
        _text(document["errorCode"]) or None,
        clip(" ".join(word for word in words if word)),
        tuple(_details(document.get("violations"))),
    )


def _details(found: Any) -> Iterator[str]:
    """Yield what is wrong, from a list of violations, or from a mapping of names to words."""
    for item in _violations(found)[:MAX_DETAILS]:
        if is_object(item):
            yield clip(f"{_text(item.get('property'))}: {_text(item.get('violation'))}")
        else:
            yield _text(item)


def _violations(found: Any) -> list[Any]:
    """Return the violations one by one; in XML a list may have a wrapper, and one be no list."""
    if is_object(found) and len(found) == 1:
        (inner,) = found.values()
        listed = inner if is_array(inner) else [inner]
        found = listed if any(map(_is_violation, listed)) else found
    if _is_violation(found):
        return [found]
    if is_object(found):
        return [{"property": name, "violation": words} for name, words in found.items()]
    return found if is_array(found) else []


def _is_violation(value: Any) -> bool:
    return is_object(value) and not value.keys().isdisjoint(("property", "violation"))


def _text(value: Any) -> str:
    if value is None:
        return ""
    return clip(value) if isinstance(value, str) else shown(value)

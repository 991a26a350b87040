"""Query strings, to the letter: what is not plain is percent-encoded, ids are joined by commas."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Iterable

PLAIN = "@:"
"""What stands as it is in a value, as in the references' own examples."""


def encode(text: str) -> str:
    """Return ``text`` as it stands in a query string: ``+`` is ``%2B``, a comma ``%2C``."""
    return quote(text, safe=PLAIN)


def url(base: URL, path: str, parameters: Iterable[tuple[str, Iterable[str]]]) -> URL:
    """Return ``base`` and ``path`` with ``parameters``; several values are joined by commas."""
    return URL.build(
        scheme=base.scheme,
        authority=base.raw_authority,
        path=base.raw_path.rstrip("/") + path,
        query_string="&".join(
            f"{name}={','.join(map(encode, values))}" for name, values in parameters
        ),
        encoded=True,
    )

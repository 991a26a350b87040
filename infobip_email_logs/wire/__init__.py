"""What travels: a query becomes a request, an answer becomes a page or an error. No I/O.

One module per dialect (:mod:`.v1_json`, :mod:`.v1_xml`, :mod:`.v4_json`), which :mod:`.dialects`
makes values of; the rest is what they share. All of it is made of plain functions over plain
values, so that it is tested without a network.
"""

from . import urls, v1_json
from .dialects import V1, V4, Dialect, Version, dialect
from .exchange import Notices, Reply, Request, notices
from .failures import failure
from .pages import read

__all__ = [
    "V1",
    "V4",
    "Dialect",
    "Notices",
    "Reply",
    "Request",
    "Version",
    "dialect",
    "failure",
    "notices",
    "read",
    "urls",
    "v1_json",
]

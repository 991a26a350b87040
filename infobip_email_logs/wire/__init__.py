"""What travels: a query becomes a request, an answer becomes a page or an error. No I/O.

One module per dialect (:mod:`.v1_json`, :mod:`.v1_xml`); the rest is what dialects share. All of
it is made of plain functions over plain values, so that it is tested without a network.
"""

from . import urls, v1_json
from .exchange import Notices, Reply, Request, notices
from .failures import failure
from .pages import read

__all__ = ["Notices", "Reply", "Request", "failure", "notices", "read", "urls", "v1_json"]

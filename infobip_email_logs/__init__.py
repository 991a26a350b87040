"""Pull every email log of an Infobip account, through the rate limit, with asyncio.

A name is imported from its room when it is first used: most programs that import the package have
other things to do first, and a command that only prints its help needs none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .version import __version__

if TYPE_CHECKING:
    from .accounts import account_key
    from .auth import ApiKey, Auth, Basic, Bearer, IbssoToken, OAuth2
    from .bucket import LIMIT_V1, LIMIT_V4, TimeLimit, TokenLimit
    from .client import EmailLogsClient
    from .errors import (
        DecodeError,
        EmailLogsError,
        Forbidden,
        IncompleteError,
        InvalidInput,
        InvalidState,
        LimiterUnavailable,
        RateLimited,
        RequestRejected,
        ServerError,
        ServiceError,
        TransportError,
        Unauthorized,
        WaitTooLong,
    )
    from .host_limiter import HostLimiter
    from .limiter import Limiter, LocalLimiter, Permit, Snapshot
    from .line import Priority
    from .lookups import KeepAnswers
    from .models import (
        EmailLog,
        Gap,
        LogError,
        LogsPage,
        Price,
        RejectedRecord,
        Status,
        StatusGroup,
    )
    from .network import Network, Timeouts
    from .pull import Pull
    from .query import LogsQuery
    from .report import PullPlan, PullReport
    from .retry import Retry, RetryPolicy
    from .settings import from_environment
else:

    def __getattr__(name: str) -> object:
        """Return a public name, from the room that it lives in."""
        for room, names in _ROOMS.items():
            if name in names:
                value = globals()[name] = getattr(import_module(f".{room}", __name__), name)
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        """Return the public names, whether they were used or not."""
        return sorted({*globals(), *__all__})


_ROOMS = {
    "accounts": ("account_key",),
    "auth": (
        "ApiKey",
        "Auth",
        "Basic",
        "Bearer",
        "IbssoToken",
        "OAuth2",
    ),
    "bucket": (
        "LIMIT_V1",
        "LIMIT_V4",
        "TimeLimit",
        "TokenLimit",
    ),
    "client": ("EmailLogsClient",),
    "errors": (
        "DecodeError",
        "EmailLogsError",
        "Forbidden",
        "IncompleteError",
        "InvalidInput",
        "InvalidState",
        "LimiterUnavailable",
        "RateLimited",
        "RequestRejected",
        "ServerError",
        "ServiceError",
        "TransportError",
        "Unauthorized",
        "WaitTooLong",
    ),
    "host_limiter": ("HostLimiter",),
    "limiter": (
        "Limiter",
        "LocalLimiter",
        "Permit",
        "Snapshot",
    ),
    "line": ("Priority",),
    "lookups": ("KeepAnswers",),
    "models": (
        "EmailLog",
        "Gap",
        "LogError",
        "LogsPage",
        "Price",
        "RejectedRecord",
        "Status",
        "StatusGroup",
    ),
    "network": (
        "Network",
        "Timeouts",
    ),
    "pull": ("Pull",),
    "query": ("LogsQuery",),
    "report": (
        "PullPlan",
        "PullReport",
    ),
    "retry": (
        "Retry",
        "RetryPolicy",
    ),
    "settings": ("from_environment",),
}
"""Room → the public names that live in it."""

__all__ = [
    "LIMIT_V1",
    "LIMIT_V4",
    "ApiKey",
    "Auth",
    "Basic",
    "Bearer",
    "DecodeError",
    "EmailLog",
    "EmailLogsClient",
    "EmailLogsError",
    "Forbidden",
    "Gap",
    "HostLimiter",
    "IbssoToken",
    "IncompleteError",
    "InvalidInput",
    "InvalidState",
    "KeepAnswers",
    "Limiter",
    "LimiterUnavailable",
    "LocalLimiter",
    "LogError",
    "LogsPage",
    "LogsQuery",
    "Network",
    "OAuth2",
    "Permit",
    "Price",
    "Priority",
    "Pull",
    "PullPlan",
    "PullReport",
    "RateLimited",
    "RejectedRecord",
    "RequestRejected",
    "Retry",
    "RetryPolicy",
    "ServerError",
    "ServiceError",
    "Snapshot",
    "Status",
    "StatusGroup",
    "TimeLimit",
    "Timeouts",
    "TokenLimit",
    "TransportError",
    "Unauthorized",
    "WaitTooLong",
    "__version__",
    "account_key",
    "from_environment",
]

"""Pull every email log of an Infobip account, through the rate limit, with asyncio."""

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
from .version import __version__

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

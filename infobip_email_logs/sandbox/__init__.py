"""A local stand-in for Infobip's email logs, to try code against.

It knows the documented service, and has a setting for everything that is not documented. It uses
nothing else of this package, and its records are made up.

    async with Sandbox(traffic=Traffic(bulks=3), settings=Settings(gzip=True)) as sandbox:
        ...  # ask sandbox.url with sandbox.credentials
"""

from .arrivals import Arrival
from .credentials import Credentials
from .faults import FAULTS, LASTING, PASSING, Fault
from .limits import TimeWindow, TokenBucket
from .records import STATUSES, Error, Record, Status
from .server import Sandbox
from .settings import Settings
from .traffic import Traffic

__all__ = [
    "FAULTS",
    "LASTING",
    "PASSING",
    "STATUSES",
    "Arrival",
    "Credentials",
    "Error",
    "Fault",
    "Record",
    "Sandbox",
    "Settings",
    "Status",
    "TimeWindow",
    "TokenBucket",
    "Traffic",
]

"""Pull every email log of an Infobip account, through the rate limit, with asyncio."""

__version__ = "0.1.0"

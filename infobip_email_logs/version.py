"""The version of the package, for its metadata and its ``User-Agent``."""

__version__ = "0.1.0"

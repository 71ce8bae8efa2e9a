"""Exit codes that scripts may rely on."""

from typing import Final

__all__ = [
    "EXIT_INTERRUPTED",
    "EXIT_REJECTED",
    "EXIT_TERMINATED",
    "EXIT_USAGE",
    "EXIT_VIOLATIONS",
]

EXIT_VIOLATIONS: Final = 1
"""Only with --fail-on."""
EXIT_USAGE: Final = 2
"""Usage, configuration or internal error."""
EXIT_REJECTED: Final = 3
"""Finished, but some records or inputs were rejected."""
EXIT_INTERRUPTED: Final = 130
EXIT_TERMINATED: Final = 143
"""SIGTERM: a service manager stopped it."""

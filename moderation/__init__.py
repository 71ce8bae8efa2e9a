"""moderation-engine: pornography, drugs and gambling policies over Chinese and English posts."""

from typing import TYPE_CHECKING, Any

from moderation.errors import ModerationError
from moderation.types import Evidence, Label, PolicyRef, Verdict

if TYPE_CHECKING:
    from moderation.decide.verdicts import Verdicts
    from moderation.engine import Moderator

__all__ = [
    "Evidence",
    "Label",
    "ModerationError",
    "Moderator",
    "PolicyRef",
    "Verdict",
    "Verdicts",
    "__version__",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load the engine on first use, so that the command line starts without it."""
    if name == "Moderator":
        from moderation.engine import Moderator

        return Moderator
    if name == "Verdicts":
        from moderation.decide.verdicts import Verdicts

        return Verdicts
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

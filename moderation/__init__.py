"""moderation-engine: pornography, drugs and gambling policies over Chinese and English posts."""

from moderation.decide.verdicts import Verdicts
from moderation.engine import Moderator
from moderation.errors import ModerationError
from moderation.types import Evidence, Label, PolicyRef, Verdict

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

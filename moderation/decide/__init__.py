"""Decide: evidence, probabilities and stance to labels and an action under a region profile."""

from moderation.decide.decision import Decision, decide_policy, probability, risk_level
from moderation.decide.profile import Profile, load_profiles, profile_for
from moderation.decide.verdicts import Verdicts

__all__ = [
    "Decision",
    "Profile",
    "Verdicts",
    "decide_policy",
    "load_profiles",
    "probability",
    "profile_for",
    "risk_level",
]

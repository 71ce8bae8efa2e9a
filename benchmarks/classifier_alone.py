"""The classifier by itself: which operating points a tier's probabilities reach, without any rule.

Scores are made as the engine makes them: base view, language as identified, long posts window by
window, calibrated, rounded; a post too short to score passes. A post counts as flagged where its
score reaches the review point of its language and policy, as blocked where it reaches the block
point: a region's ceilings on what the classifier may do alone play no part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from evasions.spell import cut, is_han, is_letter
from rules_alone import BATCH, joined, load_rules, spans

from moderation import Moderator
from moderation.classifier import SessionOptions, load_model
from moderation.engine import is_too_short
from moderation.text import TextBatch, identify, windows
from moderation.types import ACTIONS, POLICIES, SCORE_DECIMALS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from rules_alone import RulesAlone

    from moderation.classifier import Model

MOST: Final = 3
"""Words that the model names as key terms make up at most one part in this many of a post."""


@dataclass(frozen=True)
class ClassifierAlone:
    """A model behind one tier, and the rules, which only say where a post's key terms stand."""

    model: Model
    rules: RulesAlone

    def judged(self, texts: Sequence[str]) -> list[dict[str, str]]:
        """Return pass, review or block by policy for each post."""
        found: list[dict[str, str]] = []
        for start in range(0, len(texts), BATCH):
            levels = self._levels(TextBatch.from_strings(texts[start : start + BATCH]))
            found += [
                {policy: ACTIONS[level] for policy, level in zip(POLICIES, row, strict=True)}
                for row in levels.tolist()
            ]
        return found

    def key_terms(
        self, posts: Sequence[tuple[str, str]]
    ) -> list[tuple[tuple[int, int], ...] | None]:
        """Return the stretches of posts, given as text and policy, that speak for the policy.

        They are those that the rules' matches point at or, where no rule matches, the words that
        the model would miss most. None for a post that the model does not flag for its policy.
        """
        judged = self.judged([text for text, _ in posts])
        flagged = [now[policy] != "pass" for (_, policy), now in zip(posts, judged, strict=True)]
        wanted = [post for post, yes in zip(posts, flagged, strict=True) if yes]
        terms = iter(
            named or self.missed(*post)
            for post, named in zip(wanted, self.named(wanted), strict=True)
        )
        return [next(terms) if yes else None for yes in flagged]

    def named(self, posts: Sequence[tuple[str, str]]) -> list[tuple[tuple[int, int], ...]]:
        """Return what the rules' matches point at in posts given as text and policy."""
        found = self.rules.findings([text for text, _ in posts])
        return [
            tuple(spans(m for m in findings.matches if m.rule.policy == policy))
            for (_, policy), findings in zip(posts, found, strict=True)
        ]

    def missed(self, text: str, policy: str) -> tuple[tuple[int, int], ...]:
        """Return the words without which the model would be least sure, most telling first taken.

        Each word is cut out by itself; those that lower the log-odds are taken, the largest loss
        first, as long as they fit into a third of the post.
        """
        found = words(text)
        table = self.rules.ruleset.table
        whole = TextBatch.from_strings([text])
        batch = TextBatch.from_strings([text, *(cut(text, [word]) for word in found)])
        # One calibration for all: cutting a word out must not count as a change of language.
        language = identify(table.base(whole), table, whole)
        odds = self.model.logits(table.base(batch), np.repeat(language, len(batch)))
        losses = odds[0, POLICIES.index(policy)] - odds[1:, POLICIES.index(policy)]
        chosen: set[tuple[int, int]] = set()
        taken: set[int] = set()
        for at in np.argsort(-losses, kind="stable").tolist():
            more = taken | set(range(*found[at]))
            if losses[at] > 0 and MOST * len(more) <= len(text):
                chosen.add(found[at])
                taken = more
        return tuple(joined(chosen))

    def _levels(self, batch: TextBatch) -> NDArray[np.int64]:
        """Return what each post reaches, as indices into ACTIONS, (posts, policies)."""
        table = self.rules.ruleset.table
        levels = np.zeros((len(batch), len(POLICIES)), np.int64)
        cuts = windows.cut(batch)
        for where, part in windows.parts(batch, cuts):
            base = table.base(part)
            languages = identify(base, table, part)
            odds = self.model.logits(base, languages)
            odds[is_too_short(base, table)] = -np.inf
            with np.errstate(over="ignore"):
                scores = np.round(1.0 / (1.0 + np.exp(-odds)), SCORE_DECIMALS)
            points = np.round(self.model.operating_points[languages], SCORE_DECIMALS)
            reached = np.where(scores >= points[..., 1], 2, scores >= points[..., 0])
            np.maximum.at(levels, cuts.post[where], reached)
        return levels


def load_classifier(folder: Path, tier: str | None, rules_folder: Path) -> ClassifierAlone:
    """Load a model behind one of its tiers (default: the one it names) and a rules folder.

    Raises:
        ModerationError: either is incomplete, they do not belong together, or there is no such
            tier; the message says which.
    """
    checked = Moderator(tier=tier, rules=rules_folder, model=folder)
    return ClassifierAlone(
        load_model(folder, checked.tier, SessionOptions()), load_rules(rules_folder)
    )


def words(text: str) -> list[tuple[int, int]]:
    """Return the words of a text: runs of letters and digits, and of Chinese each two neighbours.

    Chinese words are not told apart; most have two characters, and pairs may overlap.
    """
    found: list[tuple[int, int]] = []
    start = 0
    while start < len(text):
        end = start + 1
        if is_letter(text[start]):
            han = is_han(text[start])
            while end < len(text) and is_letter(text[end]) and is_han(text[end]) == han:
                end += 1
            pairs = [(at, at + 2) for at in range(start, end - 1)]
            found += pairs if han and pairs else [(start, end)]
        start = end
    return found

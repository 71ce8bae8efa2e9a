"""The rules by themselves: what region cn would do with a post if there were no classifier.

`decide_policy` is given log-odds of minus infinity, the engine's own value where the classifier has
nothing to say, and no fusion weights. What is left is the rules: a strong match blocks, a medium
one asks for review, a weak one alone does nothing, an innocent stance caps them, and so do the
region's ceilings. `rule_floor` raises the score that a verdict shows, never the action, so it plays
no part. A post counts as flagged where the action is review or block.
"""

from __future__ import annotations

import math
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.decide import decide_policy, profile_for
from moderation.resources import data_root
from moderation.rules import load_ruleset
from moderation.text import TextBatch, windows
from moderation.types import POLICIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from moderation.decide import Profile
    from moderation.rules import Findings, Hit, RuleMatch, Ruleset

ROOT: Final = Path(__file__).resolve().parent.parent
REGION: Final = "cn"
BATCH: Final = 2048
_POINTS: Final = np.ones(2)


@dataclass(frozen=True)
class RulesAlone:
    """A ruleset and the profile that turns its findings into actions."""

    ruleset: Ruleset
    profile: Profile

    def findings(self, texts: Sequence[str]) -> list[Findings]:
        """Return what the rules say of each post, in order."""
        found: list[Findings] = []
        for start in range(0, len(texts), BATCH):
            part = TextBatch.from_strings(texts[start : start + BATCH])
            found += self.ruleset.evaluate(part, np.zeros(len(part), np.bool_), every_cue=False)
        return found

    def stage(self, texts: Sequence[str]) -> list[Findings]:
        """Run the rules stage as the engine does; return what it finds, empty findings left out.

        Long posts are cut into windows; what the scan leaves out is not looked at again.
        """
        batch = TextBatch.from_strings(texts)
        cuts = windows.cut(batch)
        found: list[Findings] = []
        for where, part in windows.parts(batch, cuts):
            scan = self.ruleset.scan(part)
            found += self.ruleset.findings(
                scan,
                scan.posts,
                np.zeros(len(scan.posts), np.bool_),
                every_cue=False,
                cut=cuts.cut(batch, where),
            )
        return found

    def actions(self, findings: Findings) -> dict[str, str]:
        """Return pass, review or block by policy, only for policies in which a rule fired."""
        fired = {match.rule.policy for match in findings.matches}
        actions: dict[str, str] = {}
        for number, policy in enumerate(POLICIES):
            if policy in fired:
                decision = decide_policy(number, -math.inf, _POINTS, findings, (), {}, self.profile)
                actions[policy] = decision.label.action if decision.label else "pass"
        return actions

    def judged(self, texts: Sequence[str]) -> list[dict[str, str]]:
        """Return the actions on each post."""
        return [self.actions(found) for found in self.findings(texts)]

    def key_terms(
        self, posts: Sequence[tuple[str, str]]
    ) -> list[tuple[tuple[int, int], ...] | None]:
        """Return what the matches point at in posts given as text and policy.

        None for a post that the rules do not flag for its policy in plain sight: by a match that
        needs no bolder view than `base`.
        """
        terms: list[tuple[tuple[int, int], ...] | None] = []
        found = self.findings([text for text, _ in posts])
        for (_, policy), findings in zip(posts, found, strict=True):
            matches = [m for m in findings.matches if m.rule.policy == policy]
            plain = any(not m.bold and m.level != "weak" for m in matches)
            flagged = plain and policy in flags(self.actions(findings))
            terms.append(tuple(spans(matches)) if flagged else None)
        return terms


def flags(actions: dict[str, str]) -> frozenset[str]:
    """Return the policies whose action is review or block."""
    return frozenset(policy for policy, action in actions.items() if action != "pass")


def load_rules(folder: Path | None = None, region: str = REGION) -> RulesAlone:
    """Compile a rules folder (default: the shipped one) and read a region's profile."""
    chosen = folder if folder is not None else data_root() / "rules"
    return RulesAlone(load_ruleset(chosen), profile_for(chosen, region))


def spans(matches: Iterable[RuleMatch]) -> list[tuple[int, int]]:
    """Return the stretches of the post that some matches point at; no cues, overlaps merged."""
    hits: list[Hit] = [hit for match in matches for hit in match.hits if not hit.cue]
    return joined((hit.start, hit.end) for hit in hits)


def joined(stretches: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return stretches in order, those that overlap as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(set(stretches)):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def hardware() -> str:
    """Return one line on the machine and the Python that measured."""
    name = platform.processor() or "unknown processor"
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text(encoding="utf-8").splitlines()
        name = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), name)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{name}, {cores} core(s) to run on, Python {platform.python_version()}, "
        f"numpy {np.__version__}; one process, one thread"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Return a Markdown table; all but the first `left` columns are aligned to the right."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * left + "--:|" * (len(head) - left)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def percent(part: int, whole: int, digits: int = 1) -> str:
    """Return a share as a percentage, or a dash where there is nothing to take a share of."""
    return f"{100 * part / whole:.{digits}f} %" if whole else "-"

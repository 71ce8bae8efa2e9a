"""Lint of tests: texts that stand twice, and outcomes that exclude one another."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from moderation.rules.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moderation.rules.compile import CompiledRules
    from moderation.rules.conditions import Rule
    from moderation.rules.outline import Outline, WrittenTest

__all__ = ["lint_tests"]

_FIRES = frozenset({"hit", "evasion"})


def lint_tests(compiled: CompiledRules, outline: Outline) -> Iterator[Finding]:
    """Yield what is wrong with the tests: L104.

    Only tests of one policy are held against one another: a post may be an offence under one
    policy and innocent under the next.
    """
    rules = {rule.id: rule for rule in (*compiled.rules, *compiled.private)}
    by_text: dict[tuple[str, str], list[WrittenTest]] = defaultdict(list)
    for test in outline.tests:
        pack = test.owner.partition(".")[0]
        by_text[pack, test.text.strip()].append(test)
    for tests in by_text.values():
        for number, test in enumerate(tests[1:], 1):
            earlier = tests[:number]
            conflict = next((e for e in earlier if _contradict(e, test, rules)), None)
            if conflict is not None:
                message = (
                    f"the text is {test.kind!r} here and {conflict.kind!r} of {conflict.owner}: "
                    "both cannot be wanted"
                )
                yield Finding("L104", "error", message, test.place, test.owner)
            else:
                known = earlier[0]
                where = f"{known.place.path}:{known.place.line}"
                message = f"the text is already {known.kind!r} of {known.owner} ({where})"
                yield Finding("L104", "warning", message, test.place, test.owner)


def _contradict(one: WrittenTest, two: WrittenTest, rules: dict[str, Rule]) -> bool:
    """Say whether two tests of one text cannot both be wanted.

    A rule fires or does not; and a post that shows a violation (`hit`, `evasion`) is not one whose
    stance is innocent (`explain`), whichever rules they are.
    """
    kinds = {one.kind, two.kind}
    if one.owner == two.owner and "pass" in kinds and kinds != {"pass"}:
        return True
    if any(r.private or r.is_context for t in (one, two) if (r := rules.get(t.owner)) is not None):
        return False
    return "explain" in kinds and not kinds.isdisjoint(_FIRES)

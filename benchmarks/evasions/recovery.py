"""How often a hidden word is found again in pairs of plain and perturbed text.

The words themselves become rules, one literal each, beside the shipped cues and fold tables; then
the perturbed text is scanned. Their false finds are counted on ordinary posts.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rules_alone import RulesAlone, load_rules

from evasions.spell import is_letter

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMES = {
    "Emoji_toxic_transform": "emoji",
    "Swap_transform": "order shuffled",
    "Traditional_transform": "traditional forms",
    "chaizi_transform": "characters split",
    "homo_toxi_transform": "homophones",
    "pinyin_full_transform": "full pinyin",
    "pinyin_transform": "initials",
    "radical_transform": "look-alike radicals",
}


@dataclass
class Recovery:
    """Words hidden and found again, by perturbation; false finds on ordinary posts."""

    hidden: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    misses: list[tuple[str, str, str]] = field(default_factory=list)
    """Perturbation, word, perturbed text."""
    terms: int = 0
    ordinary: int = 0
    false: int = 0
    """Ordinary posts in which a term is found that no base view shows."""
    false_finds: list[tuple[str, str]] = field(default_factory=list)


def recover(pairs: Path, rules: Path, ordinary: Sequence[str], misses: int) -> Recovery:
    """Scan the perturbed side of the pairs for the words of the plain side.

    Args:
        pairs: JSON lines, gzipped: perturbation, original, perturbed, spans.
        rules: the folder whose fold tables, cues and policy are used.
        ordinary: innocent posts, to count false finds on.
        misses: examples to keep, per perturbation and of false finds.
    """
    with gzip.open(pairs, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    terms = sorted({span for row in rows for span in row["spans"] if _usable(span)})
    outcome = Recovery(terms=len(terms), ordinary=len(ordinary))
    with tempfile.TemporaryDirectory() as folder:
        scanner = _scanner(Path(folder) / "rules", rules, terms)
    kept: Counter[str] = Counter()
    for row, found in zip(rows, _terms(scanner, [row["perturbed"] for row in rows]), strict=True):
        name = _NAMES.get(row["perturbation"], row["perturbation"])
        for span in dict.fromkeys(row["spans"]):
            if not _usable(span) or span in row["perturbed"] or span not in row["original"]:
                continue
            outcome.hidden[name] += 1
            if terms.index(span) in found:
                outcome.found[name] += 1
            elif kept[name] < misses:
                kept[name] += 1
                outcome.misses.append((name, span, row["perturbed"]))
    for text, bold in zip(ordinary, _terms(scanner, ordinary, bold=True), strict=True):
        outcome.false += bool(bold)
        if bold and len(outcome.false_finds) < misses:
            outcome.false_finds.append((", ".join(terms[i] for i in sorted(bold)), text))
    return outcome


def _usable(span: str) -> bool:
    """Words of two characters or more: no view may look for single characters boldly."""
    return len(span) >= 2 and all(map(is_letter, span)) and not re.fullmatch(r"\d+", span)


def _scanner(folder: Path, shipped: Path, terms: Sequence[str]) -> RulesAlone:
    (folder / "gambling").mkdir(parents=True)
    shutil.copytree(shipped / "fold", folder / "fold")
    for name in ("cues.yaml", "policy.yaml"):
        shutil.copy(shipped / name, folder / name)
    pack = {
        "schema": 1,
        "policy": "gambling",
        "rules": [
            {
                "id": f"gambling.any.term-{number}",
                "title": "A hidden word",
                "sub_label": "gambling.promotion",
                "stance": "offer",
                "level": "medium",
                "any": [term],
            }
            for number, term in enumerate(terms)
        ],
    }
    content = json.dumps(pack, ensure_ascii=False, indent=1)
    (folder / "gambling" / "terms.yaml").write_text(content, encoding="utf-8")
    return load_rules(folder)


def _terms(scanner: RulesAlone, texts: Sequence[str], *, bold: bool = False) -> list[set[int]]:
    """Return the numbers of the terms found in each text; with `bold`, only by bold views."""
    return [
        {int(m.rule.id.rpartition("-")[2]) for m in found.matches if m.bold or not bold}
        for found in scanner.findings(texts)
    ]

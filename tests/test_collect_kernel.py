"""Places of literals collected by the native kernel and by the reference: the same, bit for bit."""

from __future__ import annotations

import json
from collections import defaultdict
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rule_support import batch, compiled, rule

from moderation.resources import data_root
from moderation.rules import load_ruleset
from moderation.rules.collect import MOST_HIDDEN, Collector
from moderation.rules.collecting import NativeCollector, plain_forms
from moderation.rules.marks import BOLD, hit_of
from moderation.text.fields import FieldSpan
from moderation.text.native import kernel
from moderation.text.shape import load_shapes
from moderation.text.sound import load_sound
from moderation.text.windows import cut, parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moderation.rules import Ruleset
    from moderation.rules.hits import HitTable, Reading
    from moderation.text import TextBatch

pytestmark = pytest.mark.skipif(kernel is None, reason="the native kernel was not compiled here")

CORPUS = Path(__file__).resolve().parent.parent / "corpus"
RULES = data_root() / "rules"
COLUMNS = ("bounds", "literal", "start", "end", "mark")
NOISE = [
    "", "", "", ".", " ", "-", "·", "*", "🎲", "，", "。", "。\n", ", ", "1", "ab", "的", "[", "丶",
    "〇", "\n", "  ", "/", "_", "@", "\u200b", "......", ".......", "月",
]  # fmt: skip
AROUND = ["", " ", "，", "我们去", "加", "找", "a", "7", "@", "#", "月", "today ", "。", "x.", "的"]


def reference(ruleset: Ruleset, reading: Reading, cuts: NDArray[np.bool_] | None) -> HitTable:
    """Return the places that the reference collects."""
    rules = ruleset._compiled
    collector = Collector(reading, rules.literals, rules.table, rules.ordinary, ruleset._chance)
    for name in reading.views:
        collector.collect(name, ruleset._automata[name], cuts)
    return collector.hits()


def collected_alike(
    ruleset: Ruleset, posts: TextBatch, cuts: NDArray[np.bool_] | None = None
) -> HitTable:
    """Collect both ways, compare, and return what was collected."""
    assert isinstance(ruleset._collector, NativeCollector)
    reading = ruleset.read(posts)
    found = ruleset._collector.hits(reading, cuts)
    expected = reference(ruleset, reading, cuts)
    for column in COLUMNS:
        one, other = getattr(found, column), getattr(expected, column)
        assert one.dtype == other.dtype, column
        assert one.tolist() == other.tolist(), column
    return found


def test_the_corpus_holds_the_same_either_way(ruleset: Ruleset):
    files = [path.read_bytes() for path in sorted(CORPUS.glob("*.jsonl"))]
    texts = [json.loads(line)["text"] for file in files for line in file.splitlines()]
    marks = [
        collected_alike(ruleset, batch(texts[at : at + 4096])).mark
        for at in range(0, len(texts), 4096)
    ]
    hits = [hit_of(0, 1, mark) for mark in np.unique(np.concatenate(marks)).tolist()]
    folds = {"", "leet", "noise", "split", "initials", "order", "shape", "homophone"}
    assert {hit.fold for hit in hits} >= folds
    assert {(hit.frail, hit.rare) for hit in hits} == {(False, False), (True, False), (True, True)}


def test_a_literal_by_itself_is_a_pattern_of_the_compact_view(ruleset: Ruleset):
    literals, compact = ruleset._compiled.literals, ruleset._automata["compact"]
    found, texts = plain_forms(compact, len(literals)).tolist(), compact.texts
    assert [texts[n] if n >= 0 else "" for n in found] == [
        literal.compact[0] if literal.compact else "" for literal in literals
    ]


@cache
def ways() -> dict[str, list[str]]:
    """Return for a character what stands for it to the ear or the eye."""
    sound, shapes = load_sound(RULES), load_shapes(RULES)
    assert sound is not None
    assert shapes is not None
    alike: dict[int, list[str]] = defaultdict(list)
    for code in range(0x4E00, 0x9FFF):
        alike[int(sound.near[code])].append(chr(code))
    looks: dict[int, list[str]] = defaultdict(list)
    for code in range(0x4E00, 0x9FFF):
        looks[int(shapes.classes[code])].append(chr(code))
    spelt: dict[int, list[str]] = defaultdict(list)
    for syllable, near in zip(sound.syllables, sound.syllable_near.tolist(), strict=True):
        spelt[near + 1].append(syllable)
    found: dict[str, list[str]] = {}
    for code in range(0x4E00, 0x9FFF):
        near = int(sound.near[code])
        others = [*alike[near][:40:5], *spelt[near]] if near else []
        initial = [chr(sound.initial[code])] if sound.initial[code] else []
        split = shapes.split.get(chr(code), ())
        found[chr(code)] = [
            chr(code), chr(code), *others, *initial, *looks[int(shapes.classes[code])], *split,
        ]  # fmt: skip
    return found | {"o": ["o", "0", "oo"], "a": ["a", "4", "@", "а"], "i": ["i", "1", "!"]}


def disguised(term: str, random: Random) -> str:
    """Return a term of the rules, hidden in one way or several, with something around it."""
    chars = list(term)
    if random.random() < 0.2:
        at = random.randrange(len(chars) - 1)
        chars[at], chars[at + 1] = chars[at + 1], chars[at]
    kind = random.randrange(4)
    if kind & 1:
        chars = [random.choice(ways().get(c, [c, c, c.upper()])) for c in chars]
    if random.random() < 0.2:
        chars = [c * random.randint(1, 3) for c in chars]
    if kind & 2:
        gap = random.choice(NOISE)
        same = random.random() < 0.5
        chars = [c + (gap if same else random.choice([*NOISE, gap, gap])) for c in chars]
    return "".join([random.choice(AROUND), *chars, random.choice(AROUND)])


@cache
def shipped_terms() -> tuple[str, ...]:
    literals = load_ruleset(RULES)._compiled.literals
    return tuple(literal.base for literal in literals if 1 < len(literal.base) < 12)


def laid_out(texts: list[str], seed: int) -> tuple[TextBatch, NDArray[np.bool_] | None]:
    """Return posts, some of them in fields, and whether each goes on to the left and right."""
    random = Random(seed)
    posts = batch(texts)
    if random.random() < 0.5:
        ends = [random.randint(0, len(text)) for text in texts]
        layouts = [
            (FieldSpan("title", 0, end), FieldSpan("text", min(end + 1, len(text)), len(text)))
            for end, text in zip(ends, texts, strict=True)
        ]
        posts = posts.with_fields(layouts)
    cuts = [[random.random() < 0.3, random.random() < 0.3] for _ in texts]
    return posts, np.array(cuts, np.bool_).reshape(-1, 2) if random.random() < 0.5 else None


@settings(max_examples=100)
@given(st.integers(0, 10**9))
def test_disguised_terms_of_the_shipped_rules_are_found_alike(ruleset: Ruleset, seed: int):
    random = Random(seed)
    texts = [
        "".join(
            disguised(random.choice(shipped_terms()), random) for _ in range(random.randint(1, 4))
        )
        for _ in range(60)
    ]
    collected_alike(ruleset, *laid_out(texts, seed))


CROWDED = [
    "ab", "ba", "aba", "*ab*", "ab*", "*ba", "aab", "abab", "*abab", "abab*", "a b", "ab1", "1a",
    "bab a", "abba",
    "b'a", "博彩", "彩博", "赌博", "博博", "博彩赌", "博彩赌博", "#博彩", "#ab", "#abab", "赌 博",
    "博a", "a博彩", "下注博彩", "菠菜", "下注", "娱乐城", "上下分", "百家乐", "赌上", "上分",
    "casino", "free spins", "spin free bets",
]  # fmt: skip
ALPHABET = [
    "a", "b", "1", "博", "彩", "赌", "波", "采", "睹", "#", " ", ".", "。", "@", "bo", "cai", "du",
    "贝者", "b", "c", "aa", "bb", "博博", "下", "注", "上", "分", "百", "家", "乐", "4", "\n",
    "casin", "o", "0", "s p i n s", "free", "的", "月", "丶", "〇", "、", "*", "𝐚", "ᗷ", "\u202e",
    "ㄅㄛㄘㄞ",
]  # fmt: skip
crowded_posts = st.lists(
    st.tuples(st.lists(st.sampled_from(ALPHABET), max_size=10).map("".join), st.integers(1, 4)).map(
        lambda run: run[0] * run[1]
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    return compiled(tmp_path_factory.mktemp("crowded"), rule("term", any=CROWDED), bold=True)


@settings(max_examples=600)
@given(crowded_posts, st.integers(0, 10**9))
@example(["#", "博.彩", "#博.彩", "a#", "ab"], 0)
@example(["a.b", "ab", "", "博 彩 博 彩"], 3)
def test_overlapping_terms_over_a_small_alphabet_are_found_alike(
    crowded: Ruleset, texts: list[str], seed: int
):
    collected_alike(crowded, *laid_out(texts, seed))


def test_a_text_made_to_cost_time_is_given_up_at_the_same_place(crowded: Ruleset):
    # What comes first moves the place at which it is given up, also into the owners of one pattern.
    leads = ["", "b-a-b ", "a-a-b ", "博.彩 ", "a.b.a ", "赌.博 "]
    texts = [lead + run * 900 for lead in leads for run in ("a.b.", "博-彩.", "b-a-b-a.a-a-b.")]
    found = collected_alike(crowded, batch([*texts, "ab" * 900, "a b"]))
    bold = (found.mark & BOLD) != 0
    per_post = [int(bold[a:b].sum()) for a, b in pairwise(found.bounds.tolist())]
    assert max(per_post) <= 3 * MOST_HIDDEN
    assert sum(count > MOST_HIDDEN // 2 for count in per_post) > len(leads)


def test_windows_of_a_long_post_are_collected_alike(crowded: Ruleset):
    posts = batch(["博.彩，今天天气好 casino " * 150, "短的", "a-b ab " * 400])
    windows = cut(posts)
    for where, part in parts(posts, windows):
        assert len(collected_alike(crowded, part, windows.cut(posts, where)).mark) > 500


def test_a_ruleset_without_tables_of_sounds_and_shapes_is_collected_alike(tmp_path: Path):
    plain = compiled(tmp_path, rule("term", any=CROWDED))
    found = collected_alike(plain, batch(["a.b 博彩 #博 彩 free-spins", "ca*sino"]))
    assert len(found.mark) > 3


def test_a_hash_that_ends_one_post_makes_no_hashtag_of_the_next(crowded: Ruleset):
    together = crowded.evaluate(batch(["see #", "博🎲彩", "#博🎲彩"]))
    assert [together[i] for i in range(3)] == [
        crowded.evaluate(batch([text]))[0] for text in ("see #", "博🎲彩", "#博🎲彩")
    ]
    literals = crowded._compiled.literals
    tags = {number for number, literal in enumerate(literals) if literal.base.startswith("#")}
    found = collected_alike(crowded, batch(["see #", "博🎲彩", "#博🎲彩"]))
    assert [bool(tags & found.of(post).present) for post in range(3)] == [False, False, True]

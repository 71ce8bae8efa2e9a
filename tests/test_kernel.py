"""The native kernel gives the same results as the references beside it, bit for bit."""

from __future__ import annotations

import json
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from moderation.resources import data_root
from moderation.rules import load_ruleset
from moderation.rules.automaton import Automaton
from moderation.rules.compile import CompiledRules
from moderation.rules.conditions import Literal
from moderation.rules.forms import Form
from moderation.rules.known import known_words
from moderation.rules.lookout import Lookout
from moderation.rules.screen import Screen
from moderation.text import VIEWS, TextBatch, View, load_table
from moderation.text.bopomofo import read_bopomofo
from moderation.text.disguise import disguised
from moderation.text.fold import CLASS_DIGIT, CLASS_LATIN
from moderation.text.leet import plain_letters
from moderation.text.native import kernel
from moderation.text.ordinary import Ordinary, keys
from moderation.text.reading import in_reading_order
from moderation.text.shape import load_shapes
from moderation.text.sound import load_sound
from moderation.text.spacing import unspace, unspace_reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

pytestmark = pytest.mark.skipif(kernel is None, reason="the native kernel was not compiled here")

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "posts.jsonl"
RULES = data_root() / "rules"
TABLE = load_table(RULES)
SOUND = load_sound(RULES)
SHAPES = load_shapes(RULES)
ORDINARY = Ordinary.load(RULES)

PIECES = st.one_of(
    st.sampled_from("赌博加微信老师学校今天上行银长乐的了\U00020000\u3007"),
    st.sampled_from("abcdeilstzonghw"),
    st.sampled_from("0123456789$@!|€"),
    st.sampled_from([" ", "  ", "\n", "\u3000", "\u200b", "\u00ad", "，", ".", "-", "·"]),
    st.sampled_from(["weixin", "jia", "zhuang", "xi an", "c4sin0", "p0rn", "$ex", "ca$h!", "lll"]),
    st.sampled_from(["😂", "❤️", "👩\u200d👩\u200d👧", "🇨🇳", "1\ufe0f\u20e3"]),
    st.sampled_from(["e\u0301", "\u0300\u0301\u0302", "a\u20dd", "か\u3099"]),
    st.sampled_from(["\ue000", "\U000f0000", "\U000f0001", "\U0010ffff", "\ud800", "\udfff\udc00"]),
    st.sampled_from(["Ａ", "ＡＢ", "㍿", "ﷺ", "ﬃ", "①", "賭", "ß", "İ", "Ω", "ж", "한"]),
    st.characters(),
)
RUNS = st.tuples(PIECES, st.integers(1, 120)).map(lambda run: run[0] * run[1])
POSTS = st.lists(st.none() | st.lists(PIECES | RUNS, max_size=24).map("".join), max_size=6)
HAND_WRITTEN: tuple[list[str | None], ...] = (
    [],
    [""],
    [None],
    ["", None, ""],
    ["a"],
    ["赌", "博"],
    ["aa", "aa"],
    ["\ud800", "\udc00"],
    ["今 天 天 气 很 好 啊"],
    ["今 天 天 气", "今天 天气 很好 我们 去 学校"],
    [" 今   天 天 气 很 好 "],
    [
        "加 weixin",
        "weixin",
        "j1a w3ixin",
        "xian",
        "x" * 49 + "加",
        "an" * 24 + "加",
        "an" * 25 + "加",
    ],
    ["$", "@@", "a!", "!a", "a$", "$$$a", "1", "加1", "加!!", "l1z2"],
    ["A" * 5000, "1" * 5000, "赌" * 5000, " " * 5000, "\u200b" * 5000, "ﷺ" * 500],
)


def for_all_texts(test):
    """Run a test on hand-written batches and on drawn ones."""
    for posts in HAND_WRITTEN:
        test = example(posts=posts)(test)
    return settings(max_examples=150)(given(posts=POSTS)(test))


def same(found: View, expected: View) -> None:
    assert found.name == expected.name
    for one, other in zip(astuple(found)[1:], astuple(expected)[1:], strict=True):
        assert one.dtype == other.dtype
        assert one.tolist() == other.tolist()


def base_of(posts: Sequence[str | None]) -> View:
    return TABLE.base(TextBatch.from_strings(posts))


def views_of(posts: Sequence[str | None]) -> dict[str, View]:
    base = base_of(posts)
    compact = TABLE.compact(base)
    return {
        "base": base,
        "compact": compact,
        "shape": SHAPES.view(compact, TABLE),
        "sound": SOUND.view(base, TABLE),
    }


@for_all_texts
def test_the_base_fold_is_that_of_the_reference(posts: list[str | None]):
    batch = TextBatch.from_strings(posts)
    same(TABLE.base(batch), TABLE.base_reference(batch))


@for_all_texts
def test_the_compact_view_is_that_of_the_reference(posts: list[str | None]):
    base = base_of(posts)
    same(TABLE.compact(base), TABLE.compact_reference(base))


@for_all_texts
def test_the_sound_view_is_that_of_the_reference(posts: list[str | None]):
    base = base_of(posts)
    for letters in (False, True):
        same(
            SOUND.view(base, TABLE, letters=letters),
            SOUND.view_reference(base, TABLE, letters=letters),
        )


@for_all_texts
def test_spaces_are_dropped_as_in_the_reference(posts: list[str | None]):
    base = base_of(posts)
    found, spaced = unspace(base, TABLE)
    expected, flags = unspace_reference(base, TABLE)
    same(found, expected)
    assert spaced.tolist() == flags.tolist()
    assert (found is base) == (expected is base)


SPACED = st.lists(
    st.lists(st.sampled_from([*"今天学校啊", " ", " ", " ", "  ", "a", "，"]), max_size=40).map(
        "".join
    ),
    max_size=5,
)


@given(SPACED)
def test_spaces_of_spaced_posts_are_dropped_as_in_the_reference(posts: list[str]):
    base = base_of(posts)
    same(unspace(base, TABLE)[0], unspace_reference(base, TABLE)[0])


# Automata: patterns and texts over the same few characters, so that they overlap and nest.

LETTERS = "ab1赌博"
TEXTS = st.lists(st.text(LETTERS + " ，.4\u200bA", max_size=30), max_size=5)
PLAIN = st.builds(
    lambda text, left, right: (Literal(text, (text,), left, right), Form(text, "", text)),
    st.text(LETTERS, min_size=1, max_size=5),
    st.booleans(),
    st.booleans(),
)
GUARDED = st.builds(
    lambda text, fold: (Literal(text[::-1], (text[::-1],)), Form(text, fold, text)),
    st.text(LETTERS, min_size=1, max_size=5),
    st.sampled_from(["order", "homophone", "split"]),
)


def automaton(
    view: str, forms: Sequence[tuple[Literal, Form]], ordinary: Ordinary = ORDINARY
) -> Automaton:
    return Automaton(view, [(n, *pair) for n, pair in enumerate(forms)], TABLE, ordinary)


def suffixes(text: str) -> list[tuple[Literal, Form]]:
    ends = [text[i:] for i in range(len(text))]
    return [(Literal(end, (end,)), Form(end, "", end)) for end in ends]


def naive(
    forms: Sequence[tuple[Literal, Form]], name: str, view: View, base: View
) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield the rows of unguarded patterns: try every pattern at every place of every post."""
    texts = list(dict.fromkeys(form.text for _, form in forms))
    owned = {text: [lit for lit, form in forms if form.text == text] for text in texts}
    whole, codes = view.text(), base.text()
    for post in range(len(view.offsets) - 1):
        begin, stop = view.offsets[post : post + 2].tolist()
        for end in range(begin + 1, stop + 1):
            for start in range(begin, end):
                text = whole[start:end]
                if text not in owned:
                    continue
                first, last = int(view.base_first[start]), int(view.base_last[end - 1])
                left = first == base.offsets[post] or free(codes[first - 1], text, text[0])
                right = last + 1 == base.offsets[post + 1] or free(codes[last + 1], text, text[-1])
                plainly = last - first + 1 == end - start
                skipped = plainly and name == "compact" and all(o.base == text for o in owned[text])
                if (
                    (left or any(o.left_open for o in owned[text]))
                    and (right or any(o.right_open for o in owned[text]))
                    and not skipped
                ):
                    yield texts.index(text), start, end, post, left | right << 1


def free(beside: str, text: str, edge: str) -> bool:
    """Say whether a pattern may end beside a character."""
    if TABLE.classes[ord(edge)] & CLASS_DIGIT:
        wrong = CLASS_DIGIT
    elif TABLE.classes[ord(edge)] & CLASS_LATIN:
        wrong = CLASS_LATIN | CLASS_DIGIT if len(text) <= 2 else CLASS_LATIN
    else:
        wrong = 0
    return not TABLE.classes[ord(beside)] & wrong


def rows(found: bytes) -> list[tuple[int, ...]]:
    return list(map(tuple, np.frombuffer(found, np.int32).reshape(-1, 5).tolist()))


@settings(max_examples=300)
@given(st.lists(PLAIN, max_size=12), TEXTS)
@example(suffixes("abab赌博"), ["xabab赌博", "abab赌", "博abab赌博abab赌博"])
@example([*suffixes("aaaa"), *suffixes("aaab")], ["aaaaaaaab", "aab aaab", "a" * 300])
@example(suffixes("赌博"), ["赌", "博", "", "赌博"])
@example([], ["赌博"])
@example(suffixes("ab"), [])
def test_an_automaton_finds_what_a_search_place_by_place_finds(
    forms: list[tuple[Literal, Form]], texts: list[str]
):
    views = views_of(texts)
    for name in ("base", "compact"):
        searched = automaton(name, forms)
        found = searched.scan(views[name], views["base"])
        assert found == searched.scan_reference(views[name], views["base"])
        assert rows(found) == list(naive(forms, name, views[name], views["base"]))


@settings(max_examples=300)
@given(
    st.lists(PLAIN | GUARDED, max_size=12),
    TEXTS,
    st.lists(
        st.tuples(st.text("\x01" + LETTERS, min_size=1, max_size=4), st.integers(0, 40)), min_size=1
    ),
)
def test_guarded_patterns_are_left_out_as_in_the_reference(
    forms: list[tuple[Literal, Form]], texts: list[str], counted: list[tuple[str, int]]
):
    often = dict(zip(keys([text for text, _ in counted]).tolist(), counted, strict=True))
    ordered = sorted(often)
    ordinary = Ordinary(
        np.array(ordered, np.uint32), np.array([often[k][1] for k in ordered], np.uint16)
    )
    views = views_of(texts)
    for name, view in views.items():
        searched = automaton(name, forms, ordinary)
        found = searched.scan(view, views["base"])
        assert found == searched.scan_reference(view, views["base"])


def test_a_pattern_may_be_as_long_as_a_book():
    text = "赌a" * 100_000
    searched = automaton("base", [(Literal(text, (text,)), Form(text, "", text))])
    base = base_of(["博", "赌a" * 100_001, text[1:]])
    assert rows(searched.scan(base, base)) == [(0, 1, 200_001, 1, 3), (0, 3, 200_003, 1, 3)]


def test_the_shipped_automata_find_the_same_in_the_examples():
    lines = EXAMPLES.read_text(encoding="utf-8").splitlines()
    fields = [json.loads(line).values() for line in lines]
    posts = ["\n".join(str(value) for value in values) for values in fields]
    posts += [text.replace("", " ") for text in posts[::4]]
    views = views_of(posts)
    ruleset = load_ruleset(RULES)
    some = False
    for name, searched in ruleset._automata.items():
        found = searched.scan(views[name], views["base"])
        assert found == searched.scan_reference(views[name], views["base"])
        some |= bool(found)
    assert some


# Clauses.

CLAUSES = st.lists(
    st.tuples(
        st.sampled_from([("base",), ("compact",), ("base", "compact")]),
        st.lists(st.frozensets(st.integers(0, 9), min_size=1, max_size=4), max_size=3).map(tuple),
    ),
    max_size=8,
)
LITERALS = [*suffixes("a赌b"), *suffixes("博1a"), *suffixes("bb赌")]


@settings(max_examples=200)
@given(CLAUSES, TEXTS)
@example([], ["赌"])
@example([(("base",), ())], ["赌"])
def test_the_clauses_met_are_those_of_the_reference(
    clauses: list[tuple[tuple[str, ...], tuple[frozenset[int], ...]]], texts: list[str]
):
    views = views_of(texts)
    automata = {name: automaton(name, LITERALS) for name in ("base", "compact")}
    screen = Screen(clauses, automata)
    hits = {name: a.scan(views[name], views["base"]) for name, a in automata.items()}
    found = screen.clauses(hits, len(texts))
    expected = screen.clauses_reference(hits, len(texts))
    assert found.dtype == expected.dtype
    pairs = list(map(tuple, found.tolist()))
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == set(map(tuple, expected.tolist()))
    assert found[:, 0].tolist() == sorted(found[:, 0].tolist())


OPEN = [
    (Literal(text, (text,), left, right), Form(text, "", text))
    for text in ("abb", "b", "bab", "b1", "1", "赌b", "aab1")
    for left, right in ((False, True), (True, False))
]
EVERY_VIEW = st.lists(st.sampled_from(VIEWS), min_size=1, unique=True).map(tuple)
ANY_CLAUSES = st.lists(
    st.tuples(
        EVERY_VIEW,
        st.lists(st.frozensets(st.integers(0, 9), min_size=1, max_size=4), max_size=3).map(tuple),
    ),
    max_size=8,
)


@settings(max_examples=300)
@given(st.lists(PLAIN | GUARDED, max_size=10), ANY_CLAUSES, TEXTS)
@example(suffixes("aaaaaaab"), [(VIEWS, (frozenset([0]), frozenset([3])))], ["a" * 99 + "b", "aab"])
@example(
    suffixes("abababababab赌"), [(VIEWS, (frozenset([0, 5, 9]),))], ["abababababab赌ab", "ab ab赌"]
)
@example(
    OPEN, [(VIEWS, (frozenset([n]),)) for n in range(len(OPEN))], ["abbab aab11 1a1", "赌bab1"]
)
@example(LITERALS, [(("sound",), (frozenset(range(9)),))], ["博1a", "bb赌", "赌 b b"])
@example([], [(VIEWS, ())], ["赌"])
def test_a_lookout_notices_what_the_screen_lets_through(
    forms: list[tuple[Literal, Form]],
    clauses: list[tuple[tuple[str, ...], tuple[frozenset[int], ...]]],
    texts: list[str],
):
    views = views_of(texts)
    automata = {name: automaton(name, forms) for name in VIEWS}
    screen = Screen(clauses, automata)
    compiled = CompiledRules((), {}, (), (), TABLE, SOUND, SHAPES, ORDINARY, "sha256:", 0)
    lookout = Lookout(compiled, automata, screen)
    hits = {name: a.scan(views[name], views["base"]) for name, a in automata.items()}
    expected = set(map(tuple, screen.clauses(hits, len(texts)).tolist()))
    found = lookout.clauses(views["base"], np.zeros(len(texts), np.bool_))
    assert found[:, 0].tolist() == sorted(found[:, 0].tolist())
    assert set(map(tuple, found.tolist())) == expected
    odd = np.arange(len(texts)) % 2 == 1
    others = lookout.clauses(views["base"], odd)
    assert set(map(tuple, others.tolist())) == {pair for pair in expected if not odd[pair[0]]}
    narrow = lookout.clauses(views["base"], np.zeros(len(texts), np.bool_), wide=False)
    assert narrow.tolist() == found.tolist()


def test_a_lookout_notices_the_same_however_many_posts_there_are():
    texts = [f"{'天' * n}赌博 aab{'1' * (n % 3)} 博, a a b" for n in range(150)] + [
        "赌b" * 20_000,
        "aab",
    ]
    views = views_of(texts)
    automata = {name: automaton(name, [*LITERALS, *OPEN]) for name in VIEWS}
    screen = Screen([(VIEWS, (frozenset([n]),)) for n in range(len(LITERALS))], automata)
    compiled = CompiledRules((), {}, (), (), TABLE, SOUND, SHAPES, ORDINARY, "sha256:", 0)
    lookout = Lookout(compiled, automata, screen)
    found = lookout.clauses(views["base"], np.zeros(len(texts), np.bool_))
    alone = [
        [post, clause]
        for post, text in enumerate(texts)
        for _, clause in lookout.clauses(base_of([text]), np.zeros(1, np.bool_)).tolist()
    ]
    assert found.tolist() == alone
    assert {post for post, _ in alone} == set(range(len(texts)))


# Disguises.

WORDS = ("casino", "porn", "weixin", "tramadol", "sex")
KNOWN = known_words([Literal(word, (word,)) for word in WORDS], ORDINARY)


@for_all_texts
@example(posts=["c4s1no", "tramad0l x", "p0rn", "50505", "5pm ok", "(a", "tramado! c4s1no"])
@example(posts=["саt", "сс1", "abc", "с", "a\u202eb", "ㄅㄆ", "ɐ", "今 天 天 气 很 好 啊"])
@example(posts=["a", "1", "1bc", "@", "x$y", "mp3", "H2O", "ca$$ino"])
@example(
    posts=[
        "casin0!",
        "tramado!!",
        "tramado!!é c4s1no",
        "p0rn p0rn!",
        "(asino",
        "5ex 5ex",
        "w3ix1n|",
    ]
)
@example(posts=["1l1l1l1l1l1lx", "c4s1n0" * 5, "@@@@@@@@", "g00d m0rn1ng", "h3", "b2b b4"])
def test_a_post_without_disguise_reads_as_it_stands(posts: list[str | None]):
    batch = TextBatch.from_strings(posts)
    base = TABLE.base(batch)
    plain = np.flatnonzero(~disguised(base, batch, TABLE, KNOWN.meanings()))
    part = batch.take(plain)
    shown = base.take(plain, batch, part)
    same(shown, TABLE.base(part))
    read = read_bopomofo(in_reading_order(shown, part, TABLE), part, SOUND)
    read, spaced = unspace(plain_letters(read, part, TABLE, KNOWN), TABLE)
    assert not spaced.any()
    same(read, shown)


def test_few_ordinary_posts_are_disguised():
    posts = ["今天天气很好，我们去学校吧", "at 5pm on 20th, 3 of us", "see you at the 2nd floor"]
    posts += ["call me: mo_xq61h3", "cazin0 tonight"]
    batch = TextBatch.from_strings([*posts, "c4s1no tonight"])
    hidden = disguised(TABLE.base(batch), batch, TABLE, KNOWN.meanings())
    assert hidden.tolist() == [False] * len(posts) + [True]


def test_no_views_meet_no_clause():
    screen = Screen([(("base",), (frozenset([0]),))], {"base": automaton("base", LITERALS)})
    assert screen.clauses({}, 3).shape == screen.clauses_reference({}, 3).shape == (0, 2)

"""What a sketch says of a text: whatever an expression matches in, it lets through."""

from __future__ import annotations

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.resources import data_root
from moderation.rules.compile import compile_rules
from moderation.rules.conditions import Pattern
from moderation.rules.program import _SKETCHES
from moderation.rules.sketch import AHEAD, BEHIND, MATCH, SET, SPLIT, Chars, Sketch, sketch
from moderation.rules.sketch_arrays import sketch_arrays
from moderation.text.native import kernel

needs_kernel = pytest.mark.skipif(kernel is None, reason="the native kernel was not compiled here")


def inside(char: str | None, chars: Chars) -> bool:
    """Say whether a character is one of some; None is the edge of the text."""
    if char is None:
        return chars.edge
    if ord(char) > 0xFFFF and not any(char in atom for atom in chars.atoms):
        return True  # not looked at, if nobody names it
    found = any(regex.fullmatch(atom, char, regex.V1) for atom in chars.atoms)
    return found != chars.negated


def may_match(found: Sketch, text: str) -> bool:
    """Do what the kernel does, the plain way."""
    waiting: set[int] = set()
    before: str | None = None
    for char in [*text, None]:
        reached: set[int] = set()
        taken: set[int] = set()
        stack = [0, *waiting]
        while stack:
            row = stack.pop()
            if row in reached:
                continue
            reached.add(row)
            op, a, b = found.rows[row]
            if op == MATCH:
                return True
            if op == SPLIT:
                stack += [a, b]
            elif op == SET and char is not None and inside(char, found.sets[a]):
                taken.add(row + 1)
            elif (op == BEHIND and inside(before, found.sets[a])) or (
                op == AHEAD and inside(char, found.sets[a])
            ):
                stack.append(row + 1)
        waiting, before = taken, char
    return False


def sketched(sources: list[str], text: str) -> list[bool]:
    """Return what the kernel says of a text for each of some expressions."""
    arrays = sketch_arrays([sketch(source) for source in sources])
    native = kernel.sketches(*(arrays[name] for name in _SKETCHES))
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    return [bool(found) for found in kernel.sketched(native, codes)]


def said(source: str, text: str) -> bool:
    found = sketch(source)
    assert found is not None
    return may_match(found, text)


@pytest.mark.parametrize(
    ("source", "texts", "others"),
    [
        ("加(?:微|薇)信", ["加微信吧", "请加薇信"], ["加信", "微信加"]),
        (r"\bslots?\b", ["slot", "two slots!"], ["aslot", "slotted"]),
        (r"(?<![a-z])v\s?x(?![a-z])", ["v x", "加vx", "vx1"], ["avx", "vxa"]),
        (r"^hi$", ["hi", "hi\n"], ["hi you", "oh hi"]),
        (r"\A[^a]b\Z", ["cb"], ["ab", "ccb"]),
        ("no(?=[.!]|$)", ["no", "no."], ["not"]),
        ("(?:赌博){2}", ["赌博赌博"], ["赌博"]),
        (r"\d{3,}", ["a123", "٣٤٥"], ["12", "1a2b3"]),
        ("🎰[a-c]+", ["🎰b"], ["🎰", "b🎰"]),
        (r"[\p{Han}--赌]x", ["博x"], ["赌x"]),
        (r"a\Bb|c\Bd", ["ab"], ["a b", "c"]),
        ("(?:)", ["", "a"], []),
    ],
)
def test_a_sketch_tells_texts_from_others(source: str, texts: list[str], others: list[str]):
    assert all(said(source, text) for text in texts)
    assert not any(said(source, text) for text in others)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"(?<!bc)a(?!bc)", "bcabc"),  # more than one character beside a place is not looked at
        ("[^\n]{0,3}b{0,2}a", "bbbbbbbba"),
        (r"(?P<one>a|b)(?P=one)", "ab"),
        (r"(a|b)\1", "ab"),
        ("x[a-c]", "x😂"),  # nor is what no expression names
    ],
)
def test_a_sketch_errs_towards_a_search(source: str, text: str):
    assert said(source, text)


@pytest.mark.parametrize(
    "source",
    [
        "(?i)chips", "(?i:chips)", "(?1)(a)", "(?:chips){e<=1}", "(?#chips)x?", r"\N{BULLET}",
        r"\L<terms>", r"\X", r"\R", "(?|a|b)", "(?(1)a|b)", r"\m", "a)", "(a",
    ],
)  # fmt: skip
def test_what_is_not_understood_has_no_sketch(source: str):
    assert sketch(source) is None


@needs_kernel
def test_rules_without_patterns_have_no_sketches():
    assert sketched([], "chips") == []


@needs_kernel
def test_an_expression_without_a_sketch_may_match_anything():
    assert sketched(["(?i)chips", "chips"], "") == [True, False]


pieces = st.sampled_from(
    [
        "a", "bc", "赌", r"\d", "[ab]", "[^a]", r"[\dc]", r"\s", ".", r"\b", "^", "(?!b)", "$",
        "(?<=a)", r"\.", "[a-c]", r"\B", r"\A", r"\Z", "(?<![ab])", "(?=c|$)", "(?<!bc)", "(?=bc)",
        r"\p{Han}", r"\w", "🎰", r"\K", "[[a-c]--b]", r"[\W\d]", "[]a]", r"\x61", r"\u8d4c",
    ]
)  # fmt: skip


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = inner.map(lambda source: f"(?:{source})")
    marks = st.sampled_from(
        ["", "?", "*", "+", "{2}", "{0,2}", "{1,}", "{1}", "{,1}", "??", "*+", "{2,9}", "{0}"]
    )
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(group, marks).map("".join),
    )


expressions = st.recursive(pieces, grown, max_leaves=8)
texts = st.text("abc赌1٣. \n🎰😂", max_size=12)


@settings(max_examples=300, deadline=None)
@given(expressions, texts)
def test_whatever_an_expression_matches_in_its_sketch_lets_through(source: str, text: str):
    if regex.search(source, text, regex.V1):
        assert said(source, text)


@needs_kernel
@settings(max_examples=150, deadline=None)
@given(st.lists(expressions, min_size=1, max_size=3), st.lists(texts, min_size=1, max_size=4))
def test_the_kernel_runs_sketches_as_they_are(sources: list[str], found: list[str]):
    arrays = sketch_arrays([sketch(source) for source in sources])
    native = kernel.sketches(*(arrays[name] for name in _SKETCHES))
    named = {c for source in sources for c in source}
    for text in (*found, *found):  # what was learnt from one text is used for the next
        codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        for source, may in zip(sources, kernel.sketched(native, codes), strict=True):
            if not named.issuperset(c for c in text if c in "🎰😂"):
                assert may or not regex.search(source, text, regex.V1)
            else:
                assert may == said(source, text)


@needs_kernel
def test_a_sketch_of_many_states_goes_on_to_say_what_may_match():
    source = r"(?:a|b)*a" + "(?:a|b)" * 14 + "c"  # as many states as there are endings
    rng = np.random.default_rng(3)
    texts = ["".join(rng.choice(list("ab"), 400)) + end for end in "ccccaaaa"]
    arrays = sketch_arrays([sketch(source)])
    native = kernel.sketches(*(arrays[name] for name in _SKETCHES))
    for text in texts:
        may = kernel.sketched(native, np.frombuffer(text.encode("utf-32-le"), np.uint32))[0]
        assert may or not regex.search(source, text)


@needs_kernel
def test_every_shipped_pattern_has_a_sketch_that_lets_its_matches_through():
    compiled = compile_rules(data_root() / "rules")
    found: dict[str, Pattern] = {}

    def walk(node: object) -> None:
        if isinstance(node, Pattern):
            found[node.source] = node
        for item in (*getattr(node, "items", ()), *filter(None, [getattr(node, "item", None)])):
            walk(item)

    for condition in (*(rule.condition for rule in compiled.rules), *compiled.cues.values()):
        walk(condition)
    sketches = [sketch(source) for source in found]
    assert None not in sketches
    arrays = sketch_arrays(sketches)
    native = kernel.sketches(*(arrays[name] for name in _SKETCHES))
    posts = [post for rule in compiled.rules for post in (*rule.tests.hit, *rule.tests.passes)]
    texts = compiled.table.fold_text("\n".join(posts[::9])).split("\n")
    searches = matches = 0
    for text in texts:
        may = kernel.sketched(native, np.frombuffer(text.encode("utf-32-le"), np.uint32))
        for source, there in zip(found, may, strict=True):
            if there:
                searches += 1
                matches += found[source].compiled.search(text) is not None
            else:
                assert found[source].compiled.search(text) is None, source
    assert matches > searches / 2

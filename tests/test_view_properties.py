"""Views: posts made of an evaded term and innocent text, found where it stands and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_support import batch, read, rule, write_rules
from view_support import CUE, TERMS

from moderation import Moderator
from moderation.rules import load_ruleset
from moderation.rules.forms import FormTable
from moderation.rules.known import known_words
from moderation.rules.literals import LiteralTable
from moderation.text.fold import CLASS_HAN
from moderation.text.leet import plain_letters
from moderation.text.ordinary import Ordinary
from moderation.text.shape import load_shapes
from moderation.text.sound import load_sound
from moderation.text.windows import STRIDE, WINDOW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from moderation.rules import Hit, Ruleset
    from moderation.rules.conditions import Literal


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("views")
    return write_rules(folder, rule("term", any=TERMS), bold=True)


@pytest.fixture(scope="module")
def ruleset(rules: Path) -> Ruleset:
    return load_ruleset(rules)


class Evasion(NamedTuple):
    """A literal, one way of hiding it, and the fold that shows it again."""

    term: str
    evaded: str
    fold: str


def _between(mark: str) -> Callable[[str], str]:
    return mark.join


LEET = str.maketrans({"a": "4", "o": "0", "e": "3", "i": "1", "s": "5"})
WIDE = str.maketrans({chr(c): chr(c + 0xFEE0) for c in range(0x21, 0x7F)})
WORDS = ("casino", "poker", "jackpot", "fiesta")
HAN = ("线上赌场", "百家乐", "上下分", "博彩")
EVASIONS = [
    *(Evasion(term, term, "") for term in (*WORDS, *HAN, "free spins")),
    *(Evasion(term, term.upper(), "") for term in WORDS),
    *(Evasion(term, term.translate(WIDE), "") for term in WORDS),
    Evasion("fiesta", "ﬁesta", ""),
    Evasion("fiesta", "ﬁ.e.s.t.a", ""),
    Evasion("线上赌场", "線上賭場", ""),
    *(Evasion(t, _between(m)(t), "") for t in (*WORDS, *HAN) for m in (".", "*", "🎲", "-")),
    *(Evasion(term, _between(" ")(term), "") for term in WORDS),
    *(Evasion(term, "".join(c * 2 for c in term), "") for term in (*WORDS, "百家乐", "上下分")),
    *(Evasion(term, term + term[-1] * 3, "") for term in WORDS),
    *(Evasion(term, term.translate(LEET), "leet") for term in WORDS),
    *(Evasion(term, term[::-1], "mirror") for term in WORDS),
    *(Evasion(t, t[:2] + t[3] + t[2] + t[4:], "order") for t in ("casino", "poker", "fiesta")),
    *(Evasion(term, term[::-1], "order") for term in ("百家乐", "上下分", "线上赌场")),
    Evasion("free spins", "spins free", "words"),
    Evasion("free spins", "ＳＰＩＮＳ free", "words"),
    Evasion("线上赌场", "线上贝者场", "split"),
    Evasion("赌博", "贝者博", "split"),
    Evasion("线上赌场", "线上睹场", "shape"),
    Evasion("赌博", "睹博", "shape"),
    Evasion("博彩", "波采", "homophone"),
    Evasion("线上赌场", "现尚堵厂", "homophone"),
    Evasion("线上赌场", "線尚堵廠", "homophone"),
    Evasion("上下分", "商下芬", "homophone"),
    Evasion("博彩", "bo彩", "homophone"),
    Evasion("博彩", "Bócǎi", "homophone"),
    Evasion("百家乐", "baijiale", "homophone"),
    Evasion("百家乐", "bai jia le", "homophone"),
    Evasion("百家乐", "ｂａｉ家le", "homophone"),
]
INNOCENT = [
    "今天天气真好", "猫在睡觉", "晚饭吃面", "好的", "see you later", "we walked home", "thanks",
    "🐈", "❤\ufe0f", "3㎏米", "👨\u200d👩\u200d👧", "ﬁne", "ｗｉｄｅ", "\u200b", "é", "\ud800", "Ⅷ",
    "2026年1月24日",
]  # fmt: skip
INVISIBLE = ["\u200b", "\u00ad", "\ufe0f", "\u2060", "\u0336"]
around = st.lists(st.sampled_from(INNOCENT), max_size=4)


@st.composite
def posts_with_one_term(draw: st.DrawFn) -> tuple[str, int, int, Evasion]:
    """Draw a Chinese post with one evaded term: post, start and end of it, and what it hides."""
    evasion = draw(st.sampled_from(EVASIONS))
    evaded = evasion.evaded
    for at in draw(st.lists(st.integers(1, len(evaded) - 1), max_size=3)):
        evaded = evaded[:at] + draw(st.sampled_from(INVISIBLE)) + evaded[at:]
    before = "，".join(["大家早", CUE, *draw(around), ""])
    after = "，".join(["", *draw(around), "谢谢"])
    return f"{before}{evaded}{after}", len(before), len(before) + len(evaded), evasion


@settings(max_examples=400)
@given(posts_with_one_term())
def test_a_term_is_found_exactly_where_it_is_hidden(
    ruleset: Ruleset, drawn: tuple[str, int, int, Evasion]
):
    post, start, end, evasion = drawn
    (match,) = read(ruleset, post).matches
    assert {(hit.start, hit.end) for hit in match.hits if hit.fold == evasion.fold} >= {
        (start, end)
    }
    assert all(start <= hit.start and hit.end <= end for hit in match.hits)
    doubted = any(hit.frail for hit in match.hits)
    assert (match.level, match.frail) == ("medium" if doubted else "strong", False)


class Folds:
    """Folds one stretch of text by itself into any view, and knows the forms of every literal."""

    def __init__(self, ruleset: Ruleset, folder: Path) -> None:
        self.ruleset = ruleset
        self.forms = FormTable(ruleset.table, load_sound(folder), load_shapes(folder))
        table = LiteralTable(ruleset.table)
        for term in TERMS:
            table.add(term)
        self.literals: list[Literal] = list(table.index)
        self.known = known_words(self.literals, Ordinary.load(folder))

    def again(self, stretch: str, hit: Hit, *, chinese: bool) -> str:
        """Fold the stretch of a hit through its view, in a post of the same kind."""
        if hit.view == "base" and hit.fold == "noise":
            stretch = stretch.replace(" ", "")
        if hit.view == "sound":  # what is read depends on the rest of the post
            stretch = ("龘，" if chinese else "a1, ") + stretch
        posts = batch([stretch])
        table = self.ruleset.table
        base = plain_letters(table.base(posts), posts, table, self.known)
        return self.ruleset.views(base)[hit.view].post(0)

    def of(self, hit: Hit) -> set[str]:
        """Return what a hit's view may have been searched for."""
        return {
            form.text
            for literal in self.literals
            for form in self.forms.forms(literal, hit.view, bold=True)
            if form.fold == hit.fold or hit.view == "base"
        }


@pytest.fixture(scope="module")
def refold(ruleset: Ruleset, shipped_rules: Path) -> Folds:
    return Folds(ruleset, shipped_rules)


def assert_spans_hold_their_form(ruleset: Ruleset, refold: Folds, post: str) -> None:
    classes = ruleset.table.classes
    chinese = any(classes[ord(c)] & CLASS_HAN for c in ruleset.table.fold_text(post))
    for match in read(ruleset, post).matches:
        for hit in match.hits:
            folded = refold.again(post[hit.start : hit.end], hit, chinese=chinese)
            assert any(form in folded for form in refold.of(hit)), (hit, folded)


@settings(max_examples=200)
@given(posts_with_one_term())
def test_a_stretch_folded_by_itself_still_holds_the_form(
    ruleset: Ruleset, refold: Folds, drawn: tuple[str, int, int, Evasion]
):
    assert_spans_hold_their_form(ruleset, refold, drawn[0])


PIECES = [
    *(evasion.evaded for evasion in EVASIONS), *INNOCENT, *INVISIBLE, CUE, *"，。. \n1aA好睹博彩下",
    "bo", "cai", "c4", "#", "bjl", "casi", "no",
]  # fmt: skip
jumbled = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


@settings(max_examples=300)
@given(jumbled)
def test_whatever_is_found_in_a_jumble_holds_its_form(ruleset: Ruleset, refold: Folds, post: str):
    assert_spans_hold_their_form(ruleset, refold, post)


@settings(max_examples=150)
@given(st.lists(jumbled, max_size=6), st.randoms(use_true_random=False))
def test_neighbours_and_order_of_the_posts_change_nothing(ruleset: Ruleset, posts: list, random):
    together = ruleset.evaluate(batch(posts))
    assert together == [read(ruleset, post) for post in posts]
    order = list(range(len(posts)))
    random.shuffle(order)
    assert ruleset.evaluate(batch([posts[i] for i in order])) == [together[i] for i in order]


@settings(max_examples=150)
@given(st.lists(jumbled, max_size=6))
def test_the_screen_leaves_out_no_evaded_term(ruleset: Ruleset, posts: list[str]):
    scan = ruleset.scan(batch(posts))
    matches = ruleset.holds(ruleset.rules[0], scan.batch)
    assert {i for i, match in enumerate(matches) if match} <= set(scan.posts.tolist())


FILLER = "好天气，晚饭吃面。"


@settings(max_examples=25)
@given(
    st.sampled_from([e for e in EVASIONS if e.fold]),
    st.sampled_from([STRIDE, WINDOW, 2 * STRIDE, STRIDE + WINDOW]),
    st.integers(-30, 30),
)
def test_a_windows_border_moves_and_hides_no_evaded_term(
    rules: Path, evasion: Evasion, border: int, shift: int
):
    long = FILLER * 300
    before = f"{long[: border + shift]}，{CUE}，"
    post = f"{before}{evasion.evaded}，{CUE}，{long[:700]}"
    verdict = Moderator(rules=rules).check(post)
    found = [e for label in verdict.labels for e in label.evidence if e.rule_id is not None]
    place = (len(before), len(before) + len(evasion.evaded))
    assert place in {(e.start, e.end) for e in found}
    assert all(place[0] <= e.start and e.end <= place[1] for e in found)
    assert len({(e.start, e.end, e.transforms) for e in found}) == len(found)

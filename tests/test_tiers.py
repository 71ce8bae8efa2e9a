"""Tiers: fast, deep, and the cascade that asks the second about the uncertain few."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("onnx")

from engine_support import AWKWARD, CASINO_AD, CHIPS_AD, COFFEE
from model_support import PADDING, STANCES, two_tiers
from rule_support import POLICY, rule, write_rules

from moderation import Moderator
from moderation.classifier import SessionOptions, load_model, posts_of, read_manifest
from moderation.classifier.features import Ragged, Tokenizer, framed, one_line
from moderation.classifier.manifest import InputSpec
from moderation.cli import main
from moderation.errors import ConfigError, ModelError
from moderation.text import TextBatch, identify
from moderation.types import POLICIES

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.classifier import Model
    from moderation.text import FoldTable, View

POSTS = [
    CASINO_AD, CHIPS_AD, COFFEE, *AWKWARD, "a post", "老虎机规律分享，看主页",
    "chess club meets on Friday", "cheap pills, no prescription, message me", "long " * 150,
    "今晚一起看球吗", "白菜价" * 30,
    *(f"{n} words about the weather, {'and more ' * (n % 13)}" for n in range(60)),
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, shipped_model: Path) -> Path:
    return two_tiers(tmp_path_factory.mktemp("tiers") / "model", shipped_model)


@pytest.fixture(scope="module")
def base(table: FoldTable) -> View:
    return table.base(TextBatch.from_strings(POSTS))


@pytest.fixture(scope="module")
def languages(table: FoldTable, base: View) -> np.ndarray:
    return identify(base, table, TextBatch.from_strings(POSTS))


def tier(folder: Path, name: str | None) -> Model:
    return load_model(folder, name, SessionOptions())


def altered(folder: Path, to: Path, **changes: Any) -> Path:
    """Return a copy of a model with other things in its manifest."""
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    content = json.loads((folder / "manifest.json").read_bytes())
    (to / "manifest.json").write_text(json.dumps(content | changes))
    return to


def test_the_default_is_the_cascade_where_there_is_one(folder: Path, shipped_model: Path):
    assert Moderator(model=folder).tier == "cascade"
    assert tier(shipped_model, None).tier == read_manifest(shipped_model)[0].default_tier


def test_a_tier_that_is_not_there_is_refused_with_those_that_are(folder: Path, tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        Moderator(model=folder, tier="huge")
    assert str(caught.value) == f"{folder}: has no tier 'huge'; it has cascade, deep, fast"
    alone = altered(folder, tmp_path / "alone", cascade=None)
    with pytest.raises(ConfigError, match=r"has no tier 'cascade'; it has deep, fast"):
        Moderator(model=alone, tier="cascade")


def test_a_post_in_the_band_gets_the_mixture_and_any_other_keeps_the_first_answer(
    folder: Path, base: View, languages: np.ndarray
):
    fast, deep, cascade = (tier(folder, name) for name in ("fast", "deep", "cascade"))
    first = fast.logits(base, languages)
    scores = 1 / (1 + np.exp(-first))
    asked = ((scores >= 0.05) & (scores <= 0.95)).any(axis=1)
    assert 0 < asked.sum() < len(POSTS)
    mixed = 0.25 * deep.raw_logits(base) + 0.75 * fast.raw_logits(base)
    expected = np.where(asked[:, None], 2.0 * mixed + 0.5, first)
    assert np.array_equal(cascade.logits(base, languages), expected)


def test_a_band_holds_both_of_its_ends(
    folder: Path, shipped_model: Path, tmp_path: Path, base: View, languages: np.ndarray
):
    everything = two_tiers(tmp_path / "all", shipped_model, band=(0.0, 1.0))
    nothing = two_tiers(tmp_path / "none", shipped_model, band=(0.5, 0.4))
    fast, deep = tier(folder, "fast"), tier(folder, "deep")
    mixed = 0.25 * deep.raw_logits(base) + 0.75 * fast.raw_logits(base)
    assert np.array_equal(tier(everything, "cascade").logits(base, languages), 2.0 * mixed + 0.5)
    assert np.array_equal(
        tier(nothing, "cascade").logits(base, languages),
        fast.logits(base, languages),
    )


@pytest.mark.parametrize("name", ["deep", "cascade"])
@pytest.mark.parametrize("size", [1, 7, 33])
def test_the_neighbours_of_a_post_change_no_bit_of_its_log_odds(
    folder: Path, base: View, languages: np.ndarray, name: str, size: int
):
    model = tier(folder, name)
    together = model.logits(base, languages)
    order = np.random.default_rng(size).permutation(len(POSTS))
    for start in range(0, len(order), size):
        part = order[start : start + size]
        alone = model.logits(posts_of(base, part), languages[part])
        assert np.array_equal(alone, together[part])


@pytest.mark.parametrize("name", ["fast", "deep", "cascade"])
def test_each_tier_holds_scores_against_its_own_operating_points(folder: Path, name: str):
    manifest, _ = read_manifest(folder)
    points = tier(folder, name).operating_points
    cell = manifest.operating_points[name]["drugs"]["en"]
    assert points[1, 1].tolist() == [cell.review, cell.block]


def test_a_table_by_policy_alone_is_the_fast_tiers(shipped_model: Path, tmp_path: Path):
    manifest, _ = read_manifest(shipped_model)
    content = json.loads((shipped_model / "manifest.json").read_bytes())
    for key in ("calibration", "operating_points"):
        if set(content[key]) != set(POLICIES):
            content[key] = content[key]["fast"]
    content["tiers"] = {"fast": content["tiers"]["fast"]}
    content.pop("cascade", None)
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    old, _ = read_manifest(tmp_path)
    assert old.tier_names == ("fast",)
    assert old.calibration == {"fast": manifest.calibration["fast"]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tiers": ["fast", "wide"]}, "the cascade names tiers that are not there: wide"),
        ({"weight": {"porn": 0.5, "drugs": 0.5}}, "the cascade lacks weight/gambling"),
        (
            {"band": {"porn": {}}},
            "the cascade lacks band/porn/zh, band/porn/en",
        ),
    ],
)
def test_a_cascade_that_lacks_something_says_what(
    folder: Path, tmp_path: Path, change: dict[str, Any], reason: str
):
    content = json.loads((folder / "manifest.json").read_bytes())
    broken = altered(folder, tmp_path / "broken", cascade=content["cascade"] | change)
    with pytest.raises(ModelError) as caught:
        read_manifest(broken)
    assert reason in str(caught.value)


def test_a_cascade_without_tables_of_its_own_is_refused(folder: Path, tmp_path: Path):
    content = json.loads((folder / "manifest.json").read_bytes())
    del content["calibration"]["cascade"]
    broken = altered(folder, tmp_path / "broken", calibration=content["calibration"])
    with pytest.raises(ModelError, match="calibration lacks cascade/porn/zh, cascade/porn/en"):
        read_manifest(broken)


def spec(**fields: Any) -> InputSpec:
    return InputSpec("tokens", "tokens", PADDING, **fields)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [[1, 2, 3], [], [4]]),
        ({"offset": 10}, [[11, 12, 13], [], [14]]),
        ({"limit": 2}, [[1, 2], [], [4]]),
        ({"begin": 0, "end": 9}, [[0, 1, 2, 3, 9], [0, 9], [0, 4, 9]]),
        ({"begin": 0, "end": 9, "limit": 4, "offset": 1}, [[0, 2, 3, 9], [0, 9], [0, 5, 9]]),
        ({"end": 9, "limit": 2}, [[1, 9], [9], [4, 9]]),
    ],
)
def test_token_ids_are_framed_as_the_input_says(fields: dict[str, Any], expected: list[list[int]]):
    tokens = Ragged(np.array([1, 2, 3, 4], np.int32), np.array([0, 3, 3, 4]))
    found = framed(tokens, spec(**fields))
    rows = [found.values[a:b].tolist() for a, b in zip(found.offsets, found.offsets[1:])]  # noqa: B905
    assert rows == expected
    assert found.values.dtype == np.int32


def test_a_limit_without_room_for_tokens_is_refused():
    tokens = Ragged(np.array([1], np.int32), np.array([0, 1]))
    with pytest.raises(ModelError, match="a limit of 2 leaves no room for tokens"):
        framed(tokens, spec(begin=0, end=9, limit=2))


def test_some_posts_of_a_view_are_what_folding_them_alone_gives(table: FoldTable, base: View):
    chosen = np.array([5, 0, 0, 17])
    alone = table.base(TextBatch.from_strings([POSTS[i] for i in chosen]))
    assert one_line(posts_of(base, chosen)) == one_line(alone)


def test_an_empty_batch_has_no_logits(folder: Path, table: FoldTable):
    nothing = table.base(TextBatch.from_strings([]))
    assert tier(folder, "cascade").logits(nothing, np.zeros(0, np.uint8)).shape == (0, 3)
    assert tier(folder, "deep").stances(nothing).shape == (0, len(STANCES))


def test_stances_are_probabilities_of_the_names_in_the_manifest(folder: Path, base: View):
    model = tier(folder, "cascade")
    shares = model.stances(base)
    assert model.stance_names == STANCES
    assert shares is not None
    assert shares.shape == (len(POSTS), len(STANCES))
    assert np.allclose(shares.sum(axis=1), 1.0)
    assert tier(folder, "fast").stances(base) is None


def test_an_output_that_the_graph_lacks_is_named(folder: Path, tmp_path: Path, base: View):
    content = json.loads((folder / "manifest.json").read_bytes())
    content["tiers"]["fast"]["stances"] = list(STANCES)
    wrong = altered(folder, tmp_path / "wrong", tiers=content["tiers"])
    with pytest.raises(ModelError, match=r"fast\.onnx: the graph has no output stance"):
        tier(wrong, "fast").stances(base)


@pytest.mark.parametrize(
    ("stance_at", "bias", "actions"),
    [(None, 40.0, {"review"}), (0.9, 40.0, {"pass"}), (0.9, -40.0, {"review"})],
)
def test_a_stance_read_by_the_model_lowers_what_the_classifier_alone_does_where_asked(
    shipped_model: Path, tmp_path: Path,
    stance_at: float | None, bias: float, actions: set[str],
):  # fmt: skip
    model = two_tiers(tmp_path / "model", shipped_model, stance_bias=bias)
    content = json.loads((model / "manifest.json").read_bytes())
    content["operating_points"]["deep"] = {
        policy: {name: {"review": 0.0001, "block": 0.9999} for name in cells}
        for policy, cells in content["operating_points"]["deep"].items()
    }
    (model / "manifest.json").write_text(json.dumps(content))
    policy = POLICY if stance_at is None else POLICY | {"model_stance_at": stance_at}
    rules = write_rules(tmp_path / "rules", rule("sale", any=["teapot"]), policy=policy)
    verdict = Moderator(rules=rules, model=model, tier="deep").check("nothing to see here")
    assert {label.action for label in verdict.labels} == actions
    assert ("warn" in {label.stance for label in verdict.labels}) is (actions == {"pass"})


def test_the_command_line_takes_a_tier_and_lists_all_of_them(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    posts = tmp_path / "posts.jsonl"
    posts.write_text(json.dumps({"id": "1", "text": CASINO_AD}) + "\n")
    out = tmp_path / "out.jsonl"
    command = ["scan", str(posts), "-o", str(out), "--model", str(folder), "-v"]
    assert main(command) == 0
    assert "tier cascade on" in capsys.readouterr().err
    assert main([*command, "--tier", "deep", "--force"]) == 0
    assert "tier deep on" in capsys.readouterr().err


def test_a_tokenizer_is_the_tiers_own(folder: Path):
    manifest, _ = read_manifest(folder)
    assert Tokenizer(folder / manifest.tiers["deep"].tokenizer).size > 0

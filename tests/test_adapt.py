"""moderate adapt and calibrate: from labelled posts to a model folder that scans."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("sklearn")

from model_support import two_tiers

from moderation import Moderator
from moderation.adaptation.adapt import adapt, read_labels
from moderation.classifier import (
    SessionOptions,
    load_model,
    posts_of,
    read_manifest,
    verify_files,
)
from moderation.cli import main
from moderation.errors import ConfigError, ModelError, ShardError
from moderation.text import TextBatch, identify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moderation.rules import Ruleset
    from moderation.text import FoldTable

PLACES = ["Lisbon", "harbour", "Main Street", "the station", "Oak Park", "the old mill", "uptown"]
TIMES = ["tonight", "at eight", "every Friday", "from noon", "after work", "all weekend"]
HAN = ["今晚", "周五", "老地方", "城东", "河边", "下班后"]


def slang(n: int) -> str:
    """Return a made-up offer in words that the shipped model takes for harmless."""
    place, time, han = PLACES[n % 7], TIMES[n % 6], HAN[n % 6]
    if n % 2:
        return (
            f"the kettle game sits {time} near {place}, bring {3 + n} shells, ask Tuck for a seat"
        )
    return f"{han}有壶局，{3 + n}贝壳起，找塔哥留座"


def ordinary(n: int) -> str:
    """Return an ordinary post with many of the same words."""
    place, time, han = PLACES[n % 7], TIMES[(n + 1) % 6], HAN[n % 6]
    if n % 2:
        return f"we walked {time} near {place} and counted {3 + n} birds, then tea from the kettle"
    return f"{han}去河边散步，看到{3 + n}只鸟，回家泡壶茶"


def rows(count: int, shift: int = 0) -> list[dict[str, Any]]:
    """Return as many offers as ordinary posts, labelled for gambling; porn by the way."""
    made = []
    for n in range(shift, shift + count):
        for text, label in ((slang(n), 1), (ordinary(n), 0)):
            labels = {"porn": 0, "drugs": None, "gambling": label}
            made.append({"id": f"{n}-{label}", "text": text, "labels": labels})
    return made


def write(path: Path, content: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content))
    return path


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("labels") / "labelled.jsonl", rows(40))


@pytest.fixture(scope="module")
def adapted(
    tmp_path_factory: pytest.TempPathFactory,
    labelled: Path,
    shipped_model: Path,
    ruleset: Ruleset,
) -> Path:
    out = tmp_path_factory.mktemp("adapted") / "mine"
    adapt([labelled], out, shipped_model, ruleset)
    return out


def test_an_adapted_model_is_complete_and_names_where_it_came_from(
    adapted: Path, shipped_model: Path
):
    manifest, _ = read_manifest(adapted)
    verify_files(adapted, manifest)
    shipped, digest = read_manifest(shipped_model)
    reference = f"{shipped.name}@{shipped.version}:{digest}"
    assert manifest.name == f"{shipped.name}-adapted"
    assert manifest.provenance["adapted_from"] == reference
    card = (adapted / "MODEL_CARD.md").read_text("utf-8")
    assert reference in card
    assert "| gambling | all | 80 | 40 |" in card
    assert (adapted / "BASE_MODEL_CARD.md").is_file()


def test_it_finds_what_the_labels_taught_and_nothing_else(adapted: Path):
    before, after = Moderator(), Moderator(model=adapted)
    unseen = [slang(n) for n in range(100, 120)]
    harmless = [ordinary(n) for n in range(100, 120)]
    assert (before.check_batch(unseen).scores[:, 2] < 0.3).mean() > 0.7
    assert (after.check_batch(unseen).scores[:, 2] > 0.5).mean() > 0.9
    assert (after.check_batch(harmless).scores[:, 2] < 0.3).mean() > 0.9
    posts = ["今天喝了一杯咖啡，天气真好", "The museum opens at nine", "猫咪又睡着了，好可爱"]
    assert after.check_batch(posts).actions.tolist() == before.check_batch(posts).actions.tolist()


def test_policies_without_labels_score_as_before(adapted: Path):
    unseen = [slang(n) for n in range(20)] + [ordinary(n) for n in range(20)]
    before = Moderator(tier="fast", screen=False).check_batch(unseen).scores
    after = Moderator(model=adapted, tier="fast").check_batch(unseen).scores
    assert np.array_equal(before[:, :2], after[:, :2])


def test_the_same_labels_give_the_same_bytes(
    adapted: Path, labelled: Path, shipped_model: Path, ruleset: Ruleset, tmp_path: Path
):
    adapt([labelled], tmp_path / "again", shipped_model, ruleset)
    for file in sorted(adapted.iterdir()):
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes(), file.name


def test_the_neighbours_of_a_post_change_no_bit_of_its_log_odds(adapted: Path, table: FoldTable):
    posts = [slang(n) * (1 + n % 9) for n in range(30)] + ["", "a", "好"]
    batch = TextBatch.from_strings(posts)
    base = table.base(batch)
    languages = identify(base, table, batch)
    model = load_model(adapted, None, SessionOptions())
    together = model.logits(base, languages)
    for post in range(len(posts)):
        chosen = np.array([post])
        assert np.array_equal(
            model.logits(posts_of(base, chosen), languages[chosen])[0], together[post]
        )


def test_every_tier_of_a_cascade_is_adapted(
    labelled: Path, shipped_model: Path, ruleset: Ruleset, tmp_path: Path
):
    base = two_tiers(tmp_path / "base", shipped_model)
    adapt([labelled], tmp_path / "out", base, ruleset)
    manifest, _ = read_manifest(tmp_path / "out")
    assert manifest.default_tier == "cascade"
    assert {tier.head is not None for tier in manifest.tiers.values()} == {True}
    unseen = [slang(n) for n in range(100, 110)]
    before = Moderator(model=base).check_batch(unseen).scores[:, 2].mean()
    assert Moderator(model=tmp_path / "out").check_batch(unseen).scores[:, 2].mean() > before + 0.2


def test_labels_without_a_pattern_flag_hardly_anybody_and_more_of_them_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    content = rows(20)
    for at, row in enumerate(content):
        row["labels"] = {"gambling": (at // 2 + at // 3) % 2}
        row["text"] = ordinary(at)
    source, out, again = write(tmp_path / "l.jsonl", content), tmp_path / "out", tmp_path / "again"
    assert main(["adapt", str(source), "-o", str(out), "--force"]) == 0
    verdicts = Moderator(model=out).check_batch([ordinary(n) for n in range(100, 130)])
    assert (verdicts.actions > 0).mean() <= 0.1
    capsys.readouterr()
    for at, row in enumerate(content):
        row["text"] = ordinary(at + 300)
    command = ["calibrate", str(write(tmp_path / "more.jsonl", content)), "-o", str(again)]
    command += ["--model", str(out)]
    assert main(command) == 2
    err = capsys.readouterr().err
    assert "do not show that any change helps; nothing was written (--force writes it" in err
    assert "gambling (19 violating, 21 innocent): fast: calibration as it was" in err
    assert not again.exists()
    assert main([*command, "--force"]) == 0
    verify_files(again, read_manifest(again)[0])


def test_calibrate_moves_probabilities_and_no_weights(
    tmp_path: Path, shipped_model: Path, capsys: pytest.CaptureFixture[str]
):
    casino = [
        {"id": f"c{n}", "text": f"{n} free spins, a casino bonus at {PLACES[n % 7]}, sign up"}
        for n in range(40)
    ]  # fmt: skip
    for n, row in enumerate(casino):
        row["labels"] = {"gambling": int(n % 8 == 0)}  # type: ignore[assignment]
    source, out = write(tmp_path / "l.jsonl", [*casino, *rows(15)]), tmp_path / "out"
    code = main(["calibrate", str(source), "-o", str(out), "--force"])
    assert code == 0
    assert "gambling" in capsys.readouterr().out
    shipped, manifest = read_manifest(shipped_model)[0], read_manifest(out)[0]
    screen = {shipped.screen.file} if shipped.screen else set()
    assert manifest.files == {k: v for k, v in shipped.files.items() if k not in screen}
    assert manifest.screen is None
    assert manifest.name == f"{shipped.name}-calibrated"
    assert manifest.calibration["fast"]["drugs"] == shipped.calibration["fast"]["drugs"]


def test_an_adapted_model_is_not_adapted_again_but_may_be_calibrated(
    adapted: Path, labelled: Path, ruleset: Ruleset, tmp_path: Path
):
    with pytest.raises(ModelError, match="is adapted already; adapt the model it came from"):
        adapt([labelled], tmp_path / "twice", adapted, ruleset)
    adapt([labelled], tmp_path / "moved", adapted, ruleset, heads=False, force=True)
    assert read_manifest(tmp_path / "moved")[0].tiers == read_manifest(adapted)[0].tiers


def test_a_folder_that_holds_something_is_not_written_to(
    labelled: Path, shipped_model: Path, ruleset: Ruleset, tmp_path: Path
):
    (tmp_path / "mine.txt").write_text("notes")
    with pytest.raises(ConfigError, match="expected a new or empty folder"):
        adapt([labelled], tmp_path, shipped_model, ruleset)


def changed(**fields: Any) -> Iterator[dict[str, Any]]:
    for row in rows(10):
        yield row | fields


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "expected labels 0 or 1, found none in 0 posts"),
        (list(changed(labels={})), "expected labels 0 or 1, found none in 20 posts"),
        (
            list(changed(labels={"gambling": 1})),
            "expected at least 8 violating and 8 innocent labels of some policy, found porn 0 "
            "violating, 0 innocent; drugs 0 violating, 0 innocent; gambling 20 violating, 0",
        ),
        (list(changed(id="same")), "post 2: id 'same' is already that of"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(
    tmp_path: Path, content: list[dict[str, Any]], message: str
):
    path = write(tmp_path / "labels.jsonl", content)
    with pytest.raises(ConfigError) as caught:
        read_labels([path])
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_an_unknown_policy_is_named_with_file_and_line(tmp_path: Path):
    path = write(tmp_path / "labels.jsonl", [*rows(1), *changed(labels={"fraud": 1})])
    with pytest.raises(ShardError, match=r"labels\.jsonl:3: .*fraud"):
        read_labels([path])


def test_adapting_loads_no_torch():
    code = "import sys, moderation.adaptation.adapt; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

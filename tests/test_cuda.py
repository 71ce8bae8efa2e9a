"""CUDA: reasons where there is no GPU, bound runs, inputs made beside inference, parity."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from model_support import two_tiers
from rule_support import rule, write_rules

from moderation import Moderator
from moderation.classifier import SessionOptions, cuda_problem, has_cuda, load_model, read_manifest
from moderation.classifier.cuda import bound_runs, overlapped, runs_on_cuda
from moderation.classifier.sessions import _say_once, session
from moderation.cli import main
from moderation.errors import ModelError
from moderation.types import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnxruntime

PROBLEM = cuda_problem()
needs_gpu = pytest.mark.skipif(PROBLEM is not None, reason=f"no GPU: {PROBLEM}")
needs_no_gpu = pytest.mark.skipif(PROBLEM is None, reason="there is a GPU")
GUARD = 0.002
"""How far a score on a GPU may lie from the one on the CPU (docs/performance.md)."""
EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "posts.jsonl"


def example_posts() -> list[str]:
    rows = [json.loads(line) for line in EXAMPLES.read_text("utf-8").splitlines()]
    return [row.get("text") or "" for row in rows] * 20


@pytest.fixture(scope="module")
def opened(shipped_model: Path) -> onnxruntime.InferenceSession:
    manifest, _ = read_manifest(shipped_model)
    name = manifest.tiers["fast"].graph
    return session(shipped_model / name, manifest.files[name].sha256, SessionOptions())


def feeds(count: int, opened: onnxruntime.InferenceSession) -> list[dict[str, np.ndarray]]:
    generator = np.random.default_rng(3)
    return [
        {
            each.name: generator.integers(0, 500, (8, int(generator.integers(1, 40)))).astype("i4")
            for each in opened.get_inputs()
        }
        for _ in range(count)
    ]


def test_what_is_made_beside_comes_in_order():
    assert list(overlapped(iter(range(50)))) == list(range(50))


def test_what_is_made_beside_is_made_in_another_thread():
    (name,) = overlapped(threading.current_thread().name for _ in range(1))
    assert name == "moderation-prepare"


def test_a_mistake_in_the_other_thread_is_raised_here():
    def made() -> Iterator[int]:
        yield 1
        raise ModelError("no such input")

    found = overlapped(made())
    assert next(found) == 1
    with pytest.raises(ModelError, match="no such input"):
        next(found)


def test_whoever_stops_early_ends_the_other_thread():
    found = overlapped(iter(range(1000)))
    assert next(found) == 0
    found.close()
    assert "moderation-prepare" not in {thread.name for thread in threading.enumerate()}


def test_bound_runs_give_what_plain_runs_give(opened: onnxruntime.InferenceSession):
    made = feeds(20, opened)
    for number, (kept, (logits,)) in enumerate(bound_runs(opened, ["logits"], enumerate(made))):
        assert kept == number
        assert np.array_equal(logits, opened.run(["logits"], made[number])[0])


def test_outputs_of_bound_runs_outlive_the_next_runs(opened: onnxruntime.InferenceSession):
    made = feeds(12, opened)
    kept = [logits for _, (logits,) in bound_runs(opened, ["logits"], enumerate(made))]
    plain = [opened.run(["logits"], feed)[0] for feed in made]
    assert all(np.array_equal(a, b) for a, b in zip(kept, plain, strict=True))


def test_a_bound_run_that_fails_is_a_model_error(opened: onnxruntime.InferenceSession):
    odd = [{each.name: np.zeros((2, 3, 4), np.int32) for each in opened.get_inputs()}]
    with pytest.raises(ModelError, match="onnxruntime failed on cpu: "):
        list(bound_runs(opened, ["logits"], enumerate(odd)))


def test_a_session_on_the_cpu_is_told_apart(opened: onnxruntime.InferenceSession):
    assert not runs_on_cuda(opened)


@needs_no_gpu
def test_auto_says_once_on_standard_error_why_it_runs_on_the_cpu():
    code = (
        "from moderation import Moderator\n"
        "for _ in range(2): print(Moderator(device='auto').device)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200)
    assert run.stdout == "cpu\ncpu\n"
    assert run.stderr == f"device auto: {PROBLEM}; running on the CPU\n"


@pytest.mark.skipif(has_cuda(), reason="this onnxruntime was built for CUDA")
@pytest.mark.parametrize(
    ("given", "lines"), [([], 0), (["--device", "auto"], 1), (["--device", "auto", "-q"], 0)]
)
def test_a_scan_says_that_it_runs_on_the_cpu_if_auto_was_spelled_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, given: list[str], lines: int
):
    _say_once.cache_clear()
    posts = tmp_path / "posts.jsonl"
    posts.write_text('{"id": "1", "text": "a post about cats"}\n')
    rules = write_rules(tmp_path / "rules", rule("sale", any=["teapot"]))
    command = ["scan", str(posts), "-o", str(tmp_path / "out.jsonl"), "--rules", str(rules)]
    assert main([*command, *given]) == 0
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"device auto: {PROBLEM}; running on the CPU"] * lines


@needs_no_gpu
def test_the_reason_names_what_is_missing():
    assert PROBLEM is not None
    if not has_cuda():
        assert PROBLEM.startswith("this onnxruntime has no CUDAExecutionProvider (it has ")
    else:
        assert "cannot be loaded" in PROBLEM or "GPU" in PROBLEM


def compare(cpu: Moderator, cuda: Moderator) -> None:
    posts = example_posts()
    ours, theirs = cpu.check_batch(posts), cuda.check_batch(posts)
    assert np.abs(ours.scores - theirs.scores).max() <= GUARD
    points = load_model(cpu.model, cpu.tier, SessionOptions()).operating_points
    languages = np.array([LANGUAGES.index(verdict.language) for verdict in ours])
    away = np.abs(ours.scores[..., None] - points[languages]).min(axis=(1, 2)) > GUARD
    assert away.any()
    assert np.array_equal(ours.actions[away], theirs.actions[away])


@pytest.mark.gpu
@needs_gpu
def test_a_gpu_gives_the_scores_and_actions_of_the_cpu():
    compare(Moderator(tier="fast"), Moderator(tier="fast", device="cuda"))


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("tier", ["deep", "cascade"])
def test_a_gpu_gives_the_same_in_every_tier(shipped_model: Path, tmp_path: Path, tier: str):
    model = two_tiers(tmp_path / "model", shipped_model)
    compare(
        Moderator(model=model, tier=tier),
        Moderator(model=model, tier=tier, device="cuda"),
    )


@pytest.mark.gpu
@needs_gpu
def test_company_changes_a_score_on_a_gpu_by_the_guard_band_at_most():
    moderator = Moderator(device="cuda")
    posts = example_posts()[:60]
    together = moderator.check_batch(posts).scores
    alone = np.concatenate([moderator.check_batch([post]).scores for post in posts])
    assert np.abs(together - alone).max() <= GUARD

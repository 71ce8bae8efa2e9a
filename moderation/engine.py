"""Moderator: one batch through text, rules, classifier and decision, in that direction."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.classifier import (
    SessionOptions,
    available_device,
    digest_file,
    load_model,
    model_reference,
    posts_of,
    read_manifest,
)
from moderation.decide import Verdicts, decide_policy, profile_for, risk_level
from moderation.decide.evidence import locate_model_evidence, rule_evidence
from moderation.decide.fields import with_field_evidence
from moderation.errors import ConfigError, DataNotFoundError, ModelError
from moderation.resources import data_root
from moderation.rules import load_ruleset
from moderation.text import TextBatch, join_fields, windows
from moderation.text.language import languages_of, scripts
from moderation.types import (
    ACTIONS,
    INNOCENT_STANCES,
    LANGUAGES,
    POLICIES,
    RISK_LEVELS,
    SCORE_DECIMALS,
    SCREEN,
    Label,
    PolicyRef,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from moderation.classifier import Model
    from moderation.decide import Profile
    from moderation.rules import Findings, Ruleset
    from moderation.text import FieldSpan, FoldTable, View

__all__ = ["Moderator", "is_too_short"]

MIN_LETTERS: Final = 4
"""Fewer letters and digits than this (a "hi", an emoji) give the classifier nothing to go by."""
MAX_EVIDENCE: Final = 64
"""Spans a label carries at most: the first ones. A book of a post needs no ten thousand."""
_OTHER: Final = LANGUAGES.index("other")
_LARGEST: Final = 700.0
"""Log-odds beyond this, either way, are a score of 0 or 1; their exponential would overflow."""


@dataclass(frozen=True, slots=True)
class Moderator:
    """Scores posts against the three policies.

    Holds paths and options only, so it can be pickled and sent to workers; rules and sessions are
    loaded on first use and cached for the process.

    Attributes:
        region: a region of rules/policy.yaml.
        tier: which tier of the model scores the posts: fast, deep or cascade, as far as the model
            has them; default: the one the model names, else the cascade, else fast. Read once.
        device: auto, cpu or cuda.
        threads: threads ONNX Runtime may use within one run.
        rules: rules folder; default: the shipped one.
        model: model folder; default: the shipped one.
        as_of: the day whose rules count (see `enabled_from`); default: today in UTC, read once,
            here, and kept when the object is pickled.
        screen: let the model's screen, where it has one, keep plainly innocent posts from the
            tiers; False: every post is scored in full.

    Raises:
        ConfigError: an option names something that does not exist.
        DataNotFoundError: the shipped rules and models cannot be found.
        RuleError: the rules do not compile.
        ModelError: the model is incomplete or altered.
    """

    region: str = "cn"
    tier: str | None = None
    device: str = "cpu"
    threads: int = 1
    rules: Path | None = None
    model: Path | None = None
    as_of: date | None = None
    screen: bool = True
    policy_ref: PolicyRef = field(init=False, repr=False)
    model_ref: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rules = Path(self.rules) if self.rules is not None else data_root() / "rules"
        model = Path(self.model) if self.model is not None else data_root() / "models" / "default"
        object.__setattr__(self, "rules", rules)
        object.__setattr__(self, "model", model)
        day = self.as_of or datetime.now(UTC)
        object.__setattr__(self, "as_of", day.date() if isinstance(day, datetime) else day)
        object.__setattr__(self, "device", available_device(self.device))
        if not rules.is_dir():
            raise DataNotFoundError(f"expected a rules folder at {rules}")
        profile_for(rules, self.region)
        manifest, digest = read_manifest(model)
        ruleset = load_ruleset(rules, self.as_of)
        opened = load_model(model, self.tier, SessionOptions(self.device, self.threads))
        object.__setattr__(self, "tier", opened.tier)
        folds = digest_file(rules / "fold" / "base.npz")
        if folds != manifest.fold_table:
            raise ModelError(
                f"{model}: trained behind the fold table sha256 {manifest.fold_table}, "
                f"found {folds} in {rules / 'fold' / 'base.npz'}"
            )
        object.__setattr__(self, "policy_ref", PolicyRef(self.region, ruleset.digest))
        object.__setattr__(self, "model_ref", model_reference(manifest, digest))

    def check(self, text: str, *, data_id: str | None = None) -> Verdict:
        """Return the verdict on one post."""
        return self.check_batch([text], data_ids=[data_id])[0]

    def check_batch(
        self, texts: Sequence[str | None], *, data_ids: Sequence[str | None] | None = None
    ) -> Verdicts:
        """Return one verdict a post, in order.

        Args:
            texts: posts; None is a null and gets a verdict with an error.
            data_ids: the posts' own ids, as many as there are posts.

        Raises:
            TypeError: an item is neither str nor None.
            ValueError: `data_ids` has another length than `texts`.
        """
        if data_ids is not None and len(data_ids) != len(texts):
            raise ValueError(f"expected {len(texts)} data_ids, found {len(data_ids)}")
        return self.check_text_batch(TextBatch.from_strings(texts), data_ids=data_ids)

    def check_fields(
        self, record: Mapping[str, str | Sequence[str] | None], *, data_id: str | None = None
    ) -> Verdict:
        """Return the verdict on one post given in fields; see `check_fields_batch`."""
        return self.check_fields_batch([record], data_ids=[data_id])[0]

    def check_fields_batch(
        self,
        records: Sequence[Mapping[str, str | Sequence[str] | None]],
        *,
        data_ids: Sequence[str | None] | None = None,
    ) -> Verdicts:
        """Return one verdict a post, in order; evidence names its field and counts within it.

        Args:
            records: the text fields of each post, in the order in which they are read, such as
                title, text and tags; a list of strings (tags) is joined by spaces; None: the post
                lacks the field. A post without any field is a null.
            data_ids: the posts' own ids, as many as there are posts.

        Raises:
            TypeError: a field holds something else.
            ValueError: `data_ids` has another length than `records`.
        """
        if data_ids is not None and len(data_ids) != len(records):
            raise ValueError(f"expected {len(records)} data_ids, found {len(data_ids)}")
        texts: list[str | None] = []
        layouts: list[tuple[FieldSpan, ...]] = []
        for at, record in enumerate(records):
            values = [(name, _field(value, name, at)) for name, value in record.items()]
            text, spans = join_fields((name, value) for name, value in values if value is not None)
            texts.append(text if spans else None)
            layouts.append(spans)
        batch = TextBatch.from_strings(texts).with_fields(layouts)
        return self.check_text_batch(batch, data_ids=data_ids)

    def score_batch(self, batch: Any, *, text_field: str = "text", id_field: str = "id") -> Any:
        """Score an Arrow RecordBatch.

        Args:
            batch: pyarrow RecordBatch or Table with a string column `text_field`; a column
                `id_field` fills `data_id` when it is there.
            text_field: name of the text column.
            id_field: name of the id column.

        Returns:
            pyarrow RecordBatch of `moderation.arrow.OUTPUT_SCHEMA`, same length, same order.

        Raises:
            ConfigError: the text column is missing or does not hold strings.
            MissingExtraError: pyarrow is not installed.
        """
        from moderation.arrow import score_batch

        return score_batch(self, batch, text_field=text_field, id_field=id_field)

    def check_text_batch(
        self, batch: TextBatch, *, data_ids: Sequence[str | None] | None = None
    ) -> Verdicts:
        """Return one verdict a post of a TextBatch, in order.

        Where the batch says which fields the posts have, evidence names its field and counts
        within it.
        """
        posts = len(batch)
        scores = np.zeros((posts, len(POLICIES)))
        languages = np.full(posts, _OTHER, np.uint8)
        tiers = np.zeros(posts, np.uint8)
        ruleset, model, profile = self._opened()
        labels: dict[int, dict[str, Label]] = {}
        errors = {int(post): "text is null" for post in np.flatnonzero(batch.nulls)}
        late: dict[int, dict[str, None]] = {}
        cuts = windows.cut(batch)
        for where, part in windows.parts(batch, cuts):
            run = _Run(
                part,
                ruleset,
                model,
                profile,
                cuts.cut(batch, where),
                screen=self.screen,
            )
            run.decide()
            post, start = cuts.post[where], cuts.start[where]
            if cuts.whole:
                languages[post], scores[post], tiers[post] = run.languages, run.scores, run.tiers
            else:
                first = start == 0
                languages[post[first]] = run.languages[first]
                np.maximum.at(scores, post, run.scores)
                np.maximum.at(tiers, post, run.tiers)
            for window, found in run.labels.items():
                _merge(labels.setdefault(int(post[window]), {}), found, int(start[window]))
            for window, timeouts in run.timeouts.items():
                late.setdefault(int(post[window]), {}).update(dict.fromkeys(timeouts))
        errors |= {at: f"pattern timed out: {', '.join(names)}" for at, names in late.items()}
        verdicts = self._verdicts(
            scores, languages, labels, (tiers, model.tier_names), errors, data_ids
        )
        return verdicts if batch.fields is None else with_field_evidence(verdicts, batch.fields)

    def _verdicts(
        self,
        scores: NDArray[np.float64],
        languages: NDArray[np.uint8],
        labels: dict[int, dict[str, Label]],
        tiers: tuple[NDArray[np.uint8], tuple[str, ...]],
        errors: dict[int, str],
        data_ids: Sequence[str | None] | None,
    ) -> Verdicts:
        actions = np.zeros(len(scores), np.uint8)
        risks = np.zeros(len(scores), np.uint8)
        final: dict[int, tuple[Label, ...]] = {}
        for post, found in labels.items():
            ordered = tuple(found[name] for name in POLICIES if name in found)
            final[post] = ordered
            actions[post] = max(ACTIONS.index(label.action) for label in ordered)
            risks[post] = RISK_LEVELS.index(risk_level(ordered))
        return Verdicts(
            scores, actions, risks, languages, final, self.policy_ref, self.model_ref,
            *tiers, errors, data_ids,
        )  # fmt: skip

    def _opened(self) -> tuple[Ruleset, Model, Profile]:
        """Return rules, model and profile: those that verdicts name, loaded once for the process.

        Raises:
            ConfigError: the rules or the model are others by now than when this was made.
        """
        assert self.rules is not None
        assert self.as_of is not None
        assert self.model is not None
        assert self.tier is not None
        options = SessionOptions(self.device, self.threads)
        return (
            _ruleset(self.rules, self.as_of, self.policy_ref.bundle),
            _model(self.model, self.model_ref, self.tier, options),
            _region_profile(self.rules, self.region, self.policy_ref.bundle),
        )


@lru_cache(maxsize=8)
def _ruleset(folder: Path, day: date, digest: str) -> Ruleset:
    ruleset = load_ruleset(folder, day)
    if ruleset.digest != digest:
        raise ConfigError(f"{folder}: expected the rules {digest}, found {ruleset.digest}")
    return ruleset


@lru_cache(maxsize=8)
def _model(folder: Path, reference: str, tier: str, options: SessionOptions) -> Model:
    model = load_model(folder, tier, options)
    if model.reference != reference:
        raise ConfigError(f"{folder}: expected the model {reference}, found {model.reference}")
    return model


@lru_cache(maxsize=8)
def _region_profile(folder: Path, region: str, digest: str) -> Profile:
    del digest  # part of the key: a folder's profiles change with its rules
    return profile_for(folder, region)


class _Run:
    """One part of a batch on its way through the stages."""

    def __init__(
        self,
        batch: TextBatch,
        ruleset: Ruleset,
        model: Model,
        profile: Profile,
        cut: NDArray[np.bool_] | None,
        *,
        screen: bool,
    ) -> None:
        self.batch = batch
        self.ruleset = ruleset
        self.model = model
        self.profile = profile
        self.cut = cut
        self.base: View = ruleset.table.base(batch)
        counts = scripts(self.base, ruleset.table, batch.codepoints, self.base.source)
        self.languages = languages_of(counts)
        self.scan = ruleset.scan(batch, self.base)
        self.suspects = self.scan.posts
        wanted = np.full(len(batch), not screen)
        wanted[self.suspects] = True
        scored = model.score(
            self.base, self.languages, wanted=wanted, unread=counts[:, -1] < MIN_LETTERS
        )
        self.log_odds = scored.log_odds
        self.tiers = scored.tiers
        odds = np.exp(np.minimum(-self.log_odds, _LARGEST))
        self.scores = np.round(1.0 / (1.0 + odds), SCORE_DECIMALS)
        self.labels: dict[int, list[Label]] = {}
        self.timeouts: dict[int, tuple[str, ...]] = {}

    def decide(self) -> None:
        """Look closer at the posts that rules or classifier noticed, and decide them."""
        points = self.model.operating_points[self.languages]
        screened = self.tiers == self.model.tier_names.index(SCREEN)
        noticed = (self.scores >= points[..., 0]).any(axis=1) & ~screened
        looked_at = noticed.copy()
        looked_at[self.suspects] = True
        posts = np.flatnonzero(looked_at)
        if not len(posts):
            return
        found = self.ruleset.findings(
            self.scan, posts, noticed[posts], every_cue=False, cut=self.cut
        )
        stances = self._stances(posts)
        for index, findings in enumerate(found):
            post = int(posts[index])
            self._decide_post(post, findings, points[post], stances.get(post))
        locate_model_evidence(self.batch, self.model, self.ruleset.table, self.labels)

    def _stances(self, posts: NDArray[np.int64]) -> dict[int, tuple[str, float]]:
        """Return the likeliest innocent stance the model reads in posts, and how likely any is."""
        names = self.model.stance_names
        innocent = [at for at, name in enumerate(names) if name in INNOCENT_STANCES]
        if self.profile.model_stance_at is None or not innocent:
            return {}
        found = self.model.stances(posts_of(self.base, posts))
        assert found is not None
        shares = found[:, innocent]
        likeliest = shares.argmax(axis=1).tolist()
        totals = shares.sum(axis=1).tolist()
        return {
            post: (names[innocent[best]], total)
            for post, best, total in zip(posts.tolist(), likeliest, totals, strict=True)
        }

    def _decide_post(
        self,
        post: int,
        findings: Findings,
        points: NDArray[np.float64],
        stance: tuple[str, float] | None,
    ) -> None:
        original = self.batch.codepoints[self.batch.offsets[post] : self.batch.offsets[post + 1]]
        if findings.timeouts:
            self.timeouts[post] = findings.timeouts
        found = {match.rule.policy for match in findings.matches}
        for policy, name in enumerate(POLICIES):
            if name not in found and self.scores[post, policy] < points[policy, 0]:
                continue
            matches = [m for m in findings.matches if m.rule.policy == name]
            decision = decide_policy(
                policy,
                float(self.log_odds[post, policy]),
                points[policy],
                findings,
                rule_evidence(matches, original, self.ruleset.table),
                self.model.rule_weights.get(name, {}),
                self.profile,
                stance,
            )
            self.scores[post, policy] = decision.score
            if decision.label is not None:
                self.labels.setdefault(post, []).append(decision.label)


def _merge(into: dict[str, Label], found: Sequence[Label], shift: int) -> None:
    """Add one window's labels to those of its post: the stronger label, evidence up to a limit."""
    for label in found:
        known = into.get(label.label)
        evidence = () if known is None else known.evidence
        if len(evidence) < MAX_EVIDENCE:
            moved = (e.shifted(shift) for e in label.evidence)
            evidence = tuple(dict.fromkeys((*evidence, *moved)))[:MAX_EVIDENCE]
        strongest = label
        if known is not None:
            strongest = max(known, label, key=_strength)
        into[label.label] = strongest.with_evidence(evidence)


def _strength(label: Label) -> tuple[int, int, float]:
    return ACTIONS.index(label.action), RISK_LEVELS.index(risk_level([label])), label.score


def _field(value: object, name: str, at: int) -> str | list[str] | None:
    """Return one field of a post, checked; `at` is the post's position, for the message."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        odd = next((item for item in value if not isinstance(item, str)), None)
        if odd is None:
            return list(value)
        value = odd
    raise TypeError(
        f"expected str, a list of str or None in field {name!r}, got {type(value).__name__} at {at}"
    )


def is_too_short(base: View, table: FoldTable) -> NDArray[np.bool_]:
    """Return which posts say too little for the classifier; rules read them all the same."""
    counts = scripts(base, table, base.codepoints, np.arange(len(base.codepoints)))
    short: NDArray[np.bool_] = counts[:, -1] < MIN_LETTERS
    return short

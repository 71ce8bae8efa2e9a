"""Moderator: one batch through text, rules, classifier and decision, in that direction."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moderation.classifier import (
    SessionOptions,
    available_device,
    digest_file,
    load_model,
    model_reference,
    read_manifest,
)
from moderation.decide import Verdicts, profile_for
from moderation.decide.fields import with_field_evidence
from moderation.decide.merge import judge_windows
from moderation.decide.run import Loaded, is_too_short
from moderation.errors import ConfigError, DataNotFoundError, ModelError
from moderation.resources import data_root
from moderation.rules import load_ruleset
from moderation.text import TextBatch, join_fields
from moderation.types import PolicyRef, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moderation.text import FieldSpan

__all__ = ["Moderator", "is_too_short"]


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
        loaded = self._loaded()
        judged = judge_windows(batch, loaded, screen=self.screen)
        errors = dict.fromkeys(batch.nulls.nonzero()[0].tolist(), "text is null")
        for post, names in judged.timeouts.items():
            errors[post] = f"pattern timed out: {', '.join(names)}"
        labels = judged.labels
        if batch.fields is not None:
            labels = with_field_evidence(labels, batch.fields)
        return Verdicts.of(
            judged.scores, judged.languages, labels, self.policy_ref, self.model_ref,
            judged.tiers, loaded.model.tier_names, errors, data_ids,
        )  # fmt: skip

    def _loaded(self) -> Loaded:
        """Return rules, model and profile: those that verdicts name, loaded once for the process.

        Raises:
            ConfigError: the rules or the model are others by now than when this was made.
        """
        assert self.rules is not None
        assert self.as_of is not None
        assert self.model is not None
        assert self.tier is not None
        return _load(
            self.rules, self.as_of, self.policy_ref,
            self.model, self.model_ref, self.tier, SessionOptions(self.device, self.threads),
        )  # fmt: skip


@lru_cache(maxsize=8)
def _load(
    rules: Path, day: date, policy: PolicyRef,
    folder: Path, reference: str, tier: str, options: SessionOptions,
) -> Loaded:  # fmt: skip
    ruleset = load_ruleset(rules, day)
    if ruleset.digest != policy.bundle:
        raise ConfigError(f"{rules}: expected the rules {policy.bundle}, found {ruleset.digest}")
    model = load_model(folder, tier, options)
    if model.reference != reference:
        raise ConfigError(f"{folder}: expected the model {reference}, found {model.reference}")
    return Loaded.of(ruleset, model, profile_for(rules, policy.region))


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

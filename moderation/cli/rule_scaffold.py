"""A new rule as text, and its place in a rule file whose other bytes stay as they are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import regex
import yaml

from moderation.errors import ConfigError, RuleError
from moderation.rules import CUES
from moderation.rules.placeholders import PLACEHOLDER
from moderation.rules.source import Reader
from moderation.types import INNOCENT_STANCES, POLICIES, SUB_LABELS, VIOLATING_STANCES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Scaffold", "pack_file", "scaffold_text", "with_rule", "written_ids"]

_ID: Final = regex.compile(r"[a-z]+(\.[a-z0-9][a-z0-9-]*){2,}")
_LANGUAGES: Final = {"zh": "zh", "en": "en", "mixed": "mixed", "any": "zh, en, mixed"}
_LINE: Final = regex.compile(r"[^\n\r\x85\u2028\u2029]*(?:\r\n|[\n\r\x85\u2028\u2029])|.+\Z")
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Scaffold:
    """What is known of a new rule."""

    id: str
    policy: str | None = None
    sub_label: str | None = None
    stance: str | None = None
    level: str | None = None

    @property
    def pack(self) -> str:
        """The folder its id names."""
        return self.id.partition(".")[0]

    @property
    def is_context(self) -> bool:
        """True for a rule about innocent stances."""
        return self.pack == "context"

    def check(self) -> None:
        """Raise ConfigError, one line a problem, where the id or a choice cannot be right."""
        packs = (*POLICIES, "context")
        problems = []
        if not _ID.fullmatch(self.id):
            problems.append(f"expected an id like gambling.zh.top-up, found {self.id!r}")
        elif self.pack not in packs:
            problems.append(f"id {self.id!r} must start with one of {', '.join(packs)}")
        if problems:
            raise ConfigError(problems[0])
        if self.is_context:
            problems += [
                f"--{name}: a context rule has none"
                for name, value in (("sub-label", self.sub_label), ("level", self.level))
                if value is not None
            ]
        policies = (*POLICIES, "any") if self.is_context else (self.pack,)
        stances = INNOCENT_STANCES if self.is_context else VIOLATING_STANCES
        sub_labels = SUB_LABELS.get(self.pack, ())
        for name, value, choices in (
            ("policy", self.policy, policies),
            ("stance", self.stance, stances),
            ("sub-label", None if self.is_context else self.sub_label, sub_labels),
            ("level", None if self.is_context else self.level, ("strong", "medium", "weak")),
        ):
            if value is not None and value not in choices:
                problems.append(f"--{name}: expected one of {', '.join(choices)}, found {value!r}")
        if problems:
            raise ConfigError("\n".join(problems))


def scaffold_text(rule: Scaffold) -> list[str]:
    """Return a rule's YAML, line by line, its first line at the margin."""
    todo = PLACEHOLDER
    stances = INNOCENT_STANCES if rule.is_context else VIOLATING_STANCES
    language = _LANGUAGES.get(rule.id.split(".")[1], "")
    lines = [f"- id: {rule.id}", f"  title: {todo} what a post does that this rule finds"]
    if rule.is_context:
        lines.append(f"  policy: {rule.policy or 'any'}  # {', '.join(POLICIES)} or any")
    else:
        sub_labels = ", ".join(SUB_LABELS[rule.pack])
        lines.append(f"  sub_label: {rule.sub_label or todo}  # one of {sub_labels}")
    default = todo if rule.is_context else "offer"
    lines.append(f"  stance: {rule.stance or default}  # {' | '.join(stances)}")
    if not rule.is_context:
        lines.append(
            f"  level: {rule.level or 'medium'}  # alone: strong blocks, medium asks for a review, "
            "weak does nothing"
        )
    if language:
        lines.append(f"  languages: [{language}]")
    if rule.is_context:
        lines += ["  any: []  # the words of it: literals, {regex: '…', require: [literal]}"]
    else:
        lines += [
            "  all:  # every item must hold",
            "    - any: []  # the words: literals, {list: NAME}, {regex: '…', require: [literal]}",
            "    - any: [{cue: contact}, {cue: handle}, {cue: call}, {cue: price}]",
            f"    # cues: {', '.join(CUES)}",
        ]
    lines += [
        "  # none: []  # words that veto the rule",
        "  # exceptions: []  # longer words that merely contain one of the words",
        f"  notes: {todo} what it may hit by mistake",
        "  tests:",
        f'    hit: ["{todo} a post that it must find"]',
        f'    pass: ["{todo} an innocent post with the same words"]',
    ]
    if not rule.is_context:
        lines += [
            f'    evasion: ["{todo} the words with noise between: w.o.r.d"]',
            f'    explain: ["{todo} a warning or an explanation that names the words"]',
        ]
    return lines


def written_ids(folder: Path) -> dict[str, str]:
    """Return the ids of every rule written in a rules folder, each with its place.

    Raises:
        RuleError: a file cannot be read.
    """
    reader = Reader(folder)
    found: dict[str, str] = {}
    for pack in (*POLICIES, "context"):
        for path in sorted((folder / pack).glob("*.yaml")):
            source = reader.open(path)
            rules = _rules(source.node) if source is not None else None
            for rule in rules.value if isinstance(rules, yaml.SequenceNode) else ():
                for key, value in rule.value if isinstance(rule, yaml.MappingNode) else ():
                    if key.value == "id":
                        line = value.start_mark.line + 1
                        found.setdefault(str(value.value), f"{path}:{line}")
    if reader.diagnostics:
        raise RuleError(reader.diagnostics)
    return found


def pack_file(folder: Path, rule: Scaffold, ids: dict[str, str], chosen: Path | None) -> Path:
    """Return the file a rule belongs in: the one that was chosen, else that of its likes.

    Raises:
        ConfigError: the chosen file is not one of the rule's pack.
    """
    pack = folder / rule.pack
    if chosen is None:
        prefix = ".".join(rule.id.split(".")[:2]) + "."
        homes = [place.rpartition(":")[0] for name, place in ids.items() if name.startswith(prefix)]
        if homes:
            return pack / os.path.basename(max(homes, key=homes.count))  # noqa: PTH119
        return pack / f"{rule.id.split('.')[1]}.yaml"
    for inside in (chosen, folder / chosen, pack / chosen):
        if inside.suffix == ".yaml" and inside.parent.resolve() == pack.resolve():
            return inside
    raise ConfigError(f"--file: expected a .yaml file in {pack}, found {chosen}")


def with_rule(data: bytes | None, rule: Scaffold, name: str) -> bytes:
    """Return a rule file with one more rule at the end of its rules.

    Args:
        data: the file's bytes; None for a file that is to be made.
        rule: the new rule.
        name: the file's name, for messages.

    Raises:
        ConfigError: the file has no place to which a rule can be added.
    """
    lines = scaffold_text(rule)
    if data is None:
        policy = rule.policy or ("any" if rule.is_context else rule.pack)
        head = ["schema: 1", f"policy: {policy}", "rules:"]
        return "\n".join([*head, *(f"  {line}" for line in lines), ""]).encode()
    try:
        text = data.decode("utf-8")
        before = yaml.compose(text, Loader=_LOADER)
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{name}: cannot be read: {error}") from error
    rules = _rules(before)
    if (
        not isinstance(before, yaml.MappingNode)
        or not isinstance(rules, yaml.SequenceNode)
        or not rules.value
        or rules.flow_style
    ):
        raise ConfigError(
            f"{name}: expected 'rules:' with a list of rules, one below the other; "
            "name another --file"
        )
    parts = _LINE.findall(text)
    last_key = before.value[-1][1] is rules
    at = len(parts) if last_key else _last_line(rules) + 1
    first = parts[rules.value[0].start_mark.line]
    margin = first[: first.index("-")]
    ending = "\r\n" if parts[0].endswith("\r\n") else "\n"
    whole = not at or parts[at - 1].endswith(("\n", "\r", "\x85", "\u2028", "\u2029"))
    new = ("" if whole else ending) + ending + "".join(f"{margin}{x}{ending}" for x in lines)
    out = "".join(parts[:at]) + new + "".join(parts[at:])
    try:
        grown = _has_grown(before, yaml.compose(out, Loader=_LOADER), rule.id)
    except yaml.YAMLError:
        grown = False
    if not grown:
        raise ConfigError(f"{name}: found no place for a rule; name another --file")
    return out.encode("utf-8")


def _rules(node: yaml.Node | None) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for key, value in pairs if key.value == "rules"), None)


def _last_line(node: yaml.Node) -> int:
    """Return the line on which the last word of a node stands."""
    blocks = isinstance(node, yaml.CollectionNode) and not node.flow_style
    if not blocks or not node.value:
        end: int = node.end_mark.line
        ends_before = isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}
        return end - 1 if ends_before else end
    last = node.value[-1]
    return max(_last_line(part) for part in (last if isinstance(last, tuple) else (last,)))


def _has_grown(before: yaml.Node, after: yaml.Node | None, rule_id: str) -> bool:
    """Say whether a file says the same as before, and one rule more at the end of its rules."""
    old, new = _rules(before), _rules(after)
    if not isinstance(old, yaml.SequenceNode) or not isinstance(new, yaml.SequenceNode):
        return False
    assert after is not None
    added = new.value[len(old.value) :]
    if len(added) != 1 or not any(value.value == rule_id for _, value in added[0].value):
        return False
    del new.value[-1]
    return _shape(before) == _shape(after)


def _shape(node: yaml.Node) -> Sequence[Any]:
    if isinstance(node, yaml.ScalarNode):
        return ("scalar", node.tag, node.value)
    if isinstance(node, yaml.MappingNode):
        return ("mapping", [(_shape(key), _shape(value)) for key, value in node.value])
    return ("list", [_shape(item) for item in node.value])

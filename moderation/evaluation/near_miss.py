"""Near misses: which conditions of a rule hold on a post, and which one fails.

Each part of a rule is written into a probe, a rule of its own beside the others, and the engine
itself says whether the probe fires. Nothing here knows what a condition means, so a kind of
condition that is new to the rule language is told apart all the same.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import yaml

from moderation.errors import RuleError
from moderation.rules import Ruleset, compile_rules
from moderation.text import TextBatch
from moderation.types import INNOCENT_STANCES, SUB_LABELS, VIOLATING_STANCES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from moderation.rules import Findings, Rule

__all__ = ["Part", "near_misses"]

Span: TypeAlias = tuple[int, int]

_CONDITIONS: Final = ("any", "all", "near", "across", "none")
"""Fields of a rule, or of an item, that hold a list of items."""
_BESIDE: Final = {"near": ("within",)}
_MAX_SPANS: Final = 64
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Final[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True, slots=True)
class Part:
    """One condition of a rule, and how it fared on a post."""

    written: str
    """Its YAML, on one line."""
    line: int
    """1-based line in the rule's file."""
    depth: int
    """How deep it lies within the rule's conditions."""
    holds: bool
    spans: tuple[Span, ...]
    """What it found, in code points of the post; for a veto that strikes, the veto's words."""
    note: str = ""
    """Why it fails, where that can be told."""


@dataclass(slots=True)
class _Node:
    """A condition on its way through the probes."""

    item: yaml.Node
    """As an item of a rule: a scalar or a mapping."""
    key: str
    """The list field of the item, or "" for an item without one."""
    written: str
    line: int
    children: list[_Node]
    probe: str = ""
    veto: str = ""
    """Asks of an item of `none` whether it is there."""
    bare: str = ""
    """The probe without the rule's exceptions; empty where it has none."""


@dataclass(slots=True)
class _File:
    """A rule file: its text in lines, and its rules' nodes."""

    lines: list[str]
    policy: yaml.Node
    lists: yaml.Node | None
    rules: dict[str, yaml.MappingNode]
    probes: list[yaml.Node] = field(default_factory=list)


@dataclass(slots=True)
class _Case:
    """One post held against one rule."""

    nodes: list[_Node]
    anchor: str


def near_misses(folder: Path, cases: Sequence[tuple[Rule, str]]) -> list[tuple[Part, ...]]:
    """Say how the conditions of rules fare on posts.

    Args:
        folder: the rules folder.
        cases: rules of that folder, each with a post; the rules are read again from their files.

    Returns:
        For each case the rule's conditions in the order they were written, the inner ones only of
        those that fail. Nothing where that cannot be told: the post has no words, for one.
    """
    if not cases:
        return []
    files: dict[str, _File] = {}
    probes = _Probes(folder, files)
    prepared = [probes.case(rule, text) for rule, text in cases]
    try:
        ruleset = probes.compiled()
    except RuleError:  # a condition that means something only where it stands
        return [()] * len(cases)
    found = ruleset.evaluate(TextBatch.from_strings([text for _, text in cases]))
    return [
        () if case is None else _Reader(case, findings, ruleset, text).parts()
        for case, findings, (_, text) in zip(prepared, found, cases, strict=True)
    ]


class _Probes:
    """Writes the probes of every case into a copy of the rules folder."""

    def __init__(self, folder: Path, files: dict[str, _File]) -> None:
        self._folder = folder
        self._files = files
        self._names: Counter[str] = Counter()

    def case(self, rule: Rule, text: str) -> _Case | None:
        file = self._file(rule.path)
        chunk = _longest_chunk(text)
        written = file.rules.get(rule.id)
        if written is None or chunk is None:
            return None
        fields = {str(key.value): value for key, value in written.value}
        anchor = _string(chunk)
        kept_fields = ("views", "exceptions")
        beside: dict[str, yaml.Node] = {k: fields[k] for k in kept_fields if k in fields}

        def probe(item: yaml.Node | None, kept: dict[str, yaml.Node]) -> str:
            pack = rule.id.partition(".")[0]
            self._names[pack] += 1
            name = f"{pack}.probe.p{self._names[pack]}"
            wanted: list[yaml.Node] = [anchor] if item is None else [anchor, item]
            file.probes.append(_probe(name, pack, wanted, kept))
            return name

        def ask(node: _Node, *, in_none: bool) -> None:
            node.probe = probe(node.item, beside)
            if "exceptions" in beside:
                node.bare = probe(node.item, {k: v for k, v in beside.items() if k == "views"})
            if in_none:
                node.veto = probe(node.item, beside | {"views": _sequence([_string("base")])})
            for child in node.children:
                ask(child, in_none=node.key == "none")

        nodes = _conditions(written, file.lines)
        for node in nodes:
            ask(node, in_none=False)
        return _Case(nodes, probe(None, {}))

    def compiled(self) -> Ruleset:
        """Compile a copy of the folder that holds the probes as well."""
        with tempfile.TemporaryDirectory(prefix="moderation-") as name:
            copy = Path(name) / "rules"
            shutil.copytree(self._folder, copy)
            for number, (path, file) in enumerate(self._files.items()):
                content = _mapping(schema=_integer(1), policy=file.policy)
                if file.lists is not None:
                    content.value.append((_string("lists"), file.lists))
                content.value.append((_string("rules"), _sequence(file.probes)))
                text = yaml.serialize(content, Dumper=_DUMPER, allow_unicode=True, width=1 << 20)
                target = (copy / path).parent / f"near-miss-probes-{number}.yaml"
                target.write_text(text, encoding="utf-8")
            return Ruleset(compile_rules(copy))

    def _file(self, path: str) -> _File:
        if path not in self._files:
            text = (self._folder / path).read_bytes().decode("utf-8")
            node = yaml.compose(text, Loader=_LOADER)
            assert isinstance(node, yaml.MappingNode)
            fields = {str(key.value): value for key, value in node.value}
            rules = {
                str(value.value): rule
                for rule in fields["rules"].value
                for key, value in rule.value
                if key.value == "id"
            }
            lines = text.splitlines()
            self._files[path] = _File(lines, fields["policy"], fields.get("lists"), rules)
        return self._files[path]


def _probe(
    name: str, pack: str, items: Sequence[yaml.Node], beside: dict[str, yaml.Node]
) -> yaml.MappingNode:
    fields: dict[str, yaml.Node] = {"id": _string(name), "title": _string("probe")}
    if pack in SUB_LABELS:
        fields |= {
            "sub_label": _string(SUB_LABELS[pack][0]),
            "stance": _string(VIOLATING_STANCES[0]),
            "level": _string("strong"),
        }
    else:
        fields["stance"] = _string(INNOCENT_STANCES[0])
    return _mapping(**fields, all=_sequence(items), **beside)


def _conditions(node: yaml.MappingNode, lines: Sequence[str]) -> list[_Node]:
    """Return the conditions of a rule, or of an item that is a mapping, as items."""
    fields = {str(key.value): (key, value) for key, value in node.value}
    found = []
    for name in _CONDITIONS:
        if name not in fields:
            continue
        key, value = fields[name]
        pairs = [fields[n] for n in (name, *_BESIDE.get(name, ())) if n in fields]
        item = yaml.MappingNode("tag:yaml.org,2002:map", pairs)
        children = [_item(child, lines) for child in value.value] if _is_list(value) else []
        written = _written(key, pairs[-1][1], lines)
        found.append(_Node(item, name, written, key.start_mark.line + 1, children))
    return found


def _item(node: yaml.Node, lines: Sequence[str]) -> _Node:
    written, line = _written(node, node, lines), node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        keys = {str(key.value) for key, _ in node.value}
        inner = [k for k in _CONDITIONS if k in keys]
        if len(inner) == 1 and keys <= {*inner, *_BESIDE.get(inner[0], ())}:
            (only,) = _conditions(node, lines)
            return _Node(node, only.key, written, line, only.children)
    return _Node(node, "", written, line, [])


def _written(first: yaml.Node, last: yaml.Node, lines: Sequence[str]) -> str:
    """Return the YAML from one node's start to another's end, without its line breaks."""
    start, end = first.start_mark, last.end_mark
    taken = list(lines[start.line : end.line + 1])
    if len(taken) > end.line - start.line:
        taken[-1] = taken[-1][: end.column]
    taken[0] = taken[0][start.column :]
    kept = (line.strip() for line in taken)
    return " ".join(line for line in kept if line and not line.startswith("#"))


class _Reader:
    """Reads off one case's probes how the rule's conditions fared."""

    def __init__(self, case: _Case, findings: Findings, ruleset: Ruleset, text: str) -> None:
        self._case = case
        self._fired = {
            m.rule.id: {(h.start, h.end) for h in m.hits}
            for m in chain(findings.matches, findings.contexts)
        }
        self._anchor = self._fired.get(case.anchor, set())
        self._fold = ruleset.table.fold_text
        self._folded = self._fold(text)

    def parts(self) -> tuple[Part, ...]:
        """Return the rule's conditions."""
        if self._case.anchor not in self._fired:
            return ()
        return tuple(part for node in self._case.nodes for part in self._walk(node, 0))

    def _walk(self, node: _Node, depth: int) -> Iterable[Part]:
        holds = node.probe in self._fired
        written = node.key if node.key == "all" and not holds else node.written
        note = "" if holds else self._note(node)
        yield Part(written, node.line, depth, holds, self._spans(node), note)
        if holds:
            return
        for child in node.children:
            if node.key == "none":
                if child.veto in self._fired:
                    words = self._of(child.veto)
                    yield Part(child.written, child.line, depth + 1, False, words, "is a veto")
            elif node.key != "any" or self._partly_holds(child):
                yield from self._walk(child, depth + 1)

    def _partly_holds(self, node: _Node) -> bool:
        """Say whether a composite item fails although something in it holds."""
        return any(
            child.probe in self._fired or self._partly_holds(child)
            for child in node.children
            if node.key != "none"
        )

    def _spans(self, node: _Node) -> tuple[Span, ...]:
        return () if node.key == "none" else self._of(node.probe)

    def _of(self, probe: str) -> tuple[Span, ...]:
        found = self._fired.get(probe, set())
        # Nothing but the anchor is left where the condition found the very same stretch.
        own = found - self._anchor or found
        return tuple(sorted(own)[:_MAX_SPANS])

    def _note(self, node: _Node) -> str:
        if node.key in {"all", "none"}:
            return ""
        if node.bare in self._fired:
            return "found, but an exception of the rule covers it"
        if node.key == "near" and all(child.probe in self._fired for child in node.children):
            return self._distance(node)
        inside = [word for word in _words(node) if self._inside(word)]
        return f"{inside[0]!r} stands inside a longer word" if inside else ""

    def _distance(self, node: _Node) -> str:
        """Say how far the items of a failing `near` are apart."""
        first, *rest = (self._spans(child) for child in node.children)
        worst = 0
        for part in rest:
            gaps = [_gap(a, b) for a, b in product(first, part)]
            if not gaps:
                return ""
            apart = [gap for gap in gaps if gap is not None]
            if not apart:
                return "the same stretch would serve twice"
            worst = max(worst, min(apart))
        return f"every item holds, but {worst} characters lie between them"

    def _inside(self, word: str) -> bool:
        folded = self._fold(word)
        return folded.isascii() and folded in self._folded


def _gap(a: Span, b: Span) -> int | None:
    """Return the characters between two stretches; None where they overlap."""
    return None if a[0] < b[1] and b[0] < a[1] else max(a[0] - b[1], b[0] - a[1])


def _words(node: _Node) -> list[str]:
    """Return the Latin terms that a condition lists itself."""
    items = [node.item] if isinstance(node.item, yaml.ScalarNode) else []
    items += [c.item for c in node.children if isinstance(c.item, yaml.ScalarNode)]
    words = [str(item.value) for item in items]
    wanted = node.key in {"", "any"}
    return [w for w in words if wanted and w.isascii() and w.isalpha()]


def _longest_chunk(text: str) -> str | None:
    """Return a stretch of a post that a probe's literal finds again in it."""
    chunks = (chunk.strip("*") for chunk in text.split())
    return max((c for c in chunks if any(x.isalnum() for x in c)), key=len, default=None)


def _is_list(node: yaml.Node) -> bool:
    return isinstance(node, yaml.SequenceNode)


def _string(value: str) -> yaml.ScalarNode:
    return yaml.ScalarNode("tag:yaml.org,2002:str", value, style='"')


def _integer(value: int) -> yaml.ScalarNode:
    return yaml.ScalarNode("tag:yaml.org,2002:int", str(value))


def _sequence(items: Sequence[yaml.Node]) -> yaml.SequenceNode:
    return yaml.SequenceNode("tag:yaml.org,2002:seq", list(items), flow_style=False)


def _mapping(**fields: yaml.Node) -> yaml.MappingNode:
    pairs = [(_string(key), value) for key, value in fields.items()]
    return yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=False)

"""Arguments that the functions of the native kernel take, and ways of getting them wrong."""

from __future__ import annotations

import datetime
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from moderation.resources import data_root
from moderation.rules.automaton import OPEN_SHIFT, Automaton
from moderation.rules.conditions import Literal
from moderation.rules.forms import Form
from moderation.text import TextBatch, disguise, load_table
from moderation.text.native import kernel
from moderation.text.ordinary import Ordinary
from moderation.text.sound import load_sound

if TYPE_CHECKING:
    import random

    from numpy.typing import NDArray

    from moderation.text import FoldTable, View

RULES = data_root() / "rules"
POSTS = ["今 天 天 气 很 好 啊", "", "赌博 加 weixin c4s1no ㍿ aab", "赌赌博 casino", "\ud800😂"]
TERMS = ("赌博", "博", "casino", "ino", "加", "aab", "天气")
SANITIZED = "asan" in os.environ.get("LD_PRELOAD", "")
REFUSALS = (ValueError, TypeError, OverflowError, BufferError, AttributeError)
CALLS = 4_000
DATE_API: Any = datetime.datetime_CAPI
"""A capsule, but of another kind."""


def calls(posts: list[str] = POSTS) -> dict[str, list[Any]]:
    """Return arguments that every function of the kernel takes."""
    table, sound, ordinary = load_table(RULES), load_sound(RULES), Ordinary.load(RULES)
    assert sound is not None
    batch = TextBatch.from_strings(posts)
    base = table.base(batch)
    compact = table.compact(base)
    forms = [(Literal(t, (t,)), Form(t, "order" if n % 2 else "", t)) for n, t in enumerate(TERMS)]
    searched = Automaton("compact", [(n, *f) for n, f in enumerate(forms)], table, ordinary)
    codes = np.frombuffer("".join(sorted(TERMS)).encode("utf-32-le"), np.uint32)
    symbols = np.zeros(0x110000, np.uint32)
    symbols[np.unique(codes)] = np.arange(1, len(np.unique(codes)) + 1)
    bounds = np.concatenate(([0], np.cumsum([len(t) for t in sorted(TERMS)])))
    hits = searched.scan(compact, base)
    starts = np.arange(len(TERMS) + 1)
    groups = np.array([0, 1, 2, 0, 1, 2, 0], np.int32)
    owner, needed = np.array([0, 0, 1], np.int32), np.array([2, 1], np.int32)
    ones = np.ones(len(TERMS), np.uint8)
    edges = searched.edges | np.array([1, 0, 0, 1, 0, 0, 3], np.uint32) << np.uint32(OPEN_SHIFT)
    sieve_of = [searched.native, searched.codes, searched.offsets, ones, edges, table.classes]
    sieve = kernel.sieve(*sieve_of)
    begins = [np.frombuffer(bits, np.uint32) for bits in kernel.begins(
        searched.codes, searched.offsets, searched.edges
    )]  # fmt: skip
    return {
        "fold": [
            batch.codepoints, batch.offsets, table.target,
            table.expansion_start, table.expansion_length, table.expansion,
        ],
        "unspace": [base.codepoints, base.offsets, table.classes, base.source, 4, 4],
        "compact": [base.codepoints, base.offsets, table.classes],
        "sound": [
            base.codepoints, base.offsets, table.classes,
            sound.near, sound.keys, sound.syllable_near, False,
        ],
        "build": [codes, bounds, np.arange(len(TERMS), dtype=np.int32), symbols],
        "scan": [
            searched.native, compact.codepoints, compact.offsets,
            compact.base_first, compact.base_last, base.codepoints, base.offsets, table.classes,
            searched.edges, *begins, ordinary.key, ordinary.parts, ordinary.rate, 20, 10, 30,
        ],
        "begins": [searched.codes, searched.offsets, searched.edges],
        "clauses": [len(posts), ((hits, 0), (hits, 0)), starts, groups, owner, needed],
        "sieve": sieve_of,
        "notice": [
            tuple((kind, sieve, searched.edges, starts) for kind in range(4)),
            base.codepoints, base.offsets, np.zeros(len(posts), np.uint8), table.classes,
            np.arange(0x110000, dtype=np.uint32), sound.near, sound.keys, sound.syllable_near,
            groups, owner, needed, ordinary.key, ordinary.parts, ordinary.rate, 20, 10, 30, True,
        ],
        "disguises": [
            base.codepoints, base.offsets, base.source, batch.codepoints, batch.offsets,
            table.classes, disguise._marks(), disguise._alike(), disguise._ways().ravel(),
            np.array([5, 7_000, 1 << 31], np.uint32), np.array([9, 1 << 30], np.uint32),
            ordinary.key, ordinary.parts, ordinary.rate, 20, 4, 4,
        ],
        "collector": collector_of(searched, table.classes, ordinary, sound.near),
        "collect": collect_of(
            kernel.collector(*collector_of(searched, table.classes, ordinary, sound.near)),
            batch, base, compact, np.frombuffer(hits, np.int32),
        ),
    } | conditions(batch, base, compact) | decisions(batch, table)  # fmt: skip


def collector_of(
    searched: Automaton, classes: NDArray[np.uint8], ordinary: Ordinary, near: NDArray[np.uint16]
) -> list[Any]:
    """Return arguments of what collects places: four views of the same patterns."""
    arrays = [(searched.patterns | searched.owners)[name] for name in (
        "owner_starts", "literal", "literal_open", "fold", "codes", "offsets", "written",
        "written_offsets",
    )]  # fmt: skip
    return [
        tuple((kind, *arrays) for kind in range(4)), np.array([0, 2, 0, 0, 2, 0, 1], np.uint8),
        np.zeros(len(TERMS), np.int32), np.arange(len(TERMS), dtype=np.int32), classes,
        np.full(0x9000, 8, np.uint16), ordinary.key, ordinary.parts, ordinary.rate, near,
        np.arange(10, dtype=np.int32), np.arange(4, dtype=np.int32) << 7, 4, 8, 512, 20, 10,
    ]  # fmt: skip


def collect_of(
    collector: Any, batch: TextBatch, base: View, compact: View, rows: NDArray[np.int32]
) -> list[Any]:
    """Return arguments with which it collects those of some posts."""
    read = tuple(
        (v.codepoints, v.offsets, v.source, v.last, v.base_first, v.base_last, rows)
        for v in (compact, compact, compact, compact)
    )
    spaced, cut = np.ones(len(batch), np.uint8), np.zeros(2 * len(batch), np.uint8)
    starts = np.array([*[0, 3] * len(batch)])
    return [
        collector, read, batch.codepoints, batch.offsets, spaced, cut, starts,
        np.arange(len(batch) + 1) * 2,
    ]  # fmt: skip


class Asked:
    """What the kernel asks while it matches rules."""

    def search(self, number: int, text: str, most: int) -> bytes | None:
        del text, most
        return None if number else np.array([0, 2], np.int32).tobytes()

    def kinds(self, text: str) -> bytes:
        return bytes(1 if char > "\u3000" else 10 for char in text)


def conditions(batch: TextBatch, base: View, compact: View) -> dict[str, list[Any]]:
    """Return arguments of what matches rules: three rules and a context, a cue, two patterns."""

    def ints(*numbers: int) -> NDArray[np.int32]:
        return np.array(numbers, np.int32)

    nodes = ints(
        0, 0, 0, 0, 0, 0,  # terms of set 0
        0, 1, 0, 0, 0, 0,  # terms of set 1
        1, 0, 1, 0, 0, 0,  # pattern 0, which asks for set 1
        2, 0, 0, 0, 0, 0,  # the cue
        6, 0, 2, 9, 0, 1,  # near: terms of set 0 and the cue
        5, 2, 1, 0, 0, 0,  # none: the pattern
        4, 3, 2, 0, 1, 1,  # all: near and none
        7, 5, 1, 0, 0, 1,  # in: terms of set 0
        8, 6, 2, 0, 1, 0,  # across: terms of set 0 and the cue
        1, 1, -1, 0, 0, 0,  # pattern 1
        3, 8, 2, 0, 0, 0,  # any: pattern 1 and what is in a field
    )  # fmt: skip
    rules = ints(
        6, 2, 0, 15, 7, 2, 0,
        10, -1, 1, 15, 7, 1, 1,
        8, 1, 2, 2, 2, 0, 0,
        1, -1, 1, 15, 11, -1, 2,
    )  # fmt: skip
    sketches = [
        ints(0, 3, 6), ints(2, 1, 2, 3, 0, 0, 5, 0, 0, 0, 1, 0, 4, 0, 0, 5, 0, 0), ints(1, 2, 1, 3),
        np.array([0, 1, 0, 0, 1, 2], np.uint16), np.array([1, 0, 1, 1, 1, 0, 1], np.uint8),
        ints(0, ord("c"), ord("o"), 0x4E00), np.array([0, 1, 0, 2], np.uint16),
    ]  # fmt: skip
    sketched = kernel.sketches(*sketches)
    program = [
        6, 2, 0, 2, sketched, nodes, ints(0, 3, 2, 4, 5, 0, 0, 3, 9, 7),
        ints(0, 2, 4, 6), ints(0, 2, 1, 2, 3, 4), ints(0, 1), rules, ints(1),
        ints(0, 2), ints(0, 1),
        ints(0, 1, 2, 3, 3, 3, 3), ints(3, 3, 3),
        ints(0, 2, 4, 6, 8, 9, 10), ints(*b"casinobets"),
        ints(0, 1, 2, 3, 4, 5), ints(0, 0, 0, 0, 0),
    ]  # fmt: skip
    posts = len(batch)
    bounds = np.minimum([0, 0, 0, 5, *[6] * (posts - 3)], 6)
    findings = [
        kernel.program(*program), Asked(), True,
        bounds, ints(0, 1, 1, 2, 3, 0), ints(0, 2, 4, 4, 8, 0),
        ints(2, 4, 6, 8, 9, 2), ints(0, 0, 1 << 7, 3 << 7 | 3, 3 << 7 | 2, 0), batch.offsets,
        base.codepoints, base.offsets, base.source, base.last,
        compact.codepoints, compact.offsets, compact.source, compact.last,
        np.minimum([0, 0, 0, *[2] * (posts - 2)], 2), ints(0, 0, 3, 1, 4, 20),
        ints(2, 0, 2, 1, 2, 1, 3, 2), np.arange(posts, dtype=np.uint8) & 1,
    ]  # fmt: skip
    asked = [sketched, batch.codepoints]
    return {"program": program, "findings": findings, "sketches": sketches, "sketched": asked}


def decisions(batch: TextBatch, table: FoldTable) -> dict[str, list[Any]]:
    """Return arguments of what decides posts: two rules and a context that hold in some of them.

    Floating-point numbers are given by their bits.
    """

    def ints(*numbers: int) -> NDArray[np.int32]:
        return np.array(numbers, np.int32)

    def bits(*numbers: float) -> NDArray[np.int64]:
        return np.array(numbers, np.float64).view(np.int64)

    count = len(batch)
    decision = [
        ints(0, 0, 0, -1, 1, 2, 1, 2, 3, 0, 3, -1, 5, -1, 2), ints(2, -1, 1, 2),
        ints(*[0] * 9, 2), bits(*[0.995] * 10), bits(0.0, 0.75, 0.97), bits(*[0.5] * 9),
        bits(*[0.5, 0.5, 0.9, 0.8999] * 12), np.arange(64, dtype=np.uint32) << 26,
        np.array([0, 1, 2, 4, 8, 16, 32, 64], np.uint32), 1, 1 << 9, 1 << 10, 0.5,
    ]  # fmt: skip
    return {
        "decision": decision,
        "decide": [
            kernel.decision(*decision), 3,
            np.array([0, 2, 3, 3], np.int64), ints(0, 2, 0, 2, -1, 4, 1, 0, 1),
            np.array([0, 2, 2, 4], np.int64), ints(0, 2, 63, 1, 3, 0, 2, 4, 16, 2, 4, 17),
            np.array([8, 0, 8], np.uint64), np.array([0, 1, 1], np.uint8),
            np.array([0, 2, 3], np.int64), bits(*[0.1, 3.0, -2.0] * count),
            bits(*[0.525, 0.9526, 0.1192] * count), np.zeros(count, np.uint8),
            batch.codepoints, batch.offsets, table.kind, table.classes, table.target,
            np.array([5, 9, 4], np.uint8), bits(0.5, 0.4, 0.9),
        ],
    }  # fmt: skip


def mutated(value: Any, random_: random.Random) -> Any:
    """Return an argument with something wrong about it, or that may be wrong."""
    if isinstance(value, tuple) and len(value[0]) > 2:  # one of them with something wrong in it
        at = random_.randrange(len(value))
        view = list(value[at])
        inside = random_.randrange(len(view))
        view[inside] = mutated(view[inside], random_)
        return random_.choice((
            (*value[:at], tuple(view)), (tuple(view),), value * 2, (), (1,), ((),), None,
        ))  # fmt: skip
    if isinstance(value, tuple):
        at = random_.randrange(len(value) + 1)
        rows, shift = value[0]
        wrong = (rows, random_.choice((-1, 1, 1 << 40, -(1 << 63), None)))
        other = (mutated(np.frombuffer(rows, np.int32), random_), shift)
        return random_.choice((
            (*value[:at], wrong), (*value[:at], other), (other,), value * 5, (), (1,), ((),), None,
        ))  # fmt: skip
    if not isinstance(value, np.ndarray):
        return random_.choice((None, "text", 1.5, -1, 0, 1, 1_000_000, 1 << 31, 1 << 64, DATE_API))
    data = value.tobytes()
    match random_.randrange(8):
        case 0:
            return data[: random_.randrange(len(data) + 1)]
        case 1:
            return data + bytes(random_.randrange(1, 17))
        case 2:
            return np.frombuffer(b"\0" + data, np.uint8)[1:]  # not aligned
        case 3:
            return value[::2]
        case 4:
            return random_.choice(
                (None, "text", 7, b"", bytearray(), np.zeros(0), [1, 2], DATE_API)
            )
        case 5:
            return bytes(random_.choices(data[:4096] or b"\0", k=min(len(data), 4096)))
    changed = value.copy()
    many = min(len(value), 0x30000)
    for _ in range(random_.randrange(1, 4)):
        # Tables are asked about the characters of the posts, other arrays anywhere.
        at = random_.choice(SEEN) if many > 1 << 16 else random_.randrange(max(many, 1))
        if at < len(value):
            limits = np.iinfo(value.dtype)
            near = int(value[at]) + random_.choice((-1, 1))
            choices = (limits.min, limits.max, 0, 1, 7, 1 << 20, limits.max // 2, near)
            chosen = random_.choice(choices)
            changed[at] = min(max(chosen, limits.min), limits.max)
    return changed


SEEN = sorted({ord(c) for c in "".join([*POSTS, *TERMS]) if ord(c) < 0x20000})

"""Where hits stand beside one another, against the plain definitions."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from moderation.rules.findings import Hit
from moderation.rules.places import Cover, Free, groups


@st.composite
def hits(draw: st.DrawFn) -> Hit:
    start = draw(st.integers(0, 60))
    end = start + draw(st.integers(1, 6))
    return Hit(start, end, draw(st.sampled_from(["base", "sound"])), cue=draw(st.booleans()))


PARTS = st.lists(st.lists(hits(), min_size=1, max_size=6), min_size=2, max_size=4)


def distance(a: Hit, b: Hit) -> int:
    return max(a.start - b.end, b.start - a.end, 0)


def apart(a: Hit, b: Hit) -> bool:
    return a.cue or b.cue or b.start >= a.end or a.start >= b.end


@given(PARTS, st.integers(1, 20))
def test_groups_are_hits_near_the_first_item_with_a_stretch_for_each(
    parts: list[list[Hit]], within: int
):
    wanted: set[Hit] = set()
    for first in parts[0]:
        close = [
            [h for h in part if distance(first, h) <= within and apart(first, h)]
            for part in parts[1:]
        ]
        for chosen in product(*close):
            if all(apart(a, b) for i, a in enumerate(chosen) for b in chosen[:i]):
                wanted |= {first, *(h for part in close for h in part)}
                break
    found = groups([[(h.start, h.end, h) for h in part] for part in parts], within)
    assert set(found) == wanted


def test_what_stands_first_is_gathered_first_and_no_more_than_shown():
    first = [Hit(10 * i, 10 * i + 2, "base") for i in range(200)]
    second = [Hit(10 * i + 3, 10 * i + 5, "base") for i in range(200)]
    found = groups([[(h.start, h.end, h) for h in part] for part in (first, second)], 2)
    assert found[:2] == [first[0], second[0]]
    assert 32 <= len(found) < 100


@given(st.lists(hits(), max_size=8), hits())
def test_a_cover_is_a_longer_hit_around_or_what_a_bold_one_says(allowed: list[Hit], hit: Hit):
    def covers(other: Hit) -> bool:
        inside = other.start <= hit.start and hit.end <= other.end
        longer = other.end - other.start > hit.end - hit.start
        return inside and (longer or (hit.bold and not other.bold))

    assert Cover(allowed).holds(hit) == any(map(covers, allowed))


@given(st.lists(hits(), max_size=12))
def test_room_is_given_to_who_comes_first(wanted: list[Hit]):
    free = Free()
    taken: list[Hit] = []
    for hit in wanted:
        fits = all(hit.end <= other.start or other.end <= hit.start for other in taken)
        assert free.take(hit.start, hit.end) == fits
        if fits:
            taken.append(hit)

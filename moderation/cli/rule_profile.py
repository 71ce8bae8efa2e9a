"""moderate rules profile: where the time of the rules goes on given posts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from moderation.cli.exits import EXIT_USAGE
from moderation.cli.posts_reading import Fields, IdField, InputFormat, Rejections
from moderation.cli.rule_options import Rules, rules_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from moderation.evaluation.rule_profile import RuleProfile, Timing

__all__ = ["profile"]

_NAME_COLUMNS = 44


def profile(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="POSTS", help="What scan reads: files, folders or -.", show_default=False
        ),
    ] = None,
    rules: Rules = None,
    text_field: Fields = None,
    id_field: IdField = "id",
    input_format: InputFormat = None,
    top: Annotated[
        int, typer.Option("-n", min=1, help="Rules, cues and patterns to show, of each.")
    ] = 30,
) -> int:
    """Print what each rule, cue and pattern costs, the dearest first; rules alone, no classifier.

    candidates: posts (of long ones, windows) that were held against it; evaluations: a rule is
    tried in the plain text and, where that fails, once more in bolder views. A cue's time is not
    that of the rule that asks for it; a pattern's time is part of its rule's or cue's.
    """
    if not paths and sys.stdin is not None and sys.stdin.isatty():
        typer.echo(context.get_help(), err=True)
        return EXIT_USAGE
    from moderation.evaluation.posts import post_batches
    from moderation.evaluation.rule_profile import Profiler
    from moderation.rules import compile_rules
    from moderation.scan import ScanOptions, TextFields, resolve_sources

    options = ScanOptions(TextFields(tuple(text_field or ("text",))), id_field, input_format)
    sources = resolve_sources(paths or ["-"], input_format)
    profiler = Profiler(compile_rules(rules_folder(rules)))
    rejections = Rejections()
    for ids, texts in post_batches(sources, options, rejections.add):
        profiler.read(ids, texts)
    for line in _lines(profiler.profile(), top):
        typer.echo(line)
    return rejections.exit_code()


def _lines(found: RuleProfile, top: int) -> Iterable[str]:
    rate = found.posts / found.seconds if found.seconds else 0.0
    calls = sum(t.candidates for t in (*found.rules, *found.cues))
    clock = found.overhead * calls
    yield (
        f"{found.posts:,} posts in {found.seconds:.2f} s ({rate:,.0f} posts/s): folding and "
        f"searching {found.seconds - found.matching:.2f} s, rules and cues {found.matching:.2f} s"
    )
    yield (
        f"the clock takes about {found.overhead * 1e6:.2f} µs a candidate, {clock:.2f} s in all; "
        "it is not subtracted"
    )
    whole = found.matching
    yield ""
    yield from _table("rule", found.rules, whole, top)
    yield ""
    yield from _table("cue", found.cues, whole, top)
    yield ""
    yield from _table("pattern", found.patterns, whole, top)


def _table(what: str, timings: Sequence[Timing], whole: float, top: int) -> Iterable[str]:
    tried = [timing for timing in timings if timing.candidates]
    yield (
        f"{what:<{_NAME_COLUMNS}} {'candidates':>10} {'evaluations':>11} {'hits':>8} "
        f"{'total µs':>11} {'mean µs':>8} {'share':>6} {'longest µs':>10}  on post"
    )
    for timing in tried[:top]:
        share = timing.seconds / whole if whole else 0.0
        yield (
            f"{_name(timing)} {timing.candidates:>10,} {timing.evaluations:>11,} "
            f"{timing.hits:>8,} {timing.seconds * 1e6:>11,.0f} {timing.mean * 1e6:>8,.1f} "
            f"{share:>6.1%} {timing.slowest * 1e6:>10,.0f}  {_post(timing)}"
        )
    rest = len(tried) - top
    untried = len(timings) - len(tried)
    notes = [f"{rest:,} more"] if rest > 0 else []
    notes += [f"{untried:,} never tried"] if untried else []
    if notes:
        yield f"… {', '.join(notes)}"


def _name(timing: Timing) -> str:
    from moderation.scan.table import clipped, display_width
    from moderation.types import NOT_SHOWN

    name = NOT_SHOWN if timing.unshown else timing.name
    shown = clipped(f"{timing.owner}: {name}" if timing.owner else name, _NAME_COLUMNS)
    return shown + " " * (_NAME_COLUMNS - display_width(shown))


def _post(timing: Timing) -> str:
    from moderation.scan.table import clipped

    return clipped(timing.slowest_post or "-", 40)

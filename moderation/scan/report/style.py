"""Style sheet of the page: light and dark, two languages, no script and no files from elsewhere."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Final

__all__ = ["STYLE", "content_policy"]

_LIGHT: Final = """color-scheme: light; --ink: #16191d; --soft: #59616c; --paper: #f6f6f4;
  --card: #ffffff; --rule: #e3e4e1; --grid: #ecedea; --accent: #1f5fa8; --block: #c2342b;
  --review: #b9770e; --pass: #8796a8; --column: #5479a6; --hit: #ffd98a; --hit-ink: #3d2600;
  --hit-mask: #e0ab3f; --other-mask: #b9c3cf;
  --other: #dfe5ec; --shade: 31 95 168; --on-shade: #ffffff;"""
_DARK: Final = """color-scheme: dark; --ink: #e9ebee; --soft: #a2abb7; --paper: #111418;
  --card: #191d23; --rule: #2e343d; --grid: #262b33; --accent: #82b8f2; --block: #ee6a5f;
  --review: #e2a53b; --pass: #66778c; --column: #6f97c8; --hit: #6b4a08; --hit-ink: #ffe4ad;
  --hit-mask: #b98420; --other-mask: #4b5766;
  --other: #333c48; --shade: 120 176 240; --on-shade: #0b1016;"""

STYLE: Final = (
    f":root {{ {_LIGHT} }}\n"
    "@media (prefers-color-scheme: dark) { :root:not(:has(#theme-light:checked)) "
    f"{{ {_DARK} }} }}\n"
    f":root:has(#theme-dark:checked) {{ {_DARK} }}\n"
    + """
:root:has(#language-en:checked) .zh, :root:has(#language-zh:checked) .en { display: none; }
@supports not selector(:has(a)) { .switches { display: none; }
  .default-en .zh, .default-zh .en { display: none; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; }
body { margin: 0; color: var(--ink); background: var(--paper); font: 15px/1.55 system-ui,
  -apple-system, "Segoe UI", "Noto Sans", "Noto Sans CJK SC", "Noto Sans SC", "PingFang SC",
  "Microsoft YaHei", "WenQuanYi Zen Hei", sans-serif; }
header, main, footer { max-width: 74rem; margin: 0 auto; padding: 0 1.25rem; }
.top { display: flex; flex-wrap: wrap; gap: 1rem 2rem; align-items: flex-start;
  justify-content: space-between; padding-top: 2rem; }
h1 { font-size: 1.75rem; line-height: 1.2; letter-spacing: -.01em; margin: 0 0 .35rem; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 0 0 .25rem; }
h3 { font-size: .95rem; margin: 0 0 .4rem; } .scroll + h3 { margin-top: 1.1rem; }
p { margin: .35rem 0; max-width: 46rem; }
.soft, .note { color: var(--soft); }
.note { font-size: .9rem; margin-bottom: .9rem; }
a { color: var(--accent); text-underline-offset: .15em; }
:is(a, summary, .scroll):focus-visible, input:focus-visible + label { outline: 3px solid
  var(--accent); outline-offset: 2px; border-radius: 4px; }
.skip { position: absolute; left: -99rem; top: .5rem; z-index: 2; }
.skip:focus { left: 1rem; background: var(--card); padding: .5rem .9rem; }
.hidden, .switches input { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap; }
.switches { display: flex; flex-wrap: wrap; gap: .6rem; }
.switches fieldset { border: 1px solid var(--rule); border-radius: 999px; margin: 0; padding: 2px;
  display: flex; background: var(--card); position: relative; }
.switches label { padding: .2rem .8rem; border-radius: 999px; cursor: pointer; font-size: .85rem;
  color: var(--soft); }
.switches input:checked + label { background: var(--ink); color: var(--card); }
nav { margin: 1.1rem 0 1.5rem; border-bottom: 1px solid var(--rule); }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.4rem; list-style: none; margin: 0;
  padding: 0 0 .7rem; font-size: .9rem; }
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
  padding: 1.3rem 1.5rem 1.4rem; margin: 0 0 1.1rem; min-width: 0; }
.pair { display: grid; gap: 1.1rem; margin-bottom: 1.1rem; }
.pair section { margin: 0; }
.pair :is(th, td) { padding-inline: .38rem; font-size: .86rem; }
.pair thead th { font-size: .79rem; }
@media (min-width: 70rem) { .pair { grid-template-columns: 1fr 1fr; } }
.notice { border-left: 3px solid var(--accent); padding: .1rem 0 .1rem .9rem; margin: .8rem 0;
  max-width: 52rem; font-size: .92rem; }
.notice.warning { border-color: var(--review); }
.tiles { display: flex; flex-wrap: wrap; gap: .5rem 2.8rem; margin: .9rem 0 1rem; padding: 0; }
.tiles div { min-width: 6.5rem; display: flex; flex-direction: column-reverse; }
.tiles dt { color: var(--soft); font-size: .88rem; }
.tiles dd { margin: 0; font-size: 2rem; line-height: 1.15; font-weight: 620;
  letter-spacing: -.02em; font-variant-numeric: tabular-nums; }
.tiles small { font-size: .9rem; font-weight: 400; color: var(--soft); letter-spacing: 0; }
.tiles dt::before, .key::before { content: ""; display: inline-block; width: .62rem;
  height: .62rem; border-radius: 2px; margin-right: .4rem; background: var(--dot, transparent); }
.tiles .all dt::before { display: none; }
.dot-block { --dot: var(--block); } .dot-review { --dot: var(--review); }
.dot-pass { --dot: var(--pass); }
.whole svg { width: 100%; height: 14px; display: block; }
.scroll { overflow-x: auto; border-radius: 4px; }
table { border-collapse: collapse; width: 100%; font-size: .9rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: .34rem .55rem; text-align: right; border-bottom: 1px solid var(--grid);
  font-weight: 400; white-space: nowrap; }
thead th { color: var(--soft); border-bottom-color: var(--rule); vertical-align: bottom;
  font-size: .82rem; }
tbody tr:last-child > * { border-bottom: 0; }
th:first-child, td:first-child { padding-left: 0; text-align: left; }
th:last-child, td:last-child { padding-right: 0; }
.words { text-align: left; }
.bars { text-align: left; }
.narrow { max-width: 44rem; }
tr.group th { color: var(--soft); font-size: .82rem; padding-top: .9rem; }
td.zero { color: var(--soft); opacity: .65; }
svg { display: block; overflow: visible; }
.chart { max-width: none; height: auto; }
svg text { fill: var(--ink); font-size: 12px; }
svg .tick, svg .mark { fill: var(--soft); font-variant-numeric: tabular-nums; }
svg .name { font-size: 12.5px; font-family: ui-monospace, "SF Mono", Menlo, Consolas,
  "DejaVu Sans Mono", monospace; font-size: 11.5px; }
svg .on-shade { fill: var(--on-shade); }
.grid { stroke: var(--grid); } .axis { stroke: var(--soft); stroke-opacity: .6; }
.block { fill: var(--block); } .review { fill: var(--review); } .pass { fill: var(--pass); }
.column, .one { fill: var(--column); } .calm { fill: var(--pass); }
svg .mark.block { fill: var(--block); } svg .mark.review { fill: var(--review); }
.zone { fill-opacity: .13; pointer-events: none; } .point { stroke-width: 1.5; }
.point.block { stroke: var(--block); } .point.review { stroke: var(--review); }
rect:hover { filter: brightness(1.12); }
.shade0 { fill: var(--grid); } .shade1 { fill: rgb(var(--shade) / .14); }
.shade2 { fill: rgb(var(--shade) / .3); } .shade3 { fill: rgb(var(--shade) / .62); }
.shade4 { fill: rgb(var(--shade) / .8); } .shade5 { fill: rgb(var(--shade)); }
.beside { display: grid; gap: 1.5rem 2.5rem; align-items: start; }
@media (min-width: 70rem) { .beside { grid-template-columns: max-content 1fr; } }
.panels { display: grid; gap: 1.4rem 1.6rem; grid-template-columns:
  repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); }
code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: .88em; overflow-wrap: anywhere; }
td code, th code { white-space: nowrap; overflow-wrap: normal; }
details { border-top: 1px solid var(--grid); }
details:first-of-type { border-top: 0; }
.panels + details, .scroll + details { margin-top: .9rem; border-top: 1px solid var(--grid); }
summary { cursor: pointer; padding: .5rem 0; color: var(--accent); font-size: .9rem; }
summary .soft { margin-left: .6rem; }
.posts { list-style: none; margin: 0 0 1rem; padding: 0; display: grid; gap: .7rem; }
.posts li { border: 1px solid var(--rule); border-radius: 9px; padding: .7rem .9rem; min-width: 0;
  overflow: hidden; contain: paint; }
.meta { display: flex; flex-wrap: wrap; gap: .1rem .9rem; color: var(--soft); font-size: .82rem;
  margin: 0 0 .35rem; max-width: none; }
.meta .key { color: var(--ink); font-weight: 600; }
.post { white-space: pre-wrap; overflow-wrap: anywhere; max-width: 52rem; margin: .2rem 0;
  line-height: 1.75; max-height: 22rem; overflow: auto; }
.field { color: var(--soft); font-size: .82rem; margin-inline-end: .5rem; }
mark { background: var(--hit); color: var(--hit-ink); border-radius: 3px; padding: .08em .12em;
  box-decoration-break: clone; -webkit-box-decoration-break: clone; }
mark.other { background: var(--other); color: inherit; }
mark.masked { background: none; color: var(--hit-mask); padding: 0; letter-spacing: -.04em; }
mark.other.masked { color: var(--other-mask); }
.gap { color: var(--soft); padding: 0 .3em; }
.about { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.4rem;
  margin: .6rem 0 0; }
.about dt { color: var(--soft); } .about dd { margin: 0; overflow-wrap: anywhere; }
footer { color: var(--soft); font-size: .85rem; padding-bottom: 3rem; }
@media (max-width: 40rem) { section { padding: 1rem; border-radius: 8px; }
  .tiles dd { font-size: 1.6rem; } .about { grid-template-columns: 1fr; } }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
@media print { nav, .switches, .skip { display: none; } section { break-inside: avoid; }
  .scroll { overflow: visible; } body { background: none; } }
@media (forced-colors: active) { rect { forced-color-adjust: none; } }
"""
)


def content_policy() -> str:
    """Return the page's Content-Security-Policy: this style sheet, and nothing else at all."""
    digest = b64encode(sha256(STYLE.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )

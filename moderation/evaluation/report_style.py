"""Style sheet of the report: light and dark by the reader's settings, no files from elsewhere."""

from __future__ import annotations

from typing import Final

__all__ = ["STYLE"]

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6470; --paper: #ffffff;
  --card: #f5f6f8; --rule: #d5d9e0; --accent: #0b62a8; --heat: 11 98 168; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a7b0bd; --paper: #14171b;
  --card: #1d2127; --rule: #39404a; --accent: #7cc0f5; --heat: 98 182 240; } }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--paper); line-height: 1.5; font: 16px/1.5
  system-ui, -apple-system, "Segoe UI", "Noto Sans", "Noto Sans CJK SC", "PingFang SC",
  "Microsoft YaHei", "WenQuanYi Zen Hei", sans-serif; }
header, main, footer { max-width: 82rem; margin: 0 auto; padding: 0 1.25rem; }
h1 { font-size: 1.7rem; margin: 1.5rem 0 .25rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; padding-top: .75rem;
  border-top: 1px solid var(--rule); }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .25rem; }
p { max-width: 62rem; margin: .35rem 0; }
.soft, small, caption { color: var(--soft); }
a { color: var(--accent); }
a:focus-visible, summary:focus-visible, .scroll:focus-visible { outline: 3px solid var(--accent);
  outline-offset: 2px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: .5rem; background: var(--paper); padding: .4rem .8rem; z-index: 1; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; padding: 0; }
.scroll { overflow-x: auto; margin: .6rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--rule); text-align: right;
  vertical-align: top; }
thead th { border-bottom-width: 2px; vertical-align: bottom; }
th:first-child, td.words, th.words { text-align: left; }
td small { display: block; white-space: nowrap; }
td.heat { background: rgb(var(--heat) / calc(var(--share) * 55%)); }
td.heat small { color: inherit; opacity: .85; }
tr.total th, tr.total td { background: var(--card); font-weight: 600; }
tr.total td small { font-weight: 400; }
code { font-size: .92em; overflow-wrap: anywhere; }
figure { margin: .5rem 0; }
figure img { display: block; height: auto; max-width: none; }
figcaption { color: var(--soft); font-size: .9rem; max-width: 62rem; }
.notice { background: var(--card); border-left: 4px solid var(--accent); padding: .5rem .9rem; }
summary { cursor: pointer; color: var(--accent); }
details p { white-space: pre-wrap; overflow-wrap: anywhere; max-width: 40rem; text-align: left; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
footer { padding-bottom: 3rem; }
@media print { nav, .skip { display: none; } .scroll { overflow: visible; } }
"""

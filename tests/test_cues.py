"""Cue classes: what turns a loaded word into an offer, innocent alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rule_support import CUE_WORDS, compiled, fired, read, rule, spans

from moderation.rules import load_ruleset

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.rules import Ruleset


@pytest.fixture(scope="module")
def ruleset(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    return compiled(
        tmp_path_factory.mktemp("cues"),
        rule("priced", all=["snow", {"cue": "price"}]),
        rule("offered", all=["leaf", {"any": [{"cue": "contact"}, {"cue": "link"}, "shop"]}]),
        rule("close", near=["ice", {"cue": "quantity"}], within=6),
        cues={
            "price": ["ten coins", {"regex": r"[0-9]+ coins"}],
            "quantity": ["two boxes", {"regex": r"[0-9]+ grams"}],
        },
    )


@pytest.mark.parametrize(
    ("post", "rules"),
    [
        ("snow", []),
        ("ten coins", []),
        ("snow, ten coins", ["priced"]),
        ("snow, 12 coins", ["priced"]),
        ("12 COINS snow", ["priced"]),
        ("snow coins", []),
        ("leaf", []),
        ("leaf, write to us", ["offered"]),
        ("leaf, page.example", ["offered"]),
        ("leaf shop", ["offered"]),
    ],
)
def test_a_code_word_counts_with_its_cue(ruleset: Ruleset, post: str, rules: list[str]):
    assert fired(ruleset, post) == rules


def test_an_evaded_cue_is_a_cue(ruleset: Ruleset):
    assert fired(ruleset, "snow, t.e.n.c.o.i.n.s") == ["priced"]


def test_a_cue_may_stand_near(ruleset: Ruleset):
    assert fired(ruleset, "ice, 5 grams") == ["close"]
    assert fired(ruleset, "ice cream for me, 5 grams") == []


def test_cue_hits_are_told_from_the_terms(ruleset: Ruleset):
    hits = read(ruleset, "snow, ten coins").matches[0].hits
    assert [(hit.cue, hit.start, hit.end) for hit in hits if hit.cue] == [(True, 6, 15)]
    assert spans(ruleset, "snow, ten coins") == ["snow", "ten coins"]


@pytest.mark.parametrize("name", CUE_WORDS)
def test_every_class_of_a_post_is_listed(ruleset: Ruleset, name: str):
    assert read(ruleset, CUE_WORDS[name]).cues == {name}


def test_several_classes_may_stand_in_one_post(ruleset: Ruleset):
    assert read(ruleset, "ten coins, by post, aged twenty").cues == {"price", "delivery", "age"}


def test_a_post_without_cues_has_none(ruleset: Ruleset):
    assert read(ruleset, "a walk in the park").cues == frozenset()


def test_a_cue_may_lie_inside_a_term(tmp_path: Path):
    ruleset = compiled(
        tmp_path,
        rule("inside", near=["5 gram bag", {"cue": "quantity"}], within=3),
        cues={"quantity": [{"regex": "[0-9]+ gram"}]},
    )
    assert fired(ruleset, "a 5 gram bag") == ["inside"]


SLOW = {"regex": "(?:w|ww)+(?<!ww)[qz]"}
SLOW_POST = "snow " + "w" * 90 + "z"


def test_a_slow_cue_is_reported_and_counts_as_absent(tmp_path: Path):
    ruleset = compiled(
        tmp_path, rule("priced", all=["snow", {"cue": "price"}]), cues={"price": [SLOW]}
    )
    found = read(ruleset, SLOW_POST)
    assert (found.matches, found.timeouts) == ((), ("cue",))


def test_a_slow_veto_is_named_by_its_rule(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("vetoed", any=["snow"], none=[SLOW]))
    assert read(ruleset, SLOW_POST).timeouts == ("gambling.en.vetoed",)


# The shipped classes. Every handle, number and address is made up or masked.
WRITTEN = {
    "contact": ["薇信聊", "卫星号在下面", "加裙看", "小飞机联系", "snapchat", "link in comments"],
    "handle": [
        "V:abc12345", "ＶＸ：kk_8899x", "薇 xk_3388", "➕卫星：kk7788aa", "徽信 xk-2020a",
        "TG @snow_lady", "t3legram : leafy_88", "飞机号 abc_123", "纸飞机搜索 @abcde",
        "蝙蝠 88213467", "s1gnal id: quiet_55", "wickr gasman_01x", "snap: lily_x77",
        "kik me at nora_k88", "line id 7788abc", "赖 abc7788", "IG @made_up_9",
        "微信 一三五七九二", "扣扣①③⑤⑦②②③", "V 壹贰叁肆伍陆", "裙558231xx",
        "call one three five seven two two", "群 558 231 77x", "QQ 33x8812xx",
        "电话13x xxxx 8820", "whatsapp +000 55x 1199", "t . me / abcdef",
    ],
    "call": [
        "看头像", "看置顶", "主页同名", "点我头像", "简介有", "评论区扣1", "要的滴", "懂的私",
        "想要的来私", "喜欢的宝子私", "私信暗号", "私信 price", "加我", "加.我", "速加",
        "40 each dm", "full menu, dm", "tap in", "link in bio", "snap in bio",
        "links below", "join at bigwin.example", "register now at slots77x.example",
    ],
    "link": [
        "xk 387 . top", "abc123点com", "abc[.]com", "name (dot) com", "abc dot vip",
        "bet77x . example", "看www。abc123。cc", "t.me/abcd", "邀请码 8899",
        "promo code: WIN50", "code LUCKY88",
    ],
    "porn_sign": ["🍑", "🔞🔞", "看👅"],
    "drugs_sign": ["❄️", "🍃", "🔌", "🍄"],
    "gambling_sign": ["🎰", "♠️", "🀄️", "💰"],
}  # fmt: skip
NOT_WRITTEN = {
    "handle": [
        "2025年11月3日", "一二三四五六七八", "微信群里有300人", "加微信发位置", "V5更新到1.2.3",
        "版本v12.0.3", "line up for the 10am show", "line 2 of the poem", "q1 results",
        "he called me 3 times in 2019", "call 911", "QQ空间10年了", "微7级地震", "威海3日游攻略",
        "ins风的房间", "snap out of it", "session 2 starts", "三三两两两三个",
    ],
    "call": [
        "要不要来吃饭", "需要加油", "他加我好友", "v我50", "想来看看", "感兴趣的书", "加我妈",
        "她私信我说谢谢", "别找我求情", "需要加班", "I will dm you the notes",
        "we can call it a day",
    ],
    "link": [
        "we did this. to be honest", "like this.so good", "that is all.me", "10点 live",
        "i love it. live now", "thanks.it works", "3点 top",
    ],
    "porn_sign": ["桃子", "🍎"],
    "drugs_sign": ["雪", "☕"],
    "gambling_sign": ["骰子", "🏠"],
}  # fmt: skip


def pairs(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(name, post) for name, posts in table.items() for post in posts]


@pytest.fixture(scope="module")
def shipped(shipped_rules: Path) -> Ruleset:
    return load_ruleset(shipped_rules)


@pytest.mark.parametrize(("name", "post"), pairs(WRITTEN))
def test_a_shipped_cue_is_read_in_the_ways_people_spell_it(shipped: Ruleset, name: str, post: str):
    assert name in read(shipped, post).cues


@pytest.mark.parametrize(("name", "post"), pairs(NOT_WRITTEN))
def test_a_shipped_cue_leaves_ordinary_words_alone(shipped: Ruleset, name: str, post: str):
    assert name not in read(shipped, post).cues


@pytest.mark.parametrize("sign", ["🍑💦🔞", "🍃🍁", "❄️💊", "🔌", "🍄", "🎰🎲♠️🀄💰"])
def test_emoji_alone_are_never_enough(shipped: Ruleset, sign: str):
    assert [m.rule.id for m in read(shipped, sign).matches if m.level != "weak"] == []


@pytest.mark.parametrize(
    "unit",
    [
        "a", "1", "v", "q1", "加 ", "一", "a.", "a. ", "one ", "@a", "想要", "私", "t.me/", "dm ",
        "join at ", "code a1 ", "群 1", "微:", "line ", "a-", ". ", "点", "wa.me", "call me at ",
        "can't ", "不能", "发", "《看", "约", "的人", "i used ", "is the ",
    ],
)  # fmt: skip
def test_no_shipped_pattern_is_slow_on_repeated_text(shipped: Ruleset, unit: str):
    post = (unit * 1024)[:1024]
    assert read(shipped, post).timeouts == ()
    assert read(shipped, f"casino {post} dm me").timeouts == ()

"""Words of the page, in English and Chinese."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

__all__ = ["LANGUAGE_TAGS", "PAGE_LANGUAGES", "words"]

PAGE_LANGUAGES: Final = ("en", "zh")
LANGUAGE_TAGS: Final = {"en": "en", "zh": "zh-Hans"}
"""Class of the words on the page, and what the browser calls their language."""

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "title": ("Moderation report", "内容审核报告"),
    "skip": ("Skip to the report", "跳到正文"),
    "contents": ("Contents", "目录"),
    "language_name": ("English", "中文"),
    "language_switch": ("Language of the page", "界面语言"),
    "theme_switch": ("Colours", "配色"),
    "theme_auto": ("Auto", "自动"),
    "theme_light": ("Light", "浅色"),
    "theme_dark": ("Dark", "深色"),
    "region": ("region", "地区"),
    "overview": ("At a glance", "概览"),
    "posts": ("posts", "帖子"),
    "one_post": ("post", "帖子"),
    "posts_read": ("posts with a verdict", "已判定的帖子"),
    "pass": ("pass", "放行"),
    "review": ("review", "复审"),
    "block": ("block", "拦截"),
    "passed": ("passed", "放行"),
    "reviewed": ("sent to review", "送复审"),
    "blocked": ("blocked", "拦截"),
    "share": ("share", "占比"),
    "calibration": (
        "What the scores mean. A score is a probability, calibrated on the posts that the model "
        "was "
        "made with, not on yours. The shares here say what was flagged, not how much of your "
        "traffic "
        "violates. Label a sample ({sample}), measure ({eval}), and recalibrate ({calibrate}) "
        "where "
        "the two part.",
        "如何理解分数：分数是概率，按训练模型所用的帖子校准，而不是按你的数据。本页的占比表示被标记的比例，"
        "不等于实际违规的比例。请先抽样标注（{sample}），再评估（{eval}），如有偏差则重新校准（{calibrate}）。",
    ),
    "notice_rejected": (
        "{count} rows were rejected and are counted nowhere on this page.",
        "有 {count} 行被拒绝，未计入本页任何数字。",
    ),
    "notice_error": (
        "{count} verdicts carry an error (a pattern that timed out, a null text): they may say "
        "less "
        "than they should.",
        "有 {count} 条判定带有错误（模式超时或正文为空），结果可能不完整。",
    ),
    "notice_mixed": (
        "These verdicts come from several set-ups (regions, rules or models): see “What ran”. "
        "Shares "
        "over all of them compare unlike things.",
        "这些判定来自多种配置（地区、规则或模型不同），详见“运行信息”。合并后的占比不宜直接比较。",
    ),
    "notice_unposted": (
        "{count} verdicts have no post with their id: they are counted, but not in the trend.",
        "有 {count} 条判定找不到相同编号的帖子：已计入总数，但不计入趋势。",
    ),
    "notice_unjudged": (
        "{count} posts have no verdict with their id and are counted nowhere.",
        "有 {count} 条帖子找不到相同编号的判定，未计入任何数字。",
    ),
    "notice_untimed": (
        "{count} posts have no readable time and are not in the trend.",
        "有 {count} 条帖子没有可识别的时间，未计入趋势。",
    ),
    "notice_beyond": (
        "There were more distinct rules or pairs than are counted: {count} pieces of evidence "
        "are left out "
        "of the rule figures.",
        "规则或规则组合的种类超出上限：有 {count} 条证据未计入规则统计。",
    ),
    "empty": ("There are no verdicts.", "没有任何判定。"),
    "policies": ("Policies", "策略"),
    "policies_note": (
        "Labels by policy and action. A post may have a label of each; one that passes has "
        "evidence "
        "under an innocent stance, or too little of it.",
        "各策略的标签数，按动作分。一条帖子在每个策略下至多一个标签；放行的标签表示证据不足，或立场无害。",
    ),
    "policy": ("policy", "策略"),
    "porn": ("porn", "色情"),
    "drugs": ("drugs", "毒品"),
    "gambling": ("gambling", "赌博"),
    "labels": ("labels", "标签"),
    "languages": ("Languages", "语言"),
    "languages_note": (
        "Posts by language and action, each bar the whole of its language.",
        "各语言帖子的动作分布，每条为该语言的全部帖子。",
    ),
    "language": ("language", "语言"),
    "zh": ("Chinese", "中文"),
    "en": ("English", "英文"),
    "mixed": ("mixed", "中英混合"),
    "other": ("other", "其他"),
    "sub_labels": ("Sub-labels", "子标签"),
    "sub_label": ("sub-label", "子标签"),
    "sub_labels_note": (
        "Labels by sub-label and action. “Model alone” has no sub-label: no rule fired.",
        "各子标签的标签数，按动作分。“仅模型”没有子标签：没有规则命中。",
    ),
    "model_alone": ("model alone", "仅模型"),
    "stances": ("Stance", "立场"),
    "stance": ("stance", "立场"),
    "stances_note": (
        "What labelled posts do with the topic. An innocent stance lowers the action; it never "
        "hides "
        "the evidence.",
        "带标签的帖子如何对待该话题。无害立场会降低动作，但不会隐藏证据。",
    ),
    "violating": ("violating", "违规"),
    "innocent": ("innocent", "无害"),
    "offer": ("offer", "提供"),
    "seek": ("seek", "求购"),
    "engage": ("engage", "参与"),
    "instruct": ("instruct", "教授"),
    "explain": ("explain", "说明"),
    "warn": ("warn", "警示"),
    "report": ("report", "举报"),
    "recover": ("recover", "戒除"),
    "figurative": ("figurative", "比喻"),
    "none": ("none", "无关"),
    "scores": ("Scores", "分数分布"),
    "scores_note": (
        "All posts by score, on a logarithmic scale, in bins of 0.05. The coloured lines are the "
        "operating points that verdicts were held against; they depend on language and region.",
        "全部帖子的分数分布，对数刻度，区间宽 0.05。彩色线为判定所用的工作点，因语言和地区而异。",
    ),
    "at_review": ("review {figure}", "复审 {figure}"),
    "at_block": ("block {figure}", "拦截 {figure}"),
    "score": ("score", "分数"),
    "figures": ("Figures", "数据表"),
    "no_label": ("no label", "无标签"),
    "rules": ("Rules", "规则"),
    "rule": ("rule", "规则"),
    "rules_note": (
        "The rules with evidence in the most posts. “Disguised”: every match in the post was, as "
        "with "
        "noise between characters or sound-alikes.",
        "证据出现在最多帖子中的规则。“变形”：帖中该规则的全部命中都经过变形，例如插入符号或谐音。",
    ),
    "disguised": ("disguised", "变形"),
    "rules_more": (
        "The {shown} of {all} rules with the most posts.",
        "共 {all} 条规则，显示帖子最多的 {shown} 条。",
    ),
    "no_rules": ("No rule has evidence.", "没有规则命中。"),
    "disguises": ("Disguises", "变形手法"),
    "disguises_note": (
        "Posts in whose evidence each way of hiding a word was found; {link} explains the names.",
        "证据中出现各种隐藏写法的帖子数；名称含义见 {link}。",
    ),
    "disguise": ("disguise", "变形手法"),
    "pairs": ("Rules that meet", "规则共现"),
    "pairs_note": (
        "Posts in which two rules both have evidence. Shade: overlap, the share of the posts of "
        "either that have both. Strong overlap of two rules may mean that one of them is enough.",
        "两条规则同时有证据的帖子数。颜色深浅表示重叠度：同时命中占任一命中的比例。重叠度高的两条规则，也许只需保留一条。",
    ),
    "pair": ("rules", "规则"),
    "overlap": ("overlap", "重叠度"),
    "together": ("posts with both", "共现帖子"),
    "no_pairs": ("No two rules meet in one post.", "没有规则在同一帖子中共现。"),
    "trend": ("Trend", "趋势"),
    "trend_note": (
        "By {unit}, UTC. The lower chart shares the colours of the page: blocked below, sent to "
        "review "
        "on top.",
        "按{unit}统计，UTC。下图颜色与全页一致：下为拦截，上为送复审。",
    ),
    "trend_posts": ("posts", "帖子数"),
    "trend_share": ("share blocked and reviewed", "拦截与复审占比"),
    "trend_flagged": ("{policy}, flagged", "{policy}，被标记"),
    "trend_before": (
        "{count} posts from before the first bar are not drawn.",
        "有 {count} 条更早的帖子未画出。",
    ),
    "time": ("time", "时间"),
    "unit_hour": ("hour", "小时"),
    "unit_day": ("day", "日"),
    "unit_week": ("week", "周"),
    "unit_month": ("month", "月"),
    "unit_year": ("year", "年"),
    "samples": ("Posts", "帖子样例"),
    "samples_note": (
        "For each rule a few posts, drawn by a hash, so that they are the same every time and "
        "posts that "
        "repeat come once. Marked: evidence of the rule, and of other rules.",
        "每条规则若干帖子，按哈希抽取：每次结果相同，重复的帖子只出现一次。标出的是该规则的证据与其他规则的证据。",
    ),
    "samples_masked": (
        "Evidence and contacts are masked in the file itself; {option} shows them.",
        "证据与联系方式在文件中已被遮盖；使用 {option} 可显示。",
    ),
    "samples_revealed": (
        "This file shows what people wrote, evidence included. What has to do with minors is "
        "never shown.",
        "本文件显示帖子原文及证据。涉及未成年人的内容始终不显示。",
    ),
    "samples_textless": (
        "These verdicts came without the posts' text, so only places are named: {option} gives "
        "the posts.",
        "这些判定不含帖子正文，因此只列出位置：用 {option} 可提供帖子。",
    ),
    "legend_hit": ("this rule", "该规则"),
    "legend_other": ("other rules", "其他规则"),
    "not_shown": ("not shown", "不显示"),
    "characters": ("characters {from}–{to}", "第 {from}–{to} 字符"),
    "in_field": ("{field}:", "{field}："),
    "about": ("What ran", "运行信息"),
    "about_inputs": ("verdicts", "判定文件"),
    "about_posts": ("posts", "帖子文件"),
    "about_models": ("model", "模型"),
    "about_bundles": ("rules", "规则"),
    "about_regions": ("region", "地区"),
    "about_rows": ("verdicts read", "读取的判定"),
    "about_rejected": ("rows rejected", "被拒绝的行"),
    "about_engine": ("report made by", "报告生成"),
}


@lru_cache(maxsize=len(PAGE_LANGUAGES))
def words(language: str) -> dict[str, str]:
    """Return the words of one of PAGE_LANGUAGES by key."""
    column = PAGE_LANGUAGES.index(language)
    return {key: both[column] for key, both in _WORDS.items()}

"""Words of the report, in English and Chinese."""

from __future__ import annotations

from typing import Final

__all__ = ["PLOT_KEYS", "REPORT_LANGUAGES", "words"]

REPORT_LANGUAGES: Final = ("en", "zh")

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "title": ("Evaluation", "评估报告"),
    "skip": ("Skip to the figures", "跳到指标"),
    "contents": ("Contents", "目录"),
    "summary": ("At a glance", "概览"),
    "policy": ("policy", "策略"),
    "porn": ("porn", "色情"),
    "drugs": ("drugs", "毒品"),
    "gambling": ("gambling", "赌博"),
    "language": ("language", "语言"),
    "all": ("all", "全部"),
    "zh": ("Chinese", "中文"),
    "en": ("English", "英文"),
    "mixed": ("mixed", "中英混合"),
    "other": ("other", "其他"),
    "posts": ("posts", "帖子"),
    "positives": ("violations", "违规"),
    "average_precision": ("AP", "平均精度"),
    "f1": ("F1", "F1"),
    "precision": ("precision", "精确率"),
    "recall": ("recall", "召回率"),
    "block_precision": ("precision, blocked", "拦截精确率"),
    "block_recall": ("recall, blocked", "拦截召回率"),
    "flagged_innocent": ("innocent posts flagged", "正常帖被标记"),
    "blocked_innocent": ("innocent posts blocked", "正常帖被拦截"),
    "calibration_error": ("ECE", "校准误差"),
    "brier": ("Brier", "Brier"),
    "curve": ("Precision and recall", "精确率与召回率"),
    "curve_alt": (
        "Precision over recall for {policy}, a line for each language, with the operating points. "
        "The table below has the figures.",
        "{policy}的精确率—召回率曲线，每种语言一条，并标出工作点。数值见下表。",
    ),
    "curve_note": (
        "Lines rank posts by score. Marks are what the engine decided with rules, model and "
        "stance together, so that they may lie off the line. Languages with fewer than {least} "
        "violations are not drawn.",
        "曲线按分数排序；标记是规则、模型与立场共同作出的决定，因此可能不在曲线上。"
        "违规帖少于 {least} 条的语言不画。",
    ),
    "review_point": ("reviewed or blocked", "复审或拦截"),
    "block_point": ("blocked", "拦截"),
    "reliability": ("Reliability", "可靠性"),
    "reliability_alt": (
        "Share of violations over score for {policy}, by language, above the posts in each bin.",
        "{policy}各语言的违规比例与分数的关系，下方为每个区间的帖子数。",
    ),
    "reliability_note": (
        "Ten bins of equal width, with 95 % Wilson intervals; on the diagonal a score is a "
        "probability. ECE is over {bins} bins of equal mass.",
        "十个等宽区间，附 95% Wilson 区间；落在对角线上时，分数即为概率。"
        "校准误差按 {bins} 个等量区间计算。",
    ),
    "score": ("score", "分数"),
    "share": ("share of violations", "违规比例"),
    "scores": ("Scores", "分数分布"),
    "scores_alt": (
        "Posts by score for {policy}, violations and innocent posts, by language, log scale.",
        "{policy}各语言的分数分布，分违规与正常，对数刻度。",
    ),
    "scores_note": (
        "Posts in bins of .05, on a logarithmic scale.",
        "区间宽 0.05，纵轴为对数刻度。",
    ),
    "violating": ("violations", "违规"),
    "innocent": ("innocent", "正常"),
    "no_plots": ("Too few posts to draw.", "帖子太少，不作图。"),
    "figures": ("Figures", "指标"),
    "stances": ("Stance", "立场"),
    "stances_note": (
        "Rows: stance given. Columns: stance found. Small: passed / reviewed / blocked.",
        "行：标注的立场；列：识别的立场。小字：放行 / 复审 / 拦截。",
    ),
    "sub_labels": ("Sub-labels", "子标签"),
    "sub_labels_note": (
        "Rows: sub-label given. Columns: sub-label found in the same policy's label; “none”: the "
        "model alone has found the post. Small: passed / reviewed / blocked.",
        "行：标注的子标签；列：同一策略中识别的子标签；“none”：仅由模型发现。"
        "小字：放行 / 复审 / 拦截。",
    ),
    "given": ("given", "标注"),
    "found": ("found", "识别"),
    "worst": ("Worst errors", "最严重的错误"),
    "worst_note": (
        "False alarms, the strongest action and highest score first; misses, the lowest score "
        "first. Ids stand for posts.",
        "误报按动作与分数从高到低；漏报按分数从低到高。仅以编号代表帖子。",
    ),
    "worst_text_note": (
        "Texts are folded away; open one to read it.",
        "正文默认收起，点开可见。",
    ),
    "false_alarm": ("false alarm", "误报"),
    "missed": ("missed", "漏报"),
    "id": ("id", "编号"),
    "place": ("line", "行"),
    "action": ("action", "动作"),
    "stance": ("stance found (given)", "识别的立场（标注）"),
    "sub_label": ("sub-label found (given)", "识别的子标签（标注）"),
    "rules": ("rules", "规则"),
    "text": ("text", "正文"),
    "show": ("show", "显示"),
    "none_found": ("None.", "无。"),
    "provenance": ("What ran on what", "来源"),
    "note_font": (
        "The plots are labelled in English: no installed font has the Chinese characters.",
        "图中文字为英文：未找到含所需汉字的字体。",
    ),
    "classifier_only": (
        "The classifier alone, without rules: it may block by itself.",
        "仅分类器，不用规则：分类器可自行拦截。",
    ),
    "intervals": (
        "Small: 95 % bootstrap intervals, {resamples} resamples of posts within language and "
        "label, seed {seed}.",
        "小字：95% 自助法区间，在语言与标注内对帖子重抽样 {resamples} 次，随机种子 {seed}。",
    ),
    "rejected": ("{rejected} records were rejected.", "{rejected} 条记录被拒绝。"),
}

PLOT_KEYS: Final = (
    *("all", "zh", "en", "mixed", "other", "posts", "average_precision", "precision", "recall"),
    *("review_point", "block_point", "score", "share", "violating", "innocent"),
    *("calibration_error", "positives"),
)
"""What is written inside plots, for which a font must have the characters."""


def words(language: str) -> dict[str, str]:
    """Return the words of one of REPORT_LANGUAGES by key."""
    column = REPORT_LANGUAGES.index(language)
    return {key: both[column] for key, both in _WORDS.items()}

"""What the tests of views share: terms that rules look for, and the words of a second cue."""

CUE = "write to us"
"""A second cue: beside it a frail spelling counts."""
TERMS = [
    "线上赌场", "百家乐", "博彩", "赌博", "上下分", "强奸", "爱爱", "冰毒", "大麻", "#上分",
    "casino", "poker", "jackpot", "blackjack", "weed", "free spins", "fiesta",
]  # fmt: skip

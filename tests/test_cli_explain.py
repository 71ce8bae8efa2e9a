"""moderate explain: one post on one screen, and what it leaves out."""

from __future__ import annotations

import pytest

from moderation.cli import main


def explained(capfd: pytest.CaptureFixture[str], post: str) -> list[str]:
    assert main(["explain", post]) == 0
    return capfd.readouterr().out.splitlines()


def test_the_words_of_a_rule_are_shown_with_their_place(capfd: pytest.CaptureFixture[str]):
    lines = explained(capfd, "老板要上.下.分找客服\x1b")
    assert lines[0] == "post      “老板要上.下.分找客服\\u001b”"
    assert any("“上.下.分”@3-8" in line for line in lines)


@pytest.mark.parametrize(
    "post",
    [
        "今晚 未成年色情 出售 加V",
        "今晚 未.成.年.色.情 出.售 加V",
        "男子出售未成年色情，法院判刑十年",
    ],
)
def test_words_about_minors_are_not_shown_only_their_place(
    capfd: pytest.CaptureFixture[str], post: str
):
    lines = explained(capfd, post)
    rules = [line for line in lines if line.startswith("rule") and ".minors-" in line]
    assert rules
    assert all("(not shown)@" in line for line in rules)
    for line in lines[:3]:
        assert "(not shown)" in line
    plain = "".join(lines).replace(".", "")
    for word in ("未成年", "色情", "出售"):
        assert word not in plain


def test_the_rest_of_such_a_post_is_shown(capfd: pytest.CaptureFixture[str]):
    assert explained(capfd, "今晚 未成年色情 出售 加V")[0] == (
        "post      “今晚 (not shown) (not shown) (not shown)”"
    )

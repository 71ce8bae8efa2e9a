"""The report in a real browser: nothing runs, nothing is loaded, everything can be switched."""

from __future__ import annotations

import re

import pytest
from browser_support import CHROMIUM, NO_CHROMIUM, Browser
from report_support import HOSTILE, evidence, label, verdict, write_lines

from moderation.scan import ScanOptions, resolve_sources
from moderation.scan.report import ReportOptions, make_report
from moderation.scan.report.words import PAGE_LANGUAGES, words
from moderation.scan.verdict_rows import verdict_sources

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
WIDE = "W" * 4000
TALL = "o" + "\u0316\u0317\u0318\u0319" * 300
TURNED = "\u202eabc\u202c שלום עולם 你好 abc"
TEXTS = (HOSTILE, WIDE, TALL, TURNED, "\n" * 200 + "end", "老板要上下分找客服")
TAB, ENTER, RIGHT = ("Tab", 9), ("Enter", 13), ("ArrowRight", 39)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Return the address of a report on posts that would like to take the page over."""
    folder = tmp_path_factory.mktemp("report")
    rows, posts = [], []
    for n, text in enumerate(TEXTS):
        spans = [evidence(0, len(text), f"gambling.zh.r{n}-{HOSTILE}"), evidence(0, 1)]
        found = label("gambling", *spans)
        rows.append(verdict(f"{n}-{text}", found))
        posts.append({"id": f"{n}-{text}", "text": text, "at": f"2026-01-0{n + 1}"})
    verdicts = write_lines(folder / "v.jsonl", *rows)
    sources = resolve_sources([str(write_lines(folder / "posts.jsonl", *posts))])
    options = ReportOptions(time_field="at", reveal=True, samples=9)
    content, _ = make_report(
        verdict_sources([str(verdicts)]), sources, ScanOptions(), options, pytest.fail
    )
    path = folder / "report.html"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", PAGE_LANGUAGES)
def test_nothing_runs_nothing_is_loaded_and_nothing_complains(browser, page, scheme, language):
    browser.open(page.as_uri(), scheme=scheme)
    browser.evaluate(f"document.getElementById('language-{language}').click()")
    browser.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert browser.evaluate("document.scripts.length + document.images.length") == 0
    assert browser.complaints == []
    assert browser.requests == [page.as_uri()]
    assert words(language)["stances_note"] in browser.evaluate("document.body.innerText")
    other = next(name for name in PAGE_LANGUAGES if name != language)
    assert words(other)["stances_note"] not in browser.evaluate("document.body.innerText")


@pytest.mark.parametrize(
    "injected", ["<script>1</script>", '<img src="https://a.invalid/a.png" alt="">',
                 '<p style="color: red">a</p>']
)  # fmt: skip
def test_what_the_test_above_looks_for_is_noticed(browser, page, tmp_path, injected):
    path = tmp_path / "report.html"
    path.write_text(page.read_text("utf-8").replace("<main>", f"<main>{injected}"), "utf-8")
    browser.open(path.as_uri())
    assert re.search("Content Security Policy", " ".join(browser.complaints))


def test_posts_are_text_within_their_boxes(browser, page):
    browser.open(page.as_uri())
    browser.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    shown = browser.evaluate("[...document.querySelectorAll('.post')].map(p => p.textContent)")
    assert any("<script>alert(1)</script>" in text for text in shown)
    assert any("\\u202eabc\\u202c" in text for text in shown)
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # No post is higher than its box may be, or reaches out of it.
    out = """[...document.querySelectorAll('.posts li')].filter(li => {
        const box = li.getBoundingClientRect();
        return [...li.children].some(c => c.getBoundingClientRect().right > box.right + 1
            || c.getBoundingClientRect().height > 400); }).length"""
    assert browser.evaluate(out) == 0
    # What a post turns around stays in the post: its box reads from right to left, no other does.
    turned = "[...document.querySelectorAll('section, li, .meta, nav')]"
    assert browser.evaluate(f"{turned}.every(e => getComputedStyle(e).direction === 'ltr')")


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_the_window(browser, page, width):
    browser.open(page.as_uri(), width=width)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


def colour(browser: Browser) -> str:
    return browser.evaluate("getComputedStyle(document.body).backgroundColor")


def test_colours_follow_the_reader_until_a_switch_is_set(browser, page):
    found = {}
    for scheme in ("light", "dark"):
        for switch in ("auto", "light", "dark"):
            browser.open(page.as_uri(), scheme=scheme)
            browser.evaluate(f"document.getElementById('theme-{switch}').click()")
            found[scheme, switch] = colour(browser)
    light, dark = found["light", "light"], found["dark", "dark"]
    assert light != dark
    assert found["light", "auto"] == found["dark", "light"] == light
    assert found["dark", "auto"] == found["light", "dark"] == dark


def test_words_are_readable_in_both_colours(browser, page):
    """Contrast of text with what it stands on, by the formula of WCAG 2.2; 4.5 is level AA."""
    script = """(() => { const parse = c => { const v = c.match(/[\\d.]+/g).map(Number);
        return v.length < 4 ? [...v, 1] : v; };
      const light = c => { const [r, g, b] = c.slice(0, 3).map(v => { v /= 255;
        return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
        return .2126 * r + .7152 * g + .0722 * b; };
      const under = e => { for (; e; e = e.parentElement) {
        const c = parse(getComputedStyle(e).backgroundColor); if (c[3] === 1) return c; }
        return [255, 255, 255, 1]; };
      return [...document.querySelectorAll('h1, h2, p, th, td, a, label, dt, dd, summary, mark')]
        .filter(e => e.checkVisibility() && e.innerText.trim() && !e.matches('.zero, .masked'))
        .map(e => { const a = light(parse(getComputedStyle(e).color)), b = light(under(e));
          return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.className + e.tagName]; })
        .filter(([ratio]) => ratio < 4.5).map(String).slice(0, 5); })()"""
    for scheme in ("light", "dark"):
        browser.open(page.as_uri(), scheme=scheme)
        assert browser.evaluate(script) == []


def test_everything_can_be_reached_and_used_by_keyboard(browser, page):
    browser.open(page.as_uri())
    focus = "document.activeElement"
    browser.press(*TAB)
    assert browser.evaluate(f"{focus}.className") == "skip"
    assert browser.evaluate(f"{focus}.getBoundingClientRect().left >= 0")
    browser.press(*TAB)
    assert browser.evaluate(f"{focus}.id") == "language-en"
    browser.press(*RIGHT)
    assert browser.evaluate(f"{focus}.id + {focus}.checked") == "language-zhtrue"
    browser.press(*TAB)
    assert browser.evaluate(f"{focus}.id") == "theme-auto"
    reached, outlined = set(), True
    for _ in range(80):
        browser.press(*TAB)
        reached.add(browser.evaluate(f"{focus}.tagName + '.' + {focus}.className"))
        style = browser.evaluate(f"getComputedStyle({focus}).outlineStyle")
        outlined = outlined and (style != "none" or browser.evaluate(f"{focus}.tagName") == "BODY")
    assert {"A.", "DIV.scroll", "SUMMARY."} <= reached
    assert outlined
    browser.evaluate("document.querySelector('#samples summary').focus()")
    browser.press(*ENTER)
    assert browser.evaluate("document.querySelector('#samples details').open")


def test_charts_and_boxes_have_names(browser, page):
    browser.open(page.as_uri())
    browser.call("Accessibility.enable")
    tree = browser.call("Accessibility.getFullAXTree")["nodes"]
    named = {"image": [], "region": [], "radio": [], "table": []}
    for node in tree:
        role = node.get("role", {}).get("value")
        if role in named and not node["ignored"]:
            named[role].append(node.get("name", {}).get("value", ""))
    assert all(named["image"] + named["region"] + named["radio"])
    assert words("en")["trend"] in named["image"]
    assert not any(re.search("[\u4e00-\u9fff]", name) for name in named["image"])

"""The report of moderate eval: what the page says, how it is drawn, and that nothing in it runs."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from browser_support import CHROMIUM, NO_CHROMIUM
from eval_support import made_up_decisions

from moderation.cli import main
from moderation.errors import ConfigError, MissingExtraError
from moderation.evaluation.evaluation import Evaluation, evaluate_decisions

pytest.importorskip("matplotlib", reason="needs the extra eval")

from moderation.evaluation import report_fonts
from moderation.evaluation.report import check_report_folder, write_report
from moderation.evaluation.report_page import page
from moderation.evaluation.report_plots import dark, plot_words
from moderation.evaluation.report_words import PLOT_KEYS, REPORT_LANGUAGES, words

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.evaluation.decisions import Decisions

HOSTILE = "</p></details><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u202e\x1b[31m"
PROVENANCE = {
    "engine": "0",
    "model": "made-up@1.0.0",
    "region": "cn",
    "classifier_only": False,
    "inputs": [HOSTILE],
    "rejected": 2,
}
PLOTS = {f"drugs-{kind}" for kind in ("curve", "reliability", "scores")}
"""Of a report on posts that were judged for one policy: drawing takes a second a plot."""
CHINESE = "".join(words("zh")[key] for key in PLOT_KEYS)
NO_FONT = "no installed font has the Chinese characters (Debian: fonts-noto-cjk)"


def made_up(text: str = "", **options: object) -> tuple[Evaluation, Decisions]:
    decisions = made_up_decisions(400, text=text)
    decisions.labels[:, [0, 2]] = np.nan
    return evaluate_decisions(decisions, PROVENANCE, resamples=20, **options), decisions


def written(folder: Path, language: str = "en", text: str = "") -> dict[str, str]:
    """Return the files of a report by name."""
    evaluation, decisions = made_up(text)
    write_report(evaluation, decisions, folder, language)
    return content(folder)


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module", params=REPORT_LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, language: str) -> Path:
    """Return the folder of a report in each language; not to be changed."""
    folder = tmp_path_factory.mktemp("made") / "new" / "report"
    written(folder, language, HOSTILE)
    return folder


class Page(HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "img", "source", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_a_report_has_a_page_and_its_plots(report: Path, language: str):
    files = content(report)
    assert set(files) == {"index.html"} | {
        f"{name}{palette}.svg" for name in PLOTS for palette in ("", "-dark")
    }
    read = Page(files["index.html"])
    assert read.open == []
    named = {image["src"] for image in read.all("img")} | {
        image["srcset"] for image in read.all("source")
    }
    assert named == set(files) - {"index.html"}
    assert all(image["alt"] for image in read.all("img"))
    assert words(language)["title"] in read.text
    targets = {attributes.get("id") for _, attributes in read.tags}
    assert {link["href"].removeprefix("#") for link in read.all("a")} <= targets


def test_the_same_evaluation_gives_the_same_bytes_whatever_the_user_s_settings(
    tmp_path: Path, report: Path, language: str
):
    import matplotlib as mpl

    files = content(report)
    assert not [name for name, text in files.items() if re.search(r"20\d\d-\d\d-\d\d", text)]
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "none"}):
        assert written(tmp_path, language, HOSTILE) == files
        assert mpl.rcParams["font.size"] == 30


def test_plots_are_well_formed_load_nothing_and_differ_only_in_colour(report: Path):
    files = content(report)
    for name in PLOTS:
        light, night = files[f"{name}.svg"], files[f"{name}-dark.svg"]
        ET.fromstring(light)
        assert not re.search(r"<script|<image|(?:xlink:)?href=\"(?!#)", light)
        assert night == dark(light) != light
        colour = re.compile("#[0-9a-f]{6}")
        assert colour.sub("", night) == colour.sub("", light)


def test_posts_that_inject_html_stay_text(report: Path):
    html = content(report)["index.html"]
    read = Page(html)
    assert read.open == []
    assert read.all("script") == []
    assert not [tag for tag, attributes in read.tags if any(k.startswith("on") for k in attributes)]
    assert {image["src"] for image in read.all("img")} == {f"{name}.svg" for name in PLOTS}
    assert "<script>alert(1)</script>" in "".join(read.text)
    assert not {"\u202e", "\x1b"} & set(html)
    assert re.search("default-src 'none'", html)


def test_texts_are_folded_away_and_only_where_kept(tmp_path: Path):
    evaluation, _ = made_up("")
    assert "<details" not in page(evaluation, {}, words("en"), "en", [])
    evaluation, _ = made_up(" secret-words")
    html = page(evaluation, {}, words("en"), "en", [])
    read = Page(html)
    folded = read.all("details")
    assert len(folded) == len(evaluation.worst) == 10
    assert not [attributes for attributes in folded if "open" in attributes]
    outside = re.sub(r"<details>.*?</details>", "", html, flags=re.DOTALL)
    assert "post " not in outside


def test_figures_and_provenance_stand_on_the_page(tmp_path: Path):
    evaluation, _ = made_up()
    html = page(evaluation, {}, words("en"), "en", ["a note"])
    for group in evaluation.groups:
        assert f"{group.values['average_precision']:.3f}<small>" in html
    assert "made-up@1.0.0" in html
    assert '<p class="notice">a note</p>' in html
    assert "2 records were rejected" in html


def test_both_languages_have_the_same_words():
    for key, english in words("en").items():
        chinese = words("zh")[key]
        assert english
        assert chinese
        assert re.findall(r"\{(\w+)", english) == re.findall(r"\{(\w+)", chinese), key


@pytest.mark.skipif(report_fonts.chinese_font(CHINESE) is None, reason=NO_FONT)
def test_chinese_plots_lack_no_character(tmp_path: Path):
    said, font = plot_words("zh")
    assert font in report_fonts.CHINESE_FONTS
    assert said["recall"] == words("zh")["recall"]
    # A character that a font lacks is a warning, and warnings are errors here.
    evaluation, decisions = made_up()
    assert write_report(evaluation, decisions, tmp_path, "zh") == []


def test_a_missing_character_is_noticed():
    """The warning that the test above rests on comes for a font without the characters."""
    from moderation.evaluation import report_plots

    with report_plots.plotting(None):
        figure = report_plots._figure(1, 1)
        figure.suptitle("精确率")
        with pytest.warns(UserWarning, match="missing from font"):
            report_plots._svg(figure)


def test_without_a_font_plots_are_in_english_and_the_page_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    evaluation, decisions = made_up()
    write_report(evaluation, decisions, tmp_path / "en", "en")
    known = report_fonts.installed_fonts()
    latin = {"Noto Sans CJK SC": known["DejaVu Sans"], "DejaVu Sans": known["DejaVu Sans"]}
    monkeypatch.setattr(report_fonts, "installed_fonts", lambda: latin)
    notes = write_report(evaluation, decisions, tmp_path / "zh", "zh")
    assert notes == [words("zh")["note_font"]]
    html = (tmp_path / "zh" / "index.html").read_text("utf-8")
    assert notes[0] in html
    assert words("zh")["recall"] in html
    english = content(tmp_path / "en")
    assert english["drugs-curve.svg"] == content(tmp_path / "zh")["drugs-curve.svg"]


def test_the_first_font_of_the_list_with_the_characters_is_taken(monkeypatch: pytest.MonkeyPatch):
    known = report_fonts.installed_fonts()
    fonts = dict.fromkeys(("SimHei", "Noto Sans SC"), known["DejaVu Sans"]) | {"Mine": "no file"}
    monkeypatch.setattr(report_fonts, "installed_fonts", lambda: fonts)
    assert report_fonts.chinese_font("recall") == "Noto Sans SC"
    assert report_fonts.chinese_font("召回率") is None


def test_languages_with_few_violations_are_not_drawn_but_told(tmp_path: Path):
    _, decisions = made_up()
    decisions.labels[:, 1] = 0
    decisions.labels[:5, 1] = 1
    evaluation = evaluate_decisions(decisions, PROVENANCE, resamples=0)
    write_report(evaluation, decisions, tmp_path, "en")
    assert not list(tmp_path.glob("*.svg"))
    assert words("en")["no_plots"] in (tmp_path / "index.html").read_text("utf-8")


def test_a_report_on_nothing_is_a_page(tmp_path: Path):
    decisions = made_up_decisions(0)
    evaluation = evaluate_decisions(decisions, PROVENANCE)
    write_report(evaluation, decisions, tmp_path, "en")
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_an_earlier_report_is_replaced_and_another_page_is_not(tmp_path: Path):
    evaluation, decisions = made_up()
    write_report(evaluation, decisions, tmp_path, "en")
    decisions.labels[:] = float("nan")
    check_report_folder(tmp_path)
    write_report(evaluate_decisions(decisions, PROVENANCE), decisions, tmp_path, "en")
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    (tmp_path / "index.html").write_text("<p>my home page</p>")
    with pytest.raises(ConfigError, match="expected an earlier report, found another page"):
        check_report_folder(tmp_path)


def test_without_matplotlib_the_command_is_named_before_anything_is_scored(
    capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'moderation-engine\[eval\]'"):
        check_report_folder(tmp_path)
    posts = tmp_path / "posts.jsonl"
    posts.write_text('{"text": "a", "labels": {"porn": 0}}\n')
    assert main(["eval", str(posts), "--report", str(tmp_path / "report")]) == 2
    assert "moderation-engine[eval]" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()


def opened(path: Path, profile: Path) -> subprocess.CompletedProcess:
    """Open a page in Chromium; what goes to its console is on standard error."""
    return subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--enable-logging=stderr", "--virtual-time-budget=5000", f"--user-data-dir={profile}",
            "--dump-dom", path.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip


@pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
def test_a_browser_opens_the_page_without_a_complaint(tmp_path: Path, report: Path):
    run = opened(report / "index.html", tmp_path / "profile")
    assert "</table>" in run.stdout
    assert "CONSOLE" not in run.stderr


@pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
@pytest.mark.parametrize(
    "injected", ["<script>1</script>", '<img src="https://example.com/a.png" alt="">']
)
def test_a_browser_would_run_and_load_nothing(tmp_path: Path, injected: str):
    """What the test above looks for is there when there is something to complain about."""
    evaluation, _ = made_up()
    html = page(evaluation, {}, words("en"), "en", [])
    path = tmp_path / "index.html"
    path.write_text(html.replace("<main>", f"<main>{injected}"), "utf-8")
    assert re.search("CONSOLE.*Content Security Policy", opened(path, tmp_path / "p").stderr)

"""The page for a browser: well-formed, self-contained, and unable to run what a linted file says."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from reporters.reports import at, finding, sample
from reporters.test_ci import AWKWARD, report_of
from trainlint.findings import Fix, Report, RuleInfo
from trainlint.linter import lint
from trainlint.reporters import render
from trainlint.settings import Settings
from trainlint.text import Edit, Location, SourceText, Span

VOID = {"meta"}
TAGS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "h1",
        "h2",
        "h3",
        "p",
        "section",
        "article",
        "span",
        "a",
        "code",
        "div",
    ),
    *("pre", "mark", "dl", "dt", "dd", "del", "ins", "ul", "li", "details", "summary"),
}


class Page(HTMLParser):
    """Reads a page strictly: every tag is known and closed where it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.marked: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        for name, value in attrs:
            assert name in {"lang", "charset", "http-equiv", "content", "name", "class", "id", "href"}, name
            self.ids += [value or ""] if name == "id" else []
            self.links += [value or ""] if name == "href" else []
        self.open += [tag] if tag not in VOID else []

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data if "style" not in self.open else ""
        self.marked += [data] if "mark" in self.open else []


def test_everything_that_a_report_holds_is_on_the_page() -> None:
    page = Page(render("html", sample()))
    for said in (
        "12x the most daring published recipe",
        "learning_rate is 2e-4",
        "the model forgets what it knew",
        "Raise gradient_accumulation_steps to 64, or lower the learning rate",
        "medium confidence",
        "(unsafe)",
        "KeyError: 'r'",
        "not valid UTF-8",
        "--gpu-memory",
        "examples/继续预训练.sh:8:18",
        "Why it hurts.",
    ):
        assert said in page.text, said
    assert page.marked[:2] == ["${lr}", "医疗问答😀"]
    assert "- ··--gradient_accumulation_steps 1".replace("··", "") in page.text
    assert page.links.count("https://example.org/paper") == 1
    assert all(link.removeprefix("#") in page.ids for link in page.links if link.startswith("#"))


def test_a_page_needs_nothing_but_itself() -> None:
    page = render("html", sample())
    assert page.isascii()
    assert "default-src 'none'" in page
    assert "prefers-color-scheme: dark" in page
    for word in ("<script", "<link", "<img", "@import", "url(", " src="):
        assert word not in page


def test_what_a_file_says_is_text() -> None:
    source = SourceText("<b>.sh", 'lr=<script>alert("&amp;")</script>\n')
    place = at(source, "<script>")
    evil = '"><img src=x onerror=alert(1)>'
    hidden = RuleInfo(
        f"x/{evil}", evil, "error", evil, f"</pre>{evil}", (), (f"javascript:{evil}", f"https://a.b/{evil}")
    )
    report = Report(
        [finding(place, rule=hidden.id, message=evil, advice=evil, fix=Fix(evil, (Edit(place, evil),)))],
        files=[source.path],
        rules=[hidden],
    )
    page = Page(render("html", report))
    assert page.marked == ["<script>"]
    assert page.links == ["#" + page.ids[0], "https://a.b/"]


@given(st.lists(AWKWARD, min_size=6, max_size=6), AWKWARD.filter(bool))
def test_any_text_gives_a_page(words: list[str], path: str) -> None:
    Page(render("html", report_of(words, path.replace("\0", ""))))


def test_places_at_the_edges_of_a_file() -> None:
    source = SourceText("a.sh", "x" * 5000 + "\nlast")
    for span in (
        Span(0, 0),
        Span(2000, 2001),
        Span(4990, 5004),
        Span(len(source.text), len(source.text)),
        Span(9999, 9999),
    ):
        page = Page(render("html", Report([finding(Location(source, span))], files=["a.sh"])))
        assert max(map(len, page.text.splitlines())) < 2000


def test_a_real_file() -> None:
    file = Path(__file__).parents[2] / "examples/article/run_pt.sh"
    page = Page(render("html", lint([SourceText.load(file)], Settings())))
    assert "2e-5" in page.marked
    assert "rule-lr-too-high-for-step" in page.ids

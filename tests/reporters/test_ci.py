"""What CI servers read: GitHub's commands and summary, GitLab's Code Quality, JUnit, and Markdown for a comment."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reporters.reports import at, finding, sample
from trainlint.findings import Finding, Fix, InternalError, NotEvaluated, Related, Report, Skipped
from trainlint.reporters import FORMATS, github_summary, markdown, markup, render
from trainlint.text import Edit, Location, SourceText, Span

HERE = Path(__file__).parent
AWKWARD = st.text(
    st.sampled_from("ab 中😀\t\r\n\0\x1b\x7f\x85\u2028\u202e\ud800\ufffe\"'%:,;&<>|`*_[]()#@!~$\\{}=+-.1")
    | st.characters(),
    max_size=30,
)


def many(severity: str, number: int) -> list[Finding]:
    source = SourceText("a.sh", "1\n" * number)
    places = [Location(source, Span(2 * i, 2 * i + 1)) for i in range(number)]
    return [finding(place, severity=severity, message=f"number {i}") for i, place in enumerate(places)]


def report_of(words: list[str], path: str = "a.sh", content: str = "lr=1\n") -> Report:
    """A report that says `words` wherever a report can say something."""
    message, advice, related, title, reason, error = words
    source = SourceText(path, content)
    place = at(source, "lr")
    found = finding(
        place,
        message=message,
        advice=advice,
        related=(Related(related, place), Related(title, place)),
        fix=Fix(title, (Edit(place, message),)),
        why=advice,
    )
    return Report(
        findings=[found, finding(place, severity="note", message=advice)],
        not_evaluated=[NotEvaluated("a/b", path, (f"${reason}",))],
        files=[path],
        skipped=[Skipped(path, reason)],
        internal_errors=[InternalError(path, "a/b", error)],
    )


# ------------------------------------------------------------------------------------------------------- any text

PATHS = st.text(st.characters(exclude_characters="\0/"), min_size=1, max_size=9)


@given(st.lists(AWKWARD, min_size=6, max_size=6), PATHS)
def test_no_text_breaks_a_format(words, path):
    report = report_of(words, path)
    pages = {name: render(name, report) for name in FORMATS}

    def lines(name):
        """As readers of lines take them, to whom U+2028 is a character like others."""
        return pages[name].rstrip("\n").split("\n")

    for name, page in pages.items():
        assert not re.search(r"[\0-\x08\x0b-\x1f\x7f-\x9f\u202e]", page), name
        page.encode()
    json.loads(pages["json"])
    json.loads(pages["sarif"])
    jsonschema.validate(json.loads(pages["gitlab"]), gitlab_schema())
    assert len([json.loads(line) for line in lines("json-lines")]) == 3
    root = ElementTree.fromstring(pages["junit"])
    assert len(root.findall("testsuite/testcase")) == int(root.get("tests", ""))
    assert [line.split("::")[1].split()[0] for line in lines("github")] == ["error", "warning", "notice"]
    # findings, and what is not finding: the error and the last line
    assert len(lines("concise")) == 4


@given(AWKWARD)
def test_markdown_shows_text_as_it_is(words):
    shown = " ".join(markup.one_line(words).split())
    for cell in markup.text(words), markup.code(words, in_table=True):
        page = "\n".join(markup.table(("head", "second"), [(cell, "after")]))
        html = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough").render(page)
        cells = ElementTree.fromstring(f"<page>{html}</page>").findall("table/tbody/tr/td")
        assert len(cells) == 2
        assert cells[1].text == "after"
        assert "".join(cells[0].itertext()).replace("\u200b", "").strip() == shown.replace("\u200b", "").strip()


# ---------------------------------------------------------------------------------------------------------- GitHub


def test_a_command_is_escaped_as_github_documents():
    source = SourceText("a,b:c%.sh", "lr=1\n")
    found = finding(at(source, "lr"), message="100% of\nit: a, b", advice="say\r\nthis")
    assert render("github", Report(findings=[found])) == (
        "::warning file=a%2Cb%3Ac%25.sh,line=1,endLine=1,col=1,endColumn=3,title=lr/too-high"
        "::100%25 of it: a, b%0Asay this\n"
    )


def test_ten_annotations_of_each_kind_and_a_count_of_the_others():
    report = Report(findings=[*many("note", 30), *many("warning", 12), *many("error", 3)])
    lines = render("github", report).splitlines()
    kinds = [line.split()[0].strip(":") for line in lines]
    assert (kinds.count("error"), kinds.count("warning"), kinds.count("notice")) == (3, 10, 10)
    assert lines[0].startswith("::error file=")
    assert lines[-1] == (
        "::notice title=trainlint::2 warnings and 21 notes without an annotation: "
        "GitHub shows 10 annotations of each kind for a step"
    )


def test_ten_of_a_kind_are_within_the_limit():
    lines = render("github", Report(findings=many("note", 10))).splitlines()
    assert len(lines) == 10
    assert "title=trainlint" not in lines[-1]


def test_an_internal_error_takes_the_place_of_one_error():
    errors = [InternalError("a.sh", "a/b", "KeyError: 'x'")] * 3
    lines = render("github", Report(findings=many("error", 10), internal_errors=errors)).splitlines()
    assert sum(line.startswith("::error") for line in lines) == 10
    assert lines[0] == "::error title=trainlint::Internal error in a/b on a.sh: KeyError: 'x' (and 2 more)"


def test_an_annotation_stays_on_one_line():
    source = SourceText("a.sh", "a \\\n b\n")
    page = render("github", Report(findings=[finding(Location(source, Span(0, 6)))]))
    assert ",line=1,endLine=1,col=1,endColumn=4," in page


@pytest.mark.parametrize(("format", "limit"), [("github-summary", 1024 * 1024), ("markdown", 65_536)])
def test_what_has_no_room_is_counted(format, limit):
    page = render(format, Report(findings=[*many("error", 6000), *many("note", 3000)]))
    assert len(page.encode()) <= limit
    if format == "markdown":
        assert re.search(r"… and [\d,]+ findings more, for which there is no room", page)
    big = Report(
        findings=[
            finding(place.at, message="中" * 900, advice=f"{i}" * 900) for i, place in enumerate(many("error", 900))
        ]
    )
    page = render(format, big)
    assert len(page.encode()) <= limit
    assert "no room" in page
    assert page.count("<details>") == page.count("</details>")


def test_the_limits_are_those_of_github():
    assert github_summary.MOST_BYTES == 2**20
    assert markdown.MOST_BYTES < 65_536


def test_shared_advice_is_given_once():
    page = render("markdown", Report(findings=many("warning", 9)))
    assert page.count("Lower it.") == 1
    assert "`a.sh:5` and 4 more places, `lr/too-high`: Lower it." in page


def test_nobody_is_mentioned_and_no_issue_is_linked():
    assert "@octocat" not in markup.text("ask @octocat about #12 and x/y#3")
    assert not re.search(r"#\d", markup.text("ask @octocat about #12 and x/y#3"))


# ---------------------------------------------------------------------------------------------------------- GitLab


def gitlab_schema() -> dict:
    return json.loads((HERE / "gitlab.schema.json").read_text("utf-8"))


@pytest.mark.parametrize("report", [Report(), sample()], ids=["empty", "sample"])
def test_code_quality_is_what_gitlab_documents(report):
    jsonschema.validate(json.loads(render("gitlab", report)), gitlab_schema())


def violations(*findings: Finding) -> list[dict]:
    return json.loads(render("gitlab", Report(findings=list(findings))))


def test_gitlab_severities_and_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = SourceText(str(tmp_path / "sub" / "a.sh"), "x")
    found = violations(*(finding(at(source, "x"), severity=name) for name in ("error", "warning", "note")))
    assert [entry["severity"] for entry in found] == ["critical", "major", "info"]
    assert {entry["location"]["path"] for entry in found} == {"sub/a.sh"}
    assert violations(finding(at(SourceText("./b.sh", "x"), "x")))[0]["location"]["path"] == "b.sh"


def test_gitlab_fingerprints_differ_but_do_not_know_the_line():
    source = SourceText("a.sh", "lr=1\nlr=1\n")
    first, second = violations(finding(at(source, "1")), finding(at(source, "1", 1)))
    assert first["fingerprint"] != second["fingerprint"]
    moved = SourceText("a.sh", "# new\n\nlr=1\necho\nlr=1\n")
    again = violations(finding(at(moved, "1", 1)), finding(at(moved, "1")))
    assert [entry["fingerprint"] for entry in again] == [second["fingerprint"], first["fingerprint"]]


# ----------------------------------------------------------------------------------------------------------- JUnit


@pytest.fixture(scope="module")
def junit_schema():
    xmlschema = pytest.importorskip("xmlschema")
    return xmlschema.XMLSchema(str(HERE / "junit.xsd"))


@pytest.mark.parametrize(
    "report", [Report(), Report(files=["a"]), sample(), report_of(["\0]]>\n<&\"'\ufffe😀"] * 6)],
    ids=["empty", "clean", "sample", "awkward"],
)  # fmt: skip
def test_junit_is_what_servers_read(report, junit_schema):
    junit_schema.validate(render("junit", report))


def cases(report: Report) -> list[ElementTree.Element]:
    return ElementTree.fromstring(render("junit", report)).findall("testsuite/testcase")


def test_a_clean_file_passes_one_test():
    [case] = cases(Report(files=["a.sh"]))
    assert (case.get("classname"), case.get("name"), len(case)) == ("a.sh", "no findings", 0)


def test_findings_of_one_rule_are_one_failure():
    [case] = cases(Report(findings=[*many("note", 1), *many("warning", 2)]))
    [failure] = case
    assert (failure.tag, failure.get("type"), failure.get("message")) == ("failure", "warning", "number 0 (and 2 more)")
    assert (failure.text or "").count("a.sh:") == 3


def test_a_note_passes_and_is_said():
    [case] = cases(Report(findings=many("note", 1)))
    assert [child.tag for child in case] == ["system-out"]


def test_control_characters_are_shown_and_markup_is_text():
    [case] = cases(Report(findings=[finding(at(SourceText("a", "x"), "x"), message='a\x1b[1m ]]> <b> & "q" 中😀')]))
    assert case[0].get("message") == 'a␛[1m ]]> <b> & "q" 中😀'

"""The report for people: every caret under its character, every word the same with and without colour."""

import io
import re
import unicodedata
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporters.reports import at, before, finding, sample
from trainlint.findings import Fix, Hidden, NotEvaluated, Related, Report
from trainlint.reporters import render, wants_color
from trainlint.text import Edit, Location, SourceText, Span

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def text(report: Report, width: int = 100) -> str:
    return render("text", report, width=width)


def one(source: SourceText, flagged: str, **fields: object) -> list[str]:
    return text(Report(findings=[finding(at(source, flagged), **fields)], files=[source.path])).splitlines()


def cells(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)


def under_carets(excerpt: str, carets: str) -> str:
    """The characters of one line that stand over the carets of the next."""
    edges = [0, *accumulate(map(cells, excerpt))]
    columns = {column for column, char in enumerate(carets) if char == "^"}
    return "".join(char for char, left in zip(excerpt, edges, strict=False) if left in columns)


def test_the_whole_page():
    expected = """\
examples/继续预训练.sh:8:18: warning[lr/too-high-for-step] learning rate 0.0002 on 4,096 tokens per optimizer \
step is 12x the most daring published recipe (medium confidence)
    8 |     --learning_rate ${lr} \\
      |                     ^^^^^
  from: examples/继续预训练.sh:2: learning_rate is 2e-4
        examples/继续预训练.sh:6: per_device_train_batch_size is 1
        examples/继续预训练.sh:7: gradient_accumulation_steps is 1
        ds config.json:1: train_batch_size is "auto" [from the trainer]
   why: A step that sees few tokens has a noisy gradient. At this learning rate the noise, not the
        data, decides where the weights go, and the model forgets what it knew.
  help: Raise gradient_accumulation_steps to 64, or lower the learning rate to 2e-5.
   fix: Raise gradient_accumulation_steps to 64 (unsafe)
      - --gradient_accumulation_steps 1 \\
      + --gradient_accumulation_steps 64 \\

examples/继续预训练.sh:5:15: note[data/unknown-dataset] the dataset 医疗问答😀 is not in dataset_info.json \
(low confidence)
    5 |     --dataset 医疗问答😀 \\
      |               ^^^^^^^^^^
  help: Register it.

examples/继续预训练.sh:9:22: error[launch/broken-continuation] the backslash is followed by a blank, so the \
command ends here and --bf16 is never passed
    9 |     --output_dir out \\
      |                      ^^
  help: Remove the blank.
   fix: Remove the blank after the backslash
      - --output_dir out \\·
      + --output_dir out \\

ds config.json:1:22: note[batch/auto] train_batch_size is decided by the trainer
    1 | {"train_batch_size": "auto"}
      |                      ^^^^^^
   fix: Say it (unsafe)
        examples/继续预训练.sh:8:
      + --max_grad_norm 1.0 \\

2 rules were not evaluated because dataset_tokens is unknown (say it with --tokens):
  schedule/too-few-steps, schedule/warmup-longer-than-run
1 rule was not evaluated because gpu_memory is unknown (say it with --gpu-memory or --gpu):
  memory/does-not-fit
1 rule was not evaluated because world_size is unknown (say it with --world-size):
  schedule/too-few-steps
Skipped model.yaml: not valid UTF-8: byte 0xff invalid start byte
Internal error in lora/rank on clean.yaml: KeyError: 'r'

Found 1 error, 1 warning and 2 notes in 2 of 3 files. 3 fixable (2 unsafe). 5 files were looked at.
"""
    assert text(sample()) == expected


def test_colour_changes_nothing_but_escape_codes():
    colored = render("text", sample(), color=True)
    assert ESCAPE.sub("", colored) == text(sample())
    assert "\x1b[1;33mwarning\x1b[0m" in colored


def test_plain_text_does_not_load_rich():
    import subprocess
    import sys

    program = (
        "import sys; from trainlint.reporters import render; from trainlint.findings import Report;"
        "render('text', Report()); sys.exit('rich' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    ("line", "flagged"),
    [
        ("数据 = 中文路径 # lr", "中文路径"),
        ("😀😀 lr=1", "lr=1"),
        ("\tlr: 1", "1"),
        ("a\tb\tlr", "lr"),
        ("\t中\tlr", "lr"),
        ("e\u0301 lr", "lr"),
        ("x\r\n", "x"),
    ],
)
def test_carets_stand_under_their_characters(line, flagged):
    lines = one(SourceText("a.yaml", line), flagged)
    excerpt = unicodedata.normalize("NFC", lines[1])
    assert under_carets(excerpt, lines[2]) == flagged


def test_a_long_line_is_cut_around_the_place():
    source = SourceText("a.sh", "中" * 400 + "NEEDLE" + "x" * 400)
    lines = one(source, "NEEDLE")
    assert under_carets(lines[1], lines[2]) == "NEEDLE"
    assert cells(lines[1]) <= 100
    assert lines[1].count("…") == 2


def test_a_long_place_is_cut_too():
    source = SourceText("a.sh", "x" * 1000)
    assert all(len(line) <= 100 for line in one(source, "x" * 1000)[1:3])


def test_a_place_of_several_lines_shows_its_first():
    source = SourceText("a.sh", "python \\\n  train.py\nexit\n")
    lines = one(source, "python \\\n  train.py")
    assert lines[1:3] == ["    1 | python \\", "      | ^^^^^^^^ … to line 2"]


def test_an_empty_place_has_one_caret_and_an_empty_line_no_excerpt():
    source = SourceText("a.yaml", "lr: 1\n\n")
    page = text(Report(findings=[finding(before(at(source, "1")))], files=["a.yaml"]))
    assert "      |     ^\n" in page
    page = text(Report(findings=[finding(Location(source, Span(6, 6)))], files=["a.yaml"]))
    assert " | " not in page


def test_a_file_cannot_command_the_terminal():
    source = SourceText("a\x1b[2J.sh", "lr=\x1b[31m1 \u202e2 \x9b3\n")
    page = text(Report(findings=[finding(at(source, "1"), message="lr is \x1b[31m1")], files=["a"]))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", page)
    assert "lr=␛[31m1 �2 �3" in page


def test_many_related_places_are_counted():
    source = SourceText("a.sh", "1\n2\n")

    def origins(count: int) -> list[str]:
        return [
            line for line in one(source, "1", related=(Related("two", at(source, "2")),) * count) if "a.sh:2" in line
        ]

    assert [len(origins(count)) for count in (6, 7, 8)] == [6, 7, 6]
    assert "        … and 2 more" in one(source, "1", related=(Related("two", at(source, "2")),) * 8)


def test_findings_of_a_file_stand_together_in_their_order():
    first, second = SourceText("a.sh", "1"), SourceText("b.sh", "1")
    places = [first, second, first]
    report = Report(
        findings=[finding(at(source, "1"), message=str(n)) for n, source in enumerate(places)], files=["a.sh", "b.sh"]
    )
    heads = [line for line in text(report).splitlines() if "[lr/too-high]" in line]
    assert [head[-1] for head in heads] == ["0", "2", "1"]


def test_a_fix_shows_inserted_and_removed_lines():
    source = SourceText("a.yaml", "a: 1\r\nb: 2\r\nc: 3\r\n")
    fix = Fix(
        "Say d, drop b", (Edit(at(source, "b: 2\r\n"), ""), Edit(Location(source, Span(18, 18)), "d: 4\r\n")), safe=True
    )
    assert one(source, "a", fix=fix)[4:7] == ["   fix: Say d, drop b", "      - b: 2", "      + d: 4"]


def test_a_fix_at_the_end_of_a_long_line_is_seen():
    source = SourceText("a.sh", "x" * 200 + " --lr 1")
    fix = Fix("Raise it", (Edit(at(source, "1"), "2"),))
    removed, added = one(source, "x", fix=fix)[5:7]
    assert removed.startswith("      - …x")
    assert (removed[-6:], added[-6:]) == ("--lr 1", "--lr 2")


def test_a_fix_of_line_ends_shows_them():
    source = SourceText("a.sh", "a \\\r\nb")
    fix = Fix("Unix line ends", (Edit(at(source, "\r"), ""),))
    assert one(source, "a", fix=fix)[5:7] == ["      - a \\␍", "      + a \\"]


def test_a_fix_of_many_lines_is_cut():
    source = SourceText("a.sh", "a\n" * 40)
    fix = Fix("Shorten", (Edit(Location(source, Span(0, 60)), ""),))
    assert one(source, "a", fix=fix)[-3] == "        … and 18 more lines"


def test_edits_that_overlap_are_not_shown():
    source = SourceText("a.sh", "abc")
    fix = Fix("Bad", (Edit(at(source, "ab"), ""), Edit(at(source, "bc"), "")))
    assert "   fix: Bad (unsafe)" in one(source, "a", fix=fix)


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (Report(files=["a", "b", "c"]), "No problems found in 3 files."),
        (Report(files=["a"]), "No problems found in 1 file."),
        (Report(), "No files were checked."),
        (Report(files=["a"], notes_hidden=True), "No problems found in 1 file. Notes are not shown."),
        (
            Report(findings=[finding(Location(SourceText("a", "1"), Span(0, 1)))], files=["a"]),
            "Found 1 warning in 1 file.",
        ),
    ],
)
def test_the_last_line(report, line):
    assert text(report).splitlines()[-1] == line


def test_unknown_facts_name_the_option_that_says_them():
    gaps = [NotEvaluated(f"a/{n}", path, ("world_size",)) for n in range(7) for path in ("x.sh", "y.sh")]
    page = text(Report(files=["x.sh", "y.sh"], not_evaluated=[*gaps, NotEvaluated("b/c", "x.sh", ("$LR",))]), width=200)
    assert "7 rules were not evaluated because world_size is unknown (say it with --world-size): " in page
    assert "a/0, a/1, a/2, a/3 and 3 more\n" in page
    assert "1 rule was not evaluated because $LR is unknown (say it with --define): b/c\n" in page


@given(st.text(st.sampled_from("ab \t\r\n中😀\u0301\x1b\u202e\u200d"), max_size=60), st.data(), st.integers(1, 60))
def test_any_text_can_be_shown(content, data, width):
    start = data.draw(st.integers(0, len(content)))
    place = Location(SourceText("a.sh", content), Span(start, data.draw(st.integers(start, len(content)))))
    fix = Fix("Fix", (Edit(place, data.draw(st.text(st.characters(exclude_characters="^"), max_size=9))),))
    report = Report(findings=[finding(place, fix=fix, related=(Related("here", place),))], files=["a.sh"])
    plain = render("text", report, width=width)
    assert ESCAPE.sub("", render("text", report, color=True, width=width)) == plain
    assert ("^" in plain) == bool(place.source.line(place.start.line).strip())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "terminal", "color"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"TERM": "dumb"}, True, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
    ],
)
def test_when_to_colour(environment, terminal, color, monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wants_color(Terminal() if terminal else io.StringIO()) is color


def test_findings_at_one_place_show_it_once():
    source = SourceText("a.sh", "lr=1\nx=2\n")
    same = [finding(at(source, "1"), message="one"), finding(at(source, "1"), message="two", rule="lr/other")]
    page = text(Report(findings=[*same, finding(at(source, "2"))], files=["a.sh"]))
    assert page.startswith(
        "a.sh:1:4: warning[lr/too-high] one\n"
        "    1 | lr=1\n"
        "      |    ^\n"
        "  help: Lower it.\n"
        "a.sh:1:4: warning[lr/other] two\n"
        "  help: Lower it.\n"
        "\n"
        "a.sh:2:3: "
    )


def test_a_message_without_end_is_cut():
    source = SourceText("a.sh", "1")
    [first, *_] = one(source, "1", message="x" * 5000)
    assert len(first) < 1100
    assert first.endswith("…")


def test_what_is_not_shown_is_counted():
    source = SourceText("a.sh", "1")
    hidden = Hidden(finding(at(source, "1")), "", None)
    report = Report(findings=[finding(at(source, "1"))], files=["a.sh"], suppressed=[hidden], known=2)
    assert text(report).endswith("Found 1 warning in 1 file. 1 finding suppressed. 2 findings in the baseline.\n")

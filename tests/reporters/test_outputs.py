"""Where reports go: what can be asked for, and files that are whole or not there."""

import io
import os
import stat
from pathlib import Path

import pytest

from reporters.reports import sample
from trainlint.findings import Report
from trainlint.reporters import FORMATS, Output, ReporterError, outputs, render, write


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_text_is_what_nobody_asks_for():
    assert outputs([]) == [Output("text", None)]


def test_formats_and_files():
    assert outputs(["sarif:out.sarif", "text", "json-lines:a:b.json"]) == [
        Output("sarif", Path("out.sarif")),
        Output("text", None),
        Output("json-lines", Path("a:b.json")),
    ]
    assert outputs(["json:-"]) == [Output("json", None)]


@pytest.mark.parametrize(
    ("specs", "says"),
    [
        (["sarf"], "'sarf' is no format; did you mean sarif?"),
        (["qqq:a"], "'qqq' is no format; there are text, concise"),
        ([""], "'' is no format"),
        (["json:"], "'json:' names no file; say json or json:PATH"),
        (["json:."], "json:.: . is a directory"),
        (["json:no/such/out.json"], "json:no/such/out.json: the directory no/such does not exist"),
        (["json:a\0b"], "null"),
        (["json", "text"], "both json and text go to the standard output (say FORMAT:PATH for the others)"),
        (["json", "text:-"], "both json and text:- go to the standard output"),
        (["json:a", "sarif:./a"], "both json:a and sarif:./a go to the file a"),
    ],
)
def test_what_cannot_be_asked_for(specs, says):
    with pytest.raises(ReporterError) as error:
        outputs(specs)
    assert says in str(error.value)


def test_every_output_is_written():
    stream = io.StringIO()
    wanted = outputs([f"{name}:{name}.out" for name in FORMATS if name != "text"] + ["text"])
    write(sample(), wanted, stream=stream)
    assert stream.getvalue() == render("text", sample())
    for name in FORMATS:
        if name != "text":
            assert Path(f"{name}.out").read_bytes().decode() == render(name, sample())
    assert not list(Path().glob(".*"))


def test_colour_stays_out_of_files():
    stream = io.StringIO()
    write(sample(), outputs(["text:a", "concise"]), color=True, stream=stream)
    assert "\x1b" not in Path("a").read_text("utf-8")
    write(sample(), outputs(["text"]), color=True, stream=stream)
    assert "\x1b" in stream.getvalue()


def test_a_file_is_replaced_and_keeps_its_mode_and_its_link():
    Path("real").write_text("old, and longer than the new text" * 9)
    os.chmod("real", 0o600)
    os.symlink("real", "link")
    write(Report(), outputs(["concise:link"]))
    assert Path("link").is_symlink()
    assert Path("real").read_text() == "No files were checked.\n"
    assert stat.S_IMODE(Path("real").stat().st_mode) == 0o600


def test_a_new_file_has_the_usual_mode():
    Path("usual").touch()
    write(Report(), outputs(["concise:new"]))
    assert Path("new").stat().st_mode == Path("usual").stat().st_mode


def test_a_device_is_written_to():
    write(Report(), outputs(["concise:/dev/null"]))
    assert not Path("/dev/null").is_file()


def test_a_file_that_cannot_be_written_leaves_what_was_there(monkeypatch):
    Path("out").write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    stream = io.StringIO()
    with pytest.raises(ReporterError, match="out: cannot be written: No space left on device"):
        write(Report(), outputs(["concise:out", "text"]), stream=stream)
    assert Path("out").read_text() == "old"
    assert os.listdir() == ["out"]
    assert stream.getvalue() == ""


def test_a_stream_that_cannot_say_everything_says_the_rest():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    write(sample(), outputs(["concise"]), stream=stream)
    assert b"examples/?????.sh:8:18: warning" in raw.getvalue()


def test_formats_of_plugins(monkeypatch):
    from trainlint import plugins
    from trainlint.reporters import formats

    def broken(report: Report, style: object) -> str:
        raise plugins.PluginError("the reporter broken of x 1: ValueError: no")

    extra = {"count": lambda report, style: f"{len(report.findings)}\n", "broken": broken}
    monkeypatch.setattr(plugins, "offered", lambda kind, taken: extra if kind == "reporters" else {})
    assert formats()[-2:] == ["count", "broken"]
    write(sample(), outputs(["count:n"]))
    assert Path("n").read_text() == "4\n"
    with pytest.raises(ReporterError, match="ValueError: no"):
        write(sample(), outputs(["broken"]))

"""A rules folder from a stranger's repository can judge, and do nothing else.

The hostile pages that could hang, fill the memory or reach out are linted with by a process of its own, which has little
memory, is stopped after a while, and reports what it opened, started and connected to.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trainlint
from trainlint.findings import Report
from trainlint.linter import Linter
from trainlint.reporters import FORMATS, render
from trainlint.ruleset import catalogue, home
from trainlint.ruleset.evaluate import PLAIN
from trainlint.ruleset.expressions import RuleError
from trainlint.ruleset.file import MAX_PAGE, MAX_TABLE, parse
from trainlint.settings import Settings
from trainlint.text import SourceText

SCRIPT = """\
torchrun --nproc_per_node 1 run_clm_pt_with_peft.py --model_name_or_path hfl/chinese-llama-2-7b \\
    --do_train --learning_rate 2e-4 --seed 7 --lora_rank 8 --lora_alpha 16 --output_dir out \\
    --per_device_train_batch_size 1 --gradient_accumulation_steps 8 --block_size 512
"""


def page(rule: str = 'when = "True"', *, message: str = "seen", before: str = "", after: str = "") -> str:
    """A page of a rule; `rule` are lines of its table."""
    said = "" if re.search(r"(?m)^(message|check) =", rule) else f'message = "{message}"\n'
    return f'# A rule\n\nSaid.\n{before}\n```toml rule\nseverity = "note"\n{said}{rule}\n```\n{after}\n'


def write(folder: Path, text: str | bytes, id: str = "house/rule") -> Path:
    file = folder / f"{id}.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    return file


def lint(folder: Path, script: str = SCRIPT) -> Report:
    report = Report()
    Linter(Settings(rules=(folder,))).lint(SourceText("run.sh", script), report)
    return report


def refusal(folder: Path) -> str:
    with pytest.raises(RuleError) as refused:
        catalogue([folder])
    said = str(refused.value)
    assert said.isprintable()
    assert len(said) < 1200
    return said


def toml(text: str) -> str:
    """As a TOML string."""
    return json.dumps(text)


# ------------------------------------------------------------------------------------------------------- expressions


@pytest.mark.parametrize(
    "source",
    [
        "().__class__", "seed.__class__", "args.__class__.__mro__", "args.seed.__class__", "seed.bit_length()",
        "__import__('os').system('id')", "open('/etc/passwd')", "exec('1')", "getattr(args, 'seed')", "range(10 ** 9)",
        "'{}'.format(seed)", "'a'.zfill(10 ** 9)", "f'{seed}'", "[i for i in (1, 2)]", "[{i for i in (1,)}]", "[{1: 2}]",
        "(lambda: 1)()", "(yield)", "a := 1", "seed; 1", "import os", "max(*datasets)", "max(1, key=abs)", "datasets[0]",
        "print(1)", "trainlint", "__builtins__", "max", "'\\x1b'", "await seed", "-" * 3000 + "1", "(" * 900 + ")" * 900,
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", ["when", "let.x", "message"])
def test_expressions_only_compute(key: str, source: str, tmp_path: Path) -> None:
    if key == "message":
        table = f'when = "True"\nmessage = {toml("{" + source + "}")}'
    else:
        table = f"{key} = {toml(source)}" + ('\nwhen = "x"' if key == "let.x" else "")
    if source == "max" and key != "message":
        pytest.skip("a function is a value that nothing can be done with")
    write(tmp_path, page(table))
    if source == "max":
        assert "built-in" not in json.dumps([str(finding.message) for finding in lint(tmp_path).findings])
    else:
        refusal(tmp_path)


def test_the_four_bases_reach_nothing_of_python(tmp_path: Path) -> None:
    hole = "{key.__class__} {args.__class__} {given.__init__} {known.__dict__}"
    write(tmp_path, page('when = "True"', message=hole))
    (finding,) = [finding for finding in lint(tmp_path).findings if finding.rule == "house/rule"]
    assert finding.message == "--__class__ ? False False"


@pytest.mark.parametrize(
    "spec", ["999999999", "0999999999d", ".999999999f", "x" * 5000, "9" * 1900, "{seed}", "\n", "{{}}", "!r", "*^99999"]
)
def test_format_specs_cannot_grow_a_message(spec: str, tmp_path: Path) -> None:
    write(tmp_path, page(f'when = "True"\nmessage = {toml("{seed:" + spec + "}")}'))
    refusal(tmp_path)


# ------------------------------------------------------------- what could hang or reach out, in a process of its own

RUNNER = """
import json, os, sys
from pathlib import Path
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
except ImportError:
    pass
from trainlint.findings import Report
from trainlint.linter import Linter
from trainlint.reporters import FORMATS, render
from trainlint.ruleset.expressions import RuleError
from trainlint.settings import Settings
from trainlint.text import SourceText

touched = set()
STARTS = {"subprocess", "socket", "urllib", "ctypes", "shutil", "tempfile", "ftplib", "webbrowser", "pty"}
CHANGES = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "os.remove", "os.rename", "os.mkdir", "os.chmod",
           "os.symlink", "os.link", "os.putenv"}

def audit(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        written = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        name = "descriptor" if isinstance(path, int) else os.path.abspath(os.fsdecode(path))
        touched.add(("write " if written else "read ") + name)
    elif event.split(".")[0] in STARTS or event in CHANGES:
        touched.add(event)

sys.addaudithook(audit)
for folder in sys.argv[2:]:
    touched.clear()
    linter, report = Linter(Settings(rules=(Path(folder),))), Report()
    try:
        linter.rules
    except RuleError as error:
        result = {"refused": str(error)}
    else:
        linter.lint(SourceText("run.sh", sys.argv[1]), report)
        result = {
            "findings": [finding.message[:200] for finding in report.findings if finding.rule.startswith("house/")],
            "errors": [f"{error.where}: {error.message}"[:300] for error in report.internal_errors],
            "undecided": [gap.rule for gap in report.not_evaluated if gap.rule.startswith("house/")],
            "largest": max(len(render(name, report)) for name in FORMATS),
        }
    result["touched"] = sorted(touched)
    print(json.dumps(result), flush=True)
"""

CHAIN = "\n".join(f'let.a{i} = "a{i - 1} OP a{i - 1}"' for i in range(1, 60))
BOMBS: dict[str, tuple[str, str]] = {
    "power": (page('when = "9 ** 9 ** 9 ** 9 > 1"'), "errors"),
    "power of a limit": (page('when = "a ** 64 ** 2 > 1"\n[limits]\na = 999_999'), "errors"),
    "squares of squares": (page('let.a0 = "10 ** 18"\n' + CHAIN.replace("OP", "*") + '\nwhen = "a59 > 1"'), "errors"),
    "sums of sums": (page('let.a0 = "10 ** 18"\n' + CHAIN.replace("OP", "+") + '\nwhen = "a59 > 1"'), "findings"),
    "repeated text": (page("when = \"'a' * 10 ** 9 == 'a'\""), "errors"),
    "repeated list": (page('when = "[1] * 10 ** 9 == [1]"'), "errors"),
    "percent": (page("when = \"'%999999999d' % 1 == 'a'\""), "errors"),
    "round": (page('when = "round(1, -(10 ** 9)) == 1"'), "errors"),
    "unknown twice": (page('let.a0 = "tokenizer_vocab_size"\n' + CHAIN.replace("OP", "or") + '\nwhen = "a59"'), "undecided"),
    "lists of lists": (
        page('let.a0 = "[1, 1]"\n' + CHAIN.replace('"a', '"[a').replace(" OP ", ", ").replace('"\n', ']"\n') + ']"'
             + '\nwhen = "len(a5) > 0"'),
        "refused",
    ),
    "list in a list": (page('let.a = "[1]"\nlet.b = "[a, a]"\nwhen = "b == b"'), "errors"),
    "deep let": (page('let.a0 = "1"\n' + CHAIN.replace("OP", "- -" * 150 + "-") + '\nwhen = "a59 > 1"'), "errors"),
    "deep expression": (page('when = "' + "-" * 990 + '1 > 0"'), "errors"),
    "itself": (page('let.a = "b"\nlet.b = "a"\nwhen = "a"'), "refused"),
    "huge integer": (page('when = "True"\n[limits]\na = ' + "9" * 20_000), "refused"),
    "huge hexadecimal": (page('when = "a * a > 1"\nmessage = "{a}"\n[limits]\na = 0x' + "f" * 20_000), "errors"),
    "not a number": (page('when = "True"\nmessage = "{a:d}"\n[limits]\na = nan'), "errors"),
    "infinity": (page('when = "True"\nmessage = "{a:,}"\n[limits]\na = inf'), "errors"),
    "long list shown": (
        page('when = "True"\nmessage = "' + "{a}" * 300 + '"\n[limits]\na = [' + "'x'," * 5000 + "]"), "findings",
    ),
    "too long a message": (page('when = "True"\nmessage = "' + "{seed}" * 1000 + '"'), "refused"),
    "nested arrays": (page("limits.a = " + "[" * 15_000 + "]" * 15_000), "refused"),
    "nested tables": (page("limits.a = " + "{a=" * 9_000), "refused"),
    "dotted key": (page("limits" + ".a" * 15_000 + " = 1"), "refused"),
    "many cases": (page('when = "True"\n' + "[[case]]\n" * 3000), "refused"),
    "many lets": (page('when = "True"\n' + "\n".join(f'let.a{i} = "1"' for i in range(1500))), "refused"),
    "large table": (page('when = "True"\n' + "# filler\n" * 4000), "refused"),
    "10 MB page": (page(after="x" * 10_000_000), "refused"),
    "openings without end": (page(after="".join(f"{'`' * (3 + i % 50)}a\n" for i in range(3000))), "refused"),
    "blank lines": (page(after=" \n" * 50_000 + "x"), "findings"),
    "hashes": (page(before="#" * 100_000), "findings"),
}  # fmt: skip


@pytest.fixture(scope="module")
def bombs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What came of linting with each of the bombs alone and with all that can be loaded together, in one process."""
    base = tmp_path_factory.mktemp("bombs")
    runner = base / "runner.py"
    runner.write_text(RUNNER, "utf-8")
    for name, (text, expected) in BOMBS.items():
        write(base / name, text)
        if expected != "refused":
            write(base / "together", text, f"house/{name.replace(' ', '-')}")
    names = [*BOMBS, "together"]
    done = subprocess.run(
        [sys.executable, str(runner), SCRIPT, *(str(base / name) for name in names)],
        capture_output=True, timeout=300, check=False, cwd=base,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert not done.stderr
    return dict(zip(names, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_do_not_go_off(name: str, bombs: dict[str, dict[str, Any]]) -> None:
    expected = BOMBS[name][1]
    assert bombs[name].get(expected), bombs[name]
    assert bombs[name].get("largest", 0) < 3_000_000


@pytest.mark.parametrize("name", [*BOMBS, "together"])
def test_only_the_pages_are_read(name: str, bombs: dict[str, dict[str, Any]]) -> None:
    libraries = [Path(entry) for entry in sys.path if entry]  # modules that are imported when they are needed
    readable = [home(), Path(trainlint.__file__).parent, Path(os.__file__).parent, Path(sys.prefix), *libraries]
    for touched in bombs[name]["touched"]:
        how, _, path = touched.partition(" ")
        assert how == "read"
        assert f"/{name}/house/" in path or any(Path(path).is_relative_to(root) for root in readable), touched


def test_the_other_rules_stay_at_work(bombs: dict[str, dict[str, Any]]) -> None:
    wanted = {
        kind: sum(expected == kind for _, expected in BOMBS.values()) for kind in ("findings", "errors", "undecided")
    }
    assert {kind: len(bombs["together"][kind]) for kind in wanted} == wanted


# ----------------------------------------------------------------------------------------------------------- the folder


def test_a_page_is_bounded_by_bytes_and_its_table_by_characters(tmp_path: Path) -> None:
    write(tmp_path, page(after="x" * MAX_PAGE))
    assert "larger than" in refusal(tmp_path)
    write(tmp_path, page("#" * MAX_TABLE))
    assert "longer than" in refusal(tmp_path)


posix = pytest.mark.skipif(os.name != "posix", reason="links need no rights there")


@posix
@pytest.mark.parametrize("target", ["file", "folder", "device", "loop", "nothing", "pipe"])
def test_links_out_of_the_folder_are_refused(target: str, tmp_path: Path) -> None:
    folder, outside = tmp_path / "rules", tmp_path / "outside"
    secret = write(outside, "# secret words\n" + page())
    (folder / "house").mkdir(parents=True)
    link = folder / "house" / "linked.md"
    if target == "folder":
        (folder / "other").symlink_to(outside / "house")
    elif target == "pipe":
        os.mkfifo(link)
    else:
        link.symlink_to({"file": secret, "device": "/dev/zero", "loop": link, "nothing": "/no/such/file"}[target])
    said = refusal(folder)
    assert "it is no file in" in said
    assert "secret words" not in said


@posix
def test_links_inside_the_folder_and_to_the_folder_are_fine(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    write(folder, page())
    (folder / "house" / "same.md").symlink_to("rule.md")
    (tmp_path / "link").symlink_to(folder)
    assert {"house/rule", "house/same"} <= catalogue([tmp_path / "link"]).keys()


@posix
@pytest.mark.parametrize("name", ["a..b", "..", "a b", "A", "ä", "a\x1b[2Jb", "a\nb", "-a", "a.b", "lr/../x", "к"])
def test_ids_are_plain(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "rules" / "house"
    folder.mkdir(parents=True)
    (folder / f"{name.replace('/', ':')}.md").write_text(page(), "utf-8")
    assert "made of a-z" in refusal(tmp_path / "rules")


def test_a_built_in_rule_cannot_be_replaced(tmp_path: Path) -> None:
    write(tmp_path, page(), "lr/too-high-for-step")
    assert "exists already" in refusal(tmp_path)


def test_what_is_no_rule_is_passed_over(tmp_path: Path) -> None:
    for id in ("house/README", ".github/template", ".git/x"):
        write(tmp_path, "no rule", id)
    write(tmp_path, page(), "house/rule")
    write(tmp_path, b"\0", "house/deeper/still")
    (tmp_path / "top.md").write_text("no rule")
    assert [id for id in catalogue([tmp_path]) if id.startswith(("house", "."))] == ["house/rule"]


def test_a_directory_of_anything_is_refused(tmp_path: Path) -> None:
    for number in range(2001):
        write(tmp_path, b"", f"house/r{number}")
    assert "pages are no directory of rules" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xff\xfe", "utf-8"),
        (page().encode() + b"\0", "U+0000"),
        (page(after="\x1b]0;title\x07").encode(), "U+001B"),
        (page('when = "True"\nadvice = "\\u001b[2J"').encode(), "U+001B"),
        (page('when = "True"\n"\\u001b[31m" = 1').encode(), "U+001B"),
        (page('when = "True"\n[[source]]\nclaim="\\u202e"\ncite=""\nstrength="weak"').encode(), "U+202E"),
        (page(before="a\rb").encode(), "U+000D"),
        (page(after="\u2067").encode(), "U+2067"),
    ],
)
def test_nothing_that_commands_a_terminal_gets_in(data: bytes, says: str, tmp_path: Path) -> None:
    write(tmp_path, data)
    assert says in refusal(tmp_path)


# ------------------------------------------------------------------------------------------------------ Markdown and TOML


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("# A\n````markdown\n" + page() + "````\n", "0 were found"),
        ("# A\n~~~\n" + page() + "~~~\n", "0 were found"),
        (page() + page(), "2 were found"),
        (page(after="```sh bad\nx"), "has no end"),
        ("# A\n```toml rule\n", "has no end"),
        ("```toml rule\n```\n# A\n", "# title"),
        (page('when = "True"\nimport = "os"'), "import"),
        (page('when = 1'), "when"),
        (page('when = "True"\nsupersedes = ["no/such"]'), "does not exist"),
        (page('when = "seed"\n[limits]\nseed = 1'), "a fact of this name exists"),
        (page('when = "True"\nat = ["__class__"]'), "is no fact"),
        (page('when = "True"\nfix = {__class__ = "1"}'), "is no fact"),
    ],
)  # fmt: skip
def test_tricks_with_the_page(text: str, says: str, tmp_path: Path) -> None:
    write(tmp_path, text)
    assert says in refusal(tmp_path)


def test_code_blocks_hold_what_they_show() -> None:
    shown = page(after="`````markdown\n```toml rule\nnonsense\n```\n# No title\n`````\n~~~sh bad\n```\n~~~")
    rule = parse(shown, "house/rule")
    assert "nonsense" in rule.prose
    assert 'severity = "note"' not in rule.prose
    assert [example.text for example in rule.examples] == ["```\n"]


@given(st.text(alphabet=st.sampled_from("`~# \nab[]={}\"'"), max_size=200))
def test_any_text_is_a_page_or_a_rule_error(text: str) -> None:
    for body in (text, page(text), page(after=text)):
        with contextlib.suppress(RuleError):
            parse(body, "house/rule")


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "subprocess.run",
        "trainlint.ruleset.checks.launch.placeholders",
        "launch",
        "__import__",
        "",
        "builtins.exec",
    ],
)
def test_checks_are_those_that_are_installed(name: str, tmp_path: Path) -> None:
    write(tmp_path, page(f"check = {toml(name)}"))
    assert "there is no check" in refusal(tmp_path)


def test_a_page_may_use_a_built_in_check_and_fail_at_it_alone(tmp_path: Path) -> None:
    write(tmp_path, page('check = "arguments.issues"'))
    report = lint(tmp_path, SCRIPT.replace("2e-4", "high"))
    assert [error.where for error in report.internal_errors] == ["house/rule"]


# --------------------------------------------------------------------------------------------------- fixes and messages


def _fixes(folder: Path, text: str, fact: str = "gradient_accumulation_steps") -> list[str]:
    write(folder, page(f'when = "True"\nsafe = true\nfix = {{{fact} = {toml(text)}}}'))
    found = [finding for finding in lint(folder).findings if finding.rule == "house/rule"]
    return [edit.text for finding in found if finding.fix is not None for edit in finding.fix.edits]


@pytest.mark.parametrize("text", ["16", "{seed}", "1.0e-4", "cosine", "-1"])
def test_a_fix_is_a_number_or_a_word(text: str, tmp_path: Path) -> None:
    assert _fixes(tmp_path, text)
    assert any("max_grad_norm" in edit for edit in _fixes(tmp_path, text, "max_grad_norm"))


@pytest.mark.parametrize(
    "text",
    [
        "$(touch owned)", "`touch owned`", "1; touch owned", "1 --push_to_hub", "--push_to_hub", "-x", "a&b", "a|b", ">x",
        "1 # x", "!!python/object/apply:os.system", "{{a}}", "a: b", "*", "~", "a'b", 'a"b', "\\", "1\ntouch owned", "", " ",
        "{model_name_or_path}{model_name_or_path}{model_name_or_path}{model_name_or_path}{model_name_or_path}", "９", "?",
    ],
)  # fmt: skip
def test_a_fix_puts_no_command_into_a_script(text: str, tmp_path: Path) -> None:
    assert _fixes(tmp_path, text) == []
    assert _fixes(tmp_path, text, "max_grad_norm") == []


@given(st.text(max_size=20))
def test_plain_words_mean_themselves_to_a_shell_and_to_yaml(text: str) -> None:
    import shlex

    import yaml

    if PLAIN.fullmatch(text):
        assert shlex.split(f"--flag {text}") == ["--flag", text]
        assert list(yaml.safe_load(f"key: {text}\n")) == ["key"]


@pytest.mark.parametrize("name", FORMATS)
def test_reporters_show_control_characters_instead_of_obeying(name: str, tmp_path: Path) -> None:
    write(tmp_path, page('when = "True"\nat = ["model_name_or_path"]', message="{model_name_or_path}"))
    script = SCRIPT.replace("hfl/chinese-llama-2-7b", "'x\x1b]0;owned\x07\x1b[2J\u202eevil\x9b'")
    report = lint(tmp_path, script)
    assert any("evil" in finding.message for finding in report.findings)
    text = render(name, report)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)

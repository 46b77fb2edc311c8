"""Plugins as installed packages bring them: found cheaply, used everywhere, and never able to break a run by failing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers_cli import ARTICLE, CLEAN, trainlint
from trainlint import dialects, plugins
from trainlint.findings import Report
from trainlint.linter import Linter
from trainlint.reporters import FORMATS, ReporterError, formats, render
from trainlint.ruleset import catalogue
from trainlint.ruleset.checks import CHECKS, checks
from trainlint.testing import check_rules, findings, rule_examples
from trainlint.text import SourceText

PLUGIN = Path(__file__).parents[1] / "examples" / "plugin"
ADAPTER = str(PLUGIN / "examples" / "adapter.yaml")
SCRIPT = "torchrun run_clm_pt_with_peft.py --do_train --learning_rate 1e-4 --output_dir out --seed 7\n"

Install = Callable[..., Path]


def put(
    site: Path, module: str, code: str, package: str = "acme", entry: str = "house", group: str = "trainlint"
) -> Path:
    """What pip leaves behind when it installs a package of one module."""
    (site / f"{module}.py").write_text(code, "utf-8")
    info = site / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text(f"[{group}]\n{entry} = {module}\n", "utf-8")
    return site


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a module as a plugin into a site directory of this test."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    monkeypatch.delenv(plugins.OFF, raising=False)
    before = set(sys.modules)

    def _install(module: str, code: str, **more: str) -> Path:
        put(site, module, code, **more)
        plugins.forget()
        return site

    yield _install
    plugins.forget()
    for name in set(sys.modules) - before:
        if name.startswith("acme"):
            del sys.modules[name]


@pytest.fixture
def example(tmp_path: Path) -> dict[str, str]:
    """The environment of a process in which the example plugin is installed."""
    site = tmp_path / "site"
    site.mkdir()
    put(site, "unused", "", package="trainlint_house", entry="house")
    (site / "trainlint_house-1.0.dist-info" / "entry_points.txt").write_text("[trainlint]\nhouse = trainlint_house\n")
    return {"PYTHONPATH": os.pathsep.join([str(site), str(PLUGIN / "src")])}


def said() -> str:
    return "\n".join(f"{error.where}: {error.message}" for error in plugins.errors())


# ------------------------------------------------------------------------------------------------------- the example


def test_the_example_is_used_everywhere(example: dict[str, str]) -> None:
    out = trainlint(ADAPTER, "--world-size", "1", "--tokens", "1M", env=example).stdout
    assert "warning[lr/too-high-for-step]" in out
    assert "note[house/seed] seed 7, where 1234 is agreed" in out
    assert "Loom" in trainlint("explain", ADAPTER, env=example).stdout
    assert "house/shared-output" in trainlint("rules", env=example).stdout
    assert "writes into" not in trainlint("rule", "house/seed", env=example).stderr
    rows = trainlint(ADAPTER, "--format", "csv", env=example).stdout.splitlines()
    assert rows[0] == "path,line,severity,rule,message"
    assert trainlint(str(PLUGIN / "examples"), "--format", "csv", env=example).stdout.count("house/seed") == 1


def test_the_example_is_left_out_on_request(example: dict[str, str]) -> None:
    without = {**example, plugins.OFF: "1"}
    assert "no training run" in trainlint(ADAPTER, env=without).stdout
    assert "house/seed" not in trainlint("rules", env=without).stdout
    assert trainlint(ADAPTER, "--format", "csv", env=without).returncode == 2
    assert "house/seed" in trainlint("rules", env={**example, plugins.OFF: "0"}).stdout


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["lint", ADAPTER], 0),
        (["lint", "--format", "csv", ADAPTER], 2),
        (["lint", "--select", "house/seed", ADAPTER], 2),
        (["explain", ADAPTER], 3),
        (["config", "--format", "json"], 0),
        (["baseline", "check", str(PLUGIN / "examples")], 3),
        (["rules"], 0),
        (["rule", "house/seed"], 2),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else str(value),
)
def test_every_command_can_do_without_plugins(
    example: dict[str, str], arguments: list[str], status: int, tmp_path: Path
) -> None:
    without = trainlint(*arguments, "--no-plugins", env=example, cwd=tmp_path)
    assert "house/" not in without.stdout
    assert without.returncode == status, without.stderr
    with_them = trainlint(*arguments, env=example, cwd=tmp_path)
    assert without.stdout + without.stderr != with_them.stdout + with_them.stderr


def test_the_tests_of_the_example_pass(example: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(PLUGIN)],
        env={**os.environ, **example}, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert re.search(r"[1-9]\d* passed", done.stdout)


def test_what_the_documentation_shows_of_the_example(example: dict[str, str]) -> None:
    page = (PLUGIN.parents[1] / "docs" / "plugins.md").read_text("utf-8")
    (block,) = re.findall(r"```text\n\$ \.venv/bin/trainlint (.+?)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    out = trainlint(*block[0].split(), env={**example, **CLEAN}, cwd=PLUGIN).stdout
    at = 0
    for part in block[1].split("...\n"):
        at = out.find(part, at)
        assert at >= 0, f"{part}\n---\n{out}"


# ---------------------------------------------------------------------------------------------------------- finding


def test_without_a_plugin_nothing_is_imported_to_find_none(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom trainlint import plugins\nbefore = set(sys.modules)\nassert plugins.installed() == ()\n"
        "assert not any(name.startswith('importlib.metadata') for name in set(sys.modules) - before)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, timeout=60)


def test_other_groups_are_none_of_ours(install: Install) -> None:
    install("acme_other", "raise SystemExit('imported')", group="trainlint.other")
    assert plugins.installed() == ()
    assert plugins.errors() == []


def test_the_working_directory_is_no_place_of_plugins(tmp_path: Path) -> None:
    """Where a repository is linted in which somebody has put what looks like an installed package."""
    put(tmp_path, "acme_evil", "open('owned', 'w')")
    for path in ("", str(tmp_path)):
        done = trainlint(ARTICLE, cwd=tmp_path, env={"PYTHONPATH": path})
        assert done.returncode == 1
        assert "Internal error" not in done.stdout
    assert not (tmp_path / "owned").exists()


def test_what_comes_first_on_the_path_counts(install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("acme_twice", "rules = __file__.rpartition('/')[0]")
    later = tmp_path / "later"
    later.mkdir()
    put(later, "acme_twice", "raise SystemExit")
    monkeypatch.setattr(sys, "path", [*sys.path, str(later)])
    plugins.forget()
    assert [plugin.package for plugin in plugins.installed()] == ["acme 1.0"]


# ---------------------------------------------------------------------------------------------------------- failing


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("x = (", "SyntaxError"),
        ("", "offers no rules, checks, dialects or reporters"),
        ("rules = 'no/such/folder'", "is no directory"),
        ("rules = 1", "TypeError"),
        ("checks = [print]", "checks is no mapping from names"),
        ("checks = {'a': 1}", "checks: a is no function"),
        ("reporters = {1: print}", "reporters is no mapping from names"),
        ("dialects = [1]", "AttributeError"),
        ("dialects = 1", "TypeError"),
    ],
)
def test_what_cannot_be_loaded_is_an_error(code: str, says: str, install: Install) -> None:
    install("acme_broken", code)
    assert plugins.installed() == ()
    assert "the plugin house of acme 1.0" in said()
    assert says in said()
    assert findings(SCRIPT)


def test_a_broken_plugin_is_reported_and_everything_else_goes_on(install: Install) -> None:
    environment = {"PYTHONPATH": str(install("acme_broken", "import no_such_module"))}
    done = trainlint(ARTICLE, env=environment)
    assert done.returncode == 2
    assert "warning[lr/too-high-for-step]" in done.stdout
    assert "Internal error in the plugin house of acme 1.0" in done.stdout
    assert "Internal error in the plugin house" in trainlint("rules", env=environment).stderr


def test_plugins_can_be_left_out_from_inside(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(plugins.OFF, "")
    install("acme_broken", "1 / 0")
    assert plugins.installed() == ()
    assert plugins.errors()
    plugins.leave_out()
    assert plugins.installed() == ()
    assert not plugins.errors()


@pytest.mark.parametrize(
    "damage", [b"\xff\xfe[trainlint]", b"[trainlint]\nno equals sign\n", b"[trainlint]\na = b c d\n"]
)
def test_a_damaged_installation_is_an_error_too(damage: bytes, install: Install) -> None:
    site = install("acme_damaged", "")
    (site / "acme-1.0.dist-info" / "entry_points.txt").write_bytes(damage)
    assert plugins.installed() == ()
    assert "acme" in said()


def test_a_package_without_a_name_is_an_error_too(install: Install) -> None:
    site = install("acme_nameless", "rules = '.'")
    (site / "acme-1.0.dist-info" / "METADATA").unlink()
    plugins.installed()
    assert len(findings(SCRIPT)) > 0


def test_names_that_exist_already_are_refused(install: Install) -> None:
    name = next(iter(CHECKS))
    install("acme_taken", f"checks = {{{name!r}: print, 'acme.own': print}}\nreporters = {{'text': print}}")
    assert checks()[name] is CHECKS[name]
    assert "acme.own" in checks()
    assert formats() == list(FORMATS)
    assert f"checks: there is a {name} already" in said()
    assert "reporters: there is a text already" in said()


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("no page", "# title"),
        ('# A\n```toml rule\nseverity = "note"\nwhen = "no_such_fact"\nmessage = ""\n```\n', "no fact"),
        ('# A\n```toml rule\nseverity = "note"\ncheck = "os.system"\n```\n', "there is no check os.system"),
    ],
)
def test_a_page_that_cannot_be_used_is_the_plugins_error(page: str, says: str, install: Install) -> None:
    site = install("acme_pages", "import pathlib\nrules = pathlib.Path(__file__).parent / 'rules'")
    (site / "rules" / "acme").mkdir(parents=True)
    (site / "rules" / "acme" / "rule.md").write_text(page)
    assert not [id for id in catalogue() if id.startswith("acme")]
    assert says in said()


def test_rules_of_a_plugin_that_are_also_given_as_a_folder_are_read_once(install: Install) -> None:
    site = install("acme_rules", "import pathlib\nrules = pathlib.Path(__file__).parent / 'rules'")
    (site / "rules" / "acme").mkdir(parents=True)
    page = (
        '# Seeds\n\nAre seven.\n```toml rule\nseverity = "note"\nwhen = "seed == 7"\nmessage = "seven"\nat = ["seed"]\n```\n'
        f"```sh bad line=1\n{SCRIPT}```\n```sh good\n{SCRIPT.replace('7', '8')}```\n"
    )
    (site / "rules" / "acme" / "seed.md").write_text(page)
    assert "acme/seed" in catalogue([site / "rules"])
    assert check_rules(site / "rules") == 2
    assert plugins.errors() == []


@pytest.mark.parametrize("code", ["return 1 / 0", "yield 1 / 0", "yield 'no finding'", "return 3"])
def test_a_check_that_raises_fails_alone(code: str, install: Install) -> None:
    body = f"def check(rule, document, launches):\n    {code}\nchecks = {{'acme.check': check}}\n"
    site = install("acme_check", f"import pathlib\n{body}\nrules = pathlib.Path(__file__).parent / 'rules'")
    (site / "rules" / "acme").mkdir(parents=True)
    (site / "rules" / "acme" / "rule.md").write_text(
        '# A\n```toml rule\nseverity = "note"\ncheck = "acme.check"\n```\n'
    )
    report = Report()
    Linter().lint(SourceText("run.sh", SCRIPT), report)
    assert [error.where for error in report.internal_errors] == ["acme/rule"]
    assert report.findings


def test_a_dialect_that_raises_leaves_the_file_to_the_others(install: Install) -> None:
    install(
        "acme_dialect",
        "from trainlint.dialects.base import Dialect\n"
        "def read(*_):\n    raise KeyError('lost')\n"
        "dialects = [Dialect('acme', 'Acme', {}, read_command=read, read_tree=read), Dialect('trl', 'TRL', {})]\n",
    )
    assert next(iter(dialects.dialects())).name == "acme"
    assert len({dialect.name for dialect in dialects.dialects()}) == len(dialects.dialects())
    assert findings(SCRIPT)
    assert "acme on run.sh: KeyError: 'lost'" in said()
    assert "dialects: there is a trl already" in said()


@pytest.mark.parametrize("body", ["raise ValueError('no')", "return None", "return b''"])
def test_a_reporter_that_fails_says_whose_it_is(body: str, install: Install) -> None:
    install("acme_report", f"def write(report, style):\n    {body}\nreporters = {{'acme': write}}\n")
    with pytest.raises(ReporterError, match=r"the reporter acme of acme 1\.0"):
        render("acme", Report())


def test_a_reporter_that_fails_is_told_from_findings(install: Install) -> None:
    site = install("acme_report", "reporters = {'acme': lambda report, style: 1 / 0}\n")
    done = trainlint(ARTICLE, "--format", "acme", env={"PYTHONPATH": str(site)})
    assert done.returncode == 2
    assert "the reporter acme of acme 1.0: ZeroDivisionError" in done.stderr


def test_every_format_can_tell_of_a_plugin(install: Install) -> None:
    install("acme_broken", "1 / 0")
    plugins.installed()
    report = Report(internal_errors=plugins.errors())
    for name in FORMATS:
        if name not in ("gitlab", "json-lines"):  # which have no place for it
            assert "acme 1.0" in render(name, report), name


# --------------------------------------------------------------------------------------------------- the test helper


def page(example: str, *, rule: str = "") -> str:
    return (
        '# Seeds\n\nSaid.\n```toml rule\nseverity = "note"\nwhen = "seed == 7"\nmessage = "seven"\nat = ["seed"]\n'
        f"{rule}```\n{example}"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (page(f"```sh bad line=2\n{SCRIPT}```\n"), "expected one finding at line 2, found some at [1]"),
        (page(f"```sh bad line=1\n{SCRIPT.replace('7', '8')}```\n"), "found some at no line"),
        (page(f"```sh bad\n{SCRIPT}```\n"), "say with line="),
        (page(f"```sh bad line=1 severity=error\n{SCRIPT}```\n"), "expected error, found note"),
        (page(f"```sh good\n{SCRIPT}```\n"), "expected nothing, found 'seven' at line 1"),
        (page(f"```sh good colour=red\n{SCRIPT}```\n"), "no option of an example: colour"),
        (page(f"```sh good profile=lax\n{SCRIPT}```\n"), "profile=lax"),
        (page(f"```sh fixed\n{SCRIPT}```\n"), "no bad example before it"),
        (page(f"```sh bad line=1\n{SCRIPT}```\n```sh fixed\n{SCRIPT}```\n"), "has no fix"),
        (page(f"```sh bad line=1\n{SCRIPT}```\n```sh fixed\n{SCRIPT}```\n", rule='fix = {seed = "8"}\n'), "and not"),
        (
            page(f"```sh bad line=1\n{SCRIPT}```\n", rule='advice = "{seed} {tokenizer_vocab_size} "\n'),
            "a value is missing",
        ),
        (page(f"```sh good world_size=two\n{SCRIPT}```\n"), "invalid literal"),
        (page(f"```sh good gpu=Z9000\n{SCRIPT}```\n"), "Z9000"),
        (page(f"```sh good\n{SCRIPT}```\n```json file\n```\n"), "has no name="),
        (page(f"```r good\n{SCRIPT}```\n"), "no name= for a block in r"),
    ],
)
def test_the_helper_says_what_is_wrong_with_an_example(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "seed.md").write_text(text)
    with pytest.raises(AssertionError) as failure:
        check_rules(tmp_path)
    assert says in str(failure.value)
    assert "acme/seed-" in str(failure.value)


def test_examples_are_named_and_counted(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    fixed = f"```sh bad line=1\n{SCRIPT}```\n```sh fixed\n{SCRIPT.replace('7', '8')}```\n"
    (tmp_path / "acme" / "seed.md").write_text(page(fixed, rule='fix = {seed = "8"}\n'))
    assert [str(example) for example in rule_examples(str(tmp_path))] == ["acme/seed-bad-1", "acme/seed-fixed-2"]
    assert check_rules(tmp_path) == 2


def test_findings_takes_what_options_would_say() -> None:
    many: dict[str, Any] = {"tokens": 5_000_000_000}
    few = {finding.rule for finding in findings(Path(ARTICLE).read_text())}
    assert "lr/too-high-for-step" in few - {finding.rule for finding in findings(Path(ARTICLE).read_text(), **many)}
    assert json.dumps(sorted(few))

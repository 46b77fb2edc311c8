"""Configuration files: which one counts, how they combine, where each setting is said, and what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tomli
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from trainlint.cli import cli
from trainlint.config import ADDED, TABLES, Config, keys, schema
from trainlint.config_file import ConfigError
from trainlint.discover import TOOLS
from trainlint.effective import Configuration
from trainlint.linter import Linter, lint
from trainlint.selection import selected
from trainlint.settings import Settings, gpu_called
from trainlint.text import SourceText
from trainlint.toml_places import places

ROOT = Path(__file__).parents[1]
RUN = "torchrun train.py --learning_rate 1e-4\n"
Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository, and the working directory."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, text: str) -> Path:
    file = Path(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return file


def effective(path: str = ".", **overrides: Any) -> Settings:
    return Configuration({key.replace("_", "-"): value for key, value in overrides.items()}).effective(Path(path))


def error(path: str = ".", **overrides: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        effective(path, **overrides)
    return str(caught.value).splitlines()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


# --------------------------------------------------------------------------------------------------- which file counts


@pytest.mark.parametrize("name", ["trainlint.toml", ".trainlint.toml", "pyproject.toml"])
def test_each_file_that_may_hold_a_configuration(folder: Path, name: str) -> None:
    table = "[tool.trainlint]\n" if name == "pyproject.toml" else ""
    write(name, f'{table}profile = "strict"\n')
    assert effective().profile == "strict"
    assert effective().source == folder / name
    assert effective().provenance["profile"].where == f"{name}:{2 if table else 1}"


def test_in_one_directory_the_most_particular_file_wins(folder: Path) -> None:
    write("pyproject.toml", "[tool.trainlint]\nworld-size = 1\n")
    assert effective().stated["world_size"].value == 1
    write("trainlint.toml", "world-size = 2\n")
    assert effective().stated["world_size"].value == 2
    write(".trainlint.toml", "world-size = 3\n")
    assert effective().stated["world_size"].value == 3


def test_the_nearest_file_wins_and_is_not_merged(folder: Path) -> None:
    write("trainlint.toml", 'profile = "strict"\nworld-size = 8\n')
    write("a/b/trainlint.toml", "world-size = 2\n")
    write("a/pyproject.toml", "[tool.black]\nline-length = 100\n")
    assert effective("a/run.sh").stated["world_size"].value == 8
    near = effective("a/b/c/run.sh")
    assert (near.stated["world_size"].value, near.profile) == (2, "default")


def test_the_search_ends_at_the_repository(folder: Path) -> None:
    write("trainlint.toml", 'profile = "strict"\n')
    (folder / "inner" / ".git").mkdir(parents=True)
    (folder / "inner" / "deep").mkdir()
    assert effective("inner/deep/run.sh").source is None
    write("inner/trainlint.toml", "world-size = 2\n")
    assert effective("inner/deep/run.sh").source == folder / "inner" / "trainlint.toml"


def test_files_that_are_not_ours_do_no_harm(folder: Path) -> None:
    write("pyproject.toml", "this is [no TOML\n")
    assert effective().source is None
    write("pyproject.toml", "tool = 3 # trainlint\n")
    assert effective().source is None
    Path("pyproject.toml").write_bytes(b"trainlint \xff\n")
    assert effective().source is None
    (folder / "trainlint.toml").mkdir()
    assert effective().source is None


def test_a_given_file_is_the_only_one(folder: Path) -> None:
    write("trainlint.toml", "world-size = 8\n")
    other = write("shared/base.toml", "tokens = 5\n")
    settings = Configuration(file=other).effective(Path("run.sh"))
    assert {name: fact.value for name, fact in settings.stated.items()} == {"dataset_tokens": 5}
    assert Configuration(isolated=True).effective(Path("run.sh")) == Settings()


def test_files_under_one_configuration_share_their_settings(folder: Path) -> None:
    write("trainlint.toml", "world-size = 8\n")
    write("c/trainlint.toml", "world-size = 8\n")
    configuration = Configuration()
    first = configuration.effective(Path("a/run.sh"))
    assert configuration.effective(Path("b/run.sh")) is first
    assert len({first, configuration.effective(Path("b/run.sh"))}) == 1


def test_equal_settings_are_equal_whatever_they_come_from(folder: Path) -> None:
    write("a/trainlint.toml", 'select = ["lora/*"]\nlimits."lora/rank-high".most = 8\ndefines.A = "b"\n')
    write("b/trainlint.toml", '[defines]\nA = "b"\n[limits."lora/rank-high"]\nmost = 8\n')
    first, second = effective("a/x.sh"), effective("b/x.sh", select=["lora/*"])
    assert first == second
    assert hash(first) == hash(second)
    assert first != effective("b/x.sh", select=["lora/*"], defines={"A": "c"})


# ------------------------------------------------------------------------------------------------- how they combine

BASE = """
select = ["lora/*", "lr/*"]
ignore = ["lora/rank-high"]
profile = "strict"
gpu = "A100-80G"
extend-exclude = ["old/"]
exclude = ["gone/"]
defines = {A = "1", B = "2"}
rules = ["house"]

[severity]
"lr/too-high-for-step" = "note"
"lr/too-low-for-lora" = "off"

[limits."lr/too-high-for-step"]
ceiling = 2e-7
plenty = 1
"""
CHILD = """
extend = "../base.toml"
ignore = ["lr/preference"]
gpu-memory = 24
extend-exclude = ["older/"]
exclude = ["lost/"]
defines = {B = "3"}

[severity]
"lr/too-low-for-lora" = "error"

[limits."lr/too-high-for-step"]
plenty = 2
"""
PAGE = '# House\n\nOurs.\n\n```toml rule\nseverity = "note"\nwhen = "seed != 7"\nmessage = "seed"\nadvice = "a"\n```\n'


@pytest.fixture
def family(folder: Path) -> Path:
    write("base.toml", BASE)
    write("house/own/seed.md", PAGE)
    write("sub/trainlint.toml", CHILD)
    return folder


def test_a_child_extends_its_parent(family: Path) -> None:
    settings = effective("sub/run.sh")
    assert settings.profile == "strict"
    assert settings.rules == (family / "house",)
    assert settings.defines == {"A": "1", "B": "3"}
    assert settings.severity == {"lr/too-high-for-step": "note", "lr/too-low-for-lora": "error"}
    assert settings.limits == {"lr/too-high-for-step": {"ceiling": 2e-7, "plenty": 2}}
    assert settings.stated["gpu_memory"].value == 24
    assert settings.stated["gpu_bf16"].value is True
    exclude = settings.files.exclude
    assert [(patterns.base, patterns.lines) for patterns in exclude] == [
        (family / "sub", ("lost/",)),
        (family, ("old/",)),
        (family / "sub", ("older/",)),
    ]
    ids = selected(Linter(settings).rules, settings, family / "sub" / "run.sh")
    assert ids
    assert not ids & {"lora/rank-high", "lr/preference"}
    assert {"lr/too-low-for-lora", "lora/alpha-scale"} <= ids
    assert all(id.startswith(("lora/", "lr/")) for id in ids)


def test_every_setting_says_where_it_comes_from(family: Path) -> None:
    where = {
        key: said.where for key, said in effective("sub/run.sh", tokens=5, extend_exclude=["x"]).provenance.items()
    }
    assert where["select"] == "base.toml:2"
    assert where["ignore"] == "base.toml:3, sub/trainlint.toml:3"
    assert where["profile"] == "base.toml:4"
    assert where["gpu-memory"] == "sub/trainlint.toml:4"
    assert where["tokens"] == "command line"
    assert where["extend-exclude"] == "base.toml:6, sub/trainlint.toml:5, command line"
    assert where["exclude"] == "sub/trainlint.toml:6"
    assert (where["defines.A"], where["defines.B"]) == ("base.toml:8", "sub/trainlint.toml:7")
    assert where['severity."lr/too-low-for-lora"'] == "sub/trainlint.toml:10"
    assert where['limits."lr/too-high-for-step".ceiling'] == "base.toml:16"
    assert where['limits."lr/too-high-for-step".plenty'] == "sub/trainlint.toml:13"
    assert where["fail-on"] == "default"


def test_the_command_line_comes_first(family: Path) -> None:
    settings = effective("sub/run.sh", select=["lora/rank-high"], gpu="T4", profile="default", defines={"B": "4"})
    assert selected(Linter(settings).rules, settings) == {"lora/rank-high"}
    assert settings.profile == "default"
    assert settings.defines == {"A": "1", "B": "4"}
    assert (settings.stated["gpu_memory"].value, settings.stated["gpu_bf16"].value) == (16, False)
    assert settings.provenance["ignore"].value == []


def test_a_rule_that_is_off_is_not_used_unless_asked_for(folder: Path) -> None:
    write("trainlint.toml", 'severity = {"lr/too-high-for-step" = "off"}\n')
    settings = effective()
    assert "lr/too-high-for-step" not in selected(Linter(settings).rules, settings)
    assert settings.severity == {}
    asked = effective(extend_select=["lr/too-high-for-step"])
    assert "lr/too-high-for-step" in selected(Linter(asked).rules, asked)


def test_what_a_configuration_states_names_its_place(folder: Path) -> None:
    write("trainlint.toml", '\nworld-size = 8\ntokens = "5G"\n')
    stated = effective(gpu="T4").stated
    assert stated["world_size"].origin.text == "world-size in trainlint.toml:2"
    assert stated["dataset_tokens"].value == 5_000_000_000
    assert stated["gpu_memory"].origin.text == "--gpu T4"


def test_paths_are_relative_to_their_file(folder: Path) -> None:
    write("conf/trainlint.toml", 'baseline = "known.json"\nrules = ["../house"]\nper-file-ignores = {"x/" = ["all"]}\n')
    (folder / "house").mkdir()
    settings = effective("conf/x/run.sh")
    assert settings.baseline == folder / "conf" / "known.json"
    assert settings.rules == (folder / "house",)
    assert selected(Linter(settings).rules, settings, Path("conf/x/run.sh")) == set()
    assert selected(Linter(settings).rules, settings, Path("conf/y/run.sh")) != set()


def test_a_suppression_by_pointer(folder: Path) -> None:
    write("trainlint.toml", '[[ignores]]\npath = "*.json"\nrules = ["lora/*"]\n\n[[ignores]]\npath = "/a.json"\n'
          'pointer = "/optimizer/lr"\nrules = ["tag:article"]\nreason = "tried"\n')  # fmt: skip
    whole, value = effective().ignores
    assert (whole.pointer, whole.rules, whole.reason, whole.where) == ("", ("lora/*",), "", "trainlint.toml:1")
    assert (value.pointer, value.reason, value.where) == ("/optimizer/lr", "tried", "trainlint.toml:5")
    assert whole.covers(folder / "deep" / "x.json")
    assert not value.covers(folder / "deep" / "a.json")


# --------------------------------------------------------------------------------------------------- what is wrong


MISTAKES = """\
selekt = []
=> 1:1: selekt: there is no such key; did you mean select?

# one
world_size = 1
=> 2:1: world_size: there is no such key; did you mean world-size?

# Größe
xyz = 1
=> 2:1: xyz: there is no such key

profile = 'strickt'
=> 1:1: profile: should be 'default' or 'strict'

world-size = 0
=> 1:1: world-size: should be greater than 0

world-size = '8'
=> 1:1: world-size: should be a valid integer

world-size = true
=> 1:1: world-size: should be a valid integer

gpu-memory = nan
=> 1:1: gpu-memory: should be a finite number

gpu = 'A100-80'
=> 1:1: gpu: A100-80 is no known GPU; did you mean A100-80G?

gpu = 'abacus'
=> 1:1: gpu: abacus is no known GPU; say gpu-memory instead

tokens = 'many'
=> 1:1: tokens: 'many' is no amount such as 250000, 1.5M or 20GB

dataset-bytes = 0
=> 1:1: dataset-bytes: should be greater than 0

select = ['lora/*',
  'lora/rank-hihg']
=> 2:3: select[1]: there is no rule lora/rank-hihg; did you mean lora/rank-high?

select = 'all'
=> 1:1: select: should be a valid list

ignore = [1]
=> 1:11: ignore[0]: should be a valid string

[per-file-ignores]
'a/' = ['lora']
=> 2:9: per-file-ignores."a/"[0]: there is no rule lora; did you mean lora/*?

[severity]
'lora/rank-high' = 'warn'
=> 2:1: severity."lora/rank-high": should be 'error', 'warning', 'note' or 'off'

[severity]
'lora/*' = 'note'
=> 2:1: severity."lora/*": there is no rule lora/*; trainlint rules lists them

limits.'lora/rank-hi'.most = 1
=> 1:8: limits."lora/rank-hi": there is no rule lora/rank-hi; did you mean lora/rank-high?

[limits.'lora/rank-high']
mots = 1
=> 2:1: limits."lora/rank-high".mots: lora/rank-high has no limit mots; did you mean most?

[limits.'lora/rank-high']
xyz = 1
=> 2:1: limits."lora/rank-high".xyz: lora/rank-high has no limit xyz; it has most

[limits]
'lora/rank-high' = {most = 'x'}
=> 2:21: limits."lora/rank-high".most: should be a number, as in most = 256

[limits]
'lora/rank-high' = {most = true}
=> 2:21: limits."lora/rank-high".most: should be a number, as in most = 256

[limits]
'lora/rank-high' = {most = nan}
=> 2:21: limits."lora/rank-high".most: should be a number, as in most = 256

[limits]
'monitoring/no-evaluation' = {watched = [1]}
=> 2:31: limits."monitoring/no-evaluation".watched: should be a list, as in watched = ["pt"]

[limits]
'lora/rank-high' = 3
=> 2:1: limits."lora/rank-high": should be a valid dictionary

defines = {'a b' = 'x'}
=> 1:12: defines."a b": a b is no name of a variable

defines = {A = 1}
=> 1:12: defines.A: should be a valid string

targets = {trl = 'new'}
=> 1:12: targets.trl: 'new' is no version such as 4.46.3

rules = ['a',
 'b']
=> 1:10: rules[0]: {folder}/a is no directory

exclude = ['']
=> 1:12: exclude[0]: a pattern is one line, and not empty

[[ignores]]
path = 'a'
rules = ['all']
pointer = 'lr'
=> 4:1: ignores[0].pointer: 'lr' is no JSON pointer such as /optimizer/params/lr

[[ignores]]
path = 'a'
=> 1:1: ignores[0]: rules is wanted

[[ignores]]
path = 'a'
rules = []
=> 3:1: ignores[0].rules: List should have at least 1 item after validation, not 0

[[ignores]]
path = 'a'
rule = ['all']
rules = ['all']
=> 3:1: ignores[0].rule: there is no such key; did you mean rules?

[[ignores]]
path = 'a'
rules = ['all']
[[ignores]]
path = 'a'
rules = ['al']
=> 6:10: ignores[1].rules[0]: there is no rule al; did you mean all?

require-reason = 'yes'
=> 1:1: require-reason: should be a valid boolean

fail-on = 'always'
=> 1:1: fail-on: should be 'error', 'warning', 'note' or 'never'

profile =
=> 1:10: Invalid value

a = 1
a = 2
=> 2:6: Cannot overwrite a value

extend = 'none.toml'
=> 1:1: extend: none.toml cannot be read: No such file or directory
"""


@pytest.mark.parametrize(("text", "says"), [case.rsplit("\n=> ", 1) for case in MISTAKES.rstrip().split("\n\n")])
def test_an_error_names_file_line_and_column(folder: Path, text: str, says: str) -> None:
    write("trainlint.toml", text + "\n")
    assert error() == [f"trainlint.toml:{says.replace('{folder}', str(folder))}"]
    write("sub/pyproject.toml", "# ours\n[tool.trainlint]\n")
    write("trainlint.toml", "")
    done = run("config", "--config", str(write("own.toml", text + "\n")))
    assert done.exit_code == 2
    assert done.output == f"Error: own.toml:{says.replace('{folder}', str(folder))}\n"


def test_all_errors_of_a_file_are_told_at_once(folder: Path) -> None:
    write("pyproject.toml", "[tool.other]\n[tool.trainlint]\nwordl-size = 1\nprofile = 2\n[tool.trainlint.limit]\n")
    assert error() == [
        "pyproject.toml:4:1: profile: should be 'default' or 'strict'",
        "pyproject.toml:3:1: wordl-size: there is no such key; did you mean world-size?",
        "pyproject.toml:5:17: limit: there is no such key; did you mean limits?",
    ]
    write("pyproject.toml", "[tool]\ntrainlint = 3\n")
    assert error() == ["pyproject.toml:2:1: tool.trainlint: should be a table"]


def test_what_cannot_be_read_as_text(folder: Path) -> None:
    Path("trainlint.toml").write_bytes(b"a = 1\nb = '\xff'\n")
    (message,) = error()
    assert message.startswith("trainlint.toml:2:6: cannot be read: not valid UTF-8")
    write("trainlint.toml", "a = " + "[" * 5000 + "]" * 5000)
    (message,) = error()
    assert message.startswith("trainlint.toml:")


def test_files_that_extend_each_other(folder: Path) -> None:
    write("trainlint.toml", 'extend = "a.toml"\n')
    write("a.toml", '\nextend = "b.toml"\n')
    write("b.toml", 'extend = "./sub/../a.toml"\n')
    assert error() == [
        "b.toml:1:1: extend: the files extend each other in a circle: a.toml extends b.toml extends a.toml"
    ]
    write("trainlint.toml", 'extend = "trainlint.toml"\n')
    (message,) = error()
    assert message.startswith("trainlint.toml:1:1: extend: the files extend each other")


def test_a_parent_must_have_settings_and_its_errors_are_its_own(folder: Path) -> None:
    write("trainlint.toml", 'extend = "lib/pyproject.toml"\n')
    write("lib/pyproject.toml", "[project]\n")
    assert error() == ["trainlint.toml:1:1: extend: lib/pyproject.toml has no table [tool.trainlint]"]
    write("lib/pyproject.toml", "[tool.trainlint]\nignore = ['x']\n")
    assert error() == ["lib/pyproject.toml:2:11: ignore[0]: there is no rule x; trainlint rules lists them"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--select", "lora"], "--select: there is no rule lora; did you mean lora/*?"),
        (["--gpu", "A100-80"], "--gpu: A100-80 is no known GPU; did you mean A100-80G?"),
        (["--tokens", "0"], "--tokens: should be greater than 0"),
        (["--isolated", "--config", "own.toml"], "--config and --isolated exclude each other"),
        (["--config", "none.toml"], "File 'none.toml' does not exist"),
        (["--profile", "lax"], "'lax' is not one of"),
        (["--define", "A"], "'A' is not NAME=VALUE"),
        (["--arg", "0=x"], "'0=x' is not N=VALUE"),
    ],
)
def test_errors_of_the_command_line_name_the_option(folder: Path, arguments: list[str], says: str) -> None:
    write("own.toml", "")
    done = run("config", *arguments)
    assert done.exit_code == 2
    assert says in done.output


def test_a_rule_page_that_cannot_be_used_is_told(folder: Path) -> None:
    write("trainlint.toml", 'rules = ["house"]\nselect = ["all"]\n')
    write("house/own/seed.md", "# No fence\n")
    (message,) = error()
    assert "seed.md" in message


# ----------------------------------------------------------------------------------------------- what the user sees


def test_the_command_shows_a_configuration_that_means_the_same(family: Path) -> None:
    write("sub/run.sh", RUN)
    done = run("config", "sub/run.sh", "--tokens", "5G", "-D", 'Q="\\\x07ü')
    assert done.exit_code == 0, done.output
    assert done.output.startswith("# sub/run.sh: sub/trainlint.toml, ")
    shown = write("shown.toml", done.output)
    copy, original = Configuration(file=shown).effective(), effective("sub/run.sh", tokens=5_000_000_000)
    for name in ("profile", "rules", "limits", "fail_on", "targets"):
        assert getattr(copy, name) == getattr(original, name)
    assert copy.defines == {**original.defines, "Q": '"\\\x07ü'}
    assert {name: fact.value for name, fact in copy.stated.items()} == {
        name: fact.value for name, fact in original.stated.items()
    }
    rules = Linter(copy).rules
    assert selected(rules, copy) == selected(rules, original)


def test_the_command_as_json(family: Path) -> None:
    done = run("config", "sub/run.sh", "--format", "json", "--select", "lora/*")
    shown = json.loads(done.stdout)
    assert shown["version"] == 1
    assert shown["configuration"] == "sub/trainlint.toml"
    assert all(id.startswith("lora/") for id in shown["rules"])
    said = {setting["key"]: (setting["value"], setting["from"]) for setting in shown["settings"]}
    assert said["select"] == (["lora/*"], "command line")
    assert said["profile"] == ("strict", "base.toml:4")
    assert said["rules"] == (["house"], "base.toml:9")
    assert said["baseline"] == (None, "default")


def test_the_command_without_any_configuration(folder: Path) -> None:
    done = run("config")
    assert done.exit_code == 0
    assert done.output.startswith("# .: no configuration file, ")
    assert Configuration(file=write("shown.toml", done.output)).effective().fail_on == "warning"


def test_the_linter_obeys(folder: Path) -> None:
    script = (ROOT / "examples" / "article" / "run_pt.sh").read_text("utf-8")
    write("run_pt.sh", script)
    write("trainlint.toml", 'select = ["lr/*"]\nseverity = {"lr/too-high-for-step" = "error"}\ntokens = 16_000\n')
    found = lint([SourceText.load(Path("run_pt.sh"))], effective()).findings
    assert {(finding.rule, finding.severity) for finding in found} == {("lr/too-high-for-step", "error")}
    quiet = effective(limits={"lr/too-high-for-step": {"ceiling": 1, "published": 1}})
    assert lint([SourceText.load(Path("run_pt.sh"))], quiet).findings == []


def test_each_directory_has_its_own_exclusions(folder: Path) -> None:
    from trainlint.discover import discover

    write("trainlint.toml", 'exclude = ["b.sh"]\n')
    write("sub/trainlint.toml", 'exclude = ["a.sh"]\ninclude = ["*.args"]\n')
    for name in ("a.sh", "b.sh", "c.args", "sub/a.sh", "sub/b.sh", "sub/c.args"):
        write(name, RUN)
    found = discover([Path(".")], Configuration().choice)
    assert [str(entry.path) for entry in found.files] == ["a.sh", "sub/b.sh", "sub/c.args"]
    reasons = {skipped.path: skipped.reason for skipped in found.skipped}
    assert reasons["b.sh"] == "excluded by b.sh (exclude, trainlint.toml:1)"
    assert reasons["sub/a.sh"] == "excluded by a.sh (exclude, sub/trainlint.toml:1)"
    assert reasons["trainlint.toml"] == "configures tools, not a run"


# ------------------------------------------------------------------------------------------------------- the schema


def test_the_schema_in_the_documentation_is_fresh() -> None:
    stored = json.loads((ROOT / "docs" / "schema" / "config.schema.json").read_text("utf-8"))
    assert stored == schema(), "trainlint config --schema > docs/schema/config.schema.json"
    assert json.loads(run("config", "--schema").stdout) == schema()


def test_the_schema_takes_what_we_take() -> None:
    validator = jsonschema.Draft202012Validator(schema())
    validator.check_schema(schema())
    for text in (BASE, CHILD, "tokens = 5", 'tokens = "5G"'):
        validator.validate(tomli.loads(text))
    for text in ("selekt = []", "world-size = 0", 'fail-on = "always"', "ignores = [{}]"):
        assert not validator.is_valid(tomli.loads(text)), text


def test_every_key_is_described_and_combined_in_one_way() -> None:
    assert all(field.description for field in Config.model_fields.values())
    assert {*ADDED, *TABLES} <= set(Config.model_fields)
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert not [key for key in keys() if f"`{key}`" not in page]


def test_a_search_knows_the_names_of_configurations() -> None:
    from trainlint.config_file import NAMES

    assert set(NAMES) == TOOLS


# ------------------------------------------------------------------------------------------------------- the places


def test_places_of_every_form_of_key() -> None:
    text = '"ü" = 1\na.b = [1,\n  {c = 2}]\n"x/y" = "s"\n[t]\nu = 1\n[[l]]\nv = 1\n[[l]]\nv = 2\n[t.w]\nz = "ü" # ü\n'
    found = {".".join(map(str, key)): (at.line, at.column) for key, at in places(text).items()}
    assert found == {
        "ü": (1, 1), "a": (2, 1), "a.b": (2, 3), "a.b.0": (2, 8), "a.b.1": (3, 3), "a.b.1.c": (3, 4), "x/y": (4, 1),
        "t": (5, 2), "t.u": (6, 1), "l": (7, 3), "l.0": (7, 1), "l.0.v": (8, 1), "l.1": (9, 1), "l.1.v": (10, 1),
        "t.w": (11, 4), "t.w.z": (12, 1),
    }  # fmt: skip


@given(st.dictionaries(st.text(min_size=1, max_size=5), st.integers(), min_size=1, max_size=5))
def test_places_of_any_key(table: dict[str, int]) -> None:
    escape = {"\x7f": "\\u007f"}
    quoted = ["".join(escape.get(c, c) for c in json.dumps(key, ensure_ascii=False)) for key in table]
    text = "".join(f"{name} = {value}\n" for name, value in zip(quoted, table.values(), strict=True))
    if any(0xD800 <= ord(char) < 0xE000 for key in table for char in key):
        return
    assert tomli.loads(text) == table
    assert {key: at.line for key, at in places(text).items()} == {(key,): line for line, key in enumerate(table, 1)}


@pytest.mark.parametrize(
    ("said", "meant"),
    [("A100-80G", "A100-80G"), ("h100", "H100-80G"), ("A100 80GB", "A100-80G"), ("NVIDIA RTX 4090", "RTX4090")],
)
def test_a_gpu_is_known_by_the_names_people_use(said: str, meant: str) -> None:
    assert gpu_called(said) == meant


@pytest.mark.parametrize(
    ("said", "hint"), [("A100", "is it A100-40G or A100-80G"), ("h8", "say gpu-memory"), ("A10O", "did you mean A10")]
)
def test_a_gpu_that_could_be_several_is_asked_for(said: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        gpu_called(said)

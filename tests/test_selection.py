"""Which rules judge: selectors, what wins where they disagree, and single files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainlint.findings import Severity
from trainlint.ruleset import catalogue
from trainlint.selection import check, matches, selected
from trainlint.settings import FileIgnores, Layer, Settings, SettingsError


@dataclass(frozen=True)
class Rule:
    id: str
    severity: Severity = "warning"
    tags: tuple[str, ...] = field(default=())


RULES = {
    rule.id: rule
    for rule in (
        Rule("lora/rank-high", "note", ("lora", "article")),
        Rule("lora/alpha-scale", "warning", ("lora",)),
        Rule("lr/too-high-for-step", "warning", ("lr", "article")),
        Rule("lr/too-low-for-lora", "warning", ("lr",)),
        Rule("file/syntax-error", "error", ("file",)),
    )
}
LORA = {"lora/rank-high", "lora/alpha-scale"}
LR = {"lr/too-high-for-step", "lr/too-low-for-lora"}


def chosen(*layers: Layer, path: Path | None = None, **more: object) -> set[str]:
    return selected(RULES, Settings(selection=layers, **more), path)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("selector", "ids"),
    [
        ("all", set(RULES)),
        ("lora/rank-high", {"lora/rank-high"}),
        ("lora/*", LORA),
        ("lr/too-high-*", {"lr/too-high-for-step"}),
        ("*/*-for-*", LR),
        ("tag:article", {"lora/rank-high", "lr/too-high-for-step"}),
        ("warning", {"lora/alpha-scale", *LR}),
        ("error", {"file/syntax-error"}),
        ("note", {"lora/rank-high"}),
    ],
)
def test_each_kind_of_selector(selector: str, ids: set[str]) -> None:
    check(selector, RULES)
    assert chosen(Layer(select=(selector,))) == ids
    assert chosen(Layer(ignore=(selector,))) == set(RULES) - ids


@pytest.mark.parametrize(
    ("selector", "says"),
    [
        ("lora/rank-hgih", "there is no rule lora/rank-hgih; did you mean lora/rank-high?"),
        ("lora", "there is no rule lora; did you mean lora/*?"),
        ("lara/*", "no rule matches lara/*; did you mean lora/*?"),
        ("tag:artikel", "no rule has the tag of tag:artikel; did you mean tag:article?"),
        ("warnings", "there is no rule warnings; did you mean warning?"),
        ("xyz", "there is no rule xyz; trainlint rules lists them"),
        ("", "there is no rule ; trainlint rules lists them"),
    ],
)
def test_an_unknown_selector_is_met_with_the_nearest(selector: str, says: str) -> None:
    with pytest.raises(SettingsError) as error:
        check(selector, RULES)
    assert str(error.value) == says


def test_everything_is_used_where_nothing_is_said() -> None:
    assert chosen() == set(RULES)


@pytest.mark.parametrize(
    ("layer", "ids"),
    [
        (Layer(select=("lora/*",), ignore=("lora/rank-high",)), {"lora/alpha-scale"}),
        (Layer(select=("lora/rank-high",), ignore=("lora/*",)), {"lora/rank-high"}),
        (Layer(select=("lora/*",), ignore=("lora/*",)), set()),
        (Layer(select=("lora/*",), ignore=("tag:article",)), LORA),
        (Layer(select=("tag:lora",), ignore=("note",)), LORA),
        (Layer(select=("warning",), ignore=("tag:lora",)), LR),
        (Layer(select=("lr/too-*",), ignore=("lr/*",)), LR),
        (Layer(select=("lr/*",), ignore=("lr/too-low-*",)), {"lr/too-high-for-step"}),
        (Layer(select=(), extend_select=("error",)), {"file/syntax-error"}),
        (Layer(extend_select=("lora/rank-high",), ignore=("lora/*",)), set(RULES) - {"lora/alpha-scale"}),
        (Layer(ignore=("all",), extend_select=("error",)), {"file/syntax-error"}),
        (Layer(select=()), set()),
    ],
)
def test_the_most_specific_wins(layer: Layer, ids: set[str]) -> None:
    assert chosen(layer) == ids


def test_a_later_place_overrides_an_earlier_one() -> None:
    parent = Layer(select=("lora/rank-high", "lr/*"), ignore=("lr/too-low-for-lora",))
    assert chosen(parent, Layer(ignore=("lora/*",))) == {"lr/too-high-for-step"}
    assert chosen(parent, Layer(extend_select=("lr/*",))) == {"lora/rank-high", *LR}
    assert chosen(parent, Layer(select=("lr/*",))) == LR


def test_a_severity_that_the_user_gave_is_the_one_that_counts() -> None:
    assert chosen(Layer(ignore=("note",)), severity={"lora/alpha-scale": "note"}) == {*LR, "file/syntax-error"}


def test_rules_are_ignored_for_single_files(tmp_path: Path) -> None:
    legacy = FileIgnores("legacy/", tmp_path, ("lora/*", "error"))
    assert chosen(file_ignores=(legacy,), path=tmp_path / "legacy" / "deep" / "run.sh") == LR
    assert chosen(file_ignores=(legacy,), path=tmp_path / "run.sh") == set(RULES)
    assert chosen(file_ignores=(legacy,)) == set(RULES)
    assert chosen(Layer(select=("lora/rank-high",)), file_ignores=(legacy,), path=tmp_path / "legacy/a.sh") == set()


def test_all_files_but_some(tmp_path: Path) -> None:
    others = FileIgnores("!release/", tmp_path, ("lr/*",))
    assert chosen(file_ignores=(others,), path=tmp_path / "release" / "run.sh") == set(RULES)
    assert chosen(file_ignores=(others,), path=tmp_path / "draft.sh") == set(RULES) - LR


def test_a_relative_path_is_one_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    ignores = (FileIgnores("/legacy/*.sh", tmp_path, ("all",)),)
    assert chosen(file_ignores=ignores, path=Path("../legacy/a.sh")) == set()
    assert chosen(file_ignores=ignores, path=Path("legacy/a.sh")) == set(RULES)


SELECTORS = st.sampled_from(["all", "warning", "error", "note", "tag:article", "lora/*", "lr/*", "lr/too-*", *RULES])


@given(st.lists(SELECTORS), st.lists(SELECTORS))
def test_the_order_of_selectors_does_not_matter(select: list[str], ignore: list[str]) -> None:
    first = chosen(Layer(select=tuple(select), ignore=tuple(ignore)))
    assert first == chosen(Layer(select=tuple(reversed(select)), ignore=tuple(reversed(ignore))))
    assert first <= {id for id, rule in RULES.items() if any(matches(s, rule) for s in select)}
    assert not first & {id for id in ignore if id in RULES}


def test_the_rules_that_come_along_can_be_selected() -> None:
    rules = catalogue()
    for id, rule in rules.items():
        for selector in (id, f"{id.partition('/')[0]}/*", *(f"tag:{tag}" for tag in rule.tags)):
            check(selector, rules)
            assert id in selected(rules, Settings(selection=(Layer(select=(selector,)),)))


def test_a_run_that_only_tests_the_plumbing_is_not_blamed_for_being_small() -> None:
    rules = catalogue()
    usual, smoke = selected(rules, Settings()), selected(rules, Settings(intent="smoke"))
    demo = {id for id, rule in rules.items() if "demo" in rule.tags}
    assert {"data/too-few-examples", "schedule/few-steps", "monitoring/never-saved"} <= demo
    assert usual - smoke == demo

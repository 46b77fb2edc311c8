"""`rm -r "$DIR"/…`: what nothing gives a value, and what the script sees to."""

from __future__ import annotations

import pytest

from trainlint.testing import findings

TRAIN = "\ntrl sft --model_name_or_path org/m-7b --dataset_name org/notes --output_dir out\n"


def said(script: str) -> list[str]:
    return [each.severity for each in findings(script + TRAIN) if each.rule == "launch/removes-from-root"]


@pytest.mark.parametrize(
    ("script", "severity"),
    [
        ("A=; rm -r $A/x", "warning"),
        ('A=""; rm -rf "$A"/x', "warning"),
        ('A=""; rm -rf "${A}/"*', "warning"),
        ("A=''; rm -rf $A/*", "warning"),
        ("A=${B:-}; C=$A; A=; rm -rf $A/x", "warning"),
        ("sudo rm -rf $A/x", "note"),
        ("rm --recursive $A/x\nA=out", "warning"),
        ("for i in 1 2; do rm -rf $A/$i; done", "note"),
        ("f() { rm -rf $1/x; }; f $A", "note"),
        ("A=$1; rm -rf $A/x", "note"),
    ],
)
def test_told(script: str, severity: str) -> None:
    assert set(said(script)) == {severity}


@pytest.mark.parametrize(
    "script",
    [
        "A=out; rm -rf $A/x",
        "A=/scratch; rm -rf $A/*",
        "rm -rf $A",
        "rm -rf out/$A/x",
        "rm $A/x",
        "rm -f $A/*.log",
        "rm -rf '$A/x'",
        "rm -rf ${A:?}/x",
        "rm -rf ${A:-out}/x",
        ": ${A:=out}; rm -rf $A/x",
        "set -euo pipefail\nrm -rf $A/x",
        '[ -n "$A" ] && rm -rf $A/x',
        "A=$1; [ $# -eq 1 ] || exit 1; rm -rf $A/x",
        "A=$(mktemp -d); rm -rf $A/x",
        "rm -rf $HOME/x $SLURM_TMPDIR/y",
        "if grep -q x y; then A=; else A=out; fi; rm -rf $A/x",
        'A=; if [ -n "$A" ]; then rm -rf $A/x; fi',
    ],
)
def test_not_told(script: str) -> None:
    assert said(script) == []


def test_what_a_sourced_file_may_set_is_no_slip() -> None:
    slip = "OUTPUT_DIR=out; rm -rf $OUTPUT_DRI/x"
    assert said(slip) == ["warning"]
    assert said("source cluster.sh\n" + slip) != ["warning"]

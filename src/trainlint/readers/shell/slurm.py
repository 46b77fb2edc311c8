"""The variables that Slurm sets for a batch script, as far as its `#SBATCH` lines say what they are.

sbatch(1), "output environment variables". Options of the command line come before those of the script, as anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from trainlint.document import Origin, Part
from trainlint.readers.shell.state import Variable
from trainlint.text import Location

_OPTION = re.compile(r"(--[a-z-]+|-[A-Za-z])(?:[= ]\s*|(?<=-[A-Za-z]))([^\s#]+)")
_NUMBER = re.compile(r"\d+")
_GPUS = re.compile(r"(?:gpu:)?(?:[A-Za-z][\w.-]*:)?(\d+)")
_SET = {
    "--nodes": ("SLURM_NNODES", "SLURM_JOB_NUM_NODES"),
    "-N": ("SLURM_NNODES", "SLURM_JOB_NUM_NODES"),
    "--ntasks": ("SLURM_NTASKS", "SLURM_NPROCS"),
    "-n": ("SLURM_NTASKS", "SLURM_NPROCS"),
    "--ntasks-per-node": ("SLURM_NTASKS_PER_NODE",),
    "--cpus-per-task": ("SLURM_CPUS_PER_TASK",),
    "-c": ("SLURM_CPUS_PER_TASK",),
    "--gpus-per-node": ("SLURM_GPUS_ON_NODE",),
    "--gres": ("SLURM_GPUS_ON_NODE",),
}


def variables(headers: Iterable[tuple[str, Location]]) -> dict[str, Variable]:
    """By name. A range of nodes is no number, and what no line says stays unknown."""
    found: dict[str, Variable] = {}
    for text, at in headers:
        for option, value in _OPTION.findall(text):
            count = (_GPUS if option in ("--gres", "--gpus-per-node") else _NUMBER).fullmatch(value)
            if count and not (option == "--gres" and not value.startswith("gpu:")):
                origin = Origin("environment", f"#SBATCH {text}", at)
                part = Part(count[count.re.groups], origin)
                found |= {name: Variable((part,), exported=True) for name in _SET.get(option, ())}
    return found

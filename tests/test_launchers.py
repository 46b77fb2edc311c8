"""Which program a command starts, with which words, on how many processes."""

from __future__ import annotations

import pytest

from trainlint import readers
from trainlint.dialects.launchers import Started, start
from trainlint.linter import Linter
from trainlint.text import SourceText


def started(script: str) -> Started:
    document = readers.read(SourceText("run.sh", script))
    found = [
        begun
        for invocation in document.invocations
        for command in invocation.alternatives
        if (begun := start(document, command)) is not None
    ]
    return found[-1]


@pytest.mark.parametrize(
    ("script", "launcher", "name", "processes"),
    [
        ("torchrun train.py --a 1", "torchrun", "train.py", 1),
        ("torchrun --nnodes 2 --nproc_per_node 8 train.py", "torchrun", "train.py", 16),
        ("torchrun --nnodes=2 --nproc-per-node=4 src/train.py", "torchrun", "train.py", 8),
        ("torchrun --standalone --nproc_per_node 4 -m pkg.train --x 1", "torchrun", "pkg.train", 4),
        ("torchrun --nnodes 1:1 --nproc_per_node 2 t.py", "torchrun", "t.py", 2),
        ("python -m torch.distributed.run --nproc_per_node 4 t.py", "torchrun", "t.py", 4),
        ("python3 -m torch.distributed.launch --nproc_per_node=2 --master_port 29500 t.py", "torchrun", "t.py", 2),
        ("accelerate launch --num_processes 6 --mixed_precision bf16 t.py", "accelerate", "t.py", 6),
        ("accelerate launch --num_processes=2 --use_deepspeed t.py --bf16", "accelerate", "t.py", 2),
        ("deepspeed --num_gpus 4 t.py --deepspeed ds.json", "deepspeed", "t.py", 4),
        ("deepspeed --num_gpus=4 --num_nodes=2 t.py", "deepspeed", "t.py", 8),
        ("deepspeed --include localhost:1,3,5 --master_port 1 t.py", "deepspeed", "t.py", 3),
        ("deepspeed --include node1:0,1@node2:0,1 t.py", "deepspeed", "t.py", 4),
        ("CUDA_VISIBLE_DEVICES=0 python t.py", "python", "t.py", 1),
        ("export CUDA_VISIBLE_DEVICES=2\npython -u t.py", "python", "t.py", 1),
        ("CUDA_VISIBLE_DEVICES=0,1 deepspeed t.py", "deepspeed", "t.py", 2),
        ("env CUDA_VISIBLE_DEVICES=3 nohup python3.11 t.py &", "python", "t.py", 1),
        ("uv run torchrun --nproc_per_node 2 t.py", "torchrun", "t.py", 2),
        ("srun --ntasks=8 python t.py", "python", "t.py", 8),
        ("srun -l --ntasks 8 --job-name a python t.py", "python", "t.py", 8),
        ("srun -u -N 2 --ntasks-per-node 4 --kill-on-bad-exit python t.py", "python", "t.py", 8),
        (
            "#SBATCH -N2 --gres=gpu:a100:4\nsrun torchrun --nnodes $SLURM_NNODES --nproc_per_node "
            "$SLURM_GPUS_ON_NODE t.py",
            "torchrun",
            "t.py",
            8,
        ),
        (
            "#SBATCH --nodes=4 # four\n#SBATCH --ntasks-per-node 2\nN=$((SLURM_JOB_NUM_NODES * SLURM_NTASKS_PER_NODE))\n"
            "accelerate launch --num_processes $N t.py",
            "accelerate",
            "t.py",
            8,
        ),
        (
            "torchrun --master_addr $ADDR --master_port $PORT --nnodes 1 --nproc_per_node 4 t.py",
            "torchrun",
            "t.py",
            4,
        ),
        ("conda run -n trl --no-capture-output torchrun --nproc_per_node 2 t.py", "torchrun", "t.py", 2),
        ("timeout -k 9 3h deepspeed --num_gpus 4 t.py", "deepspeed", "t.py", 4),
        ("mpirun -np 8 --hostfile hosts -x PATH python t.py", "python", "t.py", 8),
        ("docker run --rm --gpus all -e CUDA_VISIBLE_DEVICES=0 -v $PWD:/w image python t.py", "python", "t.py", 1),
        ('ssh -p 22 node1 "cd /w && torchrun --nproc_per_node 4 t.py"', "torchrun", "t.py", 4),
        ("sbatch --wrap='accelerate launch --num_processes 2 t.py'", "accelerate", "t.py", 2),
        ("torchrun --nproc_per_node 2 $CODE/src/t.py --lr 1", "torchrun", "t.py", 2),
        ("#SBATCH --nodes=2\n#SBATCH --ntasks-per-node=4\nsrun python t.py", "python", "t.py", 8),
    ],
)
def test_world_size_is_what_the_launcher_makes_of_it(script: str, launcher: str, name: str, processes: int) -> None:
    begun = started(script)
    assert (begun.launcher, begun.name) == (launcher, name)
    assert begun.processes.value == processes


def test_what_a_shell_is_told_to_run_is_the_program() -> None:
    begun = started("bash -x gone.sh --learning_rate 1e-4; srun bash scripts/train.sh --lr 1")
    assert (begun.launcher, begun.name, [word.text for word in begun.words]) == ("", "train.sh", ["--lr", "1"])


def test_flags_of_a_shell_script_are_its_own() -> None:
    text = "bash gone.sh --output_dir o --learning_rate 5 --model_name_or_path gpt2 --per_device_train_batch_size 8"
    _, launches = Linter().read(SourceText("run.sh", text))
    assert launches == []


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("torchrun --nproc_per_node gpu t.py", "decided on the machine"),
        ("torchrun --nproc_per_node $NUM_GPUS t.py", "NUM_GPUS"),
        ("torchrun --nnodes 1:4 --nproc_per_node 8 t.py", "may change"),
        ("accelerate launch t.py", "config file"),
        ("accelerate launch --config_file acc.yaml t.py", "config file"),
        ("deepspeed t.py", "every visible GPU"),
        ("deepspeed --include node1@node2 t.py", "whole hosts"),
        ("deepspeed --hostfile hosts --num_gpus 8 t.py", "hostfile"),
        ("python t.py", "every GPU"),
        ("srun python t.py", "srun decides"),
        ("#SBATCH --nodes=2-4\ntorchrun --nnodes $SLURM_NNODES t.py", "SLURM_NNODES"),
        ("#SBATCH --gres=shard:2\ntorchrun --nproc_per_node $SLURM_GPUS_ON_NODE t.py", "SLURM_GPUS_ON_NODE"),
        ("mpirun --hostfile hosts python t.py", "mpirun decides"),
        ("export CUDA_VISIBLE_DEVICES=0\nssh node1 python t.py", "every GPU"),
    ],
)
def test_world_size_is_unknown_with_a_reason_where_the_machine_decides(script: str, reason: str) -> None:
    begun = started(script)
    assert begun.processes.status == "unknown"
    assert reason in begun.processes.reason


@pytest.mark.parametrize(
    ("script", "program"),
    [
        ("conda run -n trl jupyter lab", "conda"),
        ("docker exec --workdir swift train sh", "docker"),
        ("kubectl exec -it trainer-0 -- llamafactory-cli train a.yaml", "llamafactory-cli"),
        ("torchrun ${PREFIX}train.py", ""),
    ],
)
def test_a_name_is_taken_for_a_launch_only_where_one_can_stand(script: str, program: str) -> None:
    assert started(script).name == program


def test_the_words_after_the_program_are_its_own() -> None:
    begun = started("torchrun --nproc_per_node 2 --master_port=1 t.py --nproc_per_node 9 --lr 1e-4")
    assert [word.text for word in begun.words] == ["--nproc_per_node", "9", "--lr", "1e-4"]


def test_an_unresolved_option_list_makes_the_world_size_unknown() -> None:
    begun = started("torchrun $DISTRIBUTED_ARGS t.py --lr 1e-4")
    assert begun.name == "t.py"
    assert begun.processes.status == "unknown"
    assert "DISTRIBUTED_ARGS" in begun.processes.reason


def test_a_known_option_list_is_read() -> None:
    begun = started('ARGS="--nproc_per_node 4 --nnodes 2"\ntorchrun $ARGS t.py')
    assert begun.processes.value == 8

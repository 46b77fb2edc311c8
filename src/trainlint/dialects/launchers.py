"""What starts the training program: torchrun, accelerate, deepspeed, plain python, srun, and the world size they give."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath

from trainlint.dialects.argv import NEGATIVE_NUMBER
from trainlint.dialects.tables import table
from trainlint.document import Command, Document, Origin, Part, Word
from trainlint.facts import Arguments, Fact
from trainlint.text import Location, SourceText

WRAPPERS = frozenset({"nohup", "time", "exec", "command", "env", "sudo", "uv", "poetry", "stdbuf", "nice", "xvfb-run"})
WITH_VALUE = frozenset(
    {
        "--extra",
        "--group",
        "--only-group",
        "--with",
        "--python",
        "-p",
        "--project",
        "--directory",
        "--package",
        "--env-file",
    }
)
"""Options of `uv run` that take a value."""
ELSEWHERE = frozenset({"docker", "podman", "nerdctl", "kubectl", "ssh", "pdsh"})
"""What runs the rest of its words where the script's environment does not hold."""
CARRIERS = ELSEWHERE | {
    *("timeout", "taskset", "ionice", "setsid", "unbuffer", "numactl", "nsys", "mpirun", "mpiexec"),
    *("conda", "mamba", "micromamba", "pixi", "pdm", "pipenv", "hatch", "singularity", "apptainer", "enroot"),
}
"""What runs the rest of its words, after options and names of its own."""
CONSOLES = frozenset({"axolotl", "composer", "litgpt", "llamafactory-cli", "swift", "trl", "tune"})
NAMING = re.compile(r"-[A-Za-z]|--(name|prefix|env|container|context|namespace|user|workdir|volume)")
"""Options of carriers whose value is a name, often that of the framework: `conda run -n trl`."""
PYTHON = re.compile(r"python(\d+(\.\d+)?)?$")
SHELL = re.compile(r"(ba|z|da|k)?sh$")


@dataclass(frozen=True)
class Started:
    """A training program as a launcher starts it.

    `program` is the script's path, module or console command, `name` its last component, `words` its own arguments.
    `processes` gives the number of processes (one per GPU) as a fact, from the launcher's options and the environment.
    """

    launcher: str
    program: Word
    words: tuple[Word, ...]
    processes: Fact
    visible_devices: Fact
    command: Command
    settings: Arguments | None = None
    """What `accelerate launch` is told by its options and its configuration file; None for other launchers."""

    @property
    def name(self) -> str:
        """`run_clm.py` for `$CODE/run_clm.py`; `trl.scripts.sft` for `-m trl.scripts.sft`; empty where nobody can tell."""
        known = self.program.known_suffix
        return PurePosixPath(known).name if self.program.text is not None or "/" in known else ""


def start(document: Document, command: Command) -> Started | None:
    """The program that a command starts, or None when it starts none that can be told."""
    words = list(command.words)
    environment = dict(command.environment)
    nodes: Fact | None = None
    while words:
        name = _base(words[0])
        if name in CARRIERS and (at := _carried(words)):
            if name in ("mpirun", "mpiexec"):
                nodes = _ranks(words[:at])
            if name in ELSEWHERE:
                environment = _handed_over(words[:at])
            words = words[at:]
        elif name in WRAPPERS:
            words = _skip_wrapper(words, environment)
        elif name == "ray" and any(word.text == "--" for word in words):
            # `ray job submit … -- command`
            words = words[next(i for i, word in enumerate(words) if word.text == "--") + 1 :]
        elif name in ("srun", "sbatch"):
            nodes, words = _srun(document, words)
        elif SHELL.match(name) and len(words) > 1 and not words[1].known_prefix.startswith("-"):
            words = words[1:]
        else:
            break
    if not words or words[0].known_prefix.startswith("-"):
        return None  # flags that a broken continuation has cut off
    visible = _visible(document.source, environment)
    launcher = _LAUNCHERS.get(_base(words[0]))
    if launcher is None and PYTHON.match(_base(words[0])):
        launcher = _python
    if launcher is None:
        return Started("", words[0], tuple(words[1:]), nodes or _alone(visible), visible, command)
    started = launcher(document.source, words, visible, environment)
    if started is None:
        return None
    kind, program, rest, processes = started
    if nodes is not None and kind == "python":
        processes = nodes
    return Started(kind, program, tuple(rest), processes, visible, command)


def _base(word: Word) -> str:
    return PurePosixPath(word.text or "").name


def _skip_wrapper(words: list[Word], environment: dict[str, Word]) -> list[Word]:
    name, rest = _base(words[0]), words[1:]
    if name in ("uv", "poetry") and rest and rest[0].text == "run":
        rest = rest[1:]
    while rest:
        text = rest[0].text or ""
        key, equals, _ = rest[0].known_prefix.partition("=")
        if name == "env" and equals and key.isidentifier():
            environment[key] = rest[0].after(len(key) + 1)
        elif name in ("uv", "poetry") and text in WITH_VALUE:
            rest = rest[1:]
        elif not (text.startswith("-") or (name == "nice" and text.isdigit())):
            break
        rest = rest[1:]
    return rest


def _carried(words: list[Word]) -> int:
    """Where the launch begins that a carrier carries; 0 if none is seen."""
    starts = [_base(word) in _LAUNCHERS.keys() | CONSOLES or PYTHON.match(_base(word)) for word in words]
    for at in range(1, len(words)):
        named = NAMING.fullmatch(words[at - 1].text or "")
        if starts[at] and not named and not any(starts[at + 1 : at + 2]):
            return at
    return 0


def _ranks(words: list[Word]) -> Fact:
    for option, value in pairwise(words):
        if option.text in ("-np", "-n", "--np", "-c"):
            return counted("np", value)
    return _unknown("world_size", "mpirun decides the number of processes")


def _handed_over(words: list[Word]) -> dict[str, Word]:
    """The variables that a container gets: `-e NAME=VALUE`."""
    given: dict[str, Word] = {}
    for option, value in pairwise(words):
        name, equals, _ = value.known_prefix.partition("=")
        if option.text in ("-e", "--env") and equals:
            given[name] = value.after(len(name) + 1)
    return given


# ------------------------------------------------------------------------------------------------ options, world size

Opened = tuple[str, Word, list[Word], Fact]
Opener = Callable[[SourceText, list[Word], Fact, dict[str, Word]], Opened | None]


class Options:
    """A launcher's own options, read from the front of its words up to the program."""

    def __init__(self, package: str, words: Sequence[Word]) -> None:
        arity = {name.replace("_", "-"): option["values"] for name, option in table(package)["options"].items()}
        self.given: dict[str, Word] = {}
        self.open: str | None = None
        rest = list(words)
        while rest:
            word = rest[0]
            if word.text is None and not word.known_prefix.startswith("-"):
                if not word.several:
                    break
                self.open = self.open or word.unknown
                rest.pop(0)
                continue
            name, equals, _ = word.known_prefix.partition("=")
            if not name.startswith("-") or NEGATIVE_NUMBER.match(name):
                break
            rest.pop(0)
            key = name.replace("_", "-")
            if equals:
                self.given[key] = word.after(len(name) + 1)
                continue
            values = arity.get(key, 0)
            if values and rest:
                self.given[key] = rest.pop(0)  # `--master_addr $ADDR`: one word, as its author means it
            else:
                self.given[key] = word
        self.rest = rest

    def __contains__(self, name: str) -> bool:
        return name in self.given

    def number(self, *names: str, default: int | None = None, absent: str = "") -> Fact:
        """An integer option as a fact; `absent` says why nobody knows it when it is not given and has no default."""
        label = names[0].lstrip("-")
        for name in names:
            word = self.given.get(name)
            if word is not None:
                return counted(label, word)
        if self.open is not None:
            return _unknown(label, self.open)
        if default is None:
            return _unknown(label, absent)
        return Fact(label, default, "default", Origin("framework-default", f"the launcher's default, {default}"))


def counted(label: str, word: Word) -> Fact:
    text = word.text
    if text is None:
        return _unknown(label, word.unknown or "", word.origin)
    first = text.partition(":")[0]
    if ":" in text and text.partition(":")[2] != first:
        return _unknown(label, f"the number of nodes may change while it runs ({text})", word.origin)
    if not first.isdigit():
        return _unknown(label, f"{text!r} is decided on the machine that runs it", word.origin)
    return Fact(label, int(first), "known", word.origin)


def _unknown(label: str, reason: str, origin: Origin | None = None, missing: str = "world_size") -> Fact:
    return Fact(label, None, "unknown", origin or Origin("computed", reason), reason, missing)


def product(one: Fact, other: Fact) -> Fact:
    for fact in (one, other):
        if not fact.known:
            return fact
    if other.value == 1:
        return one
    if one.value == 1:
        return other
    said = f"{one.name} {one.value} × {other.name} {other.value}"
    origin = Origin("computed", said, None, (one.origin, other.origin))
    return Fact("world_size", one.value * other.value, "known", origin, reads=(one, other))


def _visible(source: SourceText, environment: dict[str, Word]) -> Fact:
    word = environment.get("CUDA_VISIBLE_DEVICES")
    if word is None:
        reason = "CUDA_VISIBLE_DEVICES is not set: every GPU of the machine is visible"
        return _unknown("visible_devices", reason, missing="visible_devices")
    if word.text is None:
        return _unknown("visible_devices", word.unknown or "", word.origin, "visible_devices")
    devices = [device for device in word.text.split(",") if device.strip() and device.strip() != "-1"]
    return Fact("visible_devices", len(devices), "known", word.origin)


def _alone(visible: Fact) -> Fact:
    """One process. Where several GPUs may be visible the trainer decides what to do with them, so nobody can tell."""
    if visible.known and visible.value <= 1:
        return Fact("world_size", 1, "known", visible.origin)
    if visible.known:
        return Fact("world_size", visible.value, "known", visible.origin, confidence="medium", reads=(visible,))
    return _unknown("world_size", "plain python uses every GPU that is visible")


def _torchrun(source: SourceText, words: list[Word], visible: Fact, environment: dict[str, Word]) -> Opened | None:
    options = Options("torchrun", words[1:])
    program, rest = _program(options, "-m" in options or "--module" in options)
    return None if program is None else ("torchrun", program, rest, torchrun_processes(options))


def torchrun_processes(options: Options) -> Fact:
    """What torchrun's options make of the number of processes; `tune run` takes the same ones."""
    return product(options.number("--nproc-per-node", default=1), options.number("--nnodes", default=1))


def _accelerate(source: SourceText, words: list[Word], visible: Fact, environment: dict[str, Word]) -> Opened | None:
    if len(words) < 2 or words[1].text != "launch":
        return None
    options = Options("accelerate", words[2:])
    absent = "accelerate takes it from its config file, or uses every GPU"
    processes = options.number("--num-processes", "-n", absent=absent)
    program, rest = _program(options, "-m" in options or "--module" in options)
    return None if program is None else ("accelerate", program, rest, processes)


def _deepspeed(source: SourceText, words: list[Word], visible: Fact, environment: dict[str, Word]) -> Opened | None:
    options = Options("deepspeed_launcher", words[1:])
    include = options.given.get("--include") or options.given.get("-i")
    if include is not None and include.text is not None:
        slots = [slot for host in include.text.split("@") for slot in host.partition(":")[2].split(",") if slot]
        whole = all(":" in host for host in include.text.split("@"))
        per_node = (
            Fact("--include", len(slots), "known", include.origin)
            if whole
            else _unknown("--include", f"--include {include.text} names whole hosts", include.origin)
        )
        nodes = Fact("nodes", 1, "default", Origin("computed", ""))
    else:
        # deepspeed ignores CUDA_VISIBLE_DEVICES only where --include is given; else it limits the local devices
        per_node = options.number("--num-gpus", absent="deepspeed starts one process on every visible GPU")
        if "--num-gpus" not in options and options.open is None and visible.known and "--hostfile" not in options:
            per_node = visible
        nodes = options.number("--num-nodes", default=1)
        if "--hostfile" in options and "--num-nodes" not in options:
            nodes = _unknown("nodes", "the hostfile decides the number of nodes", options.given["--hostfile"].origin)
    program, rest = _program(options, "--module" in options)
    return None if program is None else ("deepspeed", program, rest, product(per_node, nodes))


def _python(source: SourceText, words: list[Word], visible: Fact, environment: dict[str, Word]) -> Opened | None:
    rest = words[1:]
    while rest and (rest[0].text or "").startswith("-") and rest[0].text not in ("-m", "-c"):
        takes_value = rest[0].text in ("-W", "-X")
        rest = rest[2 if takes_value else 1 :]
    if not rest or rest[0].text == "-c":
        return None
    if rest[0].text == "-m":
        if len(rest) < 2:
            return None
        module = rest[1].text
        alias = {"torch.distributed.run": _torchrun, "torch.distributed.launch": _torchrun,
                 "accelerate.commands.launch": _accelerate_module, "deepspeed.launcher.runner": _deepspeed}  # fmt: skip
        if module in alias:
            return alias[module](source, rest[1:], visible, environment)
        return "python", rest[1], rest[2:], _alone(visible)
    return "python", rest[0], rest[1:], _alone(visible)


def _accelerate_module(
    source: SourceText, words: list[Word], visible: Fact, environment: dict[str, Word]
) -> Opened | None:
    launch = Word((Part("launch", Origin("literal", "launch")),), words[0].span)
    return _accelerate(source, [words[0], launch, *words[1:]], visible, environment)


def _program(options: Options, module: bool) -> tuple[Word | None, list[Word]]:
    """The script after the launcher's options; `-m module` when the launcher read the module as its value."""
    for name in ("-m", "--module"):
        word = options.given.get(name)
        if module and word is not None and word.text not in (name, None):
            return word, options.rest
    if not options.rest:
        return None, []
    return options.rest[0], options.rest[1:]


SRUN_SWITCHES = "EHKOQXZksluv"
SRUN_VALUES = frozenset(
    {"account", "chdir", "constraint", "container-image", "container-mounts", "container-name", "container-workdir",
     "cpu-bind", "cpus-per-gpu", "cpus-per-task", "error", "exclude", "export", "gpus", "gpus-per-node", "gpus-per-task",
     "gres", "input", "jobid", "job-name", "mem", "mpi", "nodelist", "nodes", "ntasks", "ntasks-per-node", "output",
     "partition", "qos", "reservation", "signal", "time"}
)  # fmt: skip
"""srun's short options without a value, and its long ones that take the next word for theirs."""


def _srun(document: Document, words: list[Word]) -> tuple[Fact | None, list[Word]]:
    """srun's own options are skipped; the number of tasks comes from them or from the `#SBATCH` header."""
    header = {}
    for text, at in document.headers:
        for key, value in re.findall(r"--?([A-Za-z][\w-]*)(?:[= ]+([^\s#]+))?", text):
            header[key] = (value, at)
    rest = words[1:]
    own: dict[str, Word] = {}
    while rest and (rest[0].known_prefix or "").startswith("-"):
        word = rest.pop(0)
        name, equals, _ = word.known_prefix.partition("=")
        if equals:
            own[name.lstrip("-")] = word.after(len(name) + 1)
        elif rest and ((re.fullmatch(r"-[A-Za-z]", name) and name[1] not in SRUN_SWITCHES) or name[2:] in SRUN_VALUES):
            own[name.lstrip("-")] = rest.pop(0)

    def count(*names: str) -> Fact | None:
        for name in names:
            if name in own:
                return counted(name, own[name])
            value, at = header.get(name, ("", None))
            if value.isdigit():
                return Fact(name, int(value), "known", Origin("literal", f"#SBATCH {name} {value}", at))
        return None

    tasks = count("ntasks", "n")
    if tasks is None:
        per_node, nodes = count("ntasks-per-node"), count("nodes", "N")
        if per_node is not None and nodes is not None:
            tasks = product(per_node, nodes)
    return tasks or _unknown("world_size", "srun decides the number of tasks"), rest


_LAUNCHERS: dict[str, Opener] = {
    "torchrun": _torchrun,
    "accelerate": _accelerate,
    "deepspeed": _deepspeed,
    "ds": _deepspeed,
}


def place(source: SourceText, started: Started) -> Location:
    """Where a finding about the launch as such points: the program's own word."""
    return Location(source, started.program.span)

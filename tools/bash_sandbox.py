"""Runs a script with the real bash where it can do no harm, and says which commands it would have started.

The script runs in namespaces of its own (user, mount, network, process, host name), in a root directory that holds nothing
but bash, some text tools and an overlay of the script's project; what it writes goes into a small memory file system that
ends with it. Every other command is a stub that notes its words and succeeds, `cd` makes what it does not find, and `set -e` and
`set -u` do not hold. Nothing is installed, reached or left behind.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

_TOOLS = (
    *(
        "awk",
        "basename",
        "bc",
        "cat",
        "chmod",
        "cp",
        "cut",
        "date",
        "dirname",
        "expr",
        "find",
        "grep",
        "head",
        "ls",
        "mkdir",
    ),
    *(
        "mktemp",
        "mv",
        "paste",
        "printf",
        "pwd",
        "readlink",
        "realpath",
        "rm",
        "rmdir",
        "sed",
        "seq",
        "sleep",
        "sort",
        "tail",
    ),
    *("tee", "timeout", "touch", "tr", "uniq", "wc", "xargs"),
)
"""What runs for real, because its output becomes part of other commands. None of it can leave the namespaces."""

_STUBS = r"""
command_not_found_handle() {
    [[ $0 == "$BASH_SANDBOX_SCRIPT" || $0 != */* && $0 != *.sh ]] &&
        { printf '%s\0' "$@"; printf '\1\0'; } >> /noted/commands
    while (( $# )); do
        [[ $1 == *bash || $1 == sh ]] && [[ $2 == -*c ]] && { "$@"; return; }
        shift
    done
    return 0
}
sleep() { :; }
timeout() { shift; "$@"; }
cd() {
    builtin cd "$@" 2> /dev/null && return
    mkdir -p "${!#}" 2> /dev/null && builtin cd "$@"
}
trap 'set +eu' DEBUG # what is missing here only because it is no cluster does not end the script
"""

_ENTER = r"""
set -e
mount -t tmpfs -o size=64m none "$1"
mkdir "$1"/{upper,scratch,root,above,aside}
mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/scratch" none "$1/root"
mount -t overlay -o "lowerdir=$3,upperdir=$1/above,workdir=$1/aside" none "$1/root/project"
mount --bind /dev/null "$1/root/dev/null"
mount -t proc none "$1/root/proc" # of the new process namespace: /dev/fd is there, and nothing of the machine
cd "$1/root"
exec /usr/sbin/chroot . /bin/bash -c "${@:4}"
"""

_RUN = r"""
PATH=/bin
ulimit -t 5 -f 20000 -u 4000 -c 0
/env -i PATH=/bin HOME=/root USER=user LC_ALL=C.UTF-8 BASH_ENV=/stubs.sh BASH_SANDBOX_SCRIPT="$2" \
    timeout -k 1 8 bash -c 'builtin cd "$1" && exec bash "${@:2}"' - "/project/$1" "${@:2}" > /dev/null 2>&1 < /dev/null
(( $? == 124 || $? == 137 )) && exit 3
sleep 0.03
[[ -f noted/commands ]] && head -c 20000000 noted/commands
exit 0
"""


class Unavailable(Exception):
    """This machine lets nobody make the namespaces, so nothing is run."""


class Late(Exception):
    """The script did not end in time."""


class Sandbox:
    """`directory` is empty and ours; the roots of all runs are made there."""

    def __init__(self, directory: Path) -> None:
        self._root, self._mount = directory / "template", directory / "run"
        for name in ("bin", "dev", "noted", "proc", "project", "root", "tmp"):
            (self._root / name).mkdir(parents=True)
        (self._root / "dev" / "fd").symlink_to("/proc/self/fd")
        (self._root / "dev" / "null").touch()
        (self._root / "stubs.sh").write_text(_STUBS)
        self._mount.mkdir()
        for name in ["bash", *_TOOLS]:
            if found := shutil.which(name):
                self._install(Path(found))
        shutil.copy(shutil.which("env") or "/usr/bin/env", self._root / "env")  # `env X=1 launch` is a stub's business
        shell = self._root / "bin" / "sh"  # as bash, so that the stubs hold there, too
        shell.write_text('#!/bin/bash\nexec /bin/bash "$@"\n')
        shell.chmod(0o755)

    def _install(self, program: Path) -> None:
        shutil.copy(program, self._root / "bin" / program.name)
        said = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"(/\S+) \(0x", said):
            target = self._root / library.lstrip("/")
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(library, target)

    def commands(self, project: Path, script: Path, arguments: tuple[str, ...] = ()) -> list[list[str]]:
        """The words of each command that the script starts from its own directory. Raises `Late`, `Unavailable`."""
        folder = script.parent.relative_to(project)
        spaces = ["--user", "--map-root-user", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
        call = ["-", str(folder), script.name, *arguments]
        run = subprocess.run(
            ["unshare", *spaces, "bash", "-c", _ENTER, "-", self._mount, self._root, project.resolve(), _RUN, *call],
            capture_output=True,
            check=False,
            timeout=30,
        )
        if run.returncode == 3:
            raise Late
        if run.returncode:
            raise Unavailable(os.fsdecode(run.stderr).strip())
        words = os.fsdecode(run.stdout).split("\0")[:-1]
        found: list[list[str]] = [[]]
        for word in words:
            if word == "\1":
                found.append([])
            else:
                found[-1].append(word)
        return [command for command in found if command]

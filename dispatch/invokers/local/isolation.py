"""A `/tmp` and an `/opt` of a function's own, by user and mount namespaces, where the kernel and the paths allow it.

The runtime is started through util-linux' `unshare`: still one process, with the same id, so ending it works as ever.
Not possible when something the function needs stands under the directories that would be covered.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from .launch import Command, LaunchRefused
from .spec import FunctionSpec
from .temporary import OPT

COVERED = (Path("/tmp"), Path("/opt"))  # noqa: S108 - the directories that AWS gives to functions
SCRIPT = 'mount --bind "$1" /tmp; [ -z "$2" ] || mount --bind "$2" /opt; shift 2; exec "$@"'
UNSHARE = ("unshare", "--user", "--map-current-user", "--keep-caps", "--mount")


def isolated(command: Command, spec: FunctionSpec, temporary: Path) -> Command | LaunchRefused:
    """The command in namespaces of its own, or as it is."""
    if spec.isolation == "env":
        return command
    obstacle = _obstacle(command, spec)
    if obstacle:
        return (
            command if spec.isolation == "auto" else LaunchRefused(f"isolation: namespace is not possible: {obstacle}")
        )
    opt = str(_merged(spec, temporary)) if spec.layers else ""
    argv = (*UNSHARE, "sh", "-ec", SCRIPT, "sh", str(temporary), opt, *command.argv)
    return replace(command, argv=argv, variables={**command.variables, "TMPDIR": "/tmp"})  # noqa: S108 - the function's own


def _obstacle(command: Command, spec: FunctionSpec) -> str:
    if not supported():
        return "this machine gives no user and mount namespaces to us"
    needed = [spec.code, spec.scratch, *(Path(word) for word in command.argv if word.startswith("/"))]
    for path in needed:
        for top in COVERED if spec.layers else COVERED[:1]:
            if path.resolve().is_relative_to(top) or path.is_relative_to(top):
                return f"{path} would be hidden by the function's own {top}"
    return ""


@functools.cache
def supported() -> bool:
    """Whether an unprivileged bind mount works here."""
    if shutil.which(UNSHARE[0]) is None:
        return False
    test = [*UNSHARE, "sh", "-ec", "mount --bind /usr /tmp"]
    return subprocess.run(test, capture_output=True, check=False).returncode == 0


def _merged(spec: FunctionSpec, temporary: Path) -> Path:
    """The layers as one tree; a later layer overwrites what an earlier one has at the same path."""
    opt = temporary.with_name(temporary.name + OPT)
    for layer in spec.layers:
        shutil.copytree(layer, opt, symlinks=True, dirs_exist_ok=True)
    return opt

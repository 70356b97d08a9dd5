"""A `/tmp` and an `/opt` of a function's own, and stored code that it cannot write, by user and mount namespaces.

The runtime is started through util-linux' `unshare`: still one process, with the same id, so ending it works as ever.
What it needs below the directories that are covered (its code, its interpreter, our own files) is put into the new ones
first, each under its path. Where the kernel gives no namespaces, stored code is copied for each environment.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from . import temporary
from .core import covered
from .core.covered import entry_below, is_covered
from .spec import FunctionSpec
from .start_command import Command, LaunchRefused

TMP, OPT = Path(covered.TMP), Path(covered.OPT)

UNSHARE = ("unshare", "--user", "--map-current-user", "--keep-caps", "--mount")
SCRIPT = """
    headrace_tmp=$1 headrace_opt=$2 headrace_opt_options=$3 headrace_code=$4 headrace_options=$5
    shift 5
    while [ "$1" != -- ]; do mount --rbind "$1" "$2"; shift 2; done
    shift
    [ -z "$headrace_opt" ] || mount --rbind "$headrace_opt" /opt
    [ -z "$headrace_opt_options" ] || mount -o "remount,bind,$headrace_opt_options" /opt
    mount --rbind "$headrace_tmp" /tmp
    if [ -n "$headrace_options" ]; then
        mount --bind "$headrace_code" "$headrace_code"
        mount -o "remount,bind,$headrace_options" "$headrace_code"
    fi
    cd "$headrace_code"
    unset OLDPWD
    exec "$@"
"""
"""Leaves the variables of the environment as they are, whatever they are called."""
KEPT = {
    getattr(os, f"ST_{name.upper()}"): name
    for name in ("nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime")
    if hasattr(os, f"ST_{name.upper()}")  # not on every system
}
"""The flags that a mount in a namespace of one's own must keep from the mount that it shows."""
SITES = ".sites"
"""Directory of a directory of links."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The parts from which an environment is started."""

    command: Command
    spec: FunctionSpec
    """Its code may be a copy for this environment."""
    opt: str = ""
    """Where its process finds the layers as one tree; empty where each lies under a path of its own."""


@dataclass(frozen=True, slots=True)
class Mount:
    source: Path
    target: Path


def prepared(command: Command, spec: FunctionSpec, directory: Path) -> Prepared | LaunchRefused:
    """The command in namespaces of its own, or as it is; `directory` is the environment's temporary one."""
    if spec.isolation == "env":
        return _with_own_code(command, spec, directory)
    obstacle = _obstacle(command, spec)
    if not obstacle:
        return _isolated(command, spec, directory)
    if spec.isolation == "namespace":
        return LaunchRefused(f"isolation: namespace is not possible: {obstacle}")
    return _with_own_code(command, spec, directory)


def _isolated(command: Command, spec: FunctionSpec, directory: Path) -> Prepared:
    mounts = [*_behind_links(command.links, directory.with_name(directory.name + temporary.LINKS))]
    mounts += _mounts(_needed(command, spec), TMP, directory)
    opt, below = _opt(command, spec, directory)
    mounts += below
    options = _read_only(spec.code) if spec.read_only else ""
    opt_options = _read_only(opt) if spec.uploaded and opt is not None else ""
    pairs = [str(path) for mount in mounts for path in (mount.source, mount.target)]
    moved = relocated(command, dict.fromkeys(spec.layers, OPT))
    words = (str(directory), str(opt or ""), opt_options, str(spec.code), options, *pairs, "--", *moved.argv)
    variables = {**moved.variables, "TMPDIR": str(TMP)}
    ready = replace(moved, argv=(*UNSHARE, "sh", "-ec", SCRIPT, "sh", *words), variables=variables)
    return Prepared(ready, spec, "" if opt is None else str(OPT))


def _opt(command: Command, spec: FunctionSpec, directory: Path) -> tuple[Path | None, list[Mount]]:
    """The directory for /opt, and the mounts into it. A single stored layer needs no copy: nobody can write it."""
    if not spec.layers:
        return None, []
    kept = [*_needed(command, spec), *_search_path(spec)]
    below = [entry for path in kept if (entry := entry_below(OPT, path)) is not None and entry.exists()]
    if spec.uploaded and len(spec.layers) == 1 and not below:
        return spec.layers[0], []
    opt = _merged(spec, directory)
    return opt, list(_mounts(kept, OPT, opt))


def _obstacle(command: Command, spec: FunctionSpec) -> str:
    if not supported():
        return "this machine does not allow user and mount namespaces"
    for path in _needed(command, spec):
        for top in (TMP, OPT) if spec.layers else (TMP,):
            entry = entry_below(top, path)
            if entry == top:
                return f"{path} would be hidden by the function's own {top}: move it into a directory of its own"
            if top == TMP or entry is None or not entry.exists():  # what is not there is meant to come from a layer
                continue
            if any((layer / entry.name).exists() for layer in spec.layers):
                return f"{path} would be hidden by a layer's files in {entry}"
    return ""


def _needed(command: Command, spec: FunctionSpec) -> list[Path]:
    """The files that must stay visible under their paths; links are followed too."""
    paths = [path for word in command.argv for path in word.split(os.pathsep)]  # a class path has several
    paths += [interpreter for program in command.argv[:1] if (interpreter := _interpreter_of(program))]
    named = [spec.code, spec.scratch, *(Path(path) for path in paths if path.startswith("/"))]
    return [each for path in named for each in (path, path.resolve())]


def _interpreter_of(program: str) -> str:
    """The interpreter that the first line of a script names; empty for another file."""
    try:
        with open(program, "rb") as file:
            first = file.readline(1024)
    except OSError:
        return ""
    words = first[2:].split() if first[:2] == b"#!" else []
    return os.fsdecode(words[0]) if words else ""


def _search_path(spec: FunctionSpec) -> Iterator[Path]:
    """Programs stay where they are, beside those of layers."""
    path = spec.environment.get("PATH", os.environ.get("PATH", os.defpath))
    yield from (Path(each) for each in path.split(os.pathsep) if each.startswith("/") and Path(each).is_dir())


def _mounts(paths: Iterable[Path], top: Path, new: Path) -> Iterator[Mount]:
    """The mounts that put them into `new`, which will be at `top`; the places for them are made."""
    entries = {entry for path in paths if (entry := entry_below(top, path)) not in (None, top)}
    for entry in sorted(entry for entry in entries if entry is not None):
        place = new / entry.name
        if place.exists() or not entry.exists():
            continue
        if entry.is_symlink():
            place.symlink_to(os.readlink(entry))
            continue
        if entry.is_dir():
            place.mkdir()
        else:
            place.touch()
        yield Mount(entry, place)


def _behind_links(links: Path | None, new: Path) -> Iterator[Mount]:
    """The mounts that let a directory of links lead to the files that /tmp and /opt hide: `new` takes its place, and
    the neighbours of the targets are put into it."""
    targets = {} if links is None else {link.name: link.resolve() for link in links.iterdir()}
    if links is None or not any(is_covered(target) for target in targets.values()):
        return
    yield Mount(new, links)
    sites = sorted({target.parent for target in targets.values() if is_covered(target)})
    places = {site: Path(SITES, str(number)) for number, site in enumerate(sites)}
    for site, place in places.items():
        (new / place).mkdir(parents=True)
        yield Mount(site, links / place)
    for name, target in targets.items():
        (new / name).symlink_to(places[target.parent] / target.name if is_covered(target) else target)


def _read_only(code: Path) -> str:
    flags = os.statvfs(code).f_flag
    return ",".join(["ro", *(name for flag, name in KEPT.items() if flags & flag)])


def _with_own_code(command: Command, spec: FunctionSpec, directory: Path) -> Prepared:
    """Without namespaces a process could write to shared code and layers, so it gets a copy of them."""
    places: dict[Path, Path] = {}
    code, opt = spec.code, ""
    if spec.read_only:
        code = directory.with_name(directory.name + temporary.CODE)
        shutil.copytree(spec.code, code, symlinks=True)
        places[spec.code] = code
    if spec.uploaded and spec.layers:
        opt = str(_merged(spec, directory))
        places |= dict.fromkeys(spec.layers, Path(opt))
    return Prepared(_wrapped(relocated(command, places), opt), replace(spec, code=code), opt)


def _wrapped(command: Command, opt: str) -> Command:
    """With the function's wrapper where the layers are, if it is meant to come from one."""
    wrapper, *words = command.argv
    inside = Path(wrapper).is_relative_to(OPT) and not os.path.exists(wrapper)
    if not (command.wrapped and opt and inside):
        return command
    return replace(command, argv=(os.path.join(opt, Path(wrapper).relative_to(OPT)), *words))


def relocated(command: Command, places: Mapping[Path, Path]) -> Command:
    """The command with the keys of `places`, and what lies below them, below their values: in its words, which may hold
    several paths, and in its variables."""
    if not places:
        return command
    known = {str(old): str(new) for old, new in places.items()}
    longest_first = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
    path = re.compile(rf"(?<![\w./-])(?:{longest_first})(?![\w.-])")

    def moved(text: str) -> str:
        return path.sub(lambda found: known[found[0]], text)

    def listed(value: str) -> str:
        """Layers become one directory: each path of a list stands there once."""
        after = moved(value)
        return value if after == value else os.pathsep.join(dict.fromkeys(after.split(os.pathsep)))

    variables = {name: listed(value) for name, value in command.variables.items()}
    return replace(command, argv=tuple(map(moved, command.argv)), variables=variables)


@functools.cache
def supported() -> bool:
    """Whether an unprivileged bind mount works here, a read-only one too."""
    if shutil.which(UNSHARE[0]) is None:
        return False
    test = [*UNSHARE, "sh", "-ec", f"mount --bind /usr /tmp; mount -o remount,bind,{_read_only(Path('/usr'))} /tmp"]
    return subprocess.run(test, capture_output=True, check=False).returncode == 0


def _merged(spec: FunctionSpec, directory: Path) -> Path:
    """The layers as one tree; a later layer overwrites what an earlier one has at the same path."""
    opt = directory.with_name(directory.name + temporary.OPT)
    for layer in spec.layers:
        shutil.copytree(layer, opt, symlinks=True, dirs_exist_ok=True)
    return opt

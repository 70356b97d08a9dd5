"""Lists the Pythons and the Node.js of this machine: on PATH, and where uv, pyenv, nvm, fnm, asdf, mise and Homebrew
put them. Looks at directories; of the programs only a `node` on PATH is asked which version it is. Which one is tried
first, `core/candidates.py` says. Used in threads, by the plans of Python and Node.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import interpreters
from .core.candidates import FoundProgram, release
from .interpreters import NodeVersion

PYTHON = re.compile(r"python3\.(\d{1,2})")
NODE = re.compile(r"node-?(\d{2})")
"""So distributions name one Node.js beside others: `node-22`, `node22`."""
MANAGED = 1000
"""The number of the first place behind PATH: no PATH has as many directories."""
OWN = -1
"""The number of the place of Headrace's own interpreter."""


@dataclass(frozen=True, slots=True)
class _Versions:
    """A directory in which each version has a directory of its own, and the programs below that."""

    root: Path
    programs: str


def pythons(environ: Mapping[str, str] = os.environ) -> list[FoundProgram]:
    """Every Python 3 with its minor version."""
    own = FoundProgram(str(getattr(sys, "_base_executable", sys.executable)), sys.version_info.minor, OWN)
    named = [
        FoundProgram(path, minor, place)
        for place, directory in enumerate(_path(environ))
        for name, minor in _numbered(directory, PYTHON)
        if (path := _program(directory, name))
    ]
    managed = [
        FoundProgram(path, version[1], place, version)
        for place, version, home in _versions_in(_homes_of_python(environ))
        if version[0] == 3 and len(version) > 1 and (path := _program(home, f"python3.{version[1]}"))
    ]
    return [own, *named, *managed]


def nodes(environ: Mapping[str, str] = os.environ) -> list[FoundProgram]:
    """Every Node.js with its major version. A `node` on PATH that does not say its version is left out."""
    named = [
        FoundProgram(path, major, place)
        for place, directory in enumerate(_path(environ))
        for major, path in _named_nodes(directory)
    ]
    managed = [
        FoundProgram(path, version[0], place, version)
        for place, version, home in _versions_in(_homes_of_node(environ))
        if (path := _program(home, "node"))
    ]
    return [*named, *managed]


def _named_nodes(directory: str) -> Iterator[tuple[int, str]]:
    path = _program(directory, "node")
    if path and isinstance(said := interpreters.node(path), NodeVersion):
        yield said.major, path
    for name, major in _numbered(directory, NODE):
        if path := _program(directory, name):
            yield major, path


def _numbered(directory: str, form: re.Pattern[str]) -> list[tuple[str, int]]:
    """The names of that form, with the number in them."""
    return [(name, int(match[1])) for name in _names(directory) if (match := form.fullmatch(name))]


def _names(directory: str) -> tuple[str, ...]:
    try:
        return _listed(directory, os.stat(directory).st_mtime_ns)
    except OSError:
        return ()


@functools.lru_cache(maxsize=64)
def _listed(directory: str, changed: int) -> tuple[str, ...]:
    """Once for each change of the directory: a hundred functions ask for the same few."""
    return tuple(sorted(os.listdir(directory)))


def _path(environ: Mapping[str, str]) -> list[str]:
    """Without the directories of shims: what a shim starts depends on the directory in which it is started, which is
    the function's. The programs themselves are found where they lie."""
    home, data = _home(environ), _data(environ)
    managers = (
        _given(environ, "PYENV_ROOT") or home / ".pyenv",
        _given(environ, "ASDF_DATA_DIR") or home / ".asdf",
        _given(environ, "MISE_DATA_DIR") or data / "mise",
    )
    shims = {str(each / "shims") for each in managers}
    return [each for each in os.get_exec_path(environ) if each not in shims]


def _program(directory: str | Path, name: str) -> str:
    """The path of an executable file; empty where there is none."""
    path = os.path.join(directory, name)
    return path if os.path.isfile(path) and os.access(path, os.X_OK) else ""


# --- where version managers put them --------------------------------------------------------------------------------


def _versions_in(places: Iterator[_Versions]) -> Iterator[tuple[int, tuple[int, ...], Path]]:
    """Number of the place, version, and the directory of its programs."""
    for number, place in enumerate(places, start=MANAGED):
        for name in _names(str(place.root)):
            if version := release(name):
                yield number, version, place.root / name / place.programs


def _homes_of_python(environ: Mapping[str, str]) -> Iterator[_Versions]:
    home, data = _home(environ), _data(environ)
    yield _Versions(_given(environ, "UV_PYTHON_INSTALL_DIR") or data / "uv" / "python", "bin")
    yield _Versions((_given(environ, "PYENV_ROOT") or home / ".pyenv") / "versions", "bin")
    yield _Versions((_given(environ, "ASDF_DATA_DIR") or home / ".asdf") / "installs" / "python", "bin")
    yield _Versions((_given(environ, "MISE_DATA_DIR") or data / "mise") / "installs" / "python", "bin")
    yield from (_Versions(prefix / "opt", "bin") for prefix in _homebrews(environ))


def _homes_of_node(environ: Mapping[str, str]) -> Iterator[_Versions]:
    home, data = _home(environ), _data(environ)
    yield _Versions((_given(environ, "NVM_DIR") or home / ".nvm") / "versions" / "node", "bin")
    fnm = [_given(environ, "FNM_DIR"), data / "fnm", home / ".fnm", home / "Library" / "Application Support" / "fnm"]
    yield from (_Versions(each / "node-versions", "installation/bin") for each in fnm if each is not None)
    yield _Versions((_given(environ, "ASDF_DATA_DIR") or home / ".asdf") / "installs" / "nodejs", "bin")
    yield _Versions((_given(environ, "MISE_DATA_DIR") or data / "mise") / "installs" / "node", "bin")
    yield from (_Versions(prefix / "opt", "bin") for prefix in _homebrews(environ))


def _homebrews(environ: Mapping[str, str]) -> Iterator[Path]:
    usual = (Path("/opt/homebrew"), Path("/usr/local"), Path("/home/linuxbrew/.linuxbrew"))
    given = _given(environ, "HOMEBREW_PREFIX")
    yield from dict.fromkeys((given, *usual) if given is not None else usual)


def _given(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]) if environ.get(name) else None


def _home(environ: Mapping[str, str]) -> Path:
    return _given(environ, "HOME") or Path(os.path.expanduser("~"))


def _data(environ: Mapping[str, str]) -> Path:
    return _given(environ, "XDG_DATA_HOME") or _home(environ) / ".local" / "share"

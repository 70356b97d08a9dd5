"""From files to trees: finds the files of a path, reads them within limits, and chooses the reader by the file's
ending.

Every fault is a Problem; nothing a file holds raises anything else. Used by the loader.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from . import read_json
from .errors import ConfigError, Problem
from .nodes import MAX_BYTES, Node
from .user_text import NotText, text_of

_ENDINGS = (".yaml", ".yml", ".json")
DEFAULT_NAMES = tuple(f"headrace{ending}" for ending in _ENDINGS)


def find_default(directory: Path) -> Path | None:
    """The configuration file of a directory that is not named on the command line. Raises ConfigError when several
    stand there: taking one of them would ignore the others in silence."""
    found = [directory / name for name in DEFAULT_NAMES if (directory / name).is_file()]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise ConfigError(
            [Problem(f"{names} are both in this directory", file=str(directory), hint="name the one to use")]
        )
    return found[0] if found else None


def holds_documents(directory: Path) -> bool:
    """Whether a directory is there and has a file that `read_all` would read. One that cannot be looked into has."""
    try:
        return directory.is_dir() and any(_is_ours(file) for file in directory.iterdir())
    except OSError:
        return True  # reading it reports why it cannot be read


def read_all(paths: Sequence[Path]) -> tuple[list[Node], list[Problem]]:
    """The trees of all files that the paths mean, and what is wrong with them that does not hinder going on, such as
    a key that is given twice. Raises ConfigError when a file cannot be read at all: what it defines would be missed
    elsewhere."""
    documents: list[Node] = []
    problems: list[Problem] = []
    whole = True
    for path in paths:
        files, faults = _files(path)
        problems.extend(faults)
        whole = whole and not faults
        for file in files:
            document, found = read(file)
            problems.extend(found)
            whole = whole and document is not None
            documents.extend([document] if document else [])
    if not whole:
        raise ConfigError(problems)
    return documents, problems


def files_of(path: Path) -> list[Path]:
    """The files that a path means now; none where it cannot be looked into."""
    return _files(path)[0]


def _files(path: Path) -> tuple[list[Path], list[Problem]]:
    """The file itself, or a directory's files in the order of their names; hidden ones and sub-directories are not
    read (a Kubernetes volume keeps its versions in both)."""
    try:
        if not path.is_dir():
            return [path], []
        found = [file for file in sorted(path.iterdir()) if _is_ours(file)]
    except (OSError, ValueError) as fault:
        return [], [_unreadable(path, fault)]
    if found:
        return found, []
    return [], [Problem("holds no .yaml, .yml or .json file", file=str(path))]


def _is_ours(file: Path) -> bool:
    return file.suffix.lower() in _ENDINGS and not file.name.startswith(".") and file.is_file()


def read(path: Path) -> tuple[Node | None, list[Problem]]:
    """One file's tree, or None, and what is wrong with it."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as fault:
        return None, [_unreadable(path, fault)]
    return parse(data, file)


def parse(data: bytes, file: str) -> tuple[Node | None, list[Problem]]:
    """The tree of a file's bytes, or None, and what is wrong with them."""
    if len(data) > MAX_BYTES:
        return None, [
            Problem(f"is larger than {MAX_BYTES // 1024 // 1024} MB, which is too large for a configuration", file=file)
        ]
    try:
        text = text_of(data)
    except NotText as fault:
        line = None if fault.offset is None else data.count(b"\n", 0, fault.offset) + 1
        return None, [Problem(str(fault), file=file, line=line)]
    ending = Path(file).suffix.lower()
    if ending == ".toml":
        return None, [Problem("is TOML, which Headrace does not read", file=file, hint="write it as YAML or JSON")]
    try:
        document, problems = _reader(ending)(text, file)
    except ConfigError as fault:
        return None, list(fault.problems)
    return _checked(document, file, problems)


def _reader(ending: str) -> Callable[[str, str], tuple[Node | None, list[Problem]]]:
    if ending == ".json":
        return read_json.read
    from . import read_yaml  # a megabyte that JSON does not need

    return read_yaml.read


def _checked(document: Node | None, file: str, problems: list[Problem]) -> tuple[Node | None, list[Problem]]:
    if document is None or document.value is None:
        return None, [*problems, Problem("is empty", file=file)]
    if not isinstance(document.value, dict):
        what = "must be a mapping with keys such as 'functions' and 'mappings'"
        return None, [*problems, Problem(what, file=file, line=document.line)]
    return document, problems


def _unreadable(path: Path, fault: OSError | ValueError) -> Problem:
    if isinstance(fault, FileNotFoundError):
        return Problem("there is no such file or directory", file=str(path))
    reason = fault.strerror if isinstance(fault, OSError) else str(fault)
    return Problem(f"cannot be read: {reason}", file=str(path))

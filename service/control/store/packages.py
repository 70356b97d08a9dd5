"""Deployment packages: checks untrusted zips, and unpacks them inside one directory. Runs in a thread.

Sizes are counted while unpacking, names stay inside the directory, and links are made last, so that
no file is written through a link.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from ..account_limits import UNZIPPED_MAX
from ..refusals import ApiError, invalid_parameter

ENTRIES_MAX = 50_000
"""Maximum files, directories and links of a package."""
METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""Allowed compression of entries. Others may use a dictionary of any size, and have errors of their own."""
CHUNK = 1 << 20
_HEAD = b"PK\x01\x02"
"""The first bytes of an entry's description."""
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # a feature of newer zips that zipfile does not read
    RuntimeError,  # encrypted
    ValueError,  # invalid names
    OverflowError,
    FileExistsError,  # an entry that is both a file and a directory
    NotADirectoryError,
    IsADirectoryError,
)


def unpack(file: Path, into: Path, most: int = UNZIPPED_MAX) -> None:
    """The files of a zip, `most` bytes of them, in a directory that is ours alone. Raises ApiError: no sound zip, too
    large, or reaching outside. Raises OSError when the disk does not take it."""
    try:
        if _has_too_many(file):  # before any of them is read
            raise _refused(f"it has more than {ENTRIES_MAX} entries")
        with zipfile.ZipFile(file) as package:
            _unpack(package, into, most)
    except _BROKEN as error:
        raise _unreadable() from error
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.EILSEQ):  # a name that this file system does not take
            raise _unreadable() from error
        raise


def unzipped(file: Path) -> int:
    """Bytes of the files of a zip that was unpacked."""
    with zipfile.ZipFile(file) as package:
        return sum(entry.file_size for entry in package.infolist() if not entry.is_dir())


def _has_too_many(file: Path) -> bool:
    """Whether it looks like more entries than are taken. Raises ValueError for an empty file."""
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found, at = 0, data.find(_HEAD)
        while at >= 0 and found <= ENTRIES_MAX:
            found, at = found + 1, data.find(_HEAD, at + len(_HEAD))
        return found > ENTRIES_MAX


def unzips_to_too_much(most: int = UNZIPPED_MAX) -> ApiError:
    return invalid_parameter(f"Unzipped size must be smaller than {most} bytes")


def _unpack(package: zipfile.ZipFile, into: Path, most: int) -> None:
    named = [(entry, _inside(entry.filename)) for entry in package.infolist()]
    entries = [(entry, path) for entry, path in named if path.parts]  # else it is the directory itself
    if not entries:
        raise invalid_parameter("Uploaded file must be a non-empty zip")
    links = [(entry, path) for entry, path in entries if _kind(entry) == stat.S_IFLNK]
    _check_entries(entries, {path for _, path in links})
    left = most
    for entry, path in entries:
        if entry.is_dir():
            (into / path).mkdir(parents=True, exist_ok=True)
        elif _kind(entry) != stat.S_IFLNK:
            left = _write(package, entry, into / path, left)
            if left < 0:
                raise unzips_to_too_much(most)
    _link(package, links, into)


def _kind(entry: zipfile.ZipInfo) -> int:
    return stat.S_IFMT(entry.external_attr >> 16)


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise _refused(f"the entry {name!r} lies outside of it")
    return path


def _check_entries(entries: Iterable[tuple[zipfile.ZipInfo, PurePosixPath]], links: set[PurePosixPath]) -> None:
    for entry, path in entries:
        if _kind(entry) not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
            raise _refused(f"the entry {entry.filename!r} is neither a file nor a directory nor a link")
        if entry.compress_type not in METHODS:
            raise _refused(f"the entry {entry.filename!r} is compressed in another way than deflate")
        if not links.isdisjoint(path.parents):
            raise _refused(f"the entry {entry.filename!r} lies behind a link")


def _write(package: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, left: int) -> int:
    """The remaining bytes; below 0 when this entry is too large."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with package.open(entry) as source, path.open("wb") as target:
        while chunk := source.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                return left
            target.write(chunk)
    executable = (entry.external_attr >> 16) & 0o111
    path.chmod(0o755 if executable else 0o644)
    return left


def _link(package: zipfile.ZipFile, links: Iterable[tuple[zipfile.ZipInfo, PurePosixPath]], into: Path) -> None:
    """Make all links first, then check their targets: a link may lead through another."""
    made = []
    for entry, path in links:
        if entry.file_size > 4096:
            raise _refused(f"the link {entry.filename!r} is not a valid link")
        link = into / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.fsdecode(package.read(entry)))
        made.append(link)
    root = into.resolve()
    for link in made:
        if not Path(os.path.realpath(link)).is_relative_to(root):
            raise _refused(f"the link {link.relative_to(into)} leads outside of it")


def _unreadable() -> ApiError:
    return invalid_parameter("Could not unzip uploaded file. Please check your file, then try to upload again.")


def _refused(reason: str) -> ApiError:
    return invalid_parameter(
        f"Could not unzip uploaded file: {reason}. Please check your file, then try to upload again."
    )

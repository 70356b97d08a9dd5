"""Zips from anybody: what is unpacked, and what is refused."""

from __future__ import annotations

import io
import stat
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from headrace.service.control.account_limits import UNZIPPED_MAX
from headrace.service.control.refusals import ApiError
from headrace.service.control.store import packages

LINK = stat.S_IFLNK | 0o777
UNREADABLE = "Could not unzip uploaded file. Please check your file, then try to upload again."


def package(*entries: tuple[str, str | bytes] | tuple[str, str | bytes, int]) -> bytes:
    """Entries with name, content and maybe mode."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content, *mode in entries:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (mode[0] if mode else stat.S_IFREG | 0o644) << 16
            file.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def compressed(method: int, *, broken: bool = False) -> bytes:
    """One file, compressed that way."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        file.writestr("lib/a.py", b"x" * 1000)
    data = bytearray(buffer.getvalue())
    if broken:
        start = 30 + len("lib/a.py")  # behind the header of the entry
        data[start : start + 20] = b"\xff" * 20
    return bytes(data)


def unpack(data: bytes, into: Path, most: int = UNZIPPED_MAX) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        packages.unpack(Path(file.name), into, most)


def unpacked(data: bytes, into: Path) -> dict[str, bytes]:
    unpack(data, into)
    return {str(path.relative_to(into)): path.read_bytes() for path in into.rglob("*") if path.is_file()}


@pytest.mark.semantics("FUNC-39")
def test_files_and_their_executable_bits_are_there(tmp_path: Path) -> None:
    data = package(
        ("bootstrap", "#!/bin/sh", stat.S_IFREG | 0o755),
        ("lib/a.py", "x", stat.S_IFREG | 0o600),
        ("no-mode", "y", 0),
        ("odd", "z", stat.S_IFREG | 0o4711),
        ("empty/", "", stat.S_IFDIR | 0o700),
        ("./", ""),
    )
    assert set(unpacked(data, tmp_path)) == {"bootstrap", "lib/a.py", "no-mode", "odd"}
    modes = {
        name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("bootstrap", "lib/a.py", "no-mode", "odd")
    }
    assert modes == {"bootstrap": 0o755, "lib/a.py": 0o644, "no-mode": 0o644, "odd": 0o755}
    assert (tmp_path / "empty").is_dir()


def test_links_that_stay_inside_are_kept(tmp_path: Path) -> None:
    data = package(
        ("node_modules/.bin/tool", "../tool/run.js", LINK),
        ("node_modules/tool/run.js", "1"),
        ("self", "node_modules", LINK),
        ("nowhere", "not/there", LINK),
    )
    unpacked(data, tmp_path)
    assert (tmp_path / "node_modules/.bin/tool").read_text() == "1"
    assert (tmp_path / "self/tool/run.js").read_text() == "1"
    assert (tmp_path / "nowhere").is_symlink()


OUTSIDE: Sequence[tuple[str, bytes, str]] = [
    ("absolute", package(("/etc/x", "1")), "'/etc/x' lies outside of it"),
    ("upwards", package(("a/../../x", "1")), "lies outside of it"),
    ("an absolute link", package(("x", "/etc/passwd", LINK)), "leads outside of it"),
    ("a link upwards", package(("a/x", "../../y", LINK)), "leads outside of it"),
    ("through links", package(("in", ".", LINK), ("x", "in/../..", LINK)), "leads outside of it"),
    ("through a long link", package(("a/b/c", "..", LINK), ("x", "a/b/c/../../..", LINK)), "leads outside of it"),
    ("a file behind a link", package(("a", "/tmp", LINK), ("a/x", "1")), "lies behind a link"),
    ("a link behind a link", package(("a", "/tmp", LINK), ("a/x", "y", LINK)), "lies behind a link"),
    ("a device", package(("x", "", stat.S_IFCHR | 0o666)), "neither a file nor a directory nor a link"),
    ("a pipe", package(("x", "", stat.S_IFIFO | 0o666)), "neither a file nor a directory nor a link"),
    ("a socket", package(("x", "", stat.S_IFSOCK | 0o666)), "neither a file nor a directory nor a link"),
    ("a link with a long target", package(("x", "y" * 5000, LINK)), "is not a valid link"),
]


@pytest.mark.semantics("FUNC-38")
@pytest.mark.parametrize(("data", "told"), [each[1:] for each in OUTSIDE], ids=[each[0] for each in OUTSIDE])
def test_nothing_reaches_outside(tmp_path: Path, data: bytes, told: str) -> None:
    into = tmp_path / "in" / "here"
    into.mkdir(parents=True)
    with pytest.raises(ApiError, match="Could not unzip uploaded file") as refused:
        unpack(data, into)
    assert refused.value.code == "InvalidParameterValueException"
    assert told in str(refused.value.message)
    assert {path.name for path in tmp_path.iterdir()} == {"in"}
    assert {path.name for path in (tmp_path / "in").iterdir()} == {"here"}


def damaged() -> bytes:
    data = bytearray(package(("a.py", b"x" * 1000)))
    data[40] ^= 0xFF
    return bytes(data)


def encrypted() -> bytes:
    data = bytearray(package(("a.py", b"x")))
    data[6] |= 1
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


BROKEN: Sequence[tuple[str, bytes]] = [
    ("nothing", b""),
    ("no zip", b"hello"),
    ("cut short", package(("a.py", "x" * 1000))[:-10]),
    ("damaged", damaged()),
    ("encrypted", encrypted()),
    ("file and directory", package(("a", "1"), ("a/b", "2"))),
    ("directory and file", package(("a/b", "2"), ("a", "1"))),
    ("file and link", package(("a", "1"), ("./a", "b", LINK))),
    ("a name that is too long", package(("n" * 300, "1"))),
]


@pytest.mark.semantics("FUNC-38")
@pytest.mark.parametrize("data", [each[1] for each in BROKEN], ids=[each[0] for each in BROKEN])
def test_what_is_no_sound_zip_is_refused_in_awss_words(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        unpack(data, tmp_path)
    assert (refused.value.code, refused.value.message) == ("InvalidParameterValueException", UNREADABLE)


@pytest.mark.semantics("FUNC-38")
@pytest.mark.parametrize("broken", [False, True], ids=["sound", "broken"])
@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "lzma"])
def test_what_is_neither_stored_nor_deflated_is_refused_before_it_is_read(
    tmp_path: Path, method: int, broken: bool
) -> None:
    with pytest.raises(ApiError) as refused:
        unpack(compressed(method, broken=broken), tmp_path)
    assert refused.value.code == "InvalidParameterValueException"
    assert refused.value.message == (
        "Could not unzip uploaded file: the entry 'lib/a.py' is compressed in another way than deflate. "
        "Please check your file, then try to upload again."
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.semantics("FUNC-38")
def test_stored_files_are_taken(tmp_path: Path) -> None:
    assert unpacked(compressed(zipfile.ZIP_STORED), tmp_path) == {"lib/a.py": b"x" * 1000}


def test_an_empty_zip_is_no_package(tmp_path: Path) -> None:
    with pytest.raises(ApiError, match="Uploaded file must be a non-empty zip"):
        unpack(package(), tmp_path)


@pytest.mark.semantics("FUNC-38")
def test_bytes_are_counted_while_they_are_unpacked(tmp_path: Path) -> None:
    whole = package(*((str(number), bytes(2_000_000)) for number in range(10)))
    assert len(whole) < 30_000
    unpack(whole, tmp_path, most=20_000_000)
    with pytest.raises(ApiError, match="Unzipped size must be smaller than 19999999 bytes"):
        unpack(whole, tmp_path / "other", most=19_999_999)
    assert UNZIPPED_MAX == 262_144_000


@pytest.mark.semantics("FUNC-38")
def test_a_zip_of_very_many_entries_is_refused_before_they_are_read(tmp_path: Path) -> None:
    data = package(("a", "1")) + packages._HEAD * packages.ENTRIES_MAX
    with pytest.raises(ApiError, match="more than 50000 entries"):
        unpack(data, tmp_path)
    assert not list(tmp_path.iterdir())

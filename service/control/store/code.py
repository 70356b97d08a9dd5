"""The code of functions on the disk: each package once, packed and unpacked, under its hash.

    <state>/code/<sha256>.zip     the package as uploaded, for downloads
    <state>/code/<sha256>/        unpacked; complete if it exists, because it is renamed into place
    <state>/code/.new-<…>         being received or unpacked; or left by a daemon that died
    <state>/code/.boot            the start of the machine since which the unpacked files exist

A package exists before a function that uses it is stored, and is deleted after the last function that used it. `sweep`
deletes packages that no function uses and no caller holds (`held`). `function_plane.py` knows the used packages. The
zip survives a loss of power; the unpacked files are not synced to the disk, so they are unpacked again after a restart
of the machine.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar

import anyio
import anyio.to_thread

from ....config.durable.faults import StoreUnavailable
from ....config.durable.files import sync_directory
from ....config.durable.pinned import LostFile, Pinned
from ..model import Package
from . import packages

DIRECTORY = "code"
T = TypeVar("T")

_NEW = ".new-"
_BOOT = ".boot"


def boot_id() -> str:
    """The id of this start of the machine; empty where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


class CodeStore:
    """The packages below one directory. Belongs to the running event loop.

    Stores and deletes nothing in a directory that replaced this one: it belongs to another daemon.
    """

    def __init__(self, root: Path, boot: str | None = None) -> None:
        """`boot`: the id of this start of the machine; None: ask the system."""
        self._root = root
        self._boot = boot_id() if boot is None else boot
        self._pinned: Pinned | None = None
        """The directory, once it is known to exist."""
        self._held: Counter[str] = Counter()
        self._receiving: set[str] = set()
        """Names of files that are being received."""
        self.lost: frozenset[str] = frozenset()
        """Packages that `repair` did not find and that no caller has added since."""
        self._changing = anyio.Lock()
        self.released: Callable[[], None] = lambda: None
        """Called when no caller holds a package any more: perhaps no function uses it either."""
        self.regained: Callable[[], None] = lambda: None
        """Called when a package that was lost is here again."""

    def path(self, sha256: str) -> Path:
        """Where a package is unpacked."""
        return self._root / sha256

    def place(self, package: Package) -> Path:
        """Where the files of a package are, stored or not."""
        return Path(package.directory) if package.directory else self.path(package.sha256)

    def zip(self, sha256: str) -> Path:
        return self._root / f"{sha256}.zip"

    @contextmanager
    def held(self, sha256: str) -> Iterator[None]:
        """The package is not deleted while the body runs, whether a function uses it or not."""
        self._held[sha256] += 1
        try:
            yield
        finally:
            self._held[sha256] -= 1
            if not self._held[sha256]:
                del self._held[sha256]
                self.released()

    @asynccontextmanager
    async def adding(self, pieces: AsyncGenerator[bytes], kms_key: str = "") -> AsyncIterator[Package]:
        """Receive a package in pieces, check and unpack it, and hold it while the body runs. Raises ApiError: what is
        wrong with it. Raises StoreUnavailable when the disk does not take it, and whatever `pieces` raises."""
        async with self._received(pieces) as (file, sha256, size):
            with self.held(sha256):
                async with self._changing:
                    unzipped = await self._in_thread(partial(_add, file, self._root, sha256))
                    if sha256 in self.lost:
                        self.lost -= {sha256}
                        self.regained()
                yield Package(sha256, size, kms_key, unzipped)

    @asynccontextmanager
    async def _received(self, pieces: AsyncGenerator[bytes]) -> AsyncIterator[tuple[Path, str, int]]:
        """A file with the received bytes, its SHA-256 and its length. It is written to the disk at once, because a
        package may be larger than the memory that we want to use."""
        file = self._root / f"{_NEW}{secrets.token_hex(8)}"
        self._receiving.add(file.name)
        try:
            opened = await self._in_thread(partial(_create, file))
            try:
                sha256, size = await self._write(pieces, opened)
            finally:
                with suppress(OSError):  # it is on the disk, or its loss was reported before
                    opened.close()
            yield file, sha256, size
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(_discard, file)
            self._receiving.discard(file.name)

    async def _write(self, pieces: AsyncGenerator[bytes], file: BinaryIO) -> tuple[str, int]:
        sha256, size = hashlib.sha256(), 0
        async with aclosing(pieces):
            async for piece in pieces:
                await self._in_thread(partial(_append, file, sha256, piece))
                size += len(piece)
        await self._in_thread(partial(_finish, file))
        return sha256.hexdigest(), size

    async def repair(self, used: Collection[str]) -> list[str]:
        """Unpack again packages whose files are missing or may be damaged; returns the packages that are lost, which
        `lost` names from now on. Raises StoreUnavailable when the directory cannot be used."""
        async with self._changing:
            lost = await self._in_thread(partial(_repair, self._root, used, self._boot))
            self.lost = frozenset(lost)
            return lost

    async def sweep(self, used: Callable[[], Collection[str]]) -> None:
        """Delete packages that are neither used nor held, and leftovers. `used` is called while no package is being
        added, so each new package is then either used by a function or still held."""
        async with self._changing:
            keep = {*used(), *self._held}
            work = partial(_sweep, self._root, lambda name: name in keep or name in self._receiving)
            with suppress(StoreUnavailable):  # the directory is not ours any more: delete nothing
                await self._in_thread(work)

    async def _in_thread(self, work: partial[T]) -> T:
        try:
            return await anyio.to_thread.run_sync(self._in_place, work)
        except LostFile as error:
            raise StoreUnavailable(f"cannot store code: {error}; move it back, or restart the daemon") from error
        except OSError as error:
            what = f"cannot store code in {self._root}: {error.strerror or error}; free space or check its permissions"
            raise StoreUnavailable(what) from error

    def _in_place(self, work: partial[T]) -> T:
        """In the thread. Raises LostFile."""
        if self._pinned is None:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._pinned = Pinned.of(self._root)
        self._pinned.expect()
        return work()


async def whole(data: bytes) -> AsyncGenerator[bytes]:
    """A package that exists already, complete."""
    yield data


# --- in a thread ------------------------------------------------------------------------------------------------------


def _discard(file: Path) -> None:
    """A failure to delete is ignored, because the next sweep deletes it; the original error matters more."""
    with suppress(OSError):
        file.unlink()


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _create(file: Path) -> BinaryIO:
    return file.open("xb")


def _append(file: BinaryIO, sha256: hashlib._Hash, piece: bytes) -> None:
    sha256.update(piece)
    file.write(piece)


def _finish(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _add(file: Path, root: Path, sha256: str) -> int:
    """Returns the bytes of its files."""
    if not (root / sha256).exists():
        _unpacked(file, root, sha256)
    unzipped = packages.unzipped(file)
    file.rename(root / f"{sha256}.zip")  # an existing one may be damaged, and otherwise is the same
    sync_directory(root)
    return unzipped


def _unpacked(file: Path, root: Path, sha256: str) -> None:
    new = root / f"{_NEW}{secrets.token_hex(8)}"
    new.mkdir()
    try:
        packages.unpack(file, new)
        new.rename(root / sha256)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def _repair(root: Path, used: Collection[str], boot: str) -> list[str]:
    marker, lost = root / _BOOT, []
    doubtful = not marker.exists() or marker.read_bytes() != boot.encode()
    for sha256 in used:
        try:
            if doubtful and (root / sha256).is_dir():
                _delete(root / sha256, root)
            if not (root / sha256).is_dir():
                file = root / f"{sha256}.zip"
                if _digest(file) != sha256:
                    raise ValueError("it has changed")
                _unpacked(file, root, sha256)
        except Exception:  # for any error the function is reported as lost, and the daemon starts
            lost.append(sha256)
    if doubtful:
        marker.write_text(boot)
    return lost


def _sweep(root: Path, keeps: Callable[[str], bool]) -> None:
    """`keeps` is called for each entry when it is reached: a package may arrive while this runs."""
    for entry in list(root.iterdir()) if root.is_dir() else []:
        if entry.name != _BOOT and not keeps(entry.name.removesuffix(".zip")):
            with suppress(OSError):  # the next sweep deletes what this one could not
                _delete(entry, root)


def _delete(entry: Path, root: Path) -> None:
    """A directory is renamed before it is emptied: so an existing directory is always complete."""
    if not entry.is_dir():
        entry.unlink(missing_ok=True)
        return
    if not entry.name.startswith(_NEW):
        entry = entry.rename(root / f"{_NEW}{secrets.token_hex(8)}")
    shutil.rmtree(entry, ignore_errors=True)

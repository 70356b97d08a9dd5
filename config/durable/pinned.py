"""Whether a path still leads to the file that was opened there.

Who deletes a state directory, or puts another in its place, takes nothing away from a process that has its files open:
it reads and writes them as before, and all of it is gone when the process ends. So every store asks here before it
promises to keep something.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class LostFile(OSError):
    """The path leads to another file or to none: a write would be lost at the end of this process."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """A file or directory as it was opened: its device and inode. A path may lead elsewhere later, while the process
    keeps the file."""

    path: Path
    device: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Pinned:
        """The file or directory to which the path leads now. Raises OSError."""
        found = path.stat()
        return cls(path, found.st_dev, found.st_ino)

    def expect(self) -> None:
        """Raises LostFile when the path leads to another file, or to none."""
        try:
            found = Pinned.of(self.path)
        except OSError as error:
            raise LostFile(f"{self.path} was deleted or moved while this daemon ran ({error.strerror})") from error
        if found != self:
            raise LostFile(f"{self.path} was replaced by another while this daemon ran")

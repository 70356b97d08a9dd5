"""Whether a path still leads to the file that was opened there.

Who deletes a state directory, or puts another in its place, takes nothing away from a process that has its files open:
it reads and writes them as before, and all of it is gone when the process ends. So whoever promises to keep something
asks here first.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class LostFile(OSError):
    """What is written now would be gone with this process."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """A file or directory as it was found: its device and inode, which a path may lose and a process keeps."""

    path: Path
    device: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Pinned:
        """What is there now. Raises OSError."""
        found = path.stat()
        return cls(path, found.st_dev, found.st_ino)

    def expect(self) -> None:
        """Raises LostFile: something else is there, or nothing."""
        try:
            found = Pinned.of(self.path)
        except OSError as error:
            raise LostFile(f"{self.path} was deleted or moved while this daemon ran ({error.strerror})") from error
        if found != self:
            raise LostFile(f"{self.path} was replaced by another while this daemon ran")

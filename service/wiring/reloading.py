"""Reads the configuration again while the daemon runs: at SIGHUP, when its files change, or when somebody asks.

    read, in a thread ──► compare ──► check as a start does ──► carry out ──► told: log, status, metric
      └────────────────────┴────────────┴── a fault: everything stays as it is, and that is told

One reload at a time; signals that come meanwhile are one more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread

from ...config.clock import Clock
from ...config.documents import files_of
from ...config.errors import ConfigError, HeadraceError
from ...config.loader import Config
from ...config.settings import SECTIONS
from ..control.refusals import conflict, invalid_parameter
from ..running.core.config_changes import ConfigChanges, Defined, compare
from ..running.core.file_changes import FileChanges
from ..telemetry.log import Action, Log
from ..telemetry.reload_metrics import ReloadMetrics

EVERY = 1.0
"""Seconds between two looks at the files."""

Apply = Callable[[ConfigChanges, Config], Awaitable[None]]
"""Checks the new configuration and carries out what changed. Raises HeadraceError, and then nothing changed."""


class Reloading:
    """`read` reads the configuration again, in a thread; None where there is nothing to read. `watched` are the paths
    whose files are looked at, none for no looks."""

    def __init__(
        self,
        config: Config,
        read: Callable[[], Config] | None,
        log: Log,
        metrics: ReloadMetrics,
        clock: Clock,
        watched: Sequence[Path] = (),
    ) -> None:
        """`config`: as it was read at the start, which is now."""
        self._loaded = config
        self._read = read
        self._log = log
        self._metrics = metrics
        self._clock = clock
        self._watched = watched
        self._files = FileChanges(stamp_of(watched))
        self._apply: Apply | None = None
        self._turn = anyio.Lock()
        self._wanted = anyio.Event()
        self._at = clock.wall()
        self._trouble = ""
        self._needs_restart: tuple[str, ...] = ()

    def begin(self, apply: Apply) -> None:
        """The daemon runs: from now on what is read can be carried out."""
        self._apply = apply

    @property
    def can_read(self) -> bool:
        """Whether there is something to read again."""
        return self._read is not None

    def soon(self) -> None:
        """Read it again as soon as that is possible; who wants to know how it went looks at the log."""
        self._wanted.set()

    def shown(self) -> dict[str, object]:
        """For `status`: when what is at work was read, why what was read last is not at work, and which settings of the
        file are not."""
        return {"loaded": self._at, "trouble": self._trouble, "needs_restart": list(self._needs_restart)}

    async def run(self) -> None:
        """Do what signals and files ask for, until cancelled."""
        while True:
            with anyio.move_on_after(EVERY if self._watched else None):
                await self._wanted.wait()
            seen = await anyio.to_thread.run_sync(stamp_of, self._watched)
            if self._files.look(seen) or self._wanted.is_set():
                self._files.took(seen)
                self._wanted = anyio.Event()
                await self._tried()

    async def reload(self) -> ConfigChanges:
        """Read it again now. Raises ApiError where that is refused; then nothing has changed."""
        if self._read is None or self._apply is None:
            raise conflict("this daemon has no configuration that it could read again")
        trouble, changes = await self._tried()
        if trouble:
            raise invalid_parameter(f"everything stays as it is: {trouble}")
        return changes

    async def _tried(self) -> tuple[str, ConfigChanges]:
        """Why it was refused, empty if it was not; and what changed."""
        changes = ConfigChanges()
        async with self._turn:
            try:
                changes = await self._reload()
                self._trouble = ""
            except ConfigError as error:
                self._trouble = "; ".join(str(problem) for problem in error.problems)
            except (HeadraceError, OSError) as error:
                self._trouble = str(error)
            self._tell(changes)
        return self._trouble, changes

    async def _reload(self) -> ConfigChanges:
        if self._read is None or self._apply is None:
            raise HeadraceError("there is no configuration to read again")
        config = await anyio.to_thread.run_sync(self._read)
        changes = compare(_defined(self._loaded), _defined(config))
        self._needs_restart = changes.settings
        if changes.refused:
            raise HeadraceError("`aws` is another one, and mappings are known by its account and region: restart")
        if changes.any:
            await self._apply(changes, config)
        # What needs a restart is compared again with what is at work, so that it is named as long as it waits for one.
        self._loaded = replace(config, settings=self._loaded.settings)
        self._at = self._clock.wall()
        return changes

    def _tell(self, changes: ConfigChanges) -> None:
        self._metrics.count(done=not self._trouble)
        if self._trouble:
            self._log.error(
                Action.RELOAD, f"the configuration is not taken, everything stays as it is: {self._trouble}"
            )
            return
        self._log.info(Action.RELOAD, f"the configuration was read again: {changes.text}", **changes.as_plain())
        if changes.settings:
            names = ", ".join(changes.settings)
            self._log.warning(Action.RELOAD, f"changed in the configuration, but only a restart takes it: {names}")


def stamp_of(paths: Sequence[Path]) -> Hashable:
    """What is seen of the files of these paths, without reading them."""
    found: list[object] = []
    for path in paths:
        for file in files_of(path):
            try:
                seen = file.stat()
                found.append((str(file), seen.st_ino, seen.st_size, seen.st_mtime_ns))
            except OSError:
                found.append((str(file), None))
    return tuple(found)


def _defined(config: Config) -> Defined:
    sections = {name: getattr(config.settings, name) for name in SECTIONS}
    return Defined(sections, config.functions, config.mappings, config.directory)

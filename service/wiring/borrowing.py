"""What a daemon has of an emulator whose mappings it takes over: the emulator, its functions, and who follows it.

`take_over.py` has the parts. Used by `daemon.py` alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ...config.clients.aws import Clients
from ...config.settings import Settings
from ..control.store.attachments import Attachments
from ..control.store.uploads import Uploads
from ..control.store.upstream_layers import UpstreamLayers
from ..running.emulator_follower import EmulatorFollower
from ..telemetry.log import Log
from .control_plane import ControlPlane
from .front import Front
from .invokers import InvokerFactory
from .local_copies import LocalCopies, is_own
from .take_over import AskedEmulator, BorrowedFunctions, emulator_at, emulator_url, refuse_own


class Borrowing:
    """Nothing at all where the settings take nothing over, and in a dry run."""

    def __init__(self, settings: Settings, log: Log, changed: Callable[[], None]) -> None:
        """`changed` is called when a mapping is taken over, changed or given back."""
        self._settings = settings
        self._log = log
        self._changed = changed
        self._emulator: AskedEmulator | None = None
        self.functions = BorrowedFunctions()

    async def ask(self, clients: Clients) -> None:
        """Find the emulator. Raises ConfigError for real AWS."""
        if self._settings.dry_run or not self._settings.take_over.enabled:
            return
        url = await emulator_url(self._settings, clients)
        self.functions = BorrowedFunctions(url)
        self._emulator = await emulator_at(url, clients)

    def look_at(self, planes: ControlPlane) -> None:
        """The functions and mappings that are stored: those of earlier lives are among them."""
        plane = planes.functions
        self.functions.look_at(lambda name: is_own(plane.find(name)))
        if self._settings.take_over.functions == "invoke":
            for mapped in (*planes.mappings.taken.values(), *planes.mappings.noted.values()):
                self.functions.add(mapped.config.function_name)

    def follower(
        self, planes: ControlPlane | None, invokers: InvokerFactory, clients: Clients, front: Front | None
    ) -> EmulatorFollower | None:
        """Raises ConfigError for an emulator that is this daemon."""
        emulator = self._emulator
        if emulator is None or planes is None:
            return None
        if front is not None:
            refuse_own(emulator.url, str(front.address))
        plane = planes.functions
        uploads, theirs = Uploads(plane.code, clients), UpstreamLayers(clients, emulator.url)
        attachments = Attachments(planes.layers, uploads, self._settings.layers, theirs, theirs=True)
        copies = LocalCopies(emulator.client, plane, uploads, attachments, partial(invokers.obstacle, here=plane.here))
        return EmulatorFollower(
            emulator,
            planes.mappings,
            copies.prepare if self._settings.take_over.functions == "local" else self.functions.prepare,
            self._log,
            interval=self._settings.take_over.interval,
            deaf=emulator.deaf,
            changed=self._changed,
        )

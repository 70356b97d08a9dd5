"""Taking an emulator's mappings over, put together: which emulator it is, and who invokes its functions.

Beside `daemon.py` a place that knows concrete classes. `headrace release` uses it without a daemon.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import orjson

from ...config.addresses import would_call_itself
from ...config.clients.aws import Clients
from ...config.clients.emulator_mappings import EmulatorMappings
from ...config.clients.endpoints import LocalEndpoint
from ...config.errors import ConfigError, Problem, SourceError, SourceUnavailable
from ...config.function import InvokeTarget, RemoteFunction
from ...config.loader import Config
from ...config.mapping import EventSourceMapping
from ...config.reasons import Reason
from ...config.settings import Settings
from ..control.mappings.answers import Shown
from ..control.mappings.as_documents import TAKEN
from ..control.mappings.model import FoundFunction
from ..control.mappings.taking_over import function_of, not_ours
from ..control.store.document_store import FILE, Documents
from ..running.emulator_follower import switched_on
from ..running.function_references import split

NAMED = 5
"""Mappings that one line names at most."""
QUESTION = 2.0
"""Seconds that an emulator has to say what it is."""


class BorrowedFunctions:
    """The emulator's functions that mappings here may name, by name; invoked through its Invoke API."""

    def __init__(self, url: str = "") -> None:
        """`url`: of the emulator's Lambda API; empty where there is none. `is_own` comes later: whether a function of
        this name is the user's own here, which goes before the emulator's."""
        self._url = url
        self._is_own: Callable[[str], bool] = lambda name: False
        self._names: set[str] = set()

    def add(self, name: str) -> None:
        if not self._is_own(name):
            self._names.add(name)

    def look_at(self, is_own: Callable[[str], bool]) -> None:
        self._is_own = is_own

    def find(self, name: str, qualifier: str) -> FoundFunction | None:
        """The emulator alone knows how long they may run."""
        return FoundFunction(None) if name in self._names else None

    def function(self, reference: str) -> RemoteFunction | None:
        name, qualifier = split(reference)
        if name not in self._names:
            return None
        target = InvokeTarget(function_name=name, endpoint_url=self._url, qualifier=qualifier or None)
        return RemoteFunction(name=reference, invoke=target)

    async def prepare(self, shown: Shown) -> Reason | None:
        name, _ = function_of(shown)
        if not name:
            return not_ours("it names no function")
        self.add(name)
        return None


class AskedEmulator(EmulatorMappings):
    """An emulator that was asked what it is. moto delivers the records of streams and tables whether a mapping is
    enabled or not (docs/emulators.md)."""

    def __init__(self, client: Any, url: str) -> None:
        super().__init__(client)
        self.url = url
        self._is_moto: bool | None = None

    async def all(self) -> dict[str, dict[str, Any]]:
        if self._is_moto is None:
            self._is_moto = await _is_moto(self.url)
        return await super().all()

    def deaf(self, mapping: EventSourceMapping) -> str:
        """What it is called, if it goes on delivering for such a mapping that is switched off; else empty."""
        return "moto" if self._is_moto and not mapping.profile.competing else ""


async def emulator_url(settings: Settings, clients: Clients) -> str:
    """Where the emulator's Lambda API is: `api.upstream`, else the endpoint of `lambda`. Raises ConfigError for real
    AWS."""
    endpoint = await clients.target("lambda", settings.api.upstream)
    if not isinstance(endpoint, LocalEndpoint):
        raise _no_emulator("there is no emulator to take mappings over from: Lambda would be real AWS")
    return endpoint.url


def refuse_own(url: str, listen: str) -> None:
    """Raises ConfigError for the daemon's own address (`HOST:PORT`)."""
    if would_call_itself(url, listen):
        raise _no_emulator(f"{url} is this daemon's own address: its mappings are its own already")


def _no_emulator(what: str) -> ConfigError:
    hint = "name the emulator with --endpoint-url, aws.endpoint_urls.lambda or api.upstream"
    return ConfigError([Problem(what, "take_over", hint=hint)])


def left_off_line(uuids: Sequence[str]) -> str:
    """One line for all that is switched off for us and not delivered by anybody, with what to do."""
    named = ", ".join(uuids[:NAMED]) + (f" and {len(uuids) - NAMED} more" if len(uuids) > NAMED else "")
    return (
        f"event source mappings that were taken over are switched off at the emulator, and do not run here: {named}; "
        "run with --take-over, or give them back with `headrace release`"
    )


async def emulator_at(url: str, clients: Clients) -> AskedEmulator:
    return AskedEmulator(await clients.get("lambda", url), url)


async def _is_moto(url: str) -> bool:
    """Raises SourceUnavailable where nobody answers."""
    question = f"{url.rstrip('/')}/moto-api/config"
    timeout = aiohttp.ClientTimeout(total=QUESTION)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(question) as answer:
            told = orjson.loads(await answer.read())
    except ValueError:
        return False  # it says something else there
    except (aiohttp.ClientError, TimeoutError) as error:
        raise SourceUnavailable(f"{url} does not answer: {error or type(error).__name__}") from error
    return isinstance(told, dict) and told.get("batch") is not None


async def release(config: Config, clients: Clients) -> dict[str, bool | SourceError]:
    """Give back what the state directory remembers: by UUID whether the emulator has it, or why it is still off.
    Raises ConfigError, UnusableState, StoreUnavailable."""
    state = config.settings.state
    if not (state / FILE).exists():
        return {}
    documents = await Documents.open(state / FILE)
    try:
        kept = documents.all(TAKEN)
        if not kept:
            return {}
        there = await emulator_at(await emulator_url(config.settings, clients), clients)
        return {uuid: await _released(there, documents, uuid) for uuid in kept}
    finally:
        await documents.aclose()


async def _released(there: AskedEmulator, documents: Documents, uuid: str) -> bool | SourceError:
    try:
        is_there = await switched_on(there, uuid)
    except SourceError as error:
        return error
    await documents.write({}, [(TAKEN, uuid)])
    return is_there

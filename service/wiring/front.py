"""The daemon's own address: who may ask there, the Lambda API, and the calls that would come back to it.

Owns the listening socket. What is served besides the Lambda API (`/metrics`, `/v1`, the page) is put together by
`daemon.py`, its only user.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...config.addresses import is_loopback, would_call_itself
from ...config.clients.aws import Clients
from ...config.clients.endpoints import LocalEndpoint, RefusedEndpoint
from ...config.clock import Clock
from ...config.errors import ConfigError, Problem
from ...config.function import AnyFunction
from ...config.settings import Address, Settings
from ..api.core.access import FUNCTION_KEY, ApiAccess
from ..api.forwarding import Forwarding
from ..api.lambda_api import LambdaApi
from ..api.server import address_of, bind, reached_at
from ..api.wire.call import Group
from ..telemetry.log import Log
from .invokers import url_of
from .local_functions import OwnApi


class Front:
    """Bound when it is made. Raises ListenError."""

    def __init__(self, settings: Settings, log: Log, clock: Clock) -> None:
        self._settings = settings
        self._log = log
        self._clock = clock
        self._functions_secret = secrets.token_hex(20)
        self.listener: socket.socket = bind(settings.listen)

    def close(self) -> None:
        self.listener.close()

    @property
    def address(self) -> Address:
        return address_of(self.listener)

    @property
    def access(self) -> ApiAccess:
        """The rules of who may ask."""
        given = self._settings.api
        return ApiAccess(self.address.host, given.hosts, given.secrets(), self._functions_secret)

    @property
    def own(self) -> OwnApi | None:
        """The Lambda API for functions. None when they cannot call it: it is not served, or a configured key has the
        functions' key id."""
        given = self._settings.api
        if not given.enabled:
            return None
        if is_loopback(self.address.host):
            return OwnApi(f"http://{self.address}")
        if any(FUNCTION_KEY.fullmatch(key_id) for key_id in given.secrets()):
            return None
        return OwnApi(f"http://{reached_at(self.address)}", self._functions_secret)

    def api(self, groups: Sequence[Group], is_ours: Callable[[str], bool]) -> LambdaApi | None:
        """The Lambda API; None where the settings switch it off. Raises ConfigError for an upstream that is this
        daemon."""
        given = self._settings.api
        if not given.enabled:
            return None
        if given.upstream and self.is_reached_by(given.upstream):
            what = f"{given.upstream} is this daemon's own address: it would forward calls to itself forever"
            raise ConfigError([Problem(what, "api.upstream", hint="name the emulator's address")])
        return LambdaApi(groups, self.access, Forwarding(given.upstream), self._log, self._clock, is_ours=is_ours)

    def is_reached_by(self, url: str) -> bool:
        return would_call_itself(url, str(self.address))

    async def refuse_loops(self, functions: Mapping[str, AnyFunction], clients: Clients) -> None:
        """Raises ConfigError for a function that is this daemon: the loader's check, repeated for profiles and for a
        port that was chosen at the start."""
        for name, function in functions.items():
            url = await url_of(function, clients)
            if url and self.is_reached_by(url):
                what = f"{url} is this daemon's own address: it would call itself forever"
                raise ConfigError([Problem(what, f"functions.{name}", hint="name the emulator's address")])


async def foreign_lambda(clients: Clients, front: Front | None) -> Any:
    """The client of the endpoint's Lambda API; None where it is refused or our own."""
    endpoint = await clients.target("lambda")
    ours = isinstance(endpoint, LocalEndpoint) and front is not None and front.is_reached_by(endpoint.url)
    if ours or isinstance(endpoint, RefusedEndpoint):
        return None
    try:
        return await clients.get("lambda")
    except ConfigError:  # this call is optional, so a failure does not matter
        return None

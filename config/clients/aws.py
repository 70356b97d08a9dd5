"""The daemon's one AWS session, and the clients that everything shares.

Owns: which endpoint a service has, the region, the credentials, the guard against real AWS, connection pools and
timeouts. Does not own: trying again (`retry`), what a failure means (`faults`). `service/wiring/daemon.py` opens it;
sources, destinations and remote invokers are handed single clients.

Where botocore is not enough, and what is done about it here:

- AWS_REGION is not among what botocore reads: it is read here, before AWS_DEFAULT_REGION.
- Empty variables (`AWS_PROFILE=`, `AWS_CA_BUNDLE=`, as compose files leave them) are errors to botocore: here they
  are unset.
- Without credentials botocore asks the instance's metadata service, which takes seconds to be absent: an emulator
  gets test/test instead.

botocore itself reads AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, the profile's `services` section and
`endpoint_url`, in this order, and AWS_IGNORE_CONFIGURED_ENDPOINT_URLS. An explicit URL of ours comes before them all.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from ..addresses import leads_here
from ..core.skew import SigningTime
from ..core.stop_budget import IN_PASSING
from ..errors import ConfigError, SourceRefused
from ..fields.arn import LOCAL_REGION
from ..version import version
from . import faults, session
from .endpoints import LocalEndpoint, RealEndpoint, RefusedEndpoint, Target, decide
from .signing import corrected

_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
LOCAL_KEY = "test"  # what emulators' own documents use, as key and as secret
KEEP_ALIVE = 4.0  # seconds; below the 5 s after which common servers close an idle connection under our hands

# Invocations last as long as the function: the invoker has the deadline, per function.
UNTIMED_SERVICES = frozenset({"lambda"})


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """The user's settings for AWS; empty values count as not given."""

    endpoint_url: str | None = None
    """For every service; before every environment variable and profile."""
    endpoint_urls: Mapping[str, str] = field(default_factory=dict)
    """By botocore's service name (`sqs`, `dynamodbstreams`); before `endpoint_url`."""
    region: str | None = None
    profile: str | None = None
    real: bool = False
    """The user allowed real AWS."""
    account: str | None = None
    """Twelve digits; None: as the endpoint has it."""
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    rewrite_queue_urls: bool = True
    lean: bool = True
    """Hot calls go without the general client, where that serves (`config/clients/lean`)."""
    max_connections: int = 4096
    """Per client. Only a cap: each receiver's long poll holds one connection, and a delete must never wait for one."""
    connect_timeout: float = 5.0
    """Seconds."""
    read_timeout: float = 30.0
    """Seconds without a byte; must be above the 20 s of a long poll."""


class Clients:
    """Clients by service, endpoint and region, each made when first asked for and closed together at the end."""

    def __init__(self, settings: AwsSettings | None = None) -> None:
        self.settings = settings or AwsSettings()
        self._stack = AsyncExitStack()
        self._lock = anyio.Lock()
        self._session: Any = None
        self._made: dict[tuple[str, str | None, str], Any] = {}
        self._nobody: bool | None = None  # whether no credentials were found on this machine

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._made.clear()
        with anyio.move_on_after(IN_PASSING, shield=True):
            await self._stack.__aexit__(kind, exc, trace)

    async def get(self, service: str, endpoint: str | None = None, region: str | None = None) -> Any:
        """The shared client of `service` (botocore's name).

        `endpoint` is one that the user named for this use (a function's own `endpoint_url`). Raises ConfigError: the
        guard refuses, no credentials for real AWS, unknown profile or service.
        """
        async with self._lock:
            target = await self._target(service, endpoint)
            if isinstance(target, RefusedEndpoint):
                raise ConfigError([target.problem])
            chosen = region or await self._region(target)
            key = (service, target.url, chosen)
            if key not in self._made:
                self._made[key] = await self._make(service, target, chosen)
            return self._made[key]

    async def target(self, service: str, endpoint: str | None = None) -> Target:
        """Where calls to `service` would go. Raises ConfigError for a broken profile, not for the guard."""
        async with self._lock:
            return await self._target(service, endpoint)

    async def region(self, service: str = "sqs", endpoint: str | None = None) -> str:
        """The region that is used where nothing names one. Raises ConfigError when real AWS has none."""
        async with self._lock:
            return await self._region(await self._target(service, endpoint))

    async def account(self) -> str:
        """Twelve digits: as set; as an access key of twelve digits says, which some emulators take for the account; as
        STS says.

        Raises ConfigError where STS may not be asked, SourceError where it is not there or does not answer.
        """
        async with self._lock:
            target = await self._target("sts", None)
            known = self.settings.account or ("" if isinstance(target, RealEndpoint) else await self._key_of_digits())
        if known:
            return known
        with faults.translating("ask for the account (STS GetCallerIdentity)"):
            answer = await (await self.get("sts")).get_caller_identity()
        account = str(answer.get("Account", ""))
        if not _ACCOUNT.fullmatch(account):
            raise SourceRefused(f"STS answers with an invalid account: {account[:40]!r}")
        return account

    async def credentials(self, service: str) -> dict[str, str | None]:
        """What calls to `service` are signed with, as the arguments of a client; for what signs by itself.

        Raises ConfigError: the guard refuses, or real AWS has no credentials.
        """
        async with self._lock:
            target = await self._target(service, None)
            if isinstance(target, RefusedEndpoint):
                raise ConfigError([target.problem])
            with session.configuring("aws"):
                if named := await self._credentials(target):
                    return named
                found = await (await (await self._opened()).get_credentials()).get_frozen_credentials()
            return session.keys(found.access_key, found.secret_key, found.token)

    # --- inside the lock --------------------------------------------------------------------------------------------

    async def _target(self, service: str, endpoint: str | None) -> Target:
        ours = endpoint or self.settings.endpoint_urls.get(service) or self.settings.endpoint_url
        return decide(service, ours or await self._configured(service), self.settings.real)

    async def _configured(self, service: str) -> str | None:
        """The endpoint of the environment or the profile. A test holds botocore's (private) look-up to what its own
        clients use."""
        opened = await self._opened()
        from botocore.configprovider import ConfiguredEndpointProvider

        with session.configuring("aws.profile"):
            if opened.get_config_variable("ignore_configured_endpoint_urls"):
                return None
            found = ConfiguredEndpointProvider(opened.full_config, opened.get_scoped_config(), service).provide()
        return str(found) if found else None

    async def _region(self, target: Target) -> str:
        named = self.settings.region or session.environment("AWS_REGION", "AWS_DEFAULT_REGION")
        if not named:
            opened = await self._opened()
            with session.configuring("aws.profile"):
                named = opened.get_scoped_config().get("region")
        if named:
            return str(named)
        if isinstance(target, RealEndpoint):
            raise session.config_error("real AWS needs a region", "aws.region", "set aws.region or AWS_REGION")
        return LOCAL_REGION

    async def _opened(self) -> Any:
        if self._session is None:
            # Importing botocore takes a good part of a second: in a thread, and once.
            self._session = await anyio.to_thread.run_sync(session.open_session, self.settings.profile or None)
        return self._session

    async def _make(self, service: str, target: LocalEndpoint | RealEndpoint, region: str) -> Any:
        opened = await self._opened()
        with session.configuring("aws"):
            credentials = await self._credentials(target)
            await anyio.to_thread.run_sync(session.load_models, opened, service)
            verify = session.verification(opened, target)
            context = opened.create_client(
                service,
                region_name=region,
                endpoint_url=target.url,
                verify=verify,
                config=self._config(service, target),
                **credentials,
            )
            client = await self._stack.enter_async_context(context)
            signing_time = SigningTime(lambda: time.time())
            corrected(client, signing_time)
            return await self._short_way(client, service, verify, signing_time)

    async def _short_way(self, client: Any, service: str, verify: str | bool, signing_time: SigningTime) -> Any:
        """The client whose hot calls go without the general one, where there is one."""
        if not self.settings.lean:
            return client
        from .lean.client import lean

        made = await lean(
            client,
            service,
            signing_time,
            verify=verify,
            connect_timeout=self.settings.connect_timeout,
            patience=None if service in UNTIMED_SERVICES else self.settings.read_timeout,
            keep_alive=KEEP_ALIVE,
        )
        if made is None:
            return client
        self._stack.callback(made.close)
        return made

    def _config(self, service: str, target: LocalEndpoint | RealEndpoint) -> Any:
        from aiobotocore.config import AioConfig

        local: dict[str, Any] = {}
        if isinstance(target, LocalEndpoint):
            local["s3"] = {"addressing_style": "path"}  # bucket names are no host names that an emulator answers to
            if leads_here(urlsplit(target.url).hostname or ""):
                local["proxies"] = {}  # no proxy leads to this machine
        return AioConfig(
            connect_timeout=self.settings.connect_timeout,
            read_timeout=None if service in UNTIMED_SERVICES else self.settings.read_timeout,
            max_pool_connections=self.settings.max_connections,
            retries={"total_max_attempts": 1, "mode": "standard"},  # callers retry where it is safe
            user_agent=f"headrace/{version()}",  # a fixed one: building it costs 15 % of a call
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connector_args={"keepalive_timeout": KEEP_ALIVE},
            **local,
        )

    async def _credentials(self, target: LocalEndpoint | RealEndpoint) -> dict[str, str | None]:
        """Arguments for the client; empty where the session finds the credentials itself."""
        given = self.settings
        if given.access_key_id and given.secret_access_key:
            return session.keys(given.access_key_id, given.secret_access_key, given.session_token)
        if isinstance(target, LocalEndpoint):
            return session.keys(LOCAL_KEY, LOCAL_KEY, None) if await self._without_credentials() else {}
        if await (await self._opened()).get_credentials() is None:
            raise session.config_error(
                "real AWS needs credentials, and none were found",
                "aws",
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile (aws.profile, AWS_PROFILE)",
            )
        return {}

    async def _without_credentials(self) -> bool:
        if self._nobody is None:
            self._nobody = await session.found_credentials(await self._opened()) is None
        return self._nobody

    async def _key_of_digits(self) -> str:
        """The access key, where it is an account; else empty."""
        key = self.settings.access_key_id
        if not key:
            with session.configuring("aws"):
                found = await session.found_credentials(await self._opened())
                key = (await found.get_frozen_credentials()).access_key if found is not None else ""
        return key if _ACCOUNT.fullmatch(key or "") else ""

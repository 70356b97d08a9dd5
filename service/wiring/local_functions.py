"""From a function of the configuration, or of the API, to the local invoker's specification. Decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from ...config.clients.endpoints import LocalEndpoint, Target
from ...config.fields.arn import LOCAL_ACCOUNT
from ...config.fields.runtimes import Runtimes
from ...config.function import CommandFunction, ExternalFunction, LocalFunction
from ...config.settings import Aws
from ...dispatch.invokers.local.spec import CommandLaunch, ExternalLaunch, FunctionSpec, Launch, Logging, RuntimeLaunch
from ..control.catalogue import Runnable
from ..control.names import Home

Owned = LocalFunction | CommandFunction | ExternalFunction
"""Functions whose runtime uses our Runtime API."""

BY_ITSELF = Runtimes()
"""No setting: Headrace finds what runs a runtime by itself."""
ENDPOINT = "AWS_ENDPOINT_URL"
ANY_SERVICE = "sqs"
"""The service whose endpoint a function gets when no setting names another: emulators have one for all services."""
_VARIABLE = {"dynamodbstreams": "DYNAMODB_STREAMS", "secretsmanager": "SECRETS_MANAGER", "stepfunctions": "SFN"}
"""Services whose variable is not the service's name in capitals."""


def spec_of(
    function: Owned,
    scratch: Path,
    *,
    region: str,
    account: str,
    aws: Mapping[str, str],
    runtimes: Runtimes = BY_ITSELF,
) -> FunctionSpec:
    """`scratch` is a temporary directory of ours; `aws` are the variables for the function's access to AWS."""
    if isinstance(function, ExternalFunction):
        return FunctionSpec(
            name=function.name,
            launch=ExternalLaunch(function.port),
            code=scratch,
            scratch=scratch,
            timeout=function.deadline,
            concurrency=function.concurrency,
            environment=function.environment,
            memory_size=function.memory_size,
            region=region,
            account=account,
            aws=aws,
        )
    return FunctionSpec(
        name=function.name,
        launch=_launch(function),
        code=function.code,
        scratch=scratch,
        timeout=function.deadline,
        concurrency=function.processes,
        environment=function.environment,
        layers=tuple(function.layers),
        memory_size=function.memory_size,
        isolation=function.isolation,
        runtimes=runtimes,
        reload=function.reload,
        debug_port=function.debug or None,
        idle_timeout=float(function.idle_timeout),
        region=region,
        account=account,
        aws=aws,
    )


AT_ONCE = 1000
"""Maximum environments of one version of the API's functions: the caller limits them over all versions."""


def spec_of_runnable(
    runnable: Runnable, scratch: Path, here: Home, aws: Mapping[str, str], runtimes: Runtimes = BY_ITSELF
) -> FunctionSpec:
    """`scratch` and `aws` as for `spec_of`."""
    return FunctionSpec(
        name=runnable.name,
        launch=RuntimeLaunch(runnable.runtime, runnable.handler),
        code=Path(runnable.code),
        scratch=scratch,
        version=runnable.version,
        timeout=float(runnable.timeout),
        concurrency=AT_ONCE,
        environment=runnable.environment,
        layers=tuple(map(Path, runnable.layers)),
        memory_size=runnable.memory_size,
        runtimes=runtimes,
        uploaded=True,
        read_only=runnable.stored,
        reload=runnable.live,  # unpacked code does not change
        reload_after=0.0,
        region=here.region,
        account=here.account,
        aws=aws,
        logging=Logging(
            group=runnable.log_group,
            format="JSON" if runnable.log_format == "JSON" else "Text",
            application_level=runnable.application_log_level or "INFO",
            system_level=runnable.system_log_level or "INFO",
        ),
    )


def _launch(function: LocalFunction | CommandFunction) -> Launch:
    match function:
        case LocalFunction():
            interpreter = str(function.venv) if function.venv else function.interpreter
            return RuntimeLaunch(function.runtime, function.handler or "", interpreter)
        case CommandFunction():
            return CommandLaunch(tuple(function.command), function.handler or "")
        case _:
            assert_never(function)


@dataclass(frozen=True, slots=True)
class OwnApi:
    """Our Lambda API, for the functions of this machine."""

    url: str
    secret: str = ""
    """The secret for their signatures, under their usual key id; empty when no signature is needed."""


def aws_variables(
    aws: Aws, endpoint: Target, account: str, environ: Mapping[str, str], own: OwnApi | None = None
) -> dict[str, str]:
    """The variables with which a function reaches the same AWS as the daemon. At an emulator: its endpoints, and
    credentials that are no secret. At real AWS none: a function has its own. `own` is our Lambda API, through which
    functions call each other, unless another one is configured for Lambda; None where they cannot use it."""
    if not isinstance(endpoint, LocalEndpoint):
        return {}
    general = aws.endpoint_url or environ.get(ENDPOINT) or endpoint.url
    single = {name: url for name, url in environ.items() if name.startswith(f"{ENDPOINT}_") and url}
    single |= {f"{ENDPOINT}_{_variable(service)}": url for service, url in aws.endpoint_urls.items()}
    # Some emulators read an access key of twelve digits as the account.
    key = "test" if account == LOCAL_ACCOUNT else account
    functions = {f"{ENDPOINT}_LAMBDA": own.url} if own else {}
    secret = (own.secret if own else "") or "test"
    return {ENDPOINT: general, **functions, **single, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}


def _variable(service: str) -> str:
    return _VARIABLE.get(service) or service.upper().replace("-", "_")

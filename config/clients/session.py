"""Our use of botocore itself: opening a session, finding credentials, reading service descriptions.

Used by `aws.Clients` alone. Everything of botocore is imported when it is first called, because importing it takes a
good part of a second.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from ..errors import BugError, ConfigError, Problem
from . import descriptions, faults
from .endpoints import LocalEndpoint, RealEndpoint

INSTANCE_METADATA = "iam-role"  # botocore's name for the credentials of an EC2 instance


def open_session(profile: str | None) -> Any:
    """A session of `profile` (None: the environment's, else the default one). Slow: botocore is imported here."""
    from aiobotocore.session import AioSession

    unset = not environment("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
    # A variable that is set but empty would be looked up as a profile without a name.
    session = AioSession({"profile": (None, None, None, None)} if unset and not profile else None, profile=profile)
    from .replies import CheckedParserFactory

    # Binaries stay base64 text, as functions are given them: decoding only to encode again halves a stream's speed.
    parsers = CheckedParserFactory()
    parsers.set_parser_defaults(timestamp_parser=_timestamp, blob_parser=str)
    session.register_component("response_parser_factory", parsers)
    return session


def _timestamp(value: Any) -> Any:
    """Numbers stay numbers (seconds since the epoch): making datetimes of them takes longer than all the rest of a
    GetRecords. Text is parsed as ever, because botocore's own credentials rely on it."""
    if isinstance(value, int | float):
        return float(value)
    from botocore.utils import parse_timestamp

    return parse_timestamp(value)


_loading = threading.Lock()


def load_models(session: Any, service: str) -> None:
    """Read the service's description, so that making the client finds it in the loader's cache."""
    loader = _shared_loader(session.get_config_variable("data_path"))
    session.register_component("data_loader", loader)
    with _loading:  # several daemons of one process may do it at once, each in a thread
        for general in ("endpoints", "partitions", "_retry", "sdk-default-configuration"):
            loader.load_data_with_path(general)
        descriptions.pack_endpoints(loader.load_data("endpoints"))
        descriptions.pack_service(loader.load_service_model(service, "service-2"))
        descriptions.drop_documentation(loader.load_service_model(service, "endpoint-rule-set-1"))


@cache
def _shared_loader(data_path: str | None) -> Any:
    """The loader of all sessions of this process, because a loader parses a tenth of a second for its first client, and
    tests open a session for each daemon that they embed. `data_path`: the user's own descriptions (AWS_DATA_PATH)."""
    from botocore.loaders import create_loader

    return create_loader(data_path)


async def found_credentials(session: Any) -> Any:
    """The credentials of environment, profile or container, without asking for those of a virtual machine."""
    for provider in session.get_component("credential_provider").providers:
        if provider.METHOD != INSTANCE_METADATA:
            credentials = await provider.load()
            if credentials is not None:
                return credentials
    return None


def keys(key: str, secret: str, token: str | None) -> dict[str, str | None]:
    """The arguments of a client that is told its credentials."""
    return {"aws_access_key_id": key, "aws_secret_access_key": secret, "aws_session_token": token or None}


def verification(session: Any, target: LocalEndpoint | RealEndpoint) -> str | bool:
    """The certificate authorities to trust: a file's path, or True for the usual ones."""
    if isinstance(target, LocalEndpoint) and target.url.startswith("http://"):
        return False  # no TLS here, and reading the authorities costs 20 ms and a megabyte per client
    named = environment("AWS_CA_BUNDLE") or session.get_scoped_config().get("ca_bundle")
    return str(named or environment("REQUESTS_CA_BUNDLE") or "") or True


def environment(*names: str) -> str | None:
    """The first of these variables that is set and not blank."""
    return next((value for name in names if (value := os.environ.get(name, "").strip())), None)


@contextmanager
def configuring(path: str) -> Iterator[None]:
    """Turn what botocore says about profile, credentials and service names into a ConfigError at `path`."""
    try:
        yield
    except ConfigError:
        raise
    except ValueError as error:  # botocore's answer to an endpoint or a region that it cannot read
        raise config_error(str(error), path) from error
    except Exception as error:
        try:
            text = str(faults.translate(error))
        except BugError:
            raise error from None
        raise config_error(text, path) from error


def config_error(what: str, path: str, hint: str = "") -> ConfigError:
    return ConfigError([Problem(what, path=path, hint=hint)])

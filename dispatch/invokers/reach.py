"""Checks whether a server listens at an endpoint: the probe of invokers with a remote function."""

from __future__ import annotations

from urllib.parse import urlsplit

import anyio

from ...config import descriptors
from ...config.addresses import host_and_port, leads_here
from ...config.reasons import Reason, ReasonCode
from .base import NotReady, Ready, cannot_start

PATIENCE = 5.0
"""Seconds for the connection."""


async def reach(url: str, *, by_proxy: bool = False) -> Ready | NotReady:
    """Open a TCP connection to the host of `url` and close it again; to its proxy, where calls go through one."""
    host, port = host_and_port(urlsplit(_on_the_way(url) if by_proxy else url))
    try:
        with anyio.fail_after(PATIENCE):
            stream = await anyio.connect_tcp(host, port)
            await stream.aclose()
    except TimeoutError:
        return _nobody(f"no connection to {host}:{port} within {PATIENCE:g} s: is the address right?")
    except OSError as error:
        if descriptors.spent(error):
            return NotReady(cannot_start(f"no connection to {host}:{port}: {descriptors.advice()}"))
        return _nobody(f"no connection to {host}:{port}: {_detail(error)}; is it running, and is the address right?")
    return Ready()


def _nobody(text: str) -> NotReady:
    return NotReady(Reason(ReasonCode.FUNCTION_UNREACHABLE, text))


def _on_the_way(url: str) -> str:
    from urllib.request import getproxies, proxy_bypass  # not needed until a probe, and slow to import

    parts = urlsplit(url)
    host = parts.hostname or ""
    proxy = getproxies().get(parts.scheme)
    if not proxy or leads_here(host) or proxy_bypass(host):
        return url
    return proxy if "://" in proxy else f"http://{proxy}"


def _detail(error: OSError) -> str:
    cause = error.__cause__ or error
    return " ".join((getattr(cause, "strerror", None) or str(cause)).split()).lower()

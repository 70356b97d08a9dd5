"""`headrace status`: asks the running daemon over HTTP. Also a container's health check: it needs no curl."""

from __future__ import annotations

import argparse
import json
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ....config.errors import HeadraceError
from ...wiring.exits import Exit
from .tables import show, show_json, table, tell

if TYPE_CHECKING:
    from ....dispatch.core.observer import Observer

PATIENCE = 5.0
"""Seconds to wait for an answer."""


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    url = (arguments.url or url_of(os.environ.get("HEADRACE_LISTEN", ""))).rstrip("/")
    if arguments.check:
        return _check(f"{url}/readyz" + ("?strict" if arguments.strict else ""))
    status = _get(f"{url}/status")
    if arguments.output == "json":
        show_json(status)
    else:
        _show_tables(status)
    good = status["polling"] if arguments.strict else status["ready"]
    return Exit.OK if good else Exit.FAILURE


def url_of(listen: str) -> str:
    """The address to ask a daemon at that listens on `listen` (`HOST:PORT` or a port; empty for the default)."""
    host, _, port = (listen or "127.0.0.1:9470").rpartition(":")
    if host in ("", "0.0.0.0", "[::]", "*"):  # noqa: S104 - compared, not bound
        host = "[::1]" if host == "[::]" else "127.0.0.1"
    return f"http://{host}:{port}"


def _check(url: str) -> int:
    answer = _get(url)
    for reason in answer["reasons"]:
        tell(reason)
    return Exit.OK if answer["ready"] else Exit.FAILURE


def _get(url: str) -> dict[str, Any]:
    """The answer, also of an error status. Raises HeadraceError when there is none."""
    if not url.startswith(("http://", "https://")):
        raise HeadraceError(f"{url} is not an address of a daemon: write it like http://127.0.0.1:9470")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never use a proxy for the local daemon
    try:
        with opener.open(url, timeout=PATIENCE) as answer:
            text = answer.read()
    except urllib.error.HTTPError as refusal:
        text = refusal.read()
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise HeadraceError(
            f"no daemon answers at {url}: {reason}; is it running, and does it listen there?"
        ) from error
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or "reasons" not in found:
        raise HeadraceError(f"the server at {url} is not a Headrace daemon; name the daemon's address with --url")
    return found


def _show_tables(status: dict[str, Any]) -> None:
    mappings = [
        (
            each["name"],
            each["state"],
            each.get("origin", "file"),
            each["function"],
            *(each["counts"][name] for name in ("fetched", "delivered", "filtered", "discarded", "undecided")),
            "; ".join(filter(None, (each["reason"], each["trouble"]))),
        )
        for each in status["mappings"]
    ]
    head = (
        "MAPPING",
        "STATE",
        "FROM",
        "FUNCTION",
        "FETCHED",
        "DELIVERED",
        "FILTERED",
        "DISCARDED",
        "UNDECIDED",
        "REASON",
    )
    show(table(head, mappings) + "\n")
    functions = [
        (
            each["name"],
            "up" if each["up"] else "down",
            f"{each['in_flight']}/{each['limit'] or '-'}",
            each["what"],
            each["cause"],
        )
        for each in status["functions"]
    ]
    show(table(("FUNCTION", "STATE", "IN FLIGHT", "IS", "CAUSE"), functions))

"""How verbs ask the running daemon: over HTTP, at the address that it listens on."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

from ....config.errors import HeadraceError
from ...wiring.exits import UsageError

PATIENCE = 5.0
"""Seconds to wait for an answer."""
PATIENCE_OF_SOURCES = 60.0
TOKEN = "X-Headrace-Token"  # noqa: S105 - the name of a header


def base_of(given: str | None) -> str:
    """The daemon's address: the one that is given, else that of HEADRACE_LISTEN, else the default."""
    return (given or url_of(os.environ.get("HEADRACE_LISTEN", ""))).rstrip("/")


def url_of(listen: str) -> str:
    """The address to ask a daemon at that listens on `listen` (`HOST:PORT` or a port; empty for the default)."""
    host, _, port = (listen or "127.0.0.1:9470").rpartition(":")
    if host in ("", "0.0.0.0", "[::]", "*"):  # noqa: S104 - compared, not bound
        host = "[::1]" if host == "[::]" else "127.0.0.1"
    return f"http://{host}:{port}"


def part(name: str) -> str:
    """A name as a part of a path."""
    return quote(name, safe="")


def ask(base: str, path: str, **query: str) -> dict[str, Any]:
    """The answer of /v1. Raises HeadraceError when there is none, or it is a refusal."""
    given = {name: value for name, value in query.items() if value}
    return _allowed(base, f"{path}?{urlencode(given)}" if given else path)


def ask_source(base: str, path: str) -> dict[str, Any]:
    """Asks for what the daemon has to ask a source for, which may be away."""
    return _allowed(base, path, patience=PATIENCE_OF_SOURCES)


def pull(base: str, path: str) -> dict[str, Any]:
    """Pull a lever of /v1. Raises as `ask` does."""
    token = _allowed(base, "/v1/token")["token"]
    return _allowed(base, path, "POST", {TOKEN: token})


def push(base: str, path: str, body: dict[str, str]) -> dict[str, Any]:
    """Pull a lever that is told something, and wait until it is done: as long as an invocation lasts. Raises as `ask`
    does."""
    token = _allowed(base, "/v1/token")["token"]
    return _allowed(base, path, "POST", {TOKEN: token}, json.dumps(body).encode(), None)


def stream(base: str, path: str, **query: str) -> Iterator[bytes]:
    """Lines of JSON, as they come. Raises as `ask` does."""
    given = {name: value for name, value in query.items() if value}
    url = f"{base}{path}?{urlencode(given)}"
    headers = {} if not os.environ.get("AWS_ACCESS_KEY_ID") else _signed(url, "GET", {})
    try:
        with _open(url, "GET", headers, None) as answer:
            yield from answer
    except urllib.error.HTTPError as refusal:
        try:
            text = json.loads(refusal.read())["error"]
        except (ValueError, KeyError, TypeError):
            text = f"the server at {base} is not a Headrace daemon, or an older one"
        raise HeadraceError(str(text)) from refusal
    except OSError as error:
        raise _no_answer(url, error) from error


def confirmed(question: str, *, yes: bool) -> bool:
    """Whether somebody wants it. Raises UsageError where nobody can be asked."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Say so with --yes: there is no terminal to ask")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def ended(base: str) -> HeadraceError:
    """What ends an answer that has no end."""
    return HeadraceError(f"the daemon at {base} ended the answer; does it stop?")


def _allowed(
    base: str,
    path: str,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    patience: float | None = PATIENCE,
) -> dict[str, Any]:
    code, found = fetch(base + path, method, headers or {}, body, patience)
    if code == 403 and os.environ.get("AWS_ACCESS_KEY_ID"):
        signed = _signed(base + path, method, headers or {}, body)
        code, found = fetch(base + path, method, signed, body, patience)
    if not isinstance(found, dict) or (code >= 400 and "error" not in found):
        raise HeadraceError(
            f"the server at {base} is not a Headrace daemon, or an older one; name the daemon's address with --url"
        )
    if code >= 400:
        raise HeadraceError(str(found["error"]))
    return found


def _signed(url: str, method: str, headers: dict[str, str], body: bytes = b"") -> dict[str, str]:
    """With a signature by the keys of the environment, as a daemon wants it that listens beyond this machine."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest(method=method, url=url, headers=headers, data=body)
    keys = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ.get("AWS_SECRET_ACCESS_KEY", ""))
    SigV4Auth(keys, "lambda", os.environ.get("AWS_REGION") or "us-east-1").add_auth(request)
    return dict(request.headers.items())


def fetch(
    url: str,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    patience: float | None = PATIENCE,
) -> tuple[int, Any]:
    """Status and JSON of the answer, a refusal's too; None for what is no JSON. Raises HeadraceError when there is no
    answer."""
    try:
        with _open(url, method, headers or {}, patience, body) as answer:
            code, text = answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        code, text = refusal.code, refusal.read()
    except OSError as error:
        raise _no_answer(url, error) from error
    try:
        return code, json.loads(text)
    except ValueError:
        return code, None


def _open(url: str, method: str, headers: dict[str, str], timeout: float | None, body: bytes = b"") -> Any:
    if not url.startswith(("http://", "https://")):
        raise HeadraceError(f"{url} is not an address of a daemon: write it like http://127.0.0.1:9470")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy leads to a daemon
    data = body if method == "POST" else None
    request = urllib.request.Request(url, data=data, method=method, headers=headers)  # noqa: S310 - see above
    return opener.open(request, timeout=timeout)


def _no_answer(url: str, error: OSError) -> HeadraceError:
    reason = getattr(error, "reason", error)
    return HeadraceError(f"no daemon answers at {url}: {reason}; is it running, and does it listen there?")

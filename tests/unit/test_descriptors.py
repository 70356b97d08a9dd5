"""How it is recognised that no file descriptor is left, and who has one all the same."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from botocore.exceptions import EndpointConnectionError

from headrace.config import descriptors
from headrace.config.clients import faults
from headrace.config.clients.kafka import translate
from headrace.config.errors import SourceUnavailable
from headrace.config.function import HttpFunction, LocalFunction
from headrace.service.running.core.descriptor_need import ITSELF, MAPPING, PROCESS, needed

SPENT = OSError(errno.EMFILE, "Too many open files")
SYSTEM_SPENT = OSError(errno.ENFILE, "Too many open files in system")
REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")


def connecting(cause: OSError) -> aiohttp.ClientConnectorError:
    key = ConnectionKey("localhost", 9, False, True, None, None, None)
    return aiohttp.ClientConnectorError(key, cause)


def of(cause: BaseException) -> Exception:
    error = ConnectionError("all connection attempts failed")
    error.__cause__ = cause
    return error


def while_handling(cause: BaseException) -> Exception:
    error = ConnectionError("something else")
    error.__context__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "spent"),
    [
        (SPENT, True),
        (SYSTEM_SPENT, True),
        (connecting(SPENT), True),
        (EndpointConnectionError(endpoint_url="http://x", error=connecting(SPENT)), True),
        (of(SPENT), True),
        (of(ExceptionGroup("both", [REFUSED, SPENT])), True),
        (REFUSED, False),
        (connecting(REFUSED), False),
        (EndpointConnectionError(endpoint_url="http://x", error=connecting(REFUSED)), False),
        (while_handling(SPENT), False),
        (ValueError("too many open files"), False),
    ],
)
def test_it_is_recognised_however_a_client_wraps_it(error: Exception, spent: bool) -> None:
    assert descriptors.spent(error) is spent


@pytest.mark.parametrize("none_left", [True, False])
def test_a_name_that_is_not_found_is_so_only_when_a_file_can_be_opened(
    none_left: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descriptors, "none_left", lambda: none_left)
    assert descriptors.spent(of(socket.gaierror(socket.EAI_AGAIN, "Temporary failure"))) is none_left


@pytest.mark.semantics("CLI-33")
@pytest.mark.parametrize("error", [connecting(SPENT), EndpointConnectionError(endpoint_url="u", error=SPENT), SPENT])
def test_clients_say_that_descriptors_are_missing_and_not_who_does_not_answer(error: Exception) -> None:
    for found in (faults.translate(error, "receive from orders"), translate(error, "receive from orders")):
        assert isinstance(found, SourceUnavailable)
        assert str(found).startswith("receive from orders: no file descriptor is left, of the ")
        assert "ulimit -n" in str(found)


ALONE = """
import json, os, socket, sys
from headrace.config import descriptors

def opened():
    files = []
    try:
        while True:
            files.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return files

import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
told = {"raised": descriptors.raise_limit(64)}
descriptors.reserve()
files = opened()
told["none left"] = descriptors.none_left()
told["highest"] = max(files)
told["limit"] = descriptors.limit()
with descriptors.lifted():
    os.open(os.devnull, os.O_RDONLY)
told["again"] = descriptors.none_left()
for file in files:
    os.close(file)
descriptors.release()
told["all"] = len(opened()) - len(files)
print(json.dumps(told))
"""


@pytest.mark.parametrize(("soft", "hard", "limit"), [(64, 64, 64), (32, 64, 64), (32, 128, 64), (48, 48, 48)])
def test_a_part_is_kept_for_those_who_ask(soft: int, hard: int, limit: int) -> None:
    command = [sys.executable, "-c", ALONE, str(soft), str(hard)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    kept = limit // 8
    assert told == {
        "raised": limit,
        "none left": True,
        "highest": limit - kept - 1,
        "limit": limit,
        "again": True,
        "all": kept - 1,
    }


def test_outside_of_a_daemon_nothing_is_kept() -> None:
    before = descriptors.limit()
    with descriptors.lifted():
        assert descriptors.limit() == before
    assert not descriptors.none_left()
    assert os.path.exists(os.devnull)


@pytest.mark.parametrize(
    ("mappings", "processes", "at_once", "wanted"),
    [
        (0, 0, None, ITSELF),
        (20, 0, 1, ITSELF + 20 * MAPPING + 1),
        (1, 3, 1, ITSELF + MAPPING + 3 * PROCESS + 1),
        (1, 1000, None, ITSELF + MAPPING + 10 * PROCESS + 10),
    ],
)
def test_what_is_needed_grows_with_mappings_and_functions(
    mappings: int, processes: int, at_once: int | None, wanted: int
) -> None:
    functions: list[HttpFunction | LocalFunction] = []
    if processes:
        functions.append(LocalFunction(name="l", runtime="python", handler="a.b", code=Path(), concurrency=processes))
    if mappings:
        functions.append(HttpFunction(name="h", http="http://localhost:1/", concurrency=at_once))
    assert needed(mappings, functions) == wanted

"""The common parts of all demos: clients, the daemon as a process, a line of progress, the report."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import botocore.session
from account import Words, account, lines
from botocore.config import Config
from evidence import Gatherer
from orders import Order

HERE = Path(__file__).resolve().parent
GIVE_UP = 240
"""Seconds after which a demo that is not idle is over."""
SECRETS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

T = TypeVar("T")


def client(service: str, endpoint: str) -> Any:
    return botocore.session.Session().create_client(
        service,
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id=SECRETS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=SECRETS["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"max_attempts": 1}, max_pool_connections=8),
    )


class Progress:
    """One line that is written over on a terminal, a line every few seconds elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._next = 0.0
        self._last = ""

    def show(self, text: str, *, now: bool = False) -> None:
        if text == self._last or (time.monotonic() < self._next and not now):
            return
        self._last = text
        self._next = time.monotonic() + (0.1 if self._terminal else 3)
        print(f"\r\x1b[2K{text}" if self._terminal else text, end="" if self._terminal else "\n", flush=True)

    def end(self, text: str) -> None:
        self.show(text, now=True)
        if self._terminal:
            print()


@contextlib.contextmanager
def daemon(directory: Path, config: str, variables: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon as a process, which ends by itself when nothing is left to do. It is gone when this returns."""
    scripts = Path(sys.executable).parent
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HEADRACE_"))},
        **SECRETS,
        **variables,
        "PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    options = [f"--until-idle={GIVE_UP}", "--listen", "127.0.0.1:0", "--state", str(directory / "state")]
    command = [str(scripts / "headrace"), "run", str(HERE / config), *options]
    with (directory / "headrace.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(12)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


@contextlib.contextmanager
def sending(send: Callable[[list[Order]], T], orders: list[Order], size: int) -> Iterator[list[Future[T]]]:
    """Sends the orders in batches while the block runs; the first has arrived when it begins, so that the daemon does
    not find an empty source and end."""
    with ThreadPoolExecutor(4) as pool:
        under_way = [pool.submit(send, orders[start : start + size]) for start in range(0, len(orders), size)]
        under_way[0].result()
        try:
            yield under_way
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def follow(process: subprocess.Popen[bytes], look: Callable[[], str]) -> None:
    """Shows where the orders are until the daemon has ended by itself."""
    progress = Progress()
    while process.poll() is None:
        progress.show(look())
        time.sleep(0.1)
    look()
    progress.end("the daemon says that nothing is left to do" if process.returncode == 0 else "the daemon ended")


def report(gatherer: Gatherer, orders: list[Order], code: int, words: Words, directory: Path) -> int:
    """Prints the account; the demo's exit code."""
    result = account(gatherer.evidence, {order.id: order.called_for for order in orders})
    print("\n" + "\n".join(lines(result, words)))
    if gatherer.strangers:
        print(f"filtered, and not of this demo: {gatherer.strangers[:10]}")
    if code != 0:
        print(f"the daemon ended with code {code}; the end of its log:")
        print("\n".join((directory / "headrace.log").read_text(errors="replace").splitlines()[-15:]))
    return 0 if result.balances and code == 0 and result.sent == len(orders) and not gatherer.strangers else 1
